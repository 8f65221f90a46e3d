//! Searches, as Iconik's specification describes them.

use std::sync::Arc;
use std::time::Duration;

use cuegate::clock::ManualClock;
use cuegate::simulator::{DEFAULT_USER, Seed, SimulatorOptions};
use serde_json::{Value, json};

use super::{Iconik, keys, prompt};

const VIEW: &str = "22222222-bbbb-4bbb-8bbb-000000000001";
const SHELF: &str = "44444444-dddd-4ddd-8ddd-000000000001";
const BOX: &str = "44444444-dddd-4ddd-8ddd-000000000002";

fn id(number: u32) -> String {
    format!("33333333-cccc-4ccc-8ccc-{number:012}")
}

/// Four assets, one of them in a box on a shelf, one of them in the trash.
fn seed() -> Seed {
    let asset = |number: u32, title: &str, kind: &str, metadata: Value| json!({ "id": id(number), "title": title, "type": kind, "metadata": metadata });
    serde_json::from_value(json!({
        "fields": [
            { "name": "expires", "label": "Expires", "field_type": "date" },
            { "name": "rating", "label": "Rating", "field_type": "integer" },
            { "name": "tags", "label": "Tags", "field_type": "tag_cloud", "multi": true },
            { "name": "desk", "label": "Desk", "field_type": "string_exact" },
        ],
        "views": [{ "id": VIEW, "name": "Rights", "view_fields": [{ "name": "expires" }] }],
        "collections": [
            { "id": SHELF, "title": "Shelf" },
            { "id": BOX, "title": "Box", "parent_id": SHELF, "contents": [
                { "object_type": "assets", "object_id": id(2) },
            ] },
        ],
        "assets": [
            asset(1, "Cup final", "ASSET", json!({ "expires": "2026-03-01", "rating": 5 })),
            asset(2, "Cup semi-final", "ASSET", json!({ "tags": ["Goal", "Extra time"] })),
            asset(3, "Interview", "PLACEHOLDER", json!({ "expires": "2026-06-01", "desk": "Sports" })),
            asset(4, "Old promo", "ASSET", json!({ "rating": 2 })),
        ],
        "segments": [{
            "id": id(9), "asset_id": id(1), "segment_type": "COMMENT",
            "segment_text": "The final whistle", "external_id": "mark:1",
        }],
    }))
    .unwrap()
}

async fn library() -> Iconik {
    let iconik = Iconik::with(SimulatorOptions {
        seed: Some(seed()),
        ..prompt()
    })
    .await;
    let promo = format!("assets/v1/assets/{}/", id(4));
    assert_eq!(iconik.delete(&promo).await.0, 204);
    iconik
}

impl Iconik {
    async fn search(&self, parameters: &str, criteria: Value) -> Value {
        let path = format!("search/v1/search/{parameters}");
        let (status, found) = self.post(&path, criteria.clone()).await;
        assert_eq!(status, 200, "{criteria}: {found}");
        found
    }

    /// The titles of the assets that a search finds, by title.
    async fn titles(&self, mut criteria: Value) -> Vec<Value> {
        criteria["doc_types"] = json!(["assets"]);
        criteria["sort"] = json!([{ "name": "title", "order": "asc" }]);
        titles(&self.search("", criteria).await)
    }

    async fn refused(&self, criteria: Value) -> Value {
        let (status, refused) = self.post("search/v1/search/", criteria.clone()).await;
        assert_eq!(status, 400, "{criteria}: {refused}");
        refused["errors"].clone()
    }
}

fn titles(found: &Value) -> Vec<Value> {
    let objects = found["objects"].as_array().unwrap();
    objects
        .iter()
        .map(|object| object["title"].clone())
        .collect()
}

#[tokio::test]
async fn a_term_finds_what_has_the_value_and_nothing_else() {
    let iconik = library().await;
    for (term, expected) in [
        (
            json!({ "name": "type", "value": "PLACEHOLDER" }),
            vec!["Interview"],
        ),
        (json!({ "name": "title", "value": "cup final" }), vec![]),
        (
            json!({ "name": "title", "value_in": ["Cup final", "Interview", "none"] }),
            vec!["Cup final", "Interview"],
        ),
        (
            json!({ "name": "status", "value": "DELETED" }),
            vec!["Old promo"],
        ),
        (
            json!({ "name": "metadata.rating", "value": "5" }),
            vec!["Cup final"],
        ),
        (
            json!({ "name": "metadata.tags", "value": "Extra time" }),
            vec!["Cup semi-final"],
        ),
        (json!({ "name": "metadata.tags", "value": "Extra" }), vec![]),
        (
            json!({ "name": "in_collections", "value": BOX }),
            vec!["Cup semi-final"],
        ),
        (json!({ "name": "in_collections", "value": SHELF }), vec![]),
        (
            json!({ "name": "ancestor_collections", "value": SHELF }),
            vec!["Cup semi-final"],
        ),
        (json!({ "name": "is_blocked", "value": "true" }), vec![]),
        (
            json!({ "name": "deleted_by_user", "value": DEFAULT_USER }),
            vec!["Old promo"],
        ),
        (
            json!({ "name": "versions.status", "value": "FAILED" }),
            vec![],
        ),
        (
            json!({ "name": "nothing.of.this.kind", "exists": true }),
            vec![],
        ),
    ] {
        let filter = json!({ "operator": "AND", "terms": [term] });
        let found = iconik.titles(json!({ "filter": filter })).await;
        assert_eq!(found, expected, "{term}");
    }
}

#[tokio::test]
async fn a_term_finds_what_lies_in_a_range_or_has_the_field_at_all() {
    let iconik = library().await;
    for (term, expected) in [
        (
            json!({ "name": "metadata.rating", "range": { "min": "2", "max": "4.5" } }),
            vec!["Old promo"],
        ),
        (
            json!({ "name": "metadata.expires", "range": { "max": "2026-03-01" } }),
            vec!["Cup final"],
        ),
        (
            json!({ "name": "metadata.expires", "range": { "min": "2026-03-02T00:00:00Z" } }),
            vec!["Interview"],
        ),
        (
            json!({ "name": "metadata.expires", "exists": true }),
            vec!["Cup final", "Interview"],
        ),
        (
            json!({ "name": "metadata.expires", "missing": true }),
            vec!["Cup semi-final", "Old promo"],
        ),
    ] {
        let filter = json!({ "operator": "AND", "terms": [term] });
        let found = iconik.titles(json!({ "filter": filter })).await;
        assert_eq!(found, expected, "{term}");
    }
}

#[tokio::test]
async fn filters_are_joined_and_turned_round_and_lie_inside_each_other() {
    let iconik = library().await;
    let cup = json!({ "name": "metadata.rating", "value": "5" });
    let interview = json!({ "name": "title", "value": "Interview" });
    let active = json!({ "name": "status", "value_in": ["ACTIVE"] });
    let choice = json!({ "operator": "OR", "terms": [cup, interview] });
    let neither = json!({ "operator": "NOT", "terms": [cup, interview] });
    for (filter, expected) in [
        (choice.clone(), vec!["Cup final", "Interview"]),
        (neither.clone(), vec!["Cup semi-final", "Old promo"]),
        (
            json!({ "operator": "AND", "terms": [active], "filters": [neither] }),
            vec!["Cup semi-final"],
        ),
        (
            json!({ "operator": "NOT", "terms": [active], "filters": [choice] }),
            vec!["Old promo"],
        ),
        (
            json!({ "operator": "OR", "terms": [], "filters": [] }),
            vec!["Cup final", "Cup semi-final", "Interview", "Old promo"],
        ),
    ] {
        let found = iconik.titles(json!({ "filter": filter })).await;
        assert_eq!(found, expected, "{filter}");
    }
}

#[tokio::test]
async fn words_are_looked_for_in_titles_and_fields_by_their_name() {
    let iconik = library().await;
    let id_of_interview = id(3);
    for (query, expected) in [
        (
            "",
            vec!["Cup final", "Cup semi-final", "Interview", "Old promo"],
        ),
        (
            "*",
            vec!["Cup final", "Cup semi-final", "Interview", "Old promo"],
        ),
        ("final CUP", vec!["Cup final", "Cup semi-final"]),
        ("\"cup final\"", vec!["Cup final"]),
        ("semi-final", vec!["Cup semi-final"]),
        ("fin", vec![]),
        ("inter* OR promo", vec!["Interview", "Old promo"]),
        ("cup -semi", vec!["Cup final"]),
        ("status:ACTIVE AND NOT title:cup", vec!["Interview"]),
        (
            "(type:PLACEHOLDER OR status:DELETED) NOT old",
            vec!["Interview"],
        ),
        (
            "_exists_:metadata.expires AND NOT metadata.desk:\"Sports\"",
            vec!["Cup final"],
        ),
        ("metadata.desk:sports", vec![]),
        ("metadata.tags:goal", vec!["Cup semi-final"]),
        ("metadata.expires:[2026-05-01 TO *]", vec!["Interview"]),
        (&id_of_interview, vec!["Interview"]),
        ("external_id:a\\:b", vec![]),
    ] {
        let found = iconik.titles(json!({ "query": query })).await;
        assert_eq!(found, expected, "{query}");
    }
    let by_tag = json!({ "query": "goal", "search_fields": ["title", "metadata"] });
    assert_eq!(iconik.titles(by_tag).await, ["Cup semi-final"]);
    for wrong in ["(cup", "cup)", "cup OR", "NOT", "title:", "\"cup"] {
        let errors = iconik.refused(json!({ "query": wrong })).await;
        assert!(errors["query"].is_string(), "{wrong}: {errors}");
    }
}

#[tokio::test]
async fn collections_and_segments_are_found_where_their_kind_is_wanted() {
    let iconik = library().await;
    let found = async |criteria: Value| {
        let found = iconik.search("?per_page=20", criteria).await;
        let objects = found["objects"].as_array().unwrap();
        let mut types: Vec<_> = objects
            .iter()
            .map(|object| object["object_type"].as_str().unwrap().to_owned())
            .collect();
        types.sort();
        types.dedup();
        (types.join(" "), objects.len())
    };
    let everything = found(json!({})).await;
    assert_eq!(everything, ("assets collections segments".to_owned(), 7));
    let some = json!({ "doc_types": ["collections", "segments"] });
    assert_eq!(found(some).await, ("collections segments".to_owned(), 3));
    let saved = json!({ "doc_types": ["saved_searches"] });
    assert_eq!(found(saved).await.1, 0);
    let marked = json!({ "doc_types": ["segments"], "query": "external_id:\"mark:1\"" });
    assert_eq!(found(marked).await, ("segments".to_owned(), 1));
    let said = json!({ "query": "whistle" });
    assert_eq!(found(said).await, ("segments".to_owned(), 1));
    let errors = iconik.refused(json!({ "doc_types": ["jobs"] })).await;
    assert!(errors["doc_types"].is_string());
}

#[tokio::test]
async fn a_page_follows_the_last_object_of_the_page_before() {
    let iconik = Iconik::with(SimulatorOptions {
        rate_limit: None,
        ..prompt()
    })
    .await;
    for number in 0..23 {
        let title = format!("Clip {}", number % 4);
        iconik.asset(&title).await;
    }
    let sort = json!([{ "name": "title", "order": "desc" }, { "name": "id", "order": "asc" }]);
    let mut criteria = json!({ "doc_types": ["assets"], "sort": sort, "search_after": [] });
    let mut walked = Vec::new();
    loop {
        let found = iconik.search("?per_page=5", criteria.clone()).await;
        assert_eq!(found["total"], 23);
        let objects = found["objects"].as_array().unwrap().clone();
        let Some(last) = objects.last() else { break };
        assert_eq!(last["_sort"], json!([last["title"], last["id"]]));
        criteria["search_after"] = last["_sort"].clone();
        walked.extend(objects);
    }
    let order = |object: &Value| {
        let key = |key: &str| object[key].as_str().unwrap().to_owned();
        (std::cmp::Reverse(key("title")), key("id"))
    };
    assert_eq!(walked.len(), 23);
    assert!(walked.is_sorted_by(|left, right| order(left) < order(right)));
    let pages = [("?page=2&per_page=20", 3), ("?page=1&per_page=20", 20)];
    for (page, objects) in pages {
        let found = iconik.search(page, json!({ "sort": sort })).await;
        assert_eq!(found["objects"].as_array().unwrap().len(), objects);
    }
    let beyond = iconik.post("search/v1/search/?page=3&per_page=20", json!({}));
    assert_eq!(beyond.await.0, 404);
    let other = json!({ "sort": sort, "search_after": ["one key too few"] });
    assert!(iconik.refused(other).await["search_after"].is_string());
}

#[tokio::test]
async fn objects_with_equal_keys_are_skipped_together_unless_the_sort_ends_in_the_id() {
    let iconik = Iconik::start().await;
    for _ in 0..3 {
        iconik.asset("Same").await;
    }
    let sort = json!([{ "name": "title", "order": "asc" }]);
    let first = iconik.search("?per_page=1", json!({ "sort": sort })).await;
    let after = &first["objects"][0]["_sort"];
    let criteria = json!({ "sort": sort, "search_after": after });
    let rest = iconik.search("", criteria).await;
    assert_eq!(rest["objects"], json!([]));
}

#[tokio::test]
async fn times_are_milliseconds_in_the_sort_and_what_is_missing_comes_last() {
    let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00.25Z".parse().unwrap()));
    let options = SimulatorOptions {
        seed: Some(seed()),
        ..prompt()
    };
    let iconik = Iconik::at(options, Arc::<ManualClock>::clone(&clock)).await;
    clock.advance(Duration::from_secs(1));
    iconik.asset("Newest").await;
    let found = iconik.search("", json!({ "doc_types": ["assets"] })).await;
    assert_eq!(titles(&found)[0], "Newest");
    let sort = &found["objects"][0]["_sort"];
    assert_eq!(sort[0], 1_772_366_401_250_i64);
    assert_eq!(sort[1], found["objects"][0]["id"]);
    for order in ["asc", "desc"] {
        let sort = json!([{ "name": "metadata.expires", "order": order }, { "name": "title" }]);
        let criteria = json!({ "doc_types": ["assets"], "sort": sort });
        let found = titles(&iconik.search("", criteria).await);
        let last = ["Cup semi-final", "Newest", "Old promo"];
        assert_eq!(found[2..], last, "{order}");
        let first = if order == "asc" {
            "Cup final"
        } else {
            "Interview"
        };
        assert_eq!(found[0], first);
    }
}

#[tokio::test]
async fn an_object_shows_what_was_asked_for_and_always_its_sort() {
    let iconik = library().await;
    let only = |criteria: Value| {
        let mut criteria = criteria;
        criteria["filter"] = json!({
            "operator": "AND",
            "terms": [{ "name": "id", "value": id(1) }],
        });
        criteria
    };
    let whole = iconik.search("", only(json!({}))).await["objects"][0].clone();
    assert_eq!(
        whole["metadata"],
        json!({ "expires": "2026-03-01", "rating": 5 })
    );
    assert_eq!(whole["object_type"], "assets");
    assert_eq!(whole["in_collections"], json!([]));
    let viewed = json!({ "metadata_view_id": VIEW, "include_fields": ["title", "metadata"] });
    let viewed = iconik.search("", only(viewed)).await["objects"][0].clone();
    assert_eq!(viewed["metadata"], json!({ "expires": "2026-03-01" }));
    assert_eq!(keys(&viewed), ["_sort", "metadata", "title"].into());
    let part = json!({ "include_fields": ["id", "metadata.rating", "versions.id"] });
    let part = iconik.search("", only(part)).await["objects"][0].clone();
    assert_eq!(part["metadata"], json!({ "rating": 5 }));
    assert_eq!(keys(&part["versions"][0]), ["id"].into());
    let rest = json!({ "exclude_fields": ["versions", "metadata.rating"] });
    let rest = iconik.search("", only(rest)).await["objects"][0].clone();
    assert!(rest.get("versions").is_none() && rest["title"] == "Cup final");
    assert_eq!(rest["metadata"], json!({ "expires": "2026-03-01" }));
    let many = json!({ "query": "metadata.tags:Goal" });
    let many = iconik.search("", many).await["objects"][0].clone();
    assert_eq!(many["metadata"], json!({ "tags": ["Goal", "Extra time"] }));
    assert_eq!(many["ancestor_collections"], json!([SHELF, BOX]));
}

#[tokio::test]
async fn facets_count_values_and_their_filters_narrow_the_search() {
    let iconik = library().await;
    let criteria = json!({
        "doc_types": ["assets"],
        "facets": ["status", "metadata.tags"],
        "facets_filters": [{ "name": "type", "value_in": ["ASSET"] }],
    });
    let found = iconik.search("", criteria).await;
    assert_eq!(found["total"], 3);
    let bucket = |key: &str, count: u32| json!({ "key": key, "doc_count": count });
    let expected = json!({
        "status": { "buckets": [bucket("ACTIVE", 2), bucket("DELETED", 1)] },
        "metadata.tags": { "buckets": [bucket("Extra time", 1), bucket("Goal", 1)] },
    });
    assert_eq!(found["facets"], expected);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_its_key() {
    let iconik = library().await;
    let term = |term: Value| json!({ "filter": { "operator": "AND", "terms": [term] } });
    for (criteria, key) in [
        (json!({ "filter": { "terms": [] } }), "filter"),
        (json!({ "filter": { "operator": "NESTED" } }), "filter"),
        (term(json!({ "value": "x" })), "filter"),
        (term(json!({ "name": "title" })), "filter"),
        (term(json!({ "name": "title", "values": ["x"] })), "filter"),
        (
            term(json!({ "name": "title", "range": { "gte": "1" } })),
            "filter",
        ),
        (term(json!({ "name": "title", "value": ["x"] })), "filter"),
        (
            json!({ "sort": [{ "name": "title", "order": "up" }] }),
            "sort",
        ),
        (json!({ "sort": ["title"] }), "sort"),
        (json!({ "facets": [1] }), "facets"),
        (json!({ "metadata_view_id": id(77) }), "metadata_view_id"),
    ] {
        let errors = iconik.refused(criteria.clone()).await;
        assert_eq!(keys(&errors), [key].into(), "{criteria}");
    }
    let scroll = iconik
        .post("search/v1/search/?scroll=true", json!({}))
        .await;
    assert_eq!(scroll.0, 400);
}

#[tokio::test]
async fn a_search_is_behind_like_every_list() {
    let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()));
    let options = SimulatorOptions {
        index_lag: Duration::from_secs(90),
        seed: Some(seed()),
        ..prompt()
    };
    let iconik = Iconik::at(options, Arc::<ManualClock>::clone(&clock)).await;
    let path = format!("metadata/v1/assets/{}/views/{VIEW}/", id(2));
    let values = json!({ "metadata_values": { "expires": { "field_values": [{ "value": "2027-01-01" }] } } });
    assert_eq!(iconik.put(&path, values).await.0, 200);
    let marked = json!({ "title": "New", "external_id": "mark:7" });
    iconik.make("assets/v1/assets/", marked).await;
    let by_metadata = json!({ "query": "metadata.expires:2027-01-01" });
    let by_mark = json!({ "query": "external_id:\"mark:7\"" });
    clock.advance(Duration::from_millis(89_999));
    assert!(iconik.titles(by_metadata.clone()).await.is_empty());
    assert!(iconik.titles(by_mark.clone()).await.is_empty());
    clock.advance(Duration::from_millis(1));
    assert_eq!(iconik.titles(by_metadata).await, ["Cup semi-final"]);
    assert_eq!(iconik.titles(by_mark).await, ["New"]);
}

#[tokio::test]
async fn jobs_and_segments_take_the_same_words() {
    let iconik = library().await;
    for (title, status) in [("Copy match", "FAILED"), ("Copy interview", "FINISHED")] {
        let body = json!({ "type": "CUSTOM", "status": status, "title": title });
        iconik.make("jobs/v1/jobs/", body).await;
    }
    let (_, jobs) = iconik.get("jobs/v1/jobs/?query=copy%20status:FAIL*").await;
    assert_eq!(titles(&jobs), ["Copy match"]);
    let segments = format!("assets/v1/assets/{}/segments/", id(1));
    for (query, total) in [("whistle", 1), ("external_id:mark%5C:1", 1), ("goal", 0)] {
        let (_, found) = iconik.get(&format!("{segments}?query={query}")).await;
        assert_eq!(found["total"], total, "{query}");
    }
}
