//! What people type, what they read, and the exit codes that scripts rely on: the built binary in a directory of
//! its own, with an empty environment.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::gateway::{Gateway, binary, simulated};

const ASSET: &str = "2c5bfe1a-f149-11eb-a843-0a580a3db916";

/// A directory to type in.
struct Desk(TempDir);

/// What a command said and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory can be made"))
    }

    /// With these rules in `rules`.
    fn with_rules(rules: &[(&str, &str)]) -> Self {
        let desk = Self::new();
        for (name, source) in rules {
            desk.write(&format!("rules/{name}"), source);
        }
        desk
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("it lies in the directory"))
            .expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }

    fn types(&self, arguments: &[&str]) -> Said {
        let output = Command::new(binary())
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .output()
            .expect("the binary can be started");
        Said::from(output)
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

impl Said {
    fn everything(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in:\n{}", self.everything()))
    }

    /// Ended with this code and said all of these texts.
    #[track_caller]
    fn ended(&self, code: i32, texts: &[&str]) {
        let said = self.everything();
        assert_eq!(self.code, Some(code), "{said}");
        for text in texts {
            assert!(said.contains(text), "`{text}` is not in:\n{said}");
        }
    }
}

const GOOD: &str =
    "rule(#{ on: [\"assets/entity/create\"] });\nfn run(event) { log::info(event.operation); }\n";

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
        "rule(#{\n    on: [\"jobs/*/*\"],\n    schedule: #{ cron: \"0 6 * * *\" },\n});\nfn run(event) {}\n",
        "3:5",
        "    schedule: #{ cron: \"0 6 * * *\" },",
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

#[test]
fn a_wrong_configuration_is_shown_by_file_line_and_key() {
    let desk = Desk::new();
    desk.write(
        "cuegate.toml",
        "[server]\nlistenn = \"127.0.0.1:0\"\n\n[iconik]\napp_id = \"${NOT_SET}\"\nauth_token = \"sesame-77\"\n",
    );
    for command in [&["config", "check"][..], &["serve"], &["config", "show"]] {
        let said = desk.types(command);
        said.ended(
            78,
            &[
                "cuegate.toml:2:1",
                "server.listenn",
                "did you mean `listen`?",
            ],
        );
        said.ended(78, &["cuegate.toml:5:", "iconik.app_id", "NOT_SET"]);
        assert!(
            !said.everything().contains("sesame"),
            "{}",
            said.everything()
        );
    }
    let report = desk.types(&["config", "check", "--format", "json"]);
    assert_eq!(report.code, Some(78));
    let findings = report.json()["findings"].clone();
    assert_eq!(findings[0]["key"], "server.listenn");
    assert_eq!(findings[1]["line"], 5);
}

#[test]
fn a_configuration_without_credentials_cannot_serve() {
    let desk = Desk::with_rules(&[("good.rhai", GOOD)]);
    desk.write(
        "cuegate.toml",
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n",
    );
    desk.types(&["config", "check"])
        .ended(78, &["`iconik.app_id` is missing"]);
    desk.types(&["serve"])
        .ended(78, &["`iconik.app_id` is missing"]);
    desk.types(&["check"]).ended(0, &["no findings"]);
}

#[test]
fn config_show_masks_every_secret_and_shows_the_rest() {
    let desk = Desk::new();
    desk.write(
        "cuegate.toml",
        "[iconik]\napp_id = \"a\"\nauth_token = \"sesame-77\"\n[sources.iconik]\nverify = { header = \"x-s\", \
         secrets = [\"sesame-88\"] }\n[sources.standard.verify.standard_webhooks]\nsecrets = [\"whsec_c2VzYW1lLTk5LXNlc2FtZS05OQ==\"]\n\
         [vars]\nchannel = \"#news\"\n",
    );
    desk.types(&["config", "check"])
        .ended(0, &["the configuration is fine"]);
    let said = desk.types(&["config", "show"]);
    said.ended(0, &["x-s", "***", "#news", "drain = \"50s\""]);
    for secret in ["sesame", "c2VzYW1l"] {
        assert!(!said.everything().contains(secret), "{}", said.everything());
    }
}

#[tokio::test]
async fn health_tells_by_its_exit_code_whether_a_gateway_is_ready() {
    let simulator = simulated(json!({})).await;
    let mut gateway = Gateway::new(&simulator, &[("rule.rhai", "no rule")]);
    gateway.start_unready().await;
    let asks = async |gateway: &Gateway, url: &str| {
        let output = gateway.command(&["health", url]).output().await;
        Said::from(output.expect("the binary can be started"))
    };
    let admin = gateway.admin_url().to_owned();
    asks(&gateway, &admin)
        .await
        .ended(1, &["503", "no rule set"]);
    asks(&gateway, &format!("{admin}/healthz"))
        .await
        .ended(0, &[]);
    gateway.write("rules/rule.rhai", GOOD);
    gateway.signal(rustix::process::Signal::HUP);
    gateway.until_logged(&["rules are active"]).await;
    let hooks = gateway.hooks_url().to_owned();
    asks(&gateway, &admin).await.ended(0, &["\"ready\""]);
    asks(&gateway, &hooks).await.ended(0, &["\"ready\""]);
    gateway.stop().await;
    asks(&gateway, &admin).await.ended(1, &["does not answer"]);
}

#[test]
fn an_address_that_is_taken_is_named_with_its_key() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound");
    let desk = Desk::with_rules(&[("good.rhai", GOOD)]);
    desk.write(
        "cuegate.toml",
        &format!(
            "[server]\nlisten = \"{address}\"\n[iconik]\napp_id = \"a\"\nauth_token = \"b\"\n"
        ),
    );
    desk.types(&["serve"])
        .ended(1, &[&address.to_string(), "server.listen"]);
}

#[test]
fn completions_are_printed_for_a_shell() {
    let said = Desk::new().types(&["completions", "bash"]);
    said.ended(0, &["_cuegate()", "simulate"]);
    assert!(
        !said.out.contains("sandbox-worker"),
        "workers are nobody's command"
    );
}

#[test]
fn a_wrong_call_ends_with_2_and_help_with_0() {
    let desk = Desk::new();
    desk.types(&["serv"]).ended(2, &["unrecognized subcommand"]);
    desk.types(&[]).ended(2, &["Usage: cuegate"]);
    desk.types(&["run", "rule"]).ended(2, &["--event"]);
    desk.types(&["--help"])
        .ended(0, &["demo", "serve", "health"]);
    desk.types(&["--version"]).ended(0, &["cuegate "]);
}

#[test]
fn the_day_of_the_demo_ends_well_with_the_rules_that_the_program_carries() {
    let said = Desk::new().types(&["demo", "--once"]);
    said.ended(
        0,
        &[
            "those that the program carries",
            "Every expected effect happened.",
        ],
    );
    assert!(!said.out.contains("MISSING"), "{}", said.out);
}

#[test]
fn a_shipped_rule_that_is_broken_by_hand_makes_the_demo_fail_and_name_what_is_missing() {
    let desk = Desk::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    for file in fs::read_dir(shipped).expect("the shipped rules are there") {
        let file = file.expect("it can be read");
        let source = fs::read_to_string(file.path()).expect("it is text");
        let name = file.file_name();
        let name = name.to_str().expect("its name is text");
        let broken = if name == "tag_on_arrival.rhai" {
            assert!(source.contains("found[1].to_lower()"), "{source}");
            source.replace("found[1].to_lower()", "found[1]")
        } else {
            source
        };
        desk.write(&format!("broken/{name}"), &broken);
    }
    let said = desk.types(&["demo", "--once", "--dir", "broken"]);
    said.ended(1, &["see MISSING above"]);
    let missing: Vec<_> = said
        .out
        .lines()
        .filter(|line| line.contains("MISSING"))
        .collect();
    assert!(missing[0].contains("tag_on_arrival"), "{missing:?}");
    assert!(
        missing[0].contains("tagged for the desk \"sport\""),
        "{missing:?}"
    );
    assert!(
        said.out.contains("seen     subclip_from_marker"),
        "{}",
        said.out
    );
}

#[test]
fn the_demo_refuses_rules_that_do_not_compile() {
    let desk = Desk::with_rules(&[(
        "bad.rhai",
        "rule(#{ on: [\"assets/entity/create\"] });\nfn run(event) { let x = ; }\n",
    )]);
    desk.types(&["demo", "--once"])
        .ended(1, &["bad.rhai:2:25", "unexpected ';'"]);
}
