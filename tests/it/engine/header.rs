//! What a header may say, and what is wrong about one: with place and suggestion, before anything runs.

use std::time::Duration;

use cuegate::model::{Concurrency, Debounce, Missed, RuleHeader};
use serde_json::json;

use super::{file, finding, findings, set};

fn header(source: &str) -> RuleHeader {
    set(vec![file("r.rhai", source)], json!({})).rules[0].clone()
}

#[test]
fn every_key_that_is_carried_out_is_read() {
    let read = header(
        "rule(#{
            on: [\"assets/*/*\"], concurrency: \"latest\", debounce: #{ quiet: \"2s\", max: \"20s\" }, timeout: \"90s\",
            echoes: true, priority: -3, limits: #{ objects: 12 }, allow: [\"egress:desk\", \"jobs:write\"],
        });
        fn each(event) { [] }
        fn run(event) { }
        fn done(event, result) { }
        fn lane(event) { \"x\" }",
    );
    let (quiet, max) = (Duration::from_secs(2), Duration::from_secs(20));
    assert_eq!(read.debounce, Some(Debounce { quiet, max }));
    assert_eq!(read.concurrency, Concurrency::Latest);
    assert_eq!(read.timeout, Duration::from_secs(90));
    assert_eq!((read.echoes, read.priority), (true, -3));
    assert_eq!(read.limits.objects, 12);
    assert_eq!(read.allow, ["egress:desk", "jobs:write"]);
    assert!(read.has_each && read.has_done && read.has_lane && !read.has_when);
}

#[test]
fn a_schedule_has_a_zone_and_says_what_becomes_of_missed_times() {
    let read = header(
        "rule(#{ schedule: #{ cron: \"0 6 * * MON-FRI\", timezone: \"Europe/Berlin\", missed: \"once\" } });\nfn run(event) { }",
    );
    let schedule = read.schedule.expect("it has one");
    assert_eq!(schedule.cron, "0 6 * * MON-FRI");
    assert_eq!(schedule.timezone, "Europe/Berlin");
    assert_eq!(schedule.missed, Missed::Once);
    let plain = header("rule(#{ schedule: #{ cron: \"*/5 * * * *\" } });\nfn run(event) { }");
    let schedule = plain.schedule.expect("it has one");
    assert_eq!(
        (schedule.timezone.as_str(), schedule.missed),
        ("UTC", Missed::Skip)
    );
}

/// That a header with this wrong entry is refused in these words, at its line.
fn named_at_its_place(entry: &str, wanted: &str) {
    let shown = finding(&format!(
        "rule(#{{\n    {entry},\n}});\nfn run(event) {{ }}"
    ));
    assert!(
        shown.contains(wanted),
        "{entry}\nexpected {wanted}\ngot {shown}"
    );
    assert!(shown.contains("--> r.rhai:2:"), "{shown}");
    assert!(!shown.contains("nothing wakes"), "{shown}");
}

#[test]
fn a_wrong_value_is_named_at_its_place_with_what_to_write_instead() {
    for (key, wanted) in [
        (
            "schedule: #{ cron: \"0 6 * *\" }",
            "it has 4 fields and not five",
        ),
        (
            "schedule: #{ cron: \"0 6 * * * *\" }",
            "it has 6 fields and not five",
        ),
        ("schedule: #{ cron: \"61 6 * * *\" }", "is no cron pattern"),
        (
            "schedule: #{ cron: \"@daily\" }",
            "it has 1 fields and not five",
        ),
        (
            "schedule: #{ cron: \"0 6 31 2 *\" }",
            "a day that no calendar has",
        ),
        (
            "schedule: #{ cron: \"0 6 * * *\", timezone: \"Europe/Berlim\" }",
            "did you mean \"Europe/Berlin\"?",
        ),
        (
            "schedule: #{ cron: \"0 6 * * *\", missed: \"twice\" }",
            "`missed` is one of \"skip\", \"once\"",
        ),
        (
            "schedule: #{ cron: \"0 6 * * *\", zone: \"UTC\" }",
            "`schedule` has no key `zone`",
        ),
        (
            "schedule: #{ timezone: \"UTC\" }",
            "a schedule needs `cron`",
        ),
        ("debounce: #{ quiet: \"2s\" }", "needs `quiet` and `max`"),
        (
            "debounce: #{ quiet: \"20s\", max: \"2s\" }",
            "`debounce.max` is shorter than `debounce.quiet`",
        ),
        (
            "debounce: \"2s\"",
            "`debounce` takes a map, and this is a text",
        ),
        ("priority: 101", "from -100 to 100, and this is 101"),
        ("priority: \"high\"", "from -100 to 100, and this is a text"),
        ("echoes: 1", "takes true or false"),
        ("timeout: \"0s\"", "longer than nothing"),
        ("concurrency: \"lastest\"", "did you mean \"latest\"?"),
        ("limits: #{ objects: 0 }", "whole number above 0"),
        ("limits: #{ deletes_per_hour: 5 }", "not supported yet"),
        ("allow: [\"egress:my-desk\"]", "cannot be written in a rule"),
        ("allow: [\"egress:match\"]", "cannot be written in a rule"),
        ("allow: [\"egress:\"]", "cannot be written in a rule"),
    ] {
        named_at_its_place(key, wanted);
    }
}

#[test]
fn a_wrong_value_about_people_and_their_view_is_named_likewise() {
    for (key, wanted) in [
        ("mode: \"shadow\"", "`mode` is not supported yet"),
        ("run_as: \"users\"", "did you mean \"user\"?"),
        (
            "run_as: \"user\", on: [\"assets/*/*\"]",
            "for rules that a button alone wakes",
        ),
        ("progress: \" \"", "`progress` is empty"),
        (
            "on: [\"assets/*/*\"], progress: \"x\"",
            "the rule may not write jobs",
        ),
        (
            "button: #{ title: \"x\", contexts: [\"ASSET\"], groups: [] }",
            "nobody could press the button",
        ),
        (
            "button: #{ title: \"x\", contexts: [\"ASSET\"], form: \" \" }",
            "`button.form` is empty",
        ),
        (
            "button: #{ title: \"x\", contexts: [\"ASSET\"], redirect: \"/asset\" }",
            "`button.redirect` is no address of the web",
        ),
        (
            "button: #{ title: \"x\", contexts: [\"ASSET\"], redirct: \"x\" }",
            "did you mean `redirect`?",
        ),
    ] {
        named_at_its_place(key, wanted);
    }
}

#[test]
fn a_leap_day_and_a_rare_weekday_do_come() {
    for cron in ["0 6 29 2 *", "0 6 29 2 MON", "0 6 * * FRI#5", "0 6 L * *"] {
        let shown = finding(&format!(
            "rule(#{{ schedule: #{{ cron: \"{cron}\" }} }});\nfn run(event) {{ }}"
        ));
        assert_eq!(shown, "", "{cron}");
    }
}

#[test]
fn keys_and_functions_that_contradict_each_other_are_refused() {
    let on = "on: [\"assets/*/*\"]";
    let quiet = "debounce: #{ quiet: \"2s\", max: \"20s\" }";
    let cron = "schedule: #{ cron: \"0 6 * * *\" }";
    for (keys, functions, line, wanted) in [
        (
            String::new(),
            "",
            1,
            "neither `on` nor `button` nor `schedule`",
        ),
        (
            on.to_owned(),
            "fn done(event, result) { }",
            4,
            "`fn done` would never be called",
        ),
        (
            format!("{on},\nlimits: #{{ objects: 5 }}"),
            "",
            2,
            "the rule has no `fn each`",
        ),
        (
            format!("{on}, concurrency: \"parallel\",\n{quiet}"),
            "",
            2,
            "parallel runs have no lane",
        ),
        (
            format!("{on}, concurrency: \"single\",\n{quiet}"),
            "",
            2,
            "`concurrency: \"single\"` drops it",
        ),
        (
            format!("{on}, {cron},\n{quiet}"),
            "",
            2,
            "make two rules of it",
        ),
        (
            format!("{on},\nlane: \"asset\""),
            "fn lane(event) { \"x\" }",
            2,
            "only one of them",
        ),
        (
            format!("{on}, concurrency: \"parallel\""),
            "fn lane(event) { \"x\" }",
            4,
            "`fn lane` would never be called",
        ),
        (
            format!("{cron},\nechoes: true"),
            "",
            2,
            "`echoes` is about events of `on`",
        ),
        (
            format!("{on}, expires: \"1m\",\ntimeout: \"2m\""),
            "",
            2,
            "`timeout` is longer than `expires`",
        ),
    ] {
        let source = format!("rule(#{{ {keys}\n}});\nfn run(event) {{ }}\n{functions}");
        let line = if keys.contains('\n') && line > 2 {
            line + 1
        } else {
            line
        };
        let shown = finding(&source);
        assert!(
            shown.contains(wanted),
            "{source}\nexpected {wanted}\ngot {shown}"
        );
        assert!(shown.contains(&format!("--> r.rhai:{line}:")), "{shown}");
        assert!(shown.contains("help: "), "{shown}");
    }
    let good = format!(
        "rule(#{{ {on}, {quiet}, lane: \"none\" }});\nfn each(event) {{ [] }}\nfn run(event) {{ }}"
    );
    assert_eq!(finding(&good), "");
}

#[test]
fn a_slip_in_the_name_of_a_function_is_found_unless_somebody_calls_it() {
    let rule = |functions: &str| {
        finding(&format!(
            "rule(#{{ on: [\"assets/*/*\"] }});\n{functions}\nfn run(event) {{ }}"
        ))
    };
    for (function, near) in [
        ("fn wehn(event) { true }", "fn when"),
        ("fn eahc(event) { [] }", "fn each"),
        ("fn don(event) { }", "fn done"),
        ("fn lanes(event) { \"x\" }", "fn lane"),
    ] {
        let shown = rule(function);
        assert!(
            shown.contains(&format!("did you mean `{near}`?")),
            "{shown}"
        );
        assert!(shown.contains("--> r.rhai:2:1"), "{shown}");
    }
    assert_eq!(
        rule("fn line(text) { text }\nfn when(event) { line(\"x\") == \"x\" }"),
        ""
    );
    let shown = rule("fn each(event, more) { [] }");
    assert!(
        shown.contains("`fn each` takes 1 argument(s), not 2"),
        "{shown}"
    );
}

#[test]
fn a_target_that_is_not_allowed_is_found_at_load_in_libraries_too() {
    let rule = |allow: &str, body: &str| {
        format!(
            "import \"lib/tell\" as tell;\nrule(#{{ on: [\"assets/*/*\"], allow: [{allow}] }});\nfn run(event) {{ {body} }}"
        )
    };
    let library = file(
        "lib/tell.rhai",
        "fn it(text) { egress::desk.post(#{ text: text }); }",
    );
    let check = |allow: &str, body: &str| {
        findings(
            &[file("r.rhai", &rule(allow, body)), library.clone()],
            &json!({}),
        )
    };
    assert_eq!(check("\"egress:desk\"", "egress::desk.post(#{});"), "");
    let shown = check("\"egress:desk\"", "egress::desk2.post(#{});");
    assert!(
        shown.contains("did you mean `egress::desk`?") && shown.contains("--> r.rhai:3:"),
        "{shown}"
    );
    let shown = check("", "tell::it(\"x\");");
    assert!(
        shown.contains("the rule `r` does not allow `egress::desk`")
            && shown.contains("add \"egress:desk\" to `allow`")
            && shown.contains("--> lib/tell.rhai:1:"),
        "{shown}"
    );
}

#[test]
fn names_of_functions_that_wait_keep_and_tell_are_checked_like_all_others() {
    for (call, wanted) in [
        ("json::pars(\"1\")", "did you mean `json::parse`?"),
        ("state::sett(\"a\", 1)", "did you mean `state::set`?"),
        ("sleep(\"2h\", 1)", "`sleep` takes 1 argument(s), not 2"),
        ("serch::assets()", "did you mean `search::assets`?"),
        ("search::assets().feld(\"title\")", "did you mean `field`?"),
        (
            "search::assets().field(\"title\").equal(1)",
            "did you mean `equals`?",
        ),
    ] {
        let shown = finding(&format!(
            "rule(#{{ on: [\"assets/*/*\"] }});\nfn run(event) {{ {call}; }}"
        ));
        assert!(shown.contains(wanted), "{call}: {shown}");
        assert!(shown.contains("--> r.rhai:2:"), "{shown}");
    }
}
