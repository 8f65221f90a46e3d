//! A whole set of rule files, checked together: every file, every name, every header.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{ASTNode, Expr};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::bindings::nearest;
use super::catalog::OwnModules;
use super::header::{self, Parsed};
use super::linked::{in_import_order, link};
use super::source::Source;
use super::{Compiled, EngineLimits, check};
use crate::model::{Diagnostic, RuleFile, RuleHeader, RuleVersion};

/// Compiles and checks a whole set of rule files. A header is in the result only if its rule is enabled.
pub fn compile(files: &[RuleFile], vars: &Value, limits: &EngineLimits) -> Compiled {
    let mut compiled = Compiled::default();
    let mut sources = Vec::new();
    for file in files {
        match Source::parse(file, limits) {
            Ok(source) => sources.push(source),
            Err(findings) => compiled.diagnostics.extend(findings),
        }
    }
    let (libraries, rules): (Vec<Source>, Vec<Source>) =
        sources.into_iter().partition(Source::is_library);
    let ordered = match in_import_order(&libraries) {
        Ok(ordered) => ordered,
        Err(findings) => {
            compiled.diagnostics.extend(findings);
            Vec::new()
        }
    };
    let by_file: BTreeMap<&str, &Source> = libraries
        .iter()
        .map(|source| (source.path.as_str(), source))
        .collect();
    for library in &libraries {
        compiled.diagnostics.extend(check::names(library, &by_file));
        compiled.diagnostics.extend(unknown_vars(library, vars));
    }
    for rule in &rules {
        match one_rule(rule, &ordered, &by_file, vars) {
            Ok(Some(header)) => compiled.rules.push(header),
            Ok(None) => {}
            Err(findings) => compiled.diagnostics.extend(findings),
        }
    }
    compiled
        .diagnostics
        .extend(twice_the_same(&compiled.rules, &rules));
    // In the order in which a person works through them, whichever check found what.
    compiled
        .diagnostics
        .sort_by(|a, b| (&a.file, a.position).cmp(&(&b.file, b.position)));
    compiled
}

fn one_rule(
    rule: &Source,
    libraries: &[&Source],
    by_file: &BTreeMap<&str, &Source>,
    vars: &Value,
) -> Result<Option<RuleHeader>, Vec<Diagnostic>> {
    let mut findings = Vec::new();
    let parsed = header::parse(rule)
        .map_err(|more| findings.extend(more))
        .ok();
    findings.extend(check::names(rule, by_file));
    findings.extend(unknown_vars(rule, vars));
    let imports = imports_of(rule, by_file);
    let needed: Vec<&Source> = libraries
        .iter()
        .filter(|library| imports.contains(&library.path))
        .copied()
        .collect();
    let Some(Parsed {
        mut header,
        enabled,
    }) = parsed.filter(|_| findings.is_empty())
    else {
        return Err(findings);
    };
    for source in [rule].into_iter().chain(needed.iter().copied()) {
        findings.extend(check::egress(source, &header));
    }
    if findings.is_empty() {
        link(rule, &needed, &OwnModules::new(vars, &header.allow))
            .map_err(|more| findings.extend(more))
            .ok();
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    header.version = version(rule, &needed);
    header.imports = imports.into_iter().collect();
    Ok(enabled.then_some(header))
}

/// The files that a rule imports, directly or not.
fn imports_of(rule: &Source, by_file: &BTreeMap<&str, &Source>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = rule
        .imports
        .iter()
        .map(|import| import.file.as_str())
        .collect();
    while let Some(file) = open.pop() {
        if let Some(source) = by_file.get(file)
            && found.insert(file.to_owned())
        {
            open.extend(source.imports.iter().map(|import| import.file.as_str()));
        }
    }
    found
}

/// The hash of a rule's source and of everything that it imports.
fn version(rule: &Source, libraries: &[&Source]) -> RuleVersion {
    let mut hash = Sha256::new();
    for source in [rule].iter().chain(libraries) {
        hash.update(source.path.as_bytes());
        hash.update([0]);
        hash.update(source.text.as_bytes());
        hash.update([0]);
    }
    RuleVersion(hex::encode(&hash.finalize()[..16]))
}

/// `vars::NAME` must be there when the rule is loaded, not on the day that it is read.
fn unknown_vars(source: &Source, vars: &Value) -> Vec<Diagnostic> {
    let known: Vec<&str> = vars
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut findings = Vec::new();
    source.ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::Variable(variable, _, at))) = path.last()
            && variable.2.to_string().trim_end_matches("::") == "vars"
            && !known.contains(&variable.1.as_str())
        {
            let finding = source.finding(
                *at,
                format!("the configuration has no `[vars]` key `{}`", variable.1),
            );
            findings.push(match nearest(&variable.1, known.iter().copied()) {
                Some(near) => finding.with_hint(format!("did you mean `vars::{near}`?")),
                None => finding.with_hint(format!("add `{} = …` below `[vars]`", variable.1)),
            });
        }
        true
    });
    findings
}

fn twice_the_same(headers: &[RuleHeader], rules: &[Source]) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for header in headers {
        if let Some(first) = seen.insert(header.rule.as_str(), &header.file)
            && let Some(source) = rules.iter().find(|source| source.path == header.file)
        {
            let message = format!("the rule `{}` is in {first} already", header.rule);
            findings.push(
                source
                    .finding(rhai::Position::NONE, message)
                    .with_hint("give one of them another `id`"),
            );
        }
    }
    findings
}
