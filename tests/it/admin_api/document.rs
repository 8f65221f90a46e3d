//! The OpenAPI document against the routes and against what they answer.

use std::collections::BTreeSet;

use super::*;

async fn document(desk: &Desk) -> Value {
    desk.get("/openapi.json").await.well()
}

/// `GET /api/v1/runs` and so on.
fn operations(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let verbs = item.as_object().unwrap().keys();
        verbs
            .map(|verb| format!("{} {path}", verb.to_uppercase()))
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn the_document_lists_what_there_is() {
    let desk = Desk::new().await;
    let document = document(&desk).await;
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let expected = [
        "DELETE /api/v1/pauses",
        "GET /api/v1/dead",
        "GET /api/v1/events",
        "GET /api/v1/events/failures",
        "GET /api/v1/events/{event}",
        "GET /api/v1/pauses",
        "GET /api/v1/rules",
        "GET /api/v1/runs",
        "GET /api/v1/runs/count",
        "GET /api/v1/runs/{run}",
        "GET /api/v1/runs/{run}/journal",
        "GET /api/v1/runs/{run}/repeats",
        "GET /api/v1/status",
        "POST /api/v1/events/reconcile",
        "POST /api/v1/events/reroute",
        "POST /api/v1/events/{event}/replay",
        "POST /api/v1/runs/cancel",
        "POST /api/v1/runs/replay",
        "POST /api/v1/runs/retry",
        "POST /api/v1/runs/{run}/cancel",
        "POST /api/v1/runs/{run}/replay",
        "POST /api/v1/runs/{run}/retry",
        "PUT /api/v1/pauses",
    ];
    let found = operations(&document);
    assert_eq!(
        found.iter().map(String::as_str).collect::<Vec<_>>(),
        expected
    );
}

#[tokio::test]
async fn every_operation_of_the_document_is_routed_and_no_other_verb_of_its_paths() {
    let desk = Desk::new().await;
    let document = document(&desk).await;
    let listed = operations(&document);
    for path in document["paths"].as_object().unwrap().keys() {
        let concrete = path
            .replace("{run}", "1")
            .replace("{event}", "00112233445566778899aabbccddeeff");
        for verb in [Verb::GET, Verb::POST, Verb::PUT, Verb::DELETE, Verb::PATCH] {
            let body = json!({});
            let body = (verb != Verb::GET).then_some(&body);
            let said = desk.asks(verb.clone(), &concrete, body).await;
            let routed = said.status != StatusCode::METHOD_NOT_ALLOWED
                && !said.body["error"].to_string().contains("nothing is at");
            // `/runs/count` and `/runs/{run}` overlap by design.
            let overlaps = [
                "runs/count",
                "runs/retry",
                "runs/replay",
                "runs/cancel",
                "events/failures",
                "events/reroute",
                "events/reconcile",
            ];
            let overlaps = overlaps.iter().any(|name| path.ends_with(name));
            if !overlaps {
                assert_eq!(
                    routed,
                    listed.contains(&format!("{verb} {path}")),
                    "{verb} {path}: {said:?}"
                );
            } else if listed.contains(&format!("{verb} {path}")) {
                assert!(routed, "{verb} {path}: {said:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_parameter_of_the_document_is_known_and_has_words() {
    let desk = Desk::new().await;
    let document = document(&desk).await;
    let mut queried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let concrete = path
            .replace("{run}", "1")
            .replace("{event}", "00112233445566778899aabbccddeeff");
        for (verb, operation) in item.as_object().unwrap() {
            assert!(
                operation["summary"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{verb} {path}"
            );
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                let words = parameter["description"].as_str();
                assert!(
                    words.is_some_and(|text| !text.is_empty()),
                    "{verb} {path}: {name}"
                );
                if parameter["in"] != "query" {
                    continue;
                }
                queried += 1;
                let verb: Verb = verb.to_uppercase().parse().unwrap();
                let said = desk
                    .asks(verb.clone(), &format!("{concrete}?{name}=1"), None)
                    .await;
                let error = said.body["error"].to_string();
                assert!(
                    !error.contains("no parameter"),
                    "{verb} {path}?{name}: {error}"
                );
                let misspelt = desk
                    .asks(verb, &format!("{concrete}?{name}z=1"), None)
                    .await;
                misspelt.refused(400, &["no parameter"]);
            }
        }
    }
    assert!(queried > 30, "{queried}");
}

/// Whether a value has the form that a schema says: no key too many and none too few.
fn conforms(value: &Value, schema: &Value, document: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/components/schemas/");
        let schema = &document["components"]["schemas"][name];
        assert!(schema.is_object(), "{at}: {name} is not in the document");
        return conforms(value, schema, document, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let null = value.is_null();
        let choice = choices
            .iter()
            .find(|choice| (choice["type"] == "null") == null);
        return conforms(value, choice.unwrap(), document, at);
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value} is none of {words:?}");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.contains(&is), "{at}: {value} is no {types:?}");
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                conforms(item, &schema["items"], document, &format!("{at}[{index}]"));
            }
        }
        Value::Object(entries) if schema["properties"].is_object() => {
            for (key, value) in entries {
                let property = &schema["properties"][key];
                assert!(
                    property.is_object() || property == &json!(true),
                    "{at}: `{key}` is not in the document"
                );
                conforms(value, property, document, &format!("{at}.{key}"));
            }
            for key in schema["required"].as_array().into_iter().flatten() {
                assert!(
                    entries.contains_key(key.as_str().unwrap()),
                    "{at}: {key} is missing"
                );
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn answers_have_the_form_that_the_document_gives_them() {
    let desk = Desk::new().await;
    let document = document(&desk).await;
    let runs = desk.dead(0, 3, DeadClass::ApiError).await;
    let event = desk.store.run(runs[0]).await.unwrap().unwrap().event;
    let pause = json!({ "scope": "rule:tag" });
    desk.asks(Verb::PUT, "/api/v1/pauses", Some(&pause))
        .await
        .well();
    let one = format!("/api/v1/runs/{}", runs[0]);
    let checked = [
        ("get", "/api/v1/status", "/api/v1/status".to_owned()),
        ("get", "/api/v1/events", "/api/v1/events".to_owned()),
        (
            "get",
            "/api/v1/events/{event}",
            format!("/api/v1/events/{event}"),
        ),
        ("get", "/api/v1/runs", "/api/v1/runs".to_owned()),
        ("get", "/api/v1/runs/count", "/api/v1/runs/count".to_owned()),
        ("get", "/api/v1/runs/{run}", one.clone()),
        (
            "get",
            "/api/v1/runs/{run}/journal",
            format!("{one}/journal"),
        ),
        (
            "get",
            "/api/v1/runs/{run}/repeats",
            format!("{one}/repeats"),
        ),
        ("get", "/api/v1/dead", "/api/v1/dead".to_owned()),
        ("get", "/api/v1/pauses", "/api/v1/pauses".to_owned()),
        ("get", "/api/v1/rules", "/api/v1/rules".to_owned()),
        ("post", "/api/v1/runs/{run}/retry", format!("{one}/retry")),
        (
            "post",
            "/api/v1/runs/{run}/replay",
            format!("/api/v1/runs/{}/replay", runs[1]),
        ),
        (
            "delete",
            "/api/v1/pauses",
            "/api/v1/pauses?scope=rule:tag".to_owned(),
        ),
    ];
    for (verb, path, concrete) in checked {
        let body = json!({});
        let body = (verb == "post").then_some(&body);
        let said = desk
            .asks(verb.to_uppercase().parse().unwrap(), &concrete, body)
            .await;
        let answers = &document["paths"][path][verb]["responses"];
        let schema = &answers[said.status.as_str()]["content"]["application/json"]["schema"];
        assert!(
            schema.is_object(),
            "{verb} {path} answers {} without a schema",
            said.status
        );
        conforms(&said.well(), schema, &document, path);
    }
}

#[tokio::test]
async fn what_is_done_to_many_and_what_is_refused_has_the_form_of_the_document() {
    let desk = Desk::new().await;
    let document = document(&desk).await;
    enqueue(&*desk.store, 0, &[("tag", "a"), ("tag", "a")]).await;
    let many = json!({ "part": { "filter": { "state": "queued" }, "up_to": 99 } });
    let said = desk.post("/runs/cancel", &many).await.well();
    assert_eq!(said["done"].as_array().unwrap().len(), 2, "{said}");
    let answers = &document["paths"]["/api/v1/runs/cancel"]["post"]["responses"];
    conforms(
        &said,
        &answers["200"]["content"]["application/json"]["schema"],
        &document,
        "cancel",
    );
    let problem = desk.get("/runs/99").await.body;
    let schema = &document["paths"]["/api/v1/runs/{run}"]["get"]["responses"]["404"];
    conforms(
        &problem,
        &schema["content"]["application/json"]["schema"],
        &document,
        "problem",
    );
}
