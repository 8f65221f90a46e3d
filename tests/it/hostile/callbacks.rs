//! An effect that is asked for in an odd place is an effect like any other: it happens once, and the rule goes
//! on with its answer. One rule for each way, through the whole gateway.

use std::collections::BTreeMap;

use cuegate::model::RunState;
use serde_json::{Value, json};

use super::outcome;
use super::stage::{Stage, of_rule};

/// The way, and the body of `run`. `write(title)` changes the title of the way's own asset and returns the
/// answer; every way writes exactly once and then fails if it did not get the answer's title.
const WAYS: &[(&str, &str)] = &[
    (
        "map",
        r#"let got = [1].map(|x| write(id, "new").title); ended(got[0]);"#,
    ),
    (
        "filter",
        r#"let kept = [1].filter(|x| write(id, "new").title == "new"); ended(if kept.len() == 1 { "new" } else { "" });"#,
    ),
    (
        "sort",
        r#"let got = []; let list = [2, 1]; list.sort(|a, b| { got.push(write(id, "new").title); a - b }); ended(got[0]);"#,
    ),
    (
        "reduce",
        r#"ended([1].reduce(|sum, x| sum + write(id, "new").title, ""));"#,
    ),
    (
        "for_each",
        r#"let got = [()]; [1].for_each(|index| { got[0] = write(id, "new").title; }); ended(got[0]);"#,
    ),
    (
        "some",
        r#"if ![1, 2].some(|x| write(id, "new").title == "new") { fail("no"); } ended("new");"#,
    ),
    (
        "find_map",
        r#"ended([1].find_map(|x| write(id, "new").title));"#,
    ),
    (
        "retain",
        r#"let list = [1]; list.retain(|x| write(id, "new").title == "new"); ended(if list.len() == 1 { "new" } else { "" });"#,
    ),
    (
        "nested_map",
        r#"ended([1].map(|x| [2].map(|y| write(id, "new").title)[0])[0]);"#,
    ),
    (
        "nested_catch",
        r#"
        let got = "";
        try {
            try { got = write(id, "new").title; throw "after"; } catch (e) { throw "again"; }
        } catch (e) { if e != "again" { fail(`${e}`); } }
        ended(got);"#,
    ),
    (
        "catch_of_a_refusal",
        r#"
        let got = "";
        try { iconik::asset("missing"); } catch (e) { if e.status == 404 { got = write(id, "new").title; } }
        ended(got);"#,
    ),
    (
        "map_in_a_catch",
        r#"
        let got = "";
        try { got = [1].map(|x| write(id, "new").title)[0]; } catch (e) { write(id, "other"); }
        ended(got);"#,
    ),
    (
        "curried",
        r#"let f = |id, title| write(id, title).title; let g = f.curry(id); ended(g.call("new"));"#,
    ),
    (
        "curried_name",
        r#"let f = Fn("write").curry(id); ended(f.call("new").title);"#,
    ),
    (
        "shared_closure",
        r#"
        let turns = 0;
        let f = || { turns += 1; write(id, "new").title };
        let got = f.call();
        if turns != 1 { fail(`${turns} turns`); }
        ended(got);"#,
    ),
    (
        "closure_in_a_map",
        r#"let m = #{ f: |title| write(id, title).title }; ended(m.f.call("new"));"#,
    ),
    ("interpolation", r#"ended(`${write(id, "new").title}`);"#),
    (
        "condition",
        r#"if write(id, "new").title != "new" { fail("no"); } ended("new");"#,
    ),
    (
        "loop_condition",
        r#"let turns = 0; while turns == 0 && write(id, "new").title == "new" { turns += 1; } ended("new");"#,
    ),
    ("coalescing", r#"ended(() ?? write(id, "new").title);"#),
    (
        "switch",
        r#"ended(switch write(id, "new").title { "new" => "new", _ => "" });"#,
    ),
    ("argument", r#"ended(text::slug(write(id, "new").title));"#),
    (
        "index",
        r#"ended(["", "new"][write(id, "new").title.len() - 2]);"#,
    ),
    (
        "returned",
        r#"return [1].map(|x| { write(id, "new"); 5 });"#,
    ),
];

fn rule(way: &str, body: &str) -> (String, String) {
    let source = format!(
        r#"rule(#{{ on: ["callback/run/{way}"], allow: ["assets:write"] }});
fn write(id, title) {{ iconik::patch(`assets/v1/assets/${{id}}/`, #{{ title: title }}) }}
fn ended(title) {{ if title != "new" {{ fail(`got ${{title}}`); }} log::info("done"); }}
fn run(event) {{ let id = "{way}"; {body} }}
"#
    );
    (format!("{way}.rhai"), source)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_in_a_callback_happens_once_and_the_rule_goes_on_with_its_answer() {
    let rules: Vec<_> = WAYS.iter().map(|(way, body)| rule(way, body)).collect();
    let assets: Vec<Value> = WAYS
        .iter()
        .map(|(way, _)| json!({ "id": way, "title": "old" }))
        .collect();
    let stage = Stage::open(&rules, "", json!({ "assets": assets })).await;
    let visitor = stage.visitor();
    for (way, _) in WAYS {
        visitor.post("callback", way, json!({})).await;
    }
    for (way, _) in WAYS {
        stage.ended(way, 1).await;
    }
    let (runs, simulator) = stage.close().await;
    let mut writes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for request in simulator.requests() {
        if request.method != "GET" {
            assert_eq!(
                (request.method.as_str(), request.status),
                ("PATCH", Some(200))
            );
            writes.entry(request.path).or_default().push(request.body);
        }
    }
    let mut wrong = Vec::new();
    for (way, body) in WAYS {
        let (run, logs) = of_rule(&runs, way)[0];
        let written = writes
            .remove(&format!("assets/v1/assets/{way}/"))
            .unwrap_or_default();
        let done = logs.iter().filter(|line| line.text == "done").count();
        let wanted = usize::from(body.contains("ended("));
        if run.state != RunState::Succeeded
            || written != [json!({ "title": "new" })]
            || done != wanted
        {
            wrong.push(format!(
                "{way}: {}, {written:?}, done {done} times",
                outcome(run)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(writes.is_empty(), "{writes:?}");
    simulator.stop().await;
}
