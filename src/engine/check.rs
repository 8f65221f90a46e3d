//! Names are checked before anything runs: a misspelt function in a branch that is taken once a month must
//! not wait for that day.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position as At, Stmt};

use super::bindings::nearest;
use super::catalog::Catalog;
use super::header::EGRESS;
use super::raw_calls;
use super::shadows;
use super::source::Source;
use crate::model::{Diagnostic, RuleHeader};

/// The functions of a rule that the gateway calls, with the number of their arguments.
const ROLES: [(&str, usize); 5] = [
    ("when", 1),
    ("run", 1),
    ("each", 1),
    ("done", 2),
    ("lane", 1),
];

/// What is wrong with the names in a file; `libraries` are the functions of each library by its file.
pub(super) fn names(source: &Source, libraries: &BTreeMap<&str, &Source>) -> Vec<Diagnostic> {
    let mut checker = Checker {
        source,
        libraries,
        findings: Vec::new(),
        seen: BTreeSet::new(),
    };
    if !source.is_library() {
        checker.roles();
    }
    source.ast.walk(&mut |path: &[ASTNode<'_>]| {
        checker.node(path);
        true
    });
    let mut findings = checker.findings;
    findings.extend(shadows::findings(source, libraries));
    findings.extend(raw_calls::findings(source));
    findings
}

/// `egress::NAME` must be allowed when the rule is loaded, not on the day that it is used. A library is judged by the
/// rule that imports it.
pub(super) fn egress(source: &Source, header: &RuleHeader) -> Vec<Diagnostic> {
    let targets: Vec<&str> = header
        .allow
        .iter()
        .filter_map(|scope| scope.strip_prefix(EGRESS))
        .collect();
    let mut findings = Vec::new();
    source.ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::Variable(variable, _, at))) = path.last()
            && variable.2.to_string().trim_end_matches("::") == "egress"
            && !targets.contains(&variable.1.as_str())
        {
            let name = &variable.1;
            let message = format!("the rule `{}` does not allow `egress::{name}`", header.rule);
            let finding = source.finding(*at, message);
            findings.push(match nearest(name, targets.iter().copied()) {
                Some(near) => finding.with_hint(format!("did you mean `egress::{near}`?")),
                None => {
                    finding.with_hint(format!("add \"{EGRESS}{name}\" to `allow` in its header"))
                }
            });
        }
        true
    });
    findings
}

struct Checker<'a> {
    source: &'a Source,
    libraries: &'a BTreeMap<&'a str, &'a Source>,
    findings: Vec<Diagnostic>,
    seen: BTreeSet<(Option<usize>, Option<usize>, String)>,
}

impl Checker<'_> {
    fn find(&mut self, at: At, message: String, hint: Option<String>) {
        if !self
            .seen
            .insert((at.line(), at.position(), message.clone()))
        {
            return;
        }
        let finding = self.source.finding(at, message);
        self.findings.push(match hint {
            Some(hint) => finding.with_hint(hint),
            None => finding,
        });
    }

    fn roles(&mut self) {
        let functions = self.source.functions.clone();
        if !functions.iter().any(|(name, _)| name == "run") {
            self.find(
                At::NONE,
                "the rule has no `fn run(event)`".to_owned(),
                Some("add `fn run(event) { … }`".to_owned()),
            );
        }
        for (name, arguments) in &functions {
            let at = self.source.place_of(name);
            match ROLES.iter().find(|(role, _)| role == name) {
                Some((role, wanted)) if wanted != arguments => {
                    let message =
                        format!("`fn {role}` takes {wanted} argument(s), not {arguments}");
                    self.find(at, message, None);
                }
                Some(_) => {}
                None => self.slip(name, at),
            }
        }
    }

    /// A function that nobody calls and that is named nearly like one that the gateway calls.
    fn slip(&mut self, name: &str, at: At) {
        let near = ROLES
            .iter()
            .find(|(role, _)| strsim::damerau_levenshtein(role, name) == 1);
        let Some((role, _)) = near.filter(|_| !calls(&self.source.ast, name)) else {
            return;
        };
        self.find(
            at,
            format!("`fn {name}` would never be called by the gateway"),
            Some(format!(
                "did you mean `fn {role}`? Otherwise call it, or take it out"
            )),
        );
    }

    fn node(&mut self, path: &[ASTNode<'_>]) {
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)))
            | Some(ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                self.call(call, *at);
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, at))) => self.method(call, *at),
            Some(ASTNode::Expr(Expr::Variable(variable, _, at))) if !variable.2.is_empty() => {
                self.variable(&variable.2.to_string(), &variable.1, *at);
            }
            Some(ASTNode::Stmt(Stmt::Import(_, at)))
                if !self.source.imports.iter().any(|import| import.at == *at) =>
            {
                self.find(*at, "imports stand at the top of the file".to_owned(), None);
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &FnCallExpr, at: At) {
        let name = call.name.as_str();
        if !call.namespace.is_empty() {
            let module = call.namespace.to_string();
            self.module_call(module.trim_end_matches("::"), name, call.args.len(), at);
            return;
        }
        let stock = call.op_token.is_some()
            || name.contains('$')
            || name.starts_with("is_def_")
            // A closure that captures variables is a `curry` of all of them.
            || matches!(name, "call" | "curry")
            || name == "rule";
        if stock
            || self
                .source
                .functions
                .iter()
                .any(|(own, arity)| own == name && *arity == call.args.len())
        {
            return;
        }
        let known = &Catalog::shared().names().functions;
        match known.get(name) {
            Some(arities) if arities.contains(&call.args.len()) => {}
            Some(arities) => self.find(at, wrong_arity(name, arities, call.args.len()), None),
            None => {
                let own = self.source.functions.iter().map(|(own, _)| own.as_str());
                let hint = nearest(name, own.chain(known.keys().map(String::as_str)));
                self.find(
                    at,
                    format!("there is no function `{name}`"),
                    hint.map(|near| format!("did you mean `{near}`?")),
                );
            }
        }
    }

    fn method(&mut self, call: &FnCallExpr, at: At) {
        let name = call.name.as_str();
        let names = Catalog::shared().names();
        let own = (name.to_owned(), call.args.len());
        let own = self.source.functions.contains(&own);
        if own || name == "call" || name == "curry" || name.contains('$') {
            return;
        }
        match names.functions.get(name) {
            Some(arities) if arities.contains(&(call.args.len() + 1)) => {}
            Some(arities) => {
                let arities = arities
                    .iter()
                    .map(|arity| arity.saturating_sub(1))
                    .collect();
                self.find(at, wrong_arity(name, &arities, call.args.len()), None);
            }
            None => {
                let known = names.ours.iter().chain(names.functions.keys());
                let words = known
                    .map(String::as_str)
                    .filter(|known| known.starts_with(char::is_alphabetic));
                let hint = nearest(name, words);
                self.find(
                    at,
                    format!("no value has a method `{name}`"),
                    hint.map(|near| format!("did you mean `{near}`?")),
                );
            }
        }
    }

    fn module_call(&mut self, module: &str, name: &str, arguments: usize, at: At) {
        if let Some(import) = self
            .source
            .imports
            .iter()
            .find(|import| import.alias == module)
        {
            let Some(library) = self.libraries.get(import.file.as_str()) else {
                return;
            };
            if !library
                .functions
                .iter()
                .any(|(own, arity)| own == name && *arity == arguments)
            {
                let hint = nearest(name, library.functions.iter().map(|(own, _)| own.as_str()));
                let message = format!(
                    "{} has no function `{name}` with {arguments} argument(s)",
                    import.file
                );
                self.find(
                    at,
                    message,
                    hint.map(|near| format!("did you mean `{module}::{near}`?")),
                );
            }
            return;
        }
        let names = &Catalog::shared().names().in_modules;
        match names.get(&(module.to_owned(), name.to_owned())) {
            Some(arities) if arities.contains(&arguments) => {}
            Some(arities) => self.find(
                at,
                wrong_arity(&format!("{module}::{name}"), arities, arguments),
                None,
            ),
            None if Catalog::shared()
                .module_names()
                .any(|known| known == module) =>
            {
                let here = names
                    .keys()
                    .filter(|(known, _)| known == module)
                    .map(|(_, function)| function.as_str());
                let hint =
                    nearest(name, here).map(|near| format!("did you mean `{module}::{near}`?"));
                self.find(
                    at,
                    format!("the module `{module}` has no function `{name}`"),
                    hint,
                );
            }
            None => {
                let hint = nearest(module, Catalog::shared().module_names())
                    .map(|near| format!("did you mean `{near}::{name}`?"));
                self.find(at, format!("there is no module `{module}`"), hint);
            }
        }
    }

    /// `alias::NAME`: a constant that a library exports. `vars::NAME` is checked where the vars are known.
    fn variable(&mut self, module: &str, name: &str, at: At) {
        let module = module.trim_end_matches("::");
        let Some(import) = self
            .source
            .imports
            .iter()
            .find(|import| import.alias == module)
        else {
            return;
        };
        if let Some(library) = self.libraries.get(import.file.as_str())
            && !library.exports.iter().any(|export| export == name)
        {
            let hint = nearest(name, library.exports.iter().map(String::as_str));
            let message = format!("{} exports no constant `{name}`", import.file);
            self.find(
                at,
                message,
                hint.map(|near| format!("did you mean `{module}::{near}`?")),
            );
        }
    }
}

/// Whether anything in a file calls a function of this name.
fn calls(ast: &AST, name: &str) -> bool {
    let mut found = false;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(
            ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
            | ASTNode::Stmt(Stmt::FnCall(call, _)),
        ) = path.last()
        {
            found |= call.name == name;
        }
        !found
    });
    found
}

fn wrong_arity(name: &str, arities: &BTreeSet<usize>, given: usize) -> String {
    let wanted = arities
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" or ");
    format!("`{name}` takes {wanted} argument(s), not {given}")
}
