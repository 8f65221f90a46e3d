//! Every operation of Iconik's API that a rule may call: method, path, scope, repeat class, body keys.
//!
//! Only data, so that the engine can name a missing permission, the runner can decide what may be repeated,
//! and the simulator can tell an unknown path from an unknown object.

use crate::model::Method;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The HTTP method.
    pub method: Method,
    /// The path below `/API/`, with `{names}` for its ids: `assets/v1/assets/{asset_id}/`.
    pub path: &'static str,
    /// The scope that a rule needs in `allow`; `None` for reads.
    pub scope: Option<&'static str>,
    /// What may be done when nobody knows whether it happened.
    pub class: RepeatClass,
    /// The keys that its body must have.
    pub required: &'static [&'static str],
    /// The keys that its body may have besides; empty where the body is free or there is none.
    pub optional: &'static [&'static str],
}

/// What may be done after an outcome that does not prove that nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepeatClass {
    /// It only reads: repeat.
    Safe,
    /// Twice is as good as once: repeat while it is young.
    Idempotent,
    /// It makes something: look whether it is there before repeating.
    Creating,
    /// It sets something in motion: ask a person.
    Acting,
}
