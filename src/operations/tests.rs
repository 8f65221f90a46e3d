//! What must hold of every line of the tables, and that they are Iconik's own list.
//!
//! The lists are long and made from documents; these rules are what keeps a wrong line from being read over.

use std::collections::HashSet;
use std::path::Path;

use serde_json::json;

use super::*;

/// What the module's comment says is left out.
fn is_left_out(method: Method, path: &str) -> bool {
    let write = method != Method::Get;
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    begins(&["auth/", "assets/v1/shares/auth/", "notifications/"])
        || is_login_of_2026(path)
        || begins(&["assets/v1/custom_actions/"]) && !path.ends_with("/callback/")
        || write
            && (begins(&[
                "automations/",
                "settings/",
                "stats/",
                "files/v1/analysis/service_accounts/",
            ]) || begins(&["users/v1/users/"])
                && ["/otp/", "/totp/", "/saml/"]
                    .iter()
                    .any(|part| path.contains(part)))
}

/// What hands out tokens, lets people in, or holds credentials, of what has come since.
fn is_login_of_2026(path: &str) -> bool {
    let parts = [
        "assets/v1/publications/token/",
        "assets/v1/shares/allowlist/",
        "/magic_link/",
        "files/v1/drm/",
        "search/v2/search_backends/",
        "users/v1/users/invite/",
        "users/v1/users/partner_domain_access/",
        "/device_tokens/",
    ];
    parts.iter().any(|part| path.contains(part)) && path != "search/v2/search_backends/kinds/"
}

fn shape(path: &str) -> String {
    path.split('/')
        .map(|segment| {
            if segment.starts_with('{') {
                "{}"
            } else {
                segment
            }
        })
        .collect::<Vec<_>>()
        .join("/")
}

fn class(method: Method, path: &str) -> RepeatClass {
    find(method, path).expect("a known operation").class
}

#[test]
fn every_path_is_written_in_full_with_its_closing_slash() {
    for operation in all() {
        let path = operation.path;
        assert!(path.ends_with('/') && !path.starts_with('/'), "{path}");
        assert!(!path.contains("//") && !path.contains("API"), "{path}");
        for segment in path.split('/') {
            assert_eq!(
                segment.starts_with('{'),
                segment.ends_with('}') && !segment.is_empty(),
                "{path}"
            );
        }
    }
}

#[test]
fn no_two_operations_answer_to_the_same_call() {
    let mut seen = HashSet::new();
    for operation in all() {
        let shape = shape(operation.path);
        assert!(
            seen.insert((operation.method, shape)),
            "{} {}",
            operation.method,
            operation.path
        );
    }
}

#[test]
fn reads_need_no_scope_and_everything_else_needs_one_of_the_closed_list() {
    let closed: HashSet<_> = scopes().collect();
    for operation in all() {
        let Operation {
            method,
            path,
            scope,
            class,
            ..
        } = *operation;
        match scope {
            None => assert_eq!(class, RepeatClass::Safe, "{method} {path}"),
            Some(scope) => {
                assert_ne!(class, RepeatClass::Safe, "{method} {path}");
                assert!(closed.contains(scope), "{method} {path}: {scope}");
            }
        }
        assert!(
            method != Method::Get || scope.is_none(),
            "{path} is only read"
        );
        assert!(
            method != Method::Delete && method != Method::Put && method != Method::Patch
                || scope.is_some(),
            "{method} {path} writes"
        );
    }
}

#[test]
fn a_key_is_either_required_or_optional() {
    for operation in all() {
        let keys: Vec<_> = operation
            .required
            .iter()
            .chain(operation.optional)
            .collect();
        let distinct: HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "{}", operation.path);
    }
}

#[test]
fn what_destroys_for_good_needs_the_scope_of_purging() {
    for operation in all().filter(|operation| operation.path.contains("/purge/")) {
        let scope = operation.scope.expect("a purge has a scope");
        assert!(scope.ends_with(":purge"), "{}: {scope}", operation.path);
    }
    let trash = find(Method::Delete, "assets/v1/assets/1/").expect("known");
    assert_eq!(trash.scope, Some("assets:delete"));
    let queue = find(Method::Post, "assets/v1/delete_queue/assets/").expect("known");
    assert_eq!(queue.scope, Some("assets:delete"));
    let back = find(Method::Delete, "assets/v1/delete_queue/assets/").expect("known");
    assert_eq!(back.scope, Some("assets:write"));
}

#[test]
fn the_classes_are_those_of_the_semantics() {
    use Method::{Delete, Get, Patch, Post, Put};
    use RepeatClass::{Acting, Creating, Idempotent, Safe};
    for (method, path, expected) in [
        (Get, "assets/v1/assets/1/", Safe),
        (Post, "search/v1/search/", Safe),
        (Patch, "assets/v1/assets/1/", Idempotent),
        (Delete, "assets/v1/assets/1/", Idempotent),
        (Put, "metadata/v1/assets/1/views/2/", Idempotent),
        (Post, "assets/v1/assets/", Creating),
        (Post, "assets/v1/assets/1/segments/", Creating),
        (Post, "assets/v1/collections/1/contents/", Creating),
        (Post, "jobs/v1/jobs/", Creating),
        (Post, "files/v1/assets/1/formats/", Creating),
        (Post, "assets/v1/assets/1/shares/", Acting),
        (Post, "users-notifications/v1/notifications/", Acting),
        (
            Post,
            "transcode/v1/analyze/assets/1/profiles/default/",
            Acting,
        ),
        (Put, "jobs/v1/jobs/state/", Acting),
        (Put, "assets/v1/assets/", Acting),
        (Post, "files/v1/storages/1/bulk/", Acting),
        (Post, "assets/v1/custom_actions/ASSET/1/callback/", Acting),
        (Delete, "assets/v1/assets/1/versions/old/", Acting),
    ] {
        assert_eq!(class(method, path), expected, "{method} {path}");
    }
}

#[test]
fn appending_to_metadata_acts_and_overwriting_does_not() {
    let put = find(Method::Put, "metadata/v1/assets/1/views/2/").expect("known");
    let with = |mode: Value| {
        class_of(
            put,
            Some(&json!({"metadata_values": {
                "a": {"field_values": [{"value": 1}]},
                "b": {"field_values": [{"value": 2}], "mode": mode},
            }})),
        )
    };
    assert_eq!(with(json!("overwrite")), RepeatClass::Idempotent);
    assert_eq!(with(json!("delete")), RepeatClass::Idempotent);
    assert_eq!(with(json!("append")), RepeatClass::Acting);
    assert_eq!(with(json!("APPEND")), RepeatClass::Acting);
    assert_eq!(with(Value::Null), RepeatClass::Acting);
    assert_eq!(class_of(put, None), RepeatClass::Idempotent);
    let create = find(Method::Post, "assets/v1/assets/").expect("known");
    assert_eq!(
        class_of(create, Some(&json!({"metadata_values": {}}))),
        RepeatClass::Creating
    );
}

#[test]
fn the_tables_are_the_operations_of_the_documents() {
    let documents =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/iconik/specs/openapi-2025-05");
    let Ok(files) = std::fs::read_dir(&documents) else {
        println!("not compared: {} is not there", documents.display());
        return;
    };
    let mut known = HashSet::new();
    for file in files {
        let text = std::fs::read_to_string(file.expect("readable").path()).expect("readable");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let base = document["servers"][0]["url"].as_str().expect("a base");
        for (path, methods) in document["paths"].as_object().expect("paths") {
            let path = format!("{base}{}", path.trim_start_matches('/'));
            let path = path.trim_start_matches("/API/");
            for method in [
                Method::Get,
                Method::Post,
                Method::Put,
                Method::Patch,
                Method::Delete,
            ] {
                if methods.get(method.as_str().to_lowercase()).is_none() {
                    continue;
                }
                known.insert((method, shape(path)));
                // By shape: the documents have three paths twice, with different names of the same id.
                let found = all().any(|operation| {
                    operation.method == method && shape(operation.path) == shape(path)
                });
                assert_eq!(found, !is_left_out(method, path), "{method} {path}");
            }
        }
    }
    assert!(!known.is_empty(), "{} is empty", documents.display());
    for operation in all().filter(|operation| operation.source == Source::Documents2025) {
        assert!(
            known.contains(&(operation.method, shape(operation.path))),
            "{} {} is in no document",
            operation.method,
            operation.path
        );
    }
}

#[test]
fn what_has_come_since_is_the_rest_of_the_list() {
    let list =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/iconik/specs/endpoints-2026.txt");
    let Ok(list) = std::fs::read_to_string(&list) else {
        println!("not compared: {} is not there", list.display());
        return;
    };
    let mut known = HashSet::new();
    for line in list.lines() {
        let mut words = line.split_whitespace();
        let (method, path) = (words.next(), words.next());
        let methods = [
            Method::Get,
            Method::Post,
            Method::Put,
            Method::Patch,
            Method::Delete,
        ];
        let method = methods.into_iter().find(|it| Some(it.as_str()) == method);
        let method = method.expect("a method");
        let path = path.expect("a path").trim_start_matches("/API/");
        known.insert((method, shape(path)));
        let found = all()
            .any(|operation| operation.method == method && shape(operation.path) == shape(path));
        assert_eq!(found, !is_left_out(method, path), "{method} {path}");
    }
    assert!(known.len() > 900, "{}", known.len());
    for operation in all().filter(|operation| operation.source == Source::Listed2026) {
        let Operation { method, path, .. } = operation;
        assert!(known.contains(&(*method, shape(path))), "{method} {path}");
        assert!(
            operation.required.is_empty() && operation.optional.is_empty(),
            "{path}"
        );
    }
}
