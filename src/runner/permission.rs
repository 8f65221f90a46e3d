//! Whether a rule may make a call: the first thing that the door asks.
//!
//! The scope belongs to the operation, and the operation is found by the path. So a path must mean the same to
//! the table and to the server that it is sent to: whatever a URL parser would rewrite is refused.

use crate::model::{Call, DeadClass, Diagnostic, Failure, FilePosition, Program};
use crate::operations::{self, Operation};

use super::progress::words;

/// The most suggestions in one message.
const SUGGESTIONS_MAX: usize = 3;

/// The operation that the call is, if the rule may make it.
pub(super) fn permit(program: &Program, call: &Call) -> Result<&'static Operation, Box<Failure>> {
    if let Some(wrong) = what_is_wrong_with(&call.path) {
        let message = format!("the path `{}` cannot be called: {wrong}", call.path);
        let hint = "ids go into a path as they are; parameters go into the query";
        return Err(at_call(
            program,
            call,
            DeadClass::Permission,
            message,
            hint.to_owned(),
        ));
    }
    let Some(operation) = operations::find(call.method, &call.path) else {
        return Err(unknown(program, call));
    };
    match operation.scope {
        Some(scope) if !program.allow.iter().any(|allowed| allowed == scope) => Err(missing_scope(
            program,
            call.position.as_ref(),
            &words(call),
            scope,
        )),
        _ => Ok(operation),
    }
}

/// Why a URL parser might read the path as another one.
fn what_is_wrong_with(path: &str) -> Option<&'static str> {
    if path.starts_with('/') || path.contains("//") {
        return Some("it has an empty part; an id may be missing");
    }
    if path.contains(['?', '#', '\\']) || path.chars().any(char::is_control) {
        return Some("`?`, `#`, `\\` and control characters are no part of a path");
    }
    if path.contains(|c: char| c == '%' || c.is_whitespace()) {
        return Some(
            "a percent sign may hide another character, and white space is no part of a path",
        );
    }
    if path.split('/').any(|part| part == "." || part == "..") {
        return Some("`.` and `..` lead to another path");
    }
    None
}

fn unknown(program: &Program, call: &Call) -> Box<Failure> {
    let near: Vec<String> = operations::nearest(call.method, &call.path)
        .iter()
        .take(SUGGESTIONS_MAX)
        .map(|operation| format!("`{} {}`", operation.method, operation.path))
        .collect();
    let message = format!(
        "`{} {}` is no operation of Iconik's API that is known here",
        call.method, call.path
    );
    let hint = if near.is_empty() {
        "the reference lists every operation".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    at_call(program, call, DeadClass::ScriptError, message, hint)
}

/// The failure of a rule whose header lacks a scope; `words` say what it asked for.
pub(super) fn missing_scope(
    program: &Program,
    position: Option<&FilePosition>,
    words: &str,
    scope: &str,
) -> Box<Failure> {
    let message = format!("{words} needs the scope `{scope}`, which the rule does not have");
    let scopes: Vec<String> = program
        .allow
        .iter()
        .map(String::as_str)
        .chain([scope])
        .map(|scope| format!("{scope:?}"))
        .collect();
    let hint = format!("write in the header: `allow: [{}]`", scopes.join(", "));
    at_place(program, position, DeadClass::Permission, message, hint)
}

/// A failure at the place of the rule that asked for the call.
pub(super) fn at_call(
    program: &Program,
    call: &Call,
    class: DeadClass,
    message: String,
    hint: String,
) -> Box<Failure> {
    at_place(program, call.position.as_ref(), class, message, hint)
}

/// A failure at a place of the rule.
pub(super) fn at_place(
    program: &Program,
    position: Option<&FilePosition>,
    class: DeadClass,
    message: String,
    hint: String,
) -> Box<Failure> {
    let library = position.and_then(|place| place.file.as_deref());
    let path = library.unwrap_or(&program.main.path);
    let mut files = program.libraries.iter().chain([&program.main]);
    let source = files.find(|file| file.path == path);
    let source = source.map_or("", |file| file.source.as_str());
    let place = Diagnostic::at(path, source, position.map(|place| place.at), message);
    Box::new(Failure {
        file: Some(place.file),
        position: place.position,
        excerpt: place.excerpt,
        hint: Some(hint),
        ..Failure::new(class, place.message)
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{call, program};
    use super::*;
    use crate::model::{Method, Position, RuleFile};

    #[test]
    fn reading_needs_no_scope_and_writing_needs_its_own() {
        let program = program(&["assets:write"]);
        let path = "assets/v1/assets/A/";
        assert!(permit(&program, &call(Method::Get, path)).is_ok());
        assert!(permit(&program, &call(Method::Patch, path)).is_ok());
        let failure = permit(&program, &call(Method::Delete, path)).unwrap_err();
        assert_eq!(failure.class, DeadClass::Permission);
        let hint = failure.hint.unwrap();
        assert!(
            hint.contains(r#"allow: ["assets:write", "assets:delete"]"#),
            "{hint}"
        );
    }

    #[test]
    fn a_refused_call_shows_its_place_in_the_rule() {
        let mut delete = call(Method::Delete, "assets/v1/assets/A/");
        let at = Position { line: 2, column: 5 };
        delete.position = Some(at.into());
        let failure = permit(&program(&[]), &delete).unwrap_err();
        assert_eq!(failure.file.as_deref(), Some("tag.rhai"));
        assert_eq!(failure.position, Some(at));
        assert_eq!(failure.excerpt.as_deref(), Some("    asset.trash();"));
    }

    #[test]
    fn a_call_that_a_library_makes_shows_its_place_in_the_library() {
        let mut program = program(&[]);
        program.libraries.push(RuleFile {
            path: "lib/bin.rhai".to_owned(),
            source: "fn empty(asset) {\n    // all of it\n    asset.trash();\n}\n".to_owned(),
        });
        let mut delete = call(Method::Delete, "assets/v1/assets/A/");
        delete.position = Some(FilePosition {
            file: Some("lib/bin.rhai".to_owned()),
            at: Position {
                line: 3,
                column: 11,
            },
        });
        let failure = permit(&program, &delete).unwrap_err();
        assert_eq!(failure.file.as_deref(), Some("lib/bin.rhai"));
        assert_eq!(failure.excerpt.as_deref(), Some("    asset.trash();"));
    }

    #[test]
    fn an_unknown_operation_is_a_script_error_with_a_suggestion() {
        let failure = permit(&program(&[]), &call(Method::Get, "assets/v1/asset/A/")).unwrap_err();
        assert_eq!(failure.class, DeadClass::ScriptError);
        assert!(
            failure
                .hint
                .unwrap()
                .contains("assets/v1/assets/{asset_id}/")
        );
    }

    #[test]
    fn a_path_that_a_server_would_read_as_another_one_is_refused() {
        let program = program(&["segments:delete"]);
        for path in [
            "assets/v1/assets/A/segments/../",
            "assets/v1/assets/A/segments/./",
            "assets/v1/assets/A/segments/%2E%2e/",
            "assets/v1/assets/A/segments/..%2f/",
            "assets/v1/assets/A/segments/..\\/",
            "assets/v1/assets/A/segments/.\t./",
            "assets/v1/assets/A?x=/segments/B/",
            "assets/v1/assets/A#/segments/B/",
            "assets/v1/assets//segments/B/",
            "/assets/v1/assets/A/segments/B/",
        ] {
            let failure = permit(&program, &call(Method::Delete, path)).unwrap_err();
            assert_eq!(failure.class, DeadClass::Permission, "{path}");
        }
        let honest = call(Method::Delete, "assets/v1/assets/A/segments/B..C/");
        assert!(permit(&program, &honest).is_ok());
    }
}
