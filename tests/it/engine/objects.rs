//! Searches and other queries: what is sent, how they are gone through, what `each` makes of them.

use std::sync::Arc;

use cuegate::engine::{Moment, Outcome};
use cuegate::model::{Call, DeadClass, Query, QuerySource, Step};
use serde_json::{Value, json};

use super::{answered, call_of, drive, failure, metadata_event, moment, rule_of, run};

/// Iconik with one view; searches are answered by `found`.
fn iconik(call: &Call, found: &dyn Fn(&Call) -> Value) -> (u16, Value) {
    let body = match call.path.as_str() {
        "metadata/v1/views/" => json!({ "objects": [{ "id": "v-1", "name": "Rights" }] }),
        "metadata/v1/views/v-1/" => json!({ "name": "Rights", "view_fields": [
            { "name": "expires", "field_type": "date" }, { "name": "seen", "field_type": "datetime" },
            { "name": "hold", "field_type": "boolean" }, { "name": "count", "field_type": "integer" },
            { "name": "owner", "field_type": "string" },
        ] }),
        _ => found(call),
    };
    (200, body)
}

fn searched(body: &str) -> (Vec<Step>, Outcome) {
    let rule = rule_of(&format!("fn run(event) {{ {body} }}"));
    drive(&rule, |call| iconik(call, &|_| json!({ "objects": [] })))
}

/// The body of the last search that was sent.
fn body_of(script: &str) -> Value {
    let (journal, outcome) = searched(script);
    assert_eq!(outcome, Outcome::Finished, "{script}");
    let last = journal.last().expect("something was sent");
    let Some(body) = call_of(&Outcome::Effect(last.effect.clone())).body.clone() else {
        panic!("{script}: no search was sent")
    };
    body
}

#[test]
fn conditions_are_written_as_iconik_names_them() {
    let body = body_of(
        "for a in search::assets()
            .field(\"Rights.expires\").before(time::parse(\"2026-03-01T06:00:00\"))
            .field(\"Rights.seen\").after(time::parse(\"2026-03-01T06:00:00\"))
            .field(\"Rights.hold\").is_not(true)
            .field(\"Rights.count\").between(2, 5)
            .field(\"Rights.owner\").missing()
            .field(\"status\").one_of([\"ACTIVE\", \"DELETED\"])
            .field(\"external_id\").exists()
            .field(\"title\").equals(\"News\")
            .text(\"a:b (c)\").fields([\"status\", \"Rights.owner\"]).sort(\"date_created\", \"desc\") { }",
    );
    let wanted = json!({
        "doc_types": ["assets"],
        "filter": {
            "operator": "AND",
            "terms": [
                { "name": "metadata.expires", "range": { "max": "2026-03-01" } },
                { "name": "metadata.seen", "range": { "min": "2026-03-01T06:00:00.000000+00:00" } },
                { "name": "metadata.count", "range": { "min": "2", "max": "5" } },
                { "name": "metadata.owner", "missing": true },
                { "name": "status", "value_in": ["ACTIVE", "DELETED"] },
                { "name": "external_id", "exists": true },
                { "name": "title", "value": "News" },
            ],
            "filters": [{ "operator": "NOT", "terms": [{ "name": "metadata.hold", "value": "true" }] }],
        },
        "query": "a\\:b \\(c\\)",
        "include_fields": ["id", "object_type", "title", "status", "metadata.owner"],
        "sort": [{ "name": "date_created", "order": "desc" }, { "name": "id", "order": "asc" }],
    });
    assert_eq!(body, wanted);
}

#[test]
fn a_view_is_looked_up_once_in_a_search_and_nothing_is_sent_before_it_is_wanted() {
    let (journal, _) = searched(
        "let q = search::assets().field(\"Rights.hold\").is_not(true).field(\"Rights.owner\").exists().sort(\"Rights.count\");",
    );
    let paths: Vec<_> = journal.iter().map(|step| step.effect.to_string()).collect();
    assert_eq!(
        paths,
        ["`GET metadata/v1/views/`", "`GET metadata/v1/views/v-1/`"]
    );
}

#[test]
fn a_body_in_iconiks_words_keeps_them_and_is_paged_like_any_other() {
    let body = body_of(
        "for a in search::query(#{ doc_types: [\"segments\"], query: \"a OR b\", filter: #{ operator: \"OR\", terms: [] } })
            .field(\"segment_type\").equals(\"MARKER\") { }",
    );
    assert_eq!(body["query"], "a OR b");
    assert_eq!(
        body["filter"]["filters"],
        json!([{ "operator": "OR", "terms": [] }])
    );
    assert_eq!(
        body["filter"]["terms"],
        json!([{ "name": "segment_type", "value": "MARKER" }])
    );
    assert_eq!(body["sort"], json!([{ "name": "id", "order": "asc" }]));
    let failed = failure("search::query(#{ doctypes: [] });");
    assert!(
        failed.message.contains("did you mean `doc_types`?"),
        "{failed}"
    );
    let failed = failure("search::query(#{ search_after: [] });");
    assert!(failed.message.contains("has no `search_after`"), "{failed}");
}

#[test]
fn what_a_search_cannot_mean_is_refused_before_it_is_sent() {
    for (script, wanted) in [
        (
            "search::assets().field(\"titel\").exists()",
            "did you mean `title`?",
        ),
        (
            "search::collections().field(\"is_online\").exists()",
            "collections cannot be searched by `is_online`",
        ),
        (
            "search::assets().field(\"Rights.expire\").exists()",
            "did you mean `expires`?",
        ),
        (
            "search::assets().field(\"Right.hold\").exists()",
            "did you mean `Rights`?",
        ),
        (
            "search::assets().field(\"title\").before(time::now())",
            "`title` holds no times",
        ),
        (
            "search::assets().field(\"Rights.hold\").equals(\"yes\")",
            "is compared with true or false, and this is a text",
        ),
        (
            "search::assets().field(\"title\").equals(())",
            "it is `()`; use `missing()`",
        ),
        (
            "search::assets().field(\"title\").one_of([])",
            "at least one value",
        ),
        (
            "search::assets().sort(\"title\", \"down\")",
            "\"asc\" or \"desc\"",
        ),
        ("search::assets().text(\" \")", "takes the words"),
        (
            "(search::assets() + search::collections()).text(\"x\")",
            "say it of each search before",
        ),
        ("search::ids(\"asset\", [])", "did you mean \"assets\"?"),
        (
            "search::ids(\"assets\", [()])",
            "the id of the asset is missing",
        ),
        (
            "iconik::jobs(#{ state: \"FAILED\" })",
            "did you mean `status`?",
        ),
    ] {
        let (_, outcome) = searched(&format!("{script};"));
        let Outcome::Failed(failed) = outcome else {
            panic!("{script}: {outcome:?}")
        };
        assert_eq!(failed.class, DeadClass::ScriptError, "{script}: {failed}");
        assert!(
            failed.message.contains(wanted),
            "{script}\nexpected {wanted}\ngot {failed}"
        );
    }
}

/// `count` hits in pages as large as asked for, but never more than `most`.
fn paged(count: usize, most: usize) -> impl Fn(&Call) -> Value {
    move |call| {
        let body = call.body.clone().unwrap_or_default();
        let asked: usize = call.query["per_page"].parse().expect("a number");
        let size = asked.min(most);
        let after = body["search_after"][0].as_u64().map_or(0, |last| last + 1);
        let first = usize::try_from(after).expect("small");
        let hits: Vec<Value> = (first..count.min(first + size))
            .map(|n| json!({ "id": format!("a{n}"), "object_type": "assets", "title": format!("T{n}"), "_sort": [n] }))
            .collect();
        json!({ "objects": hits, "total": count })
    }
}

#[test]
fn a_loop_over_a_search_asks_for_a_page_when_it_needs_one() {
    let all = |count: usize, most: usize| {
        let rule = rule_of(
            "fn run(event) { let n = 0; for a in search::assets() { if a[\"_sort\"] != () { fail(\"key\"); } n += 1; } skip(`${n}`); }",
        );
        let (journal, outcome) = drive(&rule, |call| (200, paged(count, most)(call)));
        (journal.len(), outcome)
    };
    let seen = |count: usize| Outcome::Skipped(count.to_string());
    assert_eq!(all(0, 150), (1, seen(0)));
    assert_eq!(all(149, 150), (1, seen(149)));
    assert_eq!(all(150, 150), (2, seen(150)));
    assert_eq!(all(301, 150), (3, seen(301)));
    // Iconik may give less at once than it is asked for.
    assert_eq!(all(5, 2), (3, seen(5)));
    let rule = rule_of("fn run(event) { for a in search::assets() { skip(a.title); } }");
    let (journal, outcome) = drive(&rule, |call| (200, paged(1_000, 150)(call)));
    assert_eq!(
        (journal.len(), outcome),
        (1, Outcome::Skipped("T0".to_owned()))
    );
}

#[test]
fn a_call_inside_a_loop_over_pages_comes_between_them() {
    let rule = rule_of(
        "fn run(event) { for a in search::assets() { if a.id == \"a1\" { iconik::asset(a.id); } } }",
    );
    let (journal, outcome) = drive(&rule, |call| {
        if call.body.is_some() {
            (200, paged(3, 2)(call))
        } else {
            (200, json!({ "id": "a1" }))
        }
    });
    let asked: Vec<_> = journal.iter().map(|step| step.effect.to_string()).collect();
    let (search, read) = ("`POST search/v1/search/`", "`GET assets/v1/assets/a1/`");
    assert_eq!(asked, [search, read, search]);
    assert_eq!(outcome, Outcome::Finished);
    let place = journal[2].effect.position().map(|place| place.at.line);
    assert_eq!(place, Some(2), "the place of the search is told");
}

#[test]
fn first_and_ids_ask_for_no_more_than_they_give() {
    let rule = rule_of("fn run(event) { let a = search::assets().first(); skip(a.id); }");
    let (journal, outcome) = drive(&rule, |call| {
        assert_eq!(call.query["per_page"], "1");
        (200, paged(9, 150)(call))
    });
    assert_eq!(
        (journal.len(), outcome),
        (1, Outcome::Skipped("a0".to_owned()))
    );
    let (_, none) = searched("if search::assets().first() == () { skip(\"none\"); }");
    assert_eq!(none, Outcome::Skipped("none".to_owned()));
    let rule = rule_of("fn run(event) { skip(text::join(search::assets().ids(), \",\")); }");
    let (_, outcome) = drive(&rule, |call| (200, paged(3, 2)(call)));
    assert_eq!(outcome, Outcome::Skipped("a0,a1,a2".to_owned()));
    let rule = rule_of("fn run(event) { search::assets().ids(); }");
    let (_, outcome) = drive(&rule, |call| (200, paged(3_000, 150)(call)));
    let Outcome::Failed(failed) = outcome else {
        panic!("a list has a bound")
    };
    assert!(
        failed.message.contains("more than the 2000 objects"),
        "{failed}"
    );
    assert!(failed.message.contains("fn each(event)"), "{failed}");
}

#[test]
fn an_endless_search_ends_at_the_calls_of_the_run_and_points_to_each() {
    let rule = rule_of("fn run(event) { for a in search::assets() { } }");
    let (journal, outcome) = drive(&rule, |call| (200, paged(usize::MAX - 1, 2)(call)));
    assert_eq!(journal.len(), 200);
    let Outcome::Failed(failed) = outcome else {
        panic!("200 calls are the limit")
    };
    assert_eq!(failed.class, DeadClass::Limit);
    let hint = failed.hint.clone().unwrap_or_default();
    assert!(
        hint.contains("`fn each(event)`") && hint.contains("calls_per_run"),
        "{failed}"
    );
    assert!(failed.position.is_some(), "{failed}");
}

#[test]
fn answers_that_would_burst_the_journal_end_the_run_and_name_what_to_ask_less_of() {
    let rule = rule_of("fn run(event) { for a in search::assets() { } }");
    let large = "x".repeat(500_000);
    let (journal, outcome) = drive(&rule, |call| {
        let mut answer = paged(1_000, 2)(call);
        answer["objects"][0]["description"] = large.clone().into();
        answer["objects"][1]["description"] = large.clone().into();
        (200, answer)
    });
    assert!(journal.len() < 10, "{}", journal.len());
    let Outcome::Failed(failed) = outcome else {
        panic!("the journal has a bound")
    };
    assert_eq!(failed.class, DeadClass::Limit);
    assert!(
        failed.message.contains("leave no room in its journal"),
        "{failed}"
    );
    assert!(
        failed
            .hint
            .is_some_and(|hint| hint.contains(".fields([…])"))
    );
}

#[test]
fn contents_are_gone_through_with_what_lies_inside_each_once() {
    let rule = rule_of(
        "fn run(event) {
            let seen = [];
            for entry in iconik::collection(\"c1\").contents(#{ recursive: true }) { seen.push(entry.id); }
            skip(text::join(seen, \" \"));
        }",
    );
    let entry = |kind: &str, id: &str| json!({ "id": id, "object_type": kind });
    let contents = |id: &str, page: &str| match (id, page) {
        ("c1", "1") => {
            json!({ "objects": [entry("assets", "a1"), entry("collections", "c2")], "next_url": "/more" })
        }
        ("c1", "2") => json!({ "objects": [entry("assets", "a2")] }),
        // A collection that lies in itself, and an asset that lies in both.
        ("c2", "1") => {
            json!({ "objects": [entry("collections", "c1"), entry("assets", "a1"), entry("assets", "a3")] })
        }
        other => panic!("{other:?} was not to be read"),
    };
    let (_, outcome) = drive(&rule, |call| {
        let id = call
            .path
            .trim_start_matches("assets/v1/collections/")
            .split('/')
            .next()
            .unwrap();
        match call.query.get("page") {
            Some(page) => (200, contents(id, page)),
            None => (200, json!({ "id": id })),
        }
    });
    assert_eq!(outcome, Outcome::Skipped("a1 c2 a2 c1 a3".to_owned()));
}

#[test]
fn jobs_come_as_jobs() {
    let rule = rule_of(
        "fn run(event) { for job in iconik::jobs(#{ status: \"FAILED\" }) { job.update(#{ message: \"seen\" }); } }",
    );
    let (journal, outcome) = drive(&rule, |call| match call.path.as_str() {
        "jobs/v1/jobs/" => {
            assert_eq!(call.query["status"], "FAILED");
            (
                200,
                json!({ "objects": [{ "id": "j1", "object_type": "assets" }] }),
            )
        }
        _ => (200, json!({ "id": "j1" })),
    });
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(
        journal.last().unwrap().effect.to_string(),
        "`PATCH jobs/v1/jobs/j1/`"
    );
}

fn each(script: &str) -> Outcome {
    let rule = rule_of(&format!(
        "fn each(event) {{ {script} }} fn run(event) {{ }}"
    ));
    let moment = Moment::of_each(moment().started_at);
    let mut journal: Vec<Step> = Vec::new();
    loop {
        let advance = rule.advance(&moment, &metadata_event(), Arc::new(journal.clone()));
        let Outcome::Effect(_) = &advance.outcome else {
            return advance.outcome;
        };
        let (status, body) = iconik(
            call_of(&advance.outcome),
            &|call| match call.path.as_str() {
                "assets/v1/collections/c1/" => json!({ "id": "c1" }),
                other => panic!("`each` asked for {other}"),
            },
        );
        let number = u32::try_from(journal.len()).expect("a journal is short");
        journal.push(answered(number, &advance.outcome, status, body));
    }
}

#[test]
fn each_gives_every_source_that_it_adds_up() {
    let outcome = each(
        "search::assets().field(\"Rights.hold\").is_not(true) + iconik::collection(\"c1\").contents(#{ recursive: true })
            + iconik::jobs(#{ status: \"FAILED\" }) + search::ids(\"collections\", [\"c7\"]) + [\"a1\"]",
    );
    let ids = |object_type: &str, id: &str| QuerySource::Ids {
        object_type: object_type.to_owned(),
        ids: vec![id.to_owned()],
    };
    let body = json!({
        "doc_types": ["assets"],
        "filter": { "operator": "AND", "filters": [{ "operator": "NOT", "terms": [{ "name": "metadata.hold", "value": "true" }] }] },
        "include_fields": ["id", "object_type"],
    });
    let status = ("status".to_owned(), "FAILED".to_owned());
    let sources = vec![
        QuerySource::Search { body },
        QuerySource::Collection {
            id: "c1".to_owned(),
            recursive: true,
        },
        QuerySource::Jobs {
            query: [status].into(),
        },
        ids("collections", "c7"),
        ids("assets", "a1"),
    ];
    assert_eq!(outcome, Outcome::Found(Query { sources }));
    assert_eq!(
        each("skip(\"nothing today\");"),
        Outcome::Skipped("nothing today".to_owned())
    );
}

#[test]
fn what_each_cannot_go_through_is_refused() {
    for (script, wanted) in [
        (
            "search::segments()",
            "goes through assets and collections only",
        ),
        (
            "search::query(#{ query: \"x\" })",
            "`doc_types` names what a search is among",
        ),
        ("search::assets().sort(\"title\")", "take `.sort(…)` out"),
        ("()", "and not a missing value"),
        (
            "search::assets().field(\"title\")",
            "condition of a search without its value",
        ),
    ] {
        let outcome = each(script);
        let Outcome::Failed(failed) = outcome else {
            panic!("{script}: {outcome:?}")
        };
        assert!(
            failed.message.contains(wanted),
            "{script}\nexpected {wanted}\ngot {failed}"
        );
    }
}

#[test]
fn a_query_cannot_be_mistaken_for_a_value() {
    for script in [
        "search::assets() == 5",
        "search::assets() < search::assets()",
    ] {
        assert!(
            matches!(run(&format!("let x = {script};")), Outcome::Failed(_)),
            "{script}"
        );
    }
}
