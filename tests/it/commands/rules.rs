//! `check` and `run`: what an author reads about a rule that is wrong, and about one that is right.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Desk, GOOD};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

#[test]
fn check_says_that_good_rules_are_good() {
    let desk = Desk::with_rules(&[("news/good.rhai", GOOD)]);
    desk.types(&["check"])
        .ended(0, &["rules: 1 rule(s), no findings"]);
    let report = desk.types(&["check", "rules", "--format", "json"]);
    assert_eq!(report.code, Some(0));
    assert_eq!(report.json()["rules"][0]["rule"], "news/good");
    assert_eq!(report.json()["findings"], json!([]));
}

#[test]
fn check_accepts_the_shipped_rules() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let shipped = shipped.to_str().expect("this path is text");
    Desk::new()
        .types(&["check", shipped])
        .ended(0, &["no findings"]);
}

/// One finding about a file `rule.rhai` with this source: place, excerpt and these texts.
#[track_caller]
fn finds(source: &str, place: &str, excerpt: &str, texts: &[&str]) {
    let desk = Desk::with_rules(&[("rule.rhai", source), ("good.rhai", GOOD)]);
    let said = desk.types(&["check"]);
    said.ended(
        1,
        &[&format!("--> rule.rhai:{place}\n"), excerpt, "1 finding(s)"],
    );
    said.ended(1, texts);
    let report = desk.types(&["check", "--format", "json"]);
    assert_eq!(report.code, Some(1));
    let finding = &report.json()["findings"][0];
    let at = &finding["position"];
    assert_eq!(format!("{}:{}", at["line"], at["column"]), place);
    assert_eq!(
        (&finding["file"], &finding["excerpt"]),
        (&json!("rule.rhai"), &json!(excerpt))
    );
}

#[test]
fn a_syntax_error_is_shown_in_its_line() {
    finds(
        "rule(#{ on: [\"assets/entity/create\"] });\nfn run(event) {\n    let x = ;\n}\n",
        "3:13",
        "    let x = ;",
        &["unexpected ';'", "|             ^"],
    );
}

#[test]
fn an_unknown_header_key_is_shown_with_the_one_that_was_meant() {
    finds(
        "rule(#{\n    on: [\"assets/entity/create\"],\n    alow: [\"assets:write\"],\n});\nfn run(event) {}\n",
        "3:5",
        "    alow: [\"assets:write\"],",
        &["no key `alow`", "did you mean `allow`?"],
    );
}

#[test]
fn a_closure_in_the_header_is_refused_in_its_place() {
    finds(
        "rule(#{\n    on: [\"assets/entity/create\"],\n    lane: |event| event.asset_id,\n});\nfn run(event) {}\n",
        "3:11",
        "    lane: |event| event.asset_id,",
        &["only literals and this file's constants"],
    );
}

#[test]
fn a_second_header_is_refused_in_its_place() {
    finds(
        "rule(#{ on: [\"assets/entity/create\"] });\nrule(#{ on: [\"assets/entity/update\"] });\nfn run(event) {}\n",
        "2:1",
        "rule(#{ on: [\"assets/entity/update\"] });",
        &["one file is one rule"],
    );
}

#[test]
fn a_misspelt_function_of_a_module_is_shown_with_the_one_that_was_meant() {
    finds(
        "rule(#{ on: [\"assets/entity/create\"] });\nfn run(event) {\n    let asset = iconik::aset(event.asset_id);\n}\n",
        "3:25",
        "    let asset = iconik::aset(event.asset_id);",
        &["no function `aset`", "did you mean `iconik::asset`?"],
    );
}

#[test]
fn a_misspelt_method_is_shown_with_the_one_that_was_meant() {
    finds(
        "rule(#{ on: [\"assets/entity/create\"], allow: [\"metadata:write\"] });\nfn run(event) {\n    \
         iconik::asset(event.asset_id).set_metdata(\"Operations\", #{ desk: \"news\" });\n}\n",
        "3:35",
        "    iconik::asset(event.asset_id).set_metdata(\"Operations\", #{ desk: \"news\" });",
        &["`set_metdata`", "did you mean `set_metadata`?"],
    );
}

#[test]
fn a_key_that_is_documented_but_not_carried_out_yet_is_refused() {
    finds(
        "rule(#{\n    on: [\"jobs/*/*\"],\n    mode: \"shadow\",\n});\nfn run(event) {}\n",
        "3:5",
        "    mode: \"shadow\",",
        &["not supported yet"],
    );
}

#[test]
fn check_shows_the_findings_of_all_files_in_the_order_of_their_paths() {
    let broken = "rule(#{ on: [\"assets/entity/create\"] });\nfn run(event) {\n    let x = ;\n}\n";
    let misspelt = "rule(#{ on: [\"assets/entity/create\"], alow: [] });\nfn run(event) {}\n";
    let unknown = "rule(#{ on: [\"assets/entity/create\"] });\nfn run(event) { nothing_such(); }\n";
    let desk = Desk::with_rules(&[
        ("a.rhai", unknown),
        ("b.rhai", misspelt),
        ("c.rhai", broken),
        ("d.rhai", misspelt),
    ]);
    let report = desk.types(&["check", "--format", "json"]).json();
    let files: Vec<_> = report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|finding| finding["file"].as_str().expect("a path"))
        .collect();
    assert_eq!(files, ["a.rhai", "b.rhai", "c.rhai", "d.rhai"]);
}

#[test]
fn check_of_nothing_is_a_wrong_call() {
    let desk = Desk::new();
    desk.types(&["check", "nowhere"])
        .ended(2, &["nowhere cannot be read"]);
    desk.write("empty/README.md", "");
    desk.types(&["check", "empty"])
        .ended(2, &["empty holds no rule"]);
}

/// A desk with one rule, an event about [`ASSET`] and a seed in which it is there.
fn runnable(rule: &str) -> Desk {
    let desk = Desk::with_rules(&[("rule.rhai", rule)]);
    let event = json!({
        "system_domain_id": cuegate::simulator::DEFAULT_DOMAIN, "event_type": "assets", "realm": "entity",
        "operation": "create", "object_id": ASSET, "user_id": "u", "request_id": "r",
        "data": { "id": ASSET, "title": "Interview" },
    });
    desk.write("event.json", &event.to_string());
    let seed = json!({ "assets": [{ "id": ASSET, "title": "Interview" }] });
    desk.write("seed.json", &seed.to_string());
    desk
}

const RUN: [&str; 8] = [
    "run",
    "rule",
    "--event",
    "event.json",
    "--simulator",
    "seed.json",
    "--dir",
    "rules",
];

fn rule(body: &str) -> String {
    format!("rule(#{{ on: [\"assets/entity/create\"] }});\nfn run(event) {{\n    {body}\n}}\n")
}

/// The run ends as dead in line 3 at this column, and says these texts.
#[track_caller]
fn dies(body: &str, column: u32, texts: &[&str]) {
    let desk = runnable(&rule(body));
    let said = desk.types(&RUN);
    let place = format!("--> rule.rhai:3:{column}\n");
    said.ended(1, &["rule: dead", &place, &format!(" 3 |     {body}\n")]);
    said.ended(1, texts);
    let mut as_json = RUN.to_vec();
    as_json.extend(["--format", "json"]);
    let report = desk.types(&as_json);
    assert_eq!(report.code, Some(1));
    let failure = &report.json()["run"]["failure"];
    assert_eq!(failure["position"], json!({ "line": 3, "column": column }));
    assert_eq!(failure["excerpt"], format!("    {body}"));
}

#[test]
fn a_missing_permission_is_shown_with_the_line_to_add() {
    dies(
        "iconik::asset(event.asset_id).trash();",
        35,
        &["assets:delete", "allow: [\"assets:delete\"],"],
    );
}

#[test]
fn a_comparison_of_different_types_is_shown_in_its_line() {
    dies(
        "if event.data.title > 5 { skip(\"x\"); }",
        25,
        &["a text and a number have no order"],
    );
}

#[test]
fn a_missing_value_is_shown_with_the_key_that_is_there() {
    dies(
        "log::info(\"Title: \" + event.data.titel);",
        25,
        &[
            "`event.data.titel` is missing in this event",
            "`title` is there",
            "event.data.title ?? \"\"",
        ],
    );
}

#[test]
fn a_comparison_with_a_missing_value_is_shown_in_its_line() {
    dies(
        "if event.data.expires < 5 { skip(\"x\"); }",
        27,
        &["`event.data.expires` is missing in this event"],
    );
}

#[test]
fn run_shows_every_step_and_ends_well() {
    let desk = runnable(&rule("log::info(iconik::asset(event.asset_id).title);"));
    let mut traced = RUN.to_vec();
    traced.push("--trace");
    let said = desk.types(&traced);
    said.ended(0, &["rule: succeeded", "log: Interview"]);
    said.ended(0, &[&format!("GET assets/v1/assets/{ASSET}/ -> 200")]);
}

#[test]
fn a_call_that_a_library_makes_is_shown_in_its_file() {
    let desk = runnable(
        "import \"lib/mark\" as mark;
rule(#{ on: [\"assets/entity/create\"], allow: [\"segments:write\"], limits: #{ writes_per_run: 1 } });
fn run(event) {
    // one
    // two
    // three
    mark::twice(iconik::asset(event.asset_id));
}
",
    );
    desk.write(
        "rules/lib/mark.rhai",
        "fn twice(asset) {
    let marker = #{ segment_type: \"MARKER\", time_start_milliseconds: 0, time_end_milliseconds: 1 };
    asset.create_segment(marker);

    asset.create_segment(marker);
}
",
    );
    let mut traced = RUN.to_vec();
    traced.push("--trace");
    let said = desk.types(&traced);
    said.ended(
        1,
        &["`writes_per_run` of 1", "segments/ -> 201  lib/mark.rhai:3"],
    );
    said.ended(
        1,
        &[
            "--> lib/mark.rhai:5:11",
            " 5 |     asset.create_segment(marker);",
        ],
    );
}

#[test]
fn run_waits_neither_for_the_time_nor_for_an_event_that_cannot_come() {
    let desk = runnable(&rule(
        "let before = time::now();
    sleep(\"2h\");
    log::info(if time::now() >= before.plus(\"2h\") { \"slept\" } else { \"did not sleep\" });
    let change = wait_for(\"assets/metadata/update\", #{ asset_id: event.asset_id }, \"3d\");
    log::info(if change == () { \"nothing came\" } else { \"it came\" });
    log::info(if time::now() >= before.plus(\"74h\") { \"waited\" } else { \"did not wait\" });
    log::info(iconik::asset(event.asset_id).title);",
    ));
    let mut traced = RUN.to_vec();
    traced.push("--trace");
    let began = std::time::Instant::now();
    let said = desk.types(&traced);
    said.ended(0, &["rule: succeeded", "log: slept", "log: nothing came"]);
    said.ended(0, &["log: waited", "log: Interview"]);
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "it is not shown as waiting when patience ends"
    );
}

#[test]
fn run_shows_what_each_object_came_to() {
    let desk = runnable(
        "rule(#{ schedule: #{ cron: \"0 6 * * *\" } });
fn each(event) { search::assets() }
fn run(event) { sleep(\"1h\"); skip(`looked at ${iconik::asset(event.asset_id).title}`); }
fn done(event, result) { log::info(`${result.skipped} of ${result.objects}`); }
",
    );
    let unasked: Vec<&str> = RUN
        .into_iter()
        .filter(|word| !["--event", "event.json"].contains(word))
        .chain(["--trace"])
        .collect();
    let said = desk.types(&unasked);
    said.ended(
        0,
        &["looked at Interview", "log: 1 of 1", "rule: succeeded"],
    );
    said.ended(0, &[&format!("rule on {ASSET}: skipped")]);
    let mut as_json = unasked;
    as_json.extend(["--format", "json"]);
    let report = desk.types(&as_json).json();
    assert_eq!(report["children"][0]["run"]["state"], "skipped");
    assert_eq!(report["run"]["state"], "succeeded");
}

#[test]
fn run_says_why_a_rule_was_skipped_or_not_wanted() {
    runnable(&rule("skip(\"nothing to do\");"))
        .types(&RUN)
        .ended(0, &["rule: skipped: nothing to do"]);
    let unwanted = "rule(#{ on: [\"jobs/*/*\"] });\nfn run(event) {}\n";
    runnable(unwanted)
        .types(&RUN)
        .ended(1, &["no run: the rule does not want this event"]);
}

#[test]
fn run_of_an_unknown_rule_names_those_that_are_there() {
    let desk = runnable(GOOD);
    let mut other = RUN;
    other[1] = "ruel";
    desk.types(&other)
        .ended(2, &["there is no rule `ruel`; there are rule"]);
}

/// A rule whose `run` is one line.
fn calls(line: &str) -> String {
    format!("rule(#{{ on: [\"assets/entity/create\"] }});\nfn run(event) {{\n    {line}\n}}\n")
}

#[test]
fn a_raw_call_that_stands_in_the_source_is_checked_there() {
    for (line, column, texts) in [
        (
            "iconik::get(\"assets/v1/asets/\");",
            17,
            [
                "Iconik has no operation GET assets/v1/asets/",
                "did you mean GET assets/v1/assets/?",
            ],
        ),
        (
            "iconik::post(`assets/v1/assets/${event.asset_id}/segmets/`, #{});",
            18,
            [
                "Iconik has no operation POST assets/v1/assets/{}/segmets/",
                "segments/?",
            ],
        ),
        (
            "iconik::post(\"assets/v1/assets/\" + event.asset_id + \"/segmets/\", #{});",
            18,
            [
                "Iconik has no operation POST assets/v1/assets/{}/segmets/",
                "did you mean",
            ],
        ),
        (
            "iconik::post(\"assets/v1/assets/\", #{ titel: \"x\" });",
            42,
            ["has no key `titel`", "did you mean `title`?"],
        ),
        (
            "if event.asset_id == () { iconik::post(\"jobs/v1/jobs/\", #{ title: \"x\" }); }",
            44,
            [
                "is without `status` and `type`",
                "it needs status, title, type",
            ],
        ),
        (
            "iconik::get(\"assets/v1/assets/?page=2\");",
            17,
            ["is no path of the API", "parameters apart"],
        ),
    ] {
        let place = format!("3:{column}");
        finds(&calls(line), &place, &format!("    {line}"), &texts);
    }
}

#[test]
fn a_raw_call_of_which_too_little_stands_in_the_source_is_left_to_the_run() {
    for line in [
        "iconik::get(event.data.path);",
        "iconik::get(`${event.data.base}/segments/`);",
        "iconik::get(`assets/v1/${event.event_type}/${event.object_id}/`);",
        "let body = #{}; iconik::post(\"assets/v1/assets/\", body);",
        "iconik::put(`assets/v1/assets/${event.asset_id}/`, #{ title: \"x\", id: event.asset_id, date_created: () });",
        "iconik::post(\"users/v1/teams/\", #{ anything: 1 });",
    ] {
        let desk = Desk::with_rules(&[("rule.rhai", &calls(line))]);
        desk.types(&["check"]).ended(0, &["no findings"]);
    }
}
