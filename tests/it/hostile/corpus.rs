//! What hostile scripts there are and what each must end as. Our own lie in `tests/hostile`; the large ones are
//! made here; the scripts of the field notes are taken along where the notes lie beside the project.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cuegate::model::RuleFile;

/// The times are those of a machine that does nothing else; all tests at once take several times as long.
const BESIDE_OTHERS: u32 = 4;

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

const OWN: &[Row] = &[
    ("h01_replace_bomb", 5, "limit: this makes a text of"),
    ("h02_closure_chain", 5, "skipped: built"),
    (
        "h03_budget_in_callbacks",
        5,
        "limit: the rule took more than 100000 operations",
    ),
    (
        "h04_caught_stop",
        5,
        "limit: the rule took more than 100000 operations",
    ),
    ("h04_swallowed_effect", 5, "succeeded:"),
    ("h05_index_assignment", 5, "limit:"),
    ("h06_printed_container", 5, "limit: this makes a text of"),
    ("h07_curry_pile", 5, "limit:"),
    ("h08_sleep", 5, "script_error: `sleep` takes a duration"),
    (
        "h08_sleep_by_name",
        5,
        "script_error: `sleep` takes a duration",
    ),
    ("h10_reference_cycles", 20, "limit:"),
    ("h11_costly_natives", 20, "limit:"),
    (
        "h11_locked_out",
        20,
        "limit: the script did not end within 3s of wall time",
    ),
    ("kind_doubling_map", 5, "limit:"),
    ("kind_doubling_text", 5, "limit:"),
    ("kind_edge_numbers", 5, "skipped: still here"),
    ("kind_endless_calls", 5, "limit: the run made 20 calls"),
    ("kind_endless_loop", 5, "limit:"),
    ("kind_eval", 10, "finding: reserved keyword"),
    ("kind_eval_by_name", 5, "script_error:"),
    ("kind_flooded_log", 5, "limit: the rule logged more"),
    ("kind_huge_body", 5, "limit: the request"),
    ("kind_huge_query", 5, "limit: the request"),
    (
        "kind_import_outside",
        10,
        "finding: `../../../../etc/passwd` cannot be imported",
    ),
    (
        "kind_inconsistent_order",
        5,
        "crash: the script made its worker process panic",
    ),
    ("kind_nested_body", 5, "script_error:"),
    ("kind_nested_json", 5, "script_error:"),
    ("kind_padding", 5, "limit:"),
    ("kind_recursion", 5, "limit:"),
    ("kind_shared_reentry", 5, "skipped: still here"),
    ("kind_wandering_path", 5, "skipped: 23 of 23"),
];

const FIELD: &[Row] = &[
    ("arr_build_quadratic", 5, "succeeded:"),
    ("arr_clone_loop", 5, "limit:"),
    ("arr_double", 5, "limit:"),
    ("arr_index_bigstr", 5, "limit:"),
    ("arr_lit_double", 5, "limit:"),
    ("arr_neg", 5, "script_error:"),
    ("arr_pad", 5, "limit:"),
    ("arr_pad_shared_str", 5, "limit:"),
    ("arr_push_bigstr", 5, "limit:"),
    ("arr_tostring_amp", 5, "limit:"),
    ("array_contains_quad", 5, "limit:"),
    ("array_dedup", 5, "script_error:"),
    ("bit_neg", 5, "script_error:"),
    ("bit_range", 5, "succeeded:"),
    ("bits_iter", 5, "script_error:"),
    ("blob_big", 5, "limit:"),
    ("blob_int", 5, "succeeded:"),
    ("catch_datasize", 5, "limit:"),
    ("catch_stackoverflow", 5, "limit:"),
    ("catch_termination", 5, "limit:"),
    ("chars_index", 5, "limit:"),
    ("chop_neg", 5, "succeeded:"),
    ("closure_chain", 5, "limit:"),
    ("closure_shared_cycle", 20, "limit:"),
    ("curry_bigstr", 5, "limit:"),
    ("curry_nest", 20, "limit:"),
    ("curry_nest_fn", 20, "limit:"),
    ("data_race_switch", 5, "succeeded:"),
    ("dedup", 5, "limit:"),
    ("drain_mutate", 5, "script_error:"),
    ("eval_big", 10, "finding: reserved keyword"),
    ("eval_deep", 10, "finding: reserved keyword"),
    ("eval_loop", 10, "finding: reserved keyword"),
    ("extract_max", 5, "succeeded:"),
    ("fib_rec", 5, "limit:"),
    ("for_range", 5, "limit:"),
    ("index_of_quad", 5, "limit:"),
    ("inf_int", 5, "script_error:"),
    ("inf_loop", 5, "limit:"),
    ("inf_while", 5, "limit:"),
    ("int_abs", 5, "script_error:"),
    ("int_min_div", 5, "script_error:"),
    ("int_min_mod", 5, "script_error:"),
    ("interner_fill", 5, "limit:"),
    ("many_throw", 5, "limit:"),
    ("map_double", 5, "limit:"),
    ("map_index_1k", 5, "limit:"),
    ("map_index_assign", 5, "limit:"),
    ("map_index_bigstr", 5, "limit:"),
    ("map_prop_assign", 5, "limit:"),
    ("map_set_fn", 5, "limit:"),
    ("map_tostring_amp", 5, "limit:"),
    ("nan_int", 5, "succeeded:"),
    ("nested_arr_depth", 5, "limit:"),
    ("nested_arr_depth_idx", 5, "limit:"),
    ("nested_eq", 5, "limit:"),
    ("nested_map_depth", 5, "limit:"),
    ("nested_map_idx", 20, "limit:"),
    ("nested_tostring", 5, "limit:"),
    ("p_const_fold_double", 5, "limit:"),
    ("p_switch_bigrange", 5, "succeeded:"),
    ("parse_json_big", 5, "limit:"),
    ("parse_json_deep", 5, "script_error: recursion limit"),
    ("parse_json_deep2", 5, "script_error: recursion limit"),
    ("parse_radix", 5, "script_error:"),
    ("pow", 5, "script_error:"),
    ("pow_neg", 5, "script_error:"),
    ("print_flood", 5, "limit:"),
    ("q1", 5, "succeeded:"),
    ("q2", 5, "succeeded:"),
    ("range_collect", 5, "succeeded:"),
    ("range_step", 5, "succeeded:"),
    ("range_step_neg", 5, "succeeded:"),
    ("rec_bigstr", 5, "limit:"),
    ("replace_bomb", 5, "limit:"),
    ("replace_bomb_300", 5, "limit:"),
    ("replace_empty", 5, "limit:"),
    ("retain_self", 5, "script_error:"),
    ("shared_deadlock1", 5, "script_error:"),
    ("shared_deadlock2", 5, "succeeded:"),
    ("shared_deadlock3", 5, "succeeded:"),
    ("shared_deadlock4", 5, "succeeded:"),
    ("shared_deadlock5", 5, "succeeded:"),
    ("shared_deadlock6", 5, "succeeded:"),
    ("shared_in_arr_panic", 5, "succeeded:"),
    ("shared_map_self", 5, "succeeded:"),
    ("shared_self", 5, "succeeded:"),
    ("shift", 5, "succeeded:"),
    ("shift_neg", 5, "succeeded:"),
    ("sleep_big", 5, "script_error: `sleep` takes a duration"),
    ("sleep_f", 5, "script_error: `sleep` takes a duration"),
    ("sort_cmp", 5, "limit:"),
    ("sort_inconsistent", 5, "crash:"),
    ("sort_self", 5, "script_error:"),
    ("splice_max", 5, "succeeded:"),
    ("split_big", 5, "limit:"),
    ("str_double", 5, "limit:"),
    ("str_interp", 5, "limit:"),
    ("str_mul_lit", 5, "limit:"),
    ("substr_max", 5, "succeeded:"),
    ("this_alias", 5, "succeeded:"),
    (
        "timestamp_panic",
        10,
        "finding: there is no function `timestamp`",
    ),
    (
        "timestamp_panic2",
        10,
        "finding: there is no function `timestamp`",
    ),
    (
        "timestamp_panic3",
        10,
        "finding: there is no function `timestamp`",
    ),
    ("to_blob", 5, "limit:"),
    ("to_chars", 5, "limit:"),
    ("to_json_big", 5, "limit:"),
    ("vars_bigarr", 5, "succeeded:"),
    ("vars_bigstr", 5, "limit:"),
];

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
    directory: &Path,
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
                within: Duration::from_secs(*seconds) * BESIDE_OTHERS,
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
    format!(
        "rule(#{{ on: [\"hostile/run/{name}\"] }});\n{functions}\nfn run(event) {{\n{statements}\n}}\n"
    )
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

/// What is nested so deep that no parser should follow: name, opening, closing, depth.
const NESTED: &[(&str, &str, &str, usize)] = &[
    ("nested_parentheses", "(", ")", 10_000),
    ("nested_lists", "[", "]", 10_000),
    ("nested_maps", "#{a:", "}", 5_000),
    ("nested_blocks", "{", "}", 10_000),
    ("nested_closures", "|x| ", "", 8_000),
    ("nested_signs", "- ", "", 10_000),
    ("nested_texts", "`${", "}`", 4_000),
    ("nested_branches", "if true {", "}", 2_000),
    ("nested_sums", "1+", "", 10_000),
];

/// Scripts that are hostile by their size: of whole files, of which most are refused unread, and of files that
/// are just small enough to be compiled.
pub(super) fn generated() -> Vec<Case> {
    let parameters = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("p{n}")).collect();
        format!("fn f({}) {{ 1 }}", names.join(","))
    };
    let choices = |count: usize| {
        let arms: Vec<String> = (0..count).map(|n| format!("{n}=>{n}")).collect();
        format!("let x = switch 5 {{ {},_=>0 }};", arms.join(","))
    };
    let too_large = "finding: the file has";
    let parentheses = nested("(", ")", 100_000);
    let list = format!("let x = [{}];", "1,".repeat(10_000));
    let functions = "fn f() {}\n".repeat(1_000);
    let comments = nested("/*", "*/", 5_000);
    let mut cases = vec![
        generate("h09_parameters", &parameters(100_000), "", too_large),
        generate("h09_choices", "", &choices(100_000), too_large),
        generate("h09_nesting", "", &parentheses, too_large),
        generate("h09_fewer_parameters", &parameters(5_000), "", "succeeded"),
        generate("h09_fewer_choices", "", &choices(2_500), "succeeded"),
        generate("long_list", "", &list, "succeeded"),
        generate("many_functions", &functions, "", "finding"),
        generate("nested_comments", "", &comments, "finding"),
    ];
    let too_deep = "finding: expression exceeds maximum complexity";
    cases.extend(NESTED.iter().map(|(name, open, close, depth)| {
        generate(name, "", &nested(open, close, *depth), too_deep)
    }));
    cases
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("let x = {}1{};", open.repeat(depth), close.repeat(depth))
}

fn generate(name: &str, functions: &str, statements: &str, expected: &'static str) -> Case {
    Case {
        name: name.to_owned(),
        source: rule(name, functions, statements),
        expected,
        within: Duration::from_secs(10) * BESIDE_OTHERS,
    }
}

#[test]
fn every_script_of_the_directory_is_in_the_table() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    for entry in fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = OWN
            .iter()
            .any(|(known, _, _)| format!("{known}.rhai") == name);
        assert!(known, "nobody says what {name} must end as");
    }
}
