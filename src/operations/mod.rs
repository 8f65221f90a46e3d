//! Every operation of Iconik's API that a rule may call: method, path, scope, repeat class, body keys.
//!
//! Only data, so that the engine can name a missing permission, the runner can decide what may be repeated,
//! and the simulator can tell an unknown path from an unknown object. The tables are the operations of
//! Iconik's OpenAPI documents of May 2025, one file for each of its services (two for `files`), and in `listed`
//! what has come since. Left out, and therefore unknown to rules, is what no scope stands for: everything below
//! `auth` and the logins of shares (their answers hold tokens); webhooks and the definitions of custom actions, read or
//! written (their static headers hold the secrets that senders are known by); writes to settings, automations and
//! statistics; the definitions of service accounts (they hold addresses and credentials); how users log in.

mod acls;
mod assets;
mod automations;
mod files;
mod fitting;
mod index;
mod jobs;
mod listed;
mod look_ups;
mod metadata;
mod scope;
mod search;
mod settings;
mod stats;
mod storages;
mod transcode;
mod users;
mod users_notifications;

pub use fitting::{Given, Misfit, OPEN, misfit};
pub use index::{find, nearest};
pub use look_ups::{Filter, LookUp, Made, Proof, Seek, look_up, look_up_of};
pub use scope::scopes;

use serde_json::Value;

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
    /// What may be done when nobody knows whether it happened; [`class_of`] also looks at the body.
    pub class: RepeatClass,
    /// The keys that its body must have. A PATCH has none but lists of objects: the documents demand the
    /// keys of the whole object there, yet Iconik takes a part (clients in the field rely on it).
    pub required: &'static [&'static str],
    /// The keys that its body may have besides; empty where the body is free or there is none.
    pub optional: &'static [&'static str],
    /// How we know of it.
    pub source: Source,
}

/// How we know of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Iconik's OpenAPI documents of May 2025.
    Documents2025,
    /// A list of 2026 that a third party made of Iconik's: methods and paths alone.
    Listed2026,
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
    /// It sets something in motion, or works on whatever it finds at that moment: ask a person.
    Acting,
}

/// Every operation, service by service, in the order of their paths; what has come since 2025 at the end.
pub fn all() -> impl Iterator<Item = &'static Operation> {
    [
        acls::OPERATIONS,
        assets::OPERATIONS,
        automations::OPERATIONS,
        files::OPERATIONS,
        storages::OPERATIONS,
        jobs::OPERATIONS,
        metadata::OPERATIONS,
        search::OPERATIONS,
        settings::OPERATIONS,
        stats::OPERATIONS,
        transcode::OPERATIONS,
        users::OPERATIONS,
        users_notifications::OPERATIONS,
        listed::OPERATIONS,
    ]
    .into_iter()
    .flatten()
}

/// The repeat class of one call.
///
/// It is the operation's, except where the body makes a write of metadata relative: a field with a `mode`
/// other than `overwrite` and `delete` (Iconik documents `append` besides) would hold its values twice after
/// a repeat, and is therefore acting.
pub fn class_of(operation: &Operation, body: Option<&Value>) -> RepeatClass {
    if operation.class != RepeatClass::Idempotent {
        return operation.class;
    }
    let relative = body
        .and_then(|body| body.get("metadata_values")?.as_object())
        .is_some_and(|fields| {
            fields
                .values()
                .filter_map(|field| field.get("mode"))
                .any(|mode| !matches!(mode.as_str(), Some("overwrite" | "delete")))
        });
    if relative {
        RepeatClass::Acting
    } else {
        RepeatClass::Idempotent
    }
}

type Keys = &'static [&'static str];

const fn get(path: &'static str) -> Operation {
    safe(Method::Get, path, &[], &[])
}

const fn safe(method: Method, path: &'static str, required: Keys, optional: Keys) -> Operation {
    Operation {
        method,
        path,
        scope: None,
        class: RepeatClass::Safe,
        required,
        optional,
        source: Source::Documents2025,
    }
}

const fn idempotent(
    method: Method,
    path: &'static str,
    scope: &'static str,
    required: Keys,
    optional: Keys,
) -> Operation {
    Operation {
        method,
        path,
        scope: Some(scope),
        class: RepeatClass::Idempotent,
        required,
        optional,
        source: Source::Documents2025,
    }
}

const fn creating(
    method: Method,
    path: &'static str,
    scope: &'static str,
    required: Keys,
    optional: Keys,
) -> Operation {
    Operation {
        class: RepeatClass::Creating,
        ..idempotent(method, path, scope, required, optional)
    }
}

const fn acting(
    method: Method,
    path: &'static str,
    scope: &'static str,
    required: Keys,
    optional: Keys,
) -> Operation {
    Operation {
        class: RepeatClass::Acting,
        ..idempotent(method, path, scope, required, optional)
    }
}

#[cfg(test)]
mod tests;
