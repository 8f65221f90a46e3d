//! The closed list of scopes.
//!
//! It is a promise to the authors of rules and grows only by addition, so it is written down by family and
//! not gathered from the tables: a scope may stand in `allow` before any operation asks for it.

macro_rules! families {
    ($($family:literal)*) => {
        &[$(
            concat!($family, ":delete"),
            concat!($family, ":purge"),
            concat!($family, ":write"),
        )*]
    };
}

/// Three scopes for each family.
static FAMILIES: &[&str] = families! {
    "acls" "approvals" "assets" "collections" "files" "jobs" "metadata" "notifications" "search"
    "segments" "shares" "storages" "users"
};

/// Starting and stopping machine time. Nothing is lost by it, so that one scope is enough.
const TRANSCODE: &str = "transcode:write";

/// Every scope that `allow` may name for Iconik, sorted, each once.
pub fn scopes() -> impl Iterator<Item = &'static str> {
    let before = FAMILIES.partition_point(|scope| *scope < TRANSCODE);
    let (before, after) = FAMILIES.split_at(before);
    before
        .iter()
        .copied()
        .chain([TRANSCODE])
        .chain(after.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations;

    #[test]
    fn the_list_is_sorted_and_names_each_scope_once() {
        let scopes: Vec<_> = scopes().collect();
        assert!(scopes.is_sorted_by(|a, b| a < b), "{scopes:?}");
        assert_eq!(scopes.len(), 40);
        assert!(scopes.contains(&"transcode:write"));
        assert!(!scopes.contains(&"transcode:delete"));
    }

    #[test]
    fn every_family_has_operations_that_ask_for_it() {
        for family in scopes().filter_map(|scope| scope.strip_suffix(":write")) {
            assert!(
                operations::all()
                    .filter_map(|operation| operation.scope)
                    .any(|scope| scope
                        .split_once(':')
                        .is_some_and(|(name, _)| name == family)),
                "{family}"
            );
        }
    }
}
