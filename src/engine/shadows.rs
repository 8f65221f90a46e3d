//! Functions of a rule that take the place of built-in ones.
//!
//! Rhai finds a function of the file under its name and number of arguments before it looks at built-in ones: by its bare
//! name, and as a method of a value with one argument fewer. It finds it also for the libraries that the file imports. A
//! name alone is no harm, so a rule may call its own function `update` as long as nobody means another one.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, Stmt};

use super::catalog::Catalog;
use super::caught;
use super::source::Source;
use crate::model::Diagnostic;

const HINT: &str = "give it another name";

/// Every function of the file that would be called where a built-in one is meant.
pub(super) fn findings(source: &Source, libraries: &BTreeMap<&str, &Source>) -> Vec<Diagnostic> {
    let names = Catalog::shared().names();
    let files = with_imports(source, libraries);
    let mut findings = Vec::new();
    for (name, arity) in &source.functions {
        let among = |known: &BTreeMap<String, BTreeSet<usize>>, arity: usize| {
            let arities = known.get(name);
            arities.is_some_and(|arities| arities.contains(&arity))
        };
        let at = source.place_of(name);
        if among(&names.bare, *arity) || name == caught::NATIVE {
            let message = format!("`fn {name}` has the name of a built-in function");
            findings.push(source.finding(at, message).with_hint(HINT));
            continue;
        }
        let means_another = |file: &&&Source| {
            let method =
                among(&names.functions, arity + 1) && calls_method(&file.ast, name, *arity);
            let bare = among(&names.functions, *arity) && calls_bare(file, name, *arity);
            method || bare
        };
        if let Some(file) = files.iter().find(means_another) {
            let message = format!(
                "`fn {name}` takes the place of the built-in `{name}`, which {} calls too",
                file.path
            );
            findings.push(source.finding(at, message).with_hint(HINT));
        }
    }
    findings
}

/// The file and every library that it imports, directly or not.
fn with_imports<'a>(source: &'a Source, libraries: &BTreeMap<&str, &'a Source>) -> Vec<&'a Source> {
    let mut files = vec![source];
    let mut next = 0;
    while let Some(file) = files.get(next).copied() {
        next += 1;
        for import in &file.imports {
            if let Some(library) = libraries.get(import.file.as_str())
                && !files.iter().any(|known| known.path == library.path)
            {
                files.push(library);
            }
        }
    }
    files
}

fn calls_method(ast: &AST, name: &str, arguments: usize) -> bool {
    let mut found = false;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::MethodCall(call, _))) = path.last() {
            found |= call.name == name && call.args.len() == arguments;
        }
        !found
    });
    found
}

/// Whether a file calls a function by its bare name that is none of its own.
fn calls_bare(source: &Source, name: &str, arguments: usize) -> bool {
    let mut found = false;
    let own = source.functions.iter();
    let mut own = own.filter(|(own, arity)| own == name && *arity == arguments);
    if own.next().is_some() {
        return false;
    }
    source.ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) =
            path.last()
        {
            found |= call.namespace.is_empty() && call.name == name && call.args.len() == arguments;
        }
        !found
    });
    found
}
