//! What hostile scripts there are and what each must end as. Our own lie in `tests/hostile`; the large ones are
//! made here; the scripts of the field notes are taken along where the notes lie beside the project.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cuegate::model::RuleFile;

/// One script, made into a rule.
pub(super) struct Case {
    /// The rule, and the operation of the event that wakes it.
    pub(super) name: String,
    pub(super) source: String,
    /// The beginning of what it ends as: `finding: message` if it does not compile, else the run's state, or
    /// the class of a dead run, and its reason. Several are divided by `|`.
    pub(super) expected: &'static str,
    /// How long it may take from its event to its end.
    pub(super) within: Duration,
}

impl Case {
    pub(super) fn file(&self) -> RuleFile {
        RuleFile {
            path: format!("{}.rhai", self.name),
            source: self.source.clone(),
        }
    }

    pub(super) fn compiles(&self) -> bool {
        !self.expected.starts_with("finding")
    }

    pub(super) fn is_met_by(&self, outcome: &str) -> bool {
        self.expected
            .split('|')
            .any(|expected| outcome.starts_with(expected.trim()))
    }
}

/// File, seconds, outcome.
type Row = (&'static str, u64, &'static str);

const OWN: &[Row] = &[];

const FIELD: &[Row] = &[];

/// The scripts of `tests/hostile`, which are whole rules.
pub(super) fn own() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    cases(&directory, "", OWN, |_, source| source.to_owned())
}

/// The scripts of the field notes, if the notes are there.
pub(super) fn field() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/field/hostile");
    if !directory.is_dir() {
        return Vec::new();
    }
    cases(&directory, "field_", FIELD, as_rule)
}

fn cases(
    directory: &PathBuf,
    prefix: &str,
    rows: &[Row],
    rule: impl Fn(&str, &str) -> String,
) -> Vec<Case> {
    rows.iter()
        .map(|(name, seconds, expected)| {
            let path = directory.join(format!("{name}.rhai"));
            let source = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = format!("{prefix}{name}");
            Case {
                source: rule(&name, &source),
                name,
                expected,
                within: Duration::from_secs(*seconds),
            }
        })
        .collect()
}

/// A whole script as a rule: its functions stay functions, its statements become the body of `run`.
fn as_rule(name: &str, script: &str) -> String {
    let mut functions = String::new();
    let mut statements = script.to_owned();
    while let Some((start, end)) = function(&statements) {
        functions.push_str(&statements[start..end]);
        functions.push('\n');
        statements.replace_range(start..end, "");
    }
    rule(name, &functions, &statements)
}

fn rule(name: &str, functions: &str, statements: &str) -> String {
    format!("rule(#{{ on: [\"hostile/run/{name}\"] }});\n{functions}\nfn run(event) {{\n{statements}\n}}\n")
}

/// Where the first function of a script begins and ends.
fn function(script: &str) -> Option<(usize, usize)> {
    let start = script
        .match_indices("fn ")
        .map(|(at, _)| at)
        .find(|at| *at == 0 || script[..*at].ends_with([' ', ';', '\n', '}']))?;
    let mut depth = 0;
    for (at, letter) in script[start..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return Some((start, start + at + 1)),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Scripts that are hostile by their size.
pub(super) fn generated() -> Vec<Case> {
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("let x = {}{inner}{};", open.repeat(depth), close.repeat(depth))
    };
    let parameters = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("p{n}")).collect();
        format!("fn f({}) {{ 1 }}", names.join(","))
    };
    let choices = |count: usize| {
        let arms: Vec<String> = (0..count).map(|n| format!("{n}=>{n}")).collect();
        format!("let x = switch 5 {{ {},_=>0 }};", arms.join(","))
    };
    let list = |count: usize| format!("let x = [{}];", "1,".repeat(count));
    let too_large = "finding: the file has";
    let too_deep = "finding: expression exceeds maximum complexity";
    [
        ("h09_parameters", parameters(100_000), String::new(), too_large),
        ("h09_choices", String::new(), choices(100_000), too_large),
        ("h09_nesting", String::new(), nested("(", "1", ")", 100_000), too_large),
        ("h09_fewer_parameters", parameters(5_000), String::new(), "succeeded"),
        ("h09_fewer_choices", String::new(), choices(2_500), "succeeded"),
        ("nested_parentheses", String::new(), nested("(", "1", ")", 10_000), too_deep),
        ("nested_lists", String::new(), nested("[", "1", "]", 10_000), too_deep),
        ("nested_maps", String::new(), nested("#{a:", "1", "}", 5_000), too_deep),
        ("nested_blocks", String::new(), nested("{", "1", "}", 10_000), too_deep),
        ("nested_closures", String::new(), nested("|x|", "1", "", 8_000), too_deep),
        ("nested_signs", String::new(), nested("-", "1", "", 10_000), too_deep),
        ("nested_texts", String::new(), nested("`${", "1", "}`", 4_000), too_deep),
        ("nested_branches", String::new(), nested("if true {", "1", "}", 2_000), too_deep),
        ("nested_comments", String::new(), nested("/*", "1", "*/", 5_000), "finding"),
        ("long_sum", String::new(), format!("let x = 1{};", "+1".repeat(10_000)), too_deep),
        ("long_list", String::new(), list(10_000), "limit"),
        ("many_functions", "fn f() {}\n".repeat(1_000), String::new(), "finding"),
    ]
    .into_iter()
    .map(|(name, functions, statements, expected)| Case {
        name: name.to_owned(),
        source: rule(name, &functions, &statements),
        expected,
        within: Duration::from_secs(10),
    })
    .collect()
}

#[test]
fn every_script_of_the_directory_is_in_the_table() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    for entry in fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = OWN.iter().any(|(known, _, _)| format!("{known}.rhai") == name);
        assert!(known, "nobody says what {name} must end as");
    }
}
