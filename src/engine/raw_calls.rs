//! The raw verbs, `iconik::post(path, body)`, are checked where path and keys stand in the source: a slip in a branch that is
//! taken once a month must not wait for that day. What is known only at run time is checked then, by the same table.

use rhai::{ASTNode, Expr, FnCallExpr, Position as At, Stmt};

use super::source::Source;
use crate::model::{Diagnostic, Method};
use crate::operations::{Given, OPEN, misfit};

/// The verbs, and whether a body comes after the path.
const VERBS: [(&str, Method, bool); 5] = [
    ("get", Method::Get, false),
    ("post", Method::Post, true),
    ("put", Method::Put, true),
    ("patch", Method::Patch, true),
    ("delete", Method::Delete, true),
];

/// What is wrong with the raw calls of a file, as far as they stand in it.
pub(super) fn findings(source: &Source) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if source.imports.iter().any(|import| import.alias == "iconik") {
        return findings;
    }
    source.ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) =
            path.last()
            && call.namespace.to_string().trim_end_matches("::") == "iconik"
        {
            findings.extend(finding(source, call));
        }
        true
    });
    findings
}

fn finding(source: &Source, call: &FnCallExpr) -> Option<Diagnostic> {
    let (_, method, takes_body) = VERBS.into_iter().find(|(verb, ..)| call.name == *verb)?;
    let path = call.args.first()?;
    let at = beginning(path);
    let path = match canonical(&text(path)?) {
        Ok(path) => path,
        Err(message) => return Some(source.finding(at, message)),
    };
    if path
        .split('/')
        .next()
        .is_some_and(|first| first.contains(OPEN))
    {
        // What stands before the rest may be any number of segments.
        return None;
    }
    let body = call.args.get(1).filter(|_| takes_body);
    let keys: Vec<(&str, At)> = match body {
        Some(Expr::Map(content, _)) => {
            let keys = content.0.iter();
            keys.map(|(key, _)| (key.name.as_str(), key.pos)).collect()
        }
        _ => Vec::new(),
    };
    let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
    let given = match body {
        None => Given::Nothing,
        Some(Expr::Map(..)) => Given::Keys(&names),
        Some(Expr::Array(..) | Expr::StringConstant(..) | Expr::IntegerConstant(..)) => {
            Given::NoMap
        }
        Some(_) => Given::Unknown,
    };
    let wrong = misfit(method, &path, given)?;
    let of_key = keys
        .iter()
        .find(|(name, _)| Some(*name) == wrong.key.as_deref());
    let finding = source.finding(of_key.map_or(at, |(_, at)| *at), wrong.message);
    Some(match wrong.hint {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    })
}

/// A text that stands in the source, with [`OPEN`] for what does not; nothing if none of it does.
fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::StringConstant(text, _) => Some(text.to_string()),
        Expr::InterpolatedString(parts, _) => Some(parts.iter().map(part).collect()),
        Expr::FnCall(call, _) if call.name == "+" && call.args.len() == 2 => {
            let [one, other] = [text(&call.args[0]), text(&call.args[1])];
            if one.is_none() && other.is_none() {
                return None;
            }
            let open = || OPEN.to_owned();
            let [one, other] = [one, other].map(|text| text.unwrap_or_else(open));
            Some(format!("{one}{other}"))
        }
        _ => None,
    }
}

/// Where a text begins; Rhai places a sum at its sign.
fn beginning(expression: &Expr) -> At {
    match expression {
        Expr::FnCall(call, _) if call.name == "+" && call.args.len() == 2 => {
            beginning(&call.args[0])
        }
        other => other.position(),
    }
}

fn part(expression: &Expr) -> String {
    text(expression).unwrap_or_else(|| OPEN.to_owned())
}

/// The path in its one form: no slash before it, no `API/`, one slash behind it (every documented path has it).
pub(super) fn canonical(path: &str) -> Result<String, String> {
    let plain = path.trim_start_matches('/');
    let plain = plain
        .strip_prefix("API/")
        .unwrap_or(plain)
        .trim_end_matches('/');
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '\\' | '%');
    if plain.is_empty()
        || plain.contains(odd)
        || plain.contains("//")
        || plain
            .split('/')
            .any(|part| matches!(part, "." | ".." | "API"))
    {
        return Err(format!(
            "`{path}` is no path of the API; write it as \"assets/v1/assets/\", parameters apart"
        ));
    }
    Ok(format!("{plain}/"))
}
