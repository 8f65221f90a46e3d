//! Which top modules a source file names, wherever in it and however it is written.

use std::collections::BTreeSet;

use super::tokens::{matches, tokens};

const TEST_MODULE: &[&str] = &["#", "[", "cfg", "(", "test", ")", "]", "mod"];

/// The top modules that a file of `module` names in its paths; `*` where it takes them all.
pub(super) fn imports(module: &[String], source: &str) -> BTreeSet<String> {
    let code = tokens(source);
    let mut found = BTreeSet::new();
    let mut inside = module.to_vec();
    // One entry for each open brace: whether it opened a module.
    let mut braces = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if let Some(body) = test_module(&code[at..]).and_then(|name| code.get(at + name + 1)) {
            at += TEST_MODULE.len() + 2;
            at += if body == "{" { block(&code[at..]) } else { 0 };
            continue;
        }
        match code[at].as_str() {
            "{" => {
                let opens_module = at >= 2 && code[at - 2] == "mod";
                if opens_module {
                    inside.push(code[at - 1].clone());
                }
                braces.push(opens_module);
            }
            "}" if braces.pop() == Some(true) => {
                inside.pop();
            }
            "crate" if code.get(at + 1).is_some_and(|next| next == "as") => {
                found.insert("*".to_owned());
            }
            "crate" | "cuegate" | "self" | "super"
                if matches(&code[at + 1..], &["::"]) && (at == 0 || code[at - 1] != "::") =>
            {
                path(&code, at, &inside, &mut found);
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads a path, or one branch of a group, from `at`, standing in module `inside`; returns where it ends.
fn path(code: &[String], mut at: usize, inside: &[String], found: &mut BTreeSet<String>) -> usize {
    let mut base = inside.to_vec();
    while let Some(token) = code.get(at) {
        match token.as_str() {
            "crate" | "cuegate" => base.clear(),
            "super" => {
                base.pop();
            }
            "self" | "::" => {}
            "{" => {
                at += 1;
                while code
                    .get(at)
                    .is_some_and(|token| token != "}" && token != ";")
                {
                    at = path(code, at, &base, found);
                    at += usize::from(code.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            "," | "}" | ";" => return at,
            name => {
                found.insert(base.first().map_or(name, String::as_str).to_owned());
                return at + rest_of_branch(&code[at..]);
            }
        }
        at += 1;
    }
    at
}

/// The number of tokens until the comma or brace that ends this branch of a group.
fn rest_of_branch(code: &[String]) -> usize {
    let mut depth = 0_usize;
    let ends = |token: &String| {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth > 0 => depth -= 1,
            "}" | ";" => return true,
            "," => return depth == 0,
            _ => {}
        }
        false
    };
    code.iter().position(ends).unwrap_or(code.len())
}

/// The number of tokens up to and including the brace that closes an open block.
fn block(code: &[String]) -> usize {
    let mut depth = 1_usize;
    let closes = |token: &String| {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0
    };
    code.iter()
        .position(closes)
        .map_or(code.len(), |end| end + 1)
}

/// Whether a `cfg(…)`, `cfg!(…)` or `cfg_attr(…)` that begins here depends on `test`.
fn asks_for_test(code: &[String]) -> bool {
    let mut condition = code
        .iter()
        .take_while(|token| !matches!(token.as_str(), "]" | "{" | ";"));
    condition
        .next()
        .is_some_and(|first| first == "cfg" || first == "cfg_attr")
        && condition.any(|token| token == "test")
}

/// Where the name of a `#[cfg(test)] mod name` stands if one begins here.
fn test_module(code: &[String]) -> Option<usize> {
    let begins = matches(code, TEST_MODULE) && code.len() > TEST_MODULE.len() + 1;
    begins.then_some(TEST_MODULE.len())
}

/// The names of the test modules that a file declares.
pub(super) fn test_modules(code: &[String]) -> impl Iterator<Item = &str> {
    let places = 0..code.len();
    places.filter_map(|at| Some(code[at + test_module(&code[at..])?].as_str()))
}

/// Whether a condition on `test` stands anywhere but on a test module.
pub(super) fn asks_whether_it_is_tested(code: &[String]) -> bool {
    let asking = (0..code.len()).filter(|at| asks_for_test(&code[*at..]));
    asking
        .map(|at: usize| at.checked_sub(2))
        .any(|start| start.is_none_or(|start| test_module(&code[start..]).is_none()))
}
