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

const OWN: &[Row] = &[
    ("h01_replace_bomb", 10, "?"),
    ("h02_closure_chain", 10, "?"),
    ("h03_budget_in_callbacks", 10, "?"),
    ("h04_caught_stop", 10, "?"),
    ("h04_swallowed_effect", 10, "?"),
    ("h05_index_assignment", 10, "?"),
    ("h06_printed_container", 10, "?"),
    ("h07_curry_pile", 10, "?"),
    ("h08_sleep", 10, "?"),
    ("h08_sleep_by_name", 10, "?"),
    ("h10_reference_cycles", 10, "?"),
    ("h11_costly_natives", 10, "?"),
    ("h11_locked_out", 10, "?"),
    ("kind_doubling_map", 10, "?"),
    ("kind_doubling_text", 10, "?"),
    ("kind_edge_numbers", 10, "?"),
    ("kind_endless_calls", 10, "?"),
    ("kind_endless_loop", 10, "?"),
    ("kind_eval", 10, "?"),
    ("kind_eval_by_name", 10, "?"),
    ("kind_flooded_log", 10, "?"),
    ("kind_huge_body", 10, "?"),
    ("kind_huge_query", 10, "?"),
    ("kind_import_outside", 10, "?"),
    ("kind_inconsistent_order", 10, "?"),
    ("kind_nested_body", 10, "?"),
    ("kind_nested_json", 10, "?"),
    ("kind_padding", 10, "?"),
    ("kind_recursion", 10, "?"),
    ("kind_shared_reentry", 10, "?"),
    ("kind_wandering_path", 10, "?"),
];

const FIELD: &[Row] = &[
    ("arr_build_quadratic", 10, "?"),
    ("arr_clone_loop", 10, "?"),
    ("arr_double", 10, "?"),
    ("arr_index_bigstr", 10, "?"),
    ("arr_lit_double", 10, "?"),
    ("arr_neg", 10, "?"),
    ("arr_pad", 10, "?"),
    ("arr_pad_shared_str", 10, "?"),
    ("arr_push_bigstr", 10, "?"),
    ("arr_tostring_amp", 10, "?"),
    ("array_contains_quad", 10, "?"),
    ("array_dedup", 10, "?"),
    ("bit_neg", 10, "?"),
    ("bit_range", 10, "?"),
    ("bits_iter", 10, "?"),
    ("blob_big", 10, "?"),
    ("blob_int", 10, "?"),
    ("catch_datasize", 10, "?"),
    ("catch_stackoverflow", 10, "?"),
    ("catch_termination", 10, "?"),
    ("chars_index", 10, "?"),
    ("chop_neg", 10, "?"),
    ("closure_chain", 10, "?"),
    ("closure_shared_cycle", 10, "?"),
    ("curry_bigstr", 10, "?"),
    ("curry_nest", 10, "?"),
    ("curry_nest_fn", 10, "?"),
    ("data_race_switch", 10, "?"),
    ("dedup", 10, "?"),
    ("drain_mutate", 10, "?"),
    ("eval_big", 10, "?"),
    ("eval_deep", 10, "?"),
    ("eval_loop", 10, "?"),
    ("extract_max", 10, "?"),
    ("fib_rec", 10, "?"),
    ("for_range", 10, "?"),
    ("index_of_quad", 10, "?"),
    ("inf_int", 10, "?"),
    ("inf_loop", 10, "?"),
    ("inf_while", 10, "?"),
    ("int_abs", 10, "?"),
    ("int_min_div", 10, "?"),
    ("int_min_mod", 10, "?"),
    ("interner_fill", 10, "?"),
    ("many_throw", 10, "?"),
    ("map_double", 10, "?"),
    ("map_index_1k", 10, "?"),
    ("map_index_assign", 10, "?"),
    ("map_index_bigstr", 10, "?"),
    ("map_prop_assign", 10, "?"),
    ("map_set_fn", 10, "?"),
    ("map_tostring_amp", 10, "?"),
    ("nan_int", 10, "?"),
    ("nested_arr_depth", 10, "?"),
    ("nested_arr_depth_idx", 10, "?"),
    ("nested_eq", 10, "?"),
    ("nested_map_depth", 10, "?"),
    ("nested_map_idx", 10, "?"),
    ("nested_tostring", 10, "?"),
    ("p_const_fold_double", 10, "?"),
    ("p_switch_bigrange", 10, "?"),
    ("parse_json_big", 10, "?"),
    ("parse_json_deep", 10, "?"),
    ("parse_json_deep2", 10, "?"),
    ("parse_radix", 10, "?"),
    ("pow", 10, "?"),
    ("pow_neg", 10, "?"),
    ("print_flood", 10, "?"),
    ("q1", 10, "?"),
    ("q2", 10, "?"),
    ("range_collect", 10, "?"),
    ("range_step", 10, "?"),
    ("range_step_neg", 10, "?"),
    ("rec_bigstr", 10, "?"),
    ("replace_bomb", 10, "?"),
    ("replace_bomb_300", 10, "?"),
    ("replace_empty", 10, "?"),
    ("retain_self", 10, "?"),
    ("shared_deadlock1", 10, "?"),
    ("shared_deadlock2", 10, "?"),
    ("shared_deadlock3", 10, "?"),
    ("shared_deadlock4", 10, "?"),
    ("shared_deadlock5", 10, "?"),
    ("shared_deadlock6", 10, "?"),
    ("shared_in_arr_panic", 10, "?"),
    ("shared_map_self", 10, "?"),
    ("shared_self", 10, "?"),
    ("shift", 10, "?"),
    ("shift_neg", 10, "?"),
    ("sleep_big", 10, "?"),
    ("sleep_f", 10, "?"),
    ("sort_cmp", 10, "?"),
    ("sort_inconsistent", 10, "?"),
    ("sort_self", 10, "?"),
    ("splice_max", 10, "?"),
    ("split_big", 10, "?"),
    ("str_double", 10, "?"),
    ("str_interp", 10, "?"),
    ("str_mul_lit", 10, "?"),
    ("substr_max", 10, "?"),
    ("this_alias", 10, "?"),
    ("timestamp_panic", 10, "?"),
    ("timestamp_panic2", 10, "?"),
    ("timestamp_panic3", 10, "?"),
    ("to_blob", 10, "?"),
    ("to_chars", 10, "?"),
    ("to_json_big", 10, "?"),
    ("vars_bigarr", 10, "?"),
    ("vars_bigstr", 10, "?"),
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
