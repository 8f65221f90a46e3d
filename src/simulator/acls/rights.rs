//! Who has which rights to which object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::operation::Ask;
use super::super::table::Document;
use super::super::world::World;
use super::RIGHTS;

/// Who has rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Holder {
    /// A user.
    User,
    /// A group.
    Group,
    /// A share.
    Share,
}

impl Holder {
    /// The holder that the path names.
    pub(super) fn of(ask: &Ask) -> (Self, &str) {
        for (holder, name) in [
            (Self::User, "user_id"),
            (Self::Group, "group_id"),
            (Self::Share, "share_id"),
        ] {
            if !ask.param(name).is_empty() {
                return (holder, ask.param(name));
            }
        }
        (Self::User, ask.caller.user_id.as_str())
    }

    /// What the API calls its id.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::User => "user_id",
            Self::Group => "group_id",
            Self::Share => "share_id",
        }
    }
}

/// The rights of each holder.
pub(super) type Rights = BTreeMap<(Holder, String), Entry>;

/// What one holder may do with one object, and since when.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) rights: BTreeSet<String>,
    pub(super) created: Value,
    pub(super) modified: Value,
}

/// Who may do what with which object.
#[derive(Debug, Default)]
pub(in super::super) struct Acls {
    pub(super) objects: BTreeMap<(String, String), Rights>,
}

impl Acls {
    /// The rights to an object, if anybody was given any.
    pub(super) fn of(&self, object_type: &str, object: &str) -> Option<&Rights> {
        let key = (object_type.to_owned(), object.to_owned());
        self.objects.get(&key).filter(|rights| !rights.is_empty())
    }

    /// Gives rights, besides those that are there or in their place; whether the holder had none.
    pub(super) fn grant(
        &mut self,
        object: (&str, &str),
        holder: (Holder, &str),
        rights: &BTreeSet<String>,
        is_added: bool,
        at: &Value,
    ) -> bool {
        let key = (object.0.to_owned(), object.1.to_owned());
        let all = self.objects.entry(key).or_default();
        let mut is_new = false;
        let entry = all
            .entry((holder.0, holder.1.to_owned()))
            .or_insert_with(|| {
                is_new = true;
                Entry {
                    created: at.clone(),
                    ..Entry::default()
                }
            });
        if !is_added {
            entry.rights.clear();
        }
        entry.rights.extend(rights.iter().cloned());
        entry.modified = at.clone();
        is_new
    }

    /// Takes all rights from a holder; whether it had any.
    pub(super) fn revoke(&mut self, object: (&str, &str), holder: (Holder, &str)) -> bool {
        let key = (object.0.to_owned(), object.1.to_owned());
        let rights = self.objects.get_mut(&key);
        let removed = rights.and_then(|it| it.remove(&(holder.0, holder.1.to_owned())));
        removed.is_some()
    }
}

/// The rights to an object as the API shows them.
pub(super) fn shown(world: &World, object_type: &str, object: &str) -> Document {
    let of = |wanted: Holder| -> Value {
        let rights = world.acls.of(object_type, object).into_iter().flatten();
        rights
            .filter(|((holder, _), _)| *holder == wanted)
            .map(|((holder, id), entry)| json!({ (holder.key()): id, "permissions": entry.rights }))
            .collect()
    };
    let lists = [
        ("users_acl", of(Holder::User)),
        ("groups_acl", of(Holder::Group)),
        ("inherited_users_acl", json!([])),
        ("inherited_groups_acl", json!([])),
        ("propagating_users_acl", json!([])),
        ("propagating_groups_acl", json!([])),
    ];
    let named = lists.into_iter();
    named.map(|(name, list)| (name.to_owned(), list)).collect()
}

/// The rights of a holder, of a user those of its groups as well.
pub(super) fn held(
    world: &World,
    object: (&str, &str),
    holder: (Holder, &str),
) -> BTreeSet<String> {
    let Some(rights) = world.acls.of(object.0, object.1) else {
        return RIGHTS.map(str::to_owned).into();
    };
    let user = world
        .users
        .get(holder.1)
        .filter(|_| holder.0 == Holder::User);
    let groups = user.map(|user| texts(user, "groups")).unwrap_or_default();
    let keys = groups.into_iter().map(|id| (Holder::Group, id));
    let keys = keys.chain([(holder.0, holder.1.to_owned())]);
    let entries = keys.filter_map(|key| rights.get(&key));
    entries.flat_map(|entry| entry.rights.clone()).collect()
}

/// The rights that a body names.
pub(super) fn rights(given: &Document) -> BTreeSet<String> {
    texts(given, "permissions").into_iter().collect()
}

/// The texts of a list.
pub(super) fn texts(given: &Document, key: &str) -> Vec<String> {
    let list = given.get(key).and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
