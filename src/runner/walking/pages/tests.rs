//! Lists as Iconik may show them, also while they move, and what a walk makes of them.

use jiff::Timestamp;

use super::*;

fn answer(status: u16, body: Value) -> Answer {
    Answer {
        status,
        body,
        at: Timestamp::UNIX_EPOCH,
    }
}

fn of(source: QuerySource) -> Query {
    Query {
        sources: vec![source],
    }
}

fn ids(objects: &[Object]) -> Vec<&str> {
    objects.iter().map(|it| it.object_id.as_str()).collect()
}

/// Walks to the end of the query, or to its trouble, with `respond` in Iconik's place; every place crosses JSON as
/// it does in the store.
fn walked(
    query: &Query,
    mut respond: impl FnMut(&Call) -> Answer,
) -> Result<(Vec<Object>, Vec<String>), String> {
    let (mut place, mut objects, mut remarks) = (Place::default(), Vec::new(), Vec::new());
    for _ in 0..1_000 {
        place = serde_json::from_value(serde_json::to_value(&place).unwrap()).unwrap();
        let page = match place.next(query) {
            Next::Nothing => {
                assert!(place.is_end_of(query));
                return Ok((objects, remarks));
            }
            Next::Objects(objects, place) => Page {
                objects,
                place,
                remark: None,
            },
            Next::Page(call) => place.read(query, &respond(&call))?,
        };
        objects.extend(page.objects);
        remarks.extend(page.remark);
        place = page.place;
    }
    panic!("the walk has no end");
}

fn assets(ids: impl IntoIterator<Item = usize>) -> Vec<Value> {
    let asset = |id| json!({"id": format!("{id:04}"), "object_type": "assets"});
    ids.into_iter().map(asset).collect()
}

/// What Iconik's search would answer to the call out of objects that are in order by id.
fn search_answer(all: &[Value], call: &Call) -> Answer {
    let body = call.body.as_ref().unwrap();
    let after = body.get("search_after").map(|after| after[0].clone());
    let rest = all.iter().filter(|it| {
        after
            .as_ref()
            .is_none_or(|after| it["id"].as_str() > after.as_str())
    });
    let page: Vec<Value> = rest.take(SEARCH_PAGE).cloned().collect();
    answer(200, json!({"objects": page, "total": all.len()}))
}

fn with_sort(mut objects: Vec<Value>) -> Vec<Value> {
    for object in &mut objects {
        object["_sort"] = json!([object["id"]]);
    }
    objects
}

#[test]
fn a_search_is_read_to_its_empty_page_by_the_sort_keys_of_the_last_object() {
    for count in [0, 1, 149, 150, 151, 450] {
        let query = of(QuerySource::Search {
            body: json!({"doc_types": ["assets"], "query": "title:x"}),
        });
        let all = with_sort(assets(0..count));
        let mut pages = 0;
        let (found, _) = walked(&query, |call| {
            pages += 1;
            assert_eq!(
                (call.method, call.path.as_str()),
                (Method::Post, "search/v1/search/")
            );
            assert_eq!(call.query["per_page"], "150");
            let body = call.body.as_ref().unwrap();
            assert_eq!(body["query"], "title:x");
            assert_eq!(body["sort"], json!([{"name": "id", "order": "asc"}]));
            search_answer(&all, call)
        })
        .unwrap();
        assert_eq!(found.len(), count);
        assert_eq!(
            pages,
            count.div_ceil(150) + 1,
            "a page may be shorter than asked for, but not empty"
        );
    }
}

#[test]
fn the_order_of_the_query_comes_before_the_id() {
    let query = of(QuerySource::Search {
        body: json!({"sort": [{"name": "title", "order": "desc"}]}),
    });
    let Next::Page(call) = Place::default().next(&query) else {
        panic!("a search asks for a page");
    };
    let sort = &call.body.as_ref().unwrap()["sort"];
    assert_eq!(
        sort,
        &json!([{"name": "title", "order": "desc"}, {"name": "id", "order": "asc"}])
    );
    let without_keys = answer(200, json!({"objects": assets(0..1)}));
    let trouble = Place::default().read(&query, &without_keys).unwrap_err();
    assert!(trouble.contains("_sort"), "{trouble}");
}

#[test]
fn a_search_without_sort_keys_goes_on_after_the_last_id_and_one_that_stands_still_is_given_up() {
    let query = of(QuerySource::Search {
        body: json!({"doc_types": ["assets"]}),
    });
    let all: Vec<Value> = (0..200)
        .map(|id| json!({"id": format!("{id:04}")}))
        .collect();
    let (found, _) = walked(&query, |call| search_answer(&all, call)).unwrap();
    assert_eq!(found.len(), 200);
    assert!(found.iter().all(|it| it.object_type == "assets"));
    let trouble = walked(&query, |_| answer(200, json!({"objects": all[..10]}))).unwrap_err();
    assert!(trouble.contains("again and again"), "{trouble}");
}

#[test]
fn objects_that_come_and_go_during_a_search_move_no_other() {
    let query = of(QuerySource::Search {
        body: json!({"doc_types": ["assets"]}),
    });
    let mut all = with_sort(assets((0..900).step_by(2)));
    let (found, _) = walked(&query, |call| {
        let page = search_answer(&all, call);
        // Everything that was seen goes away, and something new comes before and behind it.
        let seen = page.body["objects"].as_array().unwrap().clone();
        all.retain(|object| !seen.contains(object));
        if all.len() > 100 {
            all.extend(with_sort(assets([1, 899])));
            all.sort_by_key(|object| object["id"].as_str().unwrap().to_owned());
        }
        page
    })
    .unwrap();
    let found = ids(&found);
    for id in (0..900).step_by(2).map(|id| format!("{id:04}")) {
        assert!(found.contains(&id.as_str()), "{id} was missed");
    }
    assert!(found.contains(&"0899"));
}

fn collections(ids: &[&str]) -> Vec<Value> {
    let collection = |id: &&str| json!({"id": id, "object_type": "collections"});
    ids.iter().map(collection).collect()
}

/// The page of a collection's contents that the call asks for.
fn contents_answer(all: &[Value], call: &Call) -> Answer {
    let number = |key: &str| call.query[key].parse::<usize>().unwrap();
    let (page, per_page) = (number("page"), number("per_page"));
    let objects: Vec<&Value> = all
        .iter()
        .skip((page - 1) * per_page)
        .take(per_page)
        .collect();
    let pages = all.len().div_ceil(per_page).max(1);
    answer(
        200,
        json!({"objects": objects, "total": all.len(), "page": page, "pages": pages}),
    )
}

fn collection_of(call: &Call) -> String {
    assert_eq!(call.method, Method::Get);
    let path = call.path.strip_prefix("assets/v1/collections/").unwrap();
    path.strip_suffix("/contents/").unwrap().to_owned()
}

#[test]
fn the_contents_of_a_collection_are_read_by_page_and_those_inside_it_only_if_asked_for() {
    for recursive in [false, true] {
        let query = of(QuerySource::Collection {
            id: "root".to_owned(),
            recursive,
        });
        let mut read = Vec::new();
        let (found, _) = walked(&query, |call| {
            let collection = collection_of(call);
            read.push(collection.clone());
            let inside = match collection.as_str() {
                // The circle must come to an end.
                "root" => [assets(0..70), collections(&["a", "b"])].concat(),
                "a" => [assets(100..101), collections(&["b", "root"])].concat(),
                "b" => assets(200..210),
                other => panic!("{other} was not asked for"),
            };
            contents_answer(&inside, call)
        })
        .unwrap();
        let found: BTreeSet<&str> = ids(&found).into_iter().collect();
        let found_inside = found.contains("0100") && found.contains("0209");
        assert_eq!(found_inside, recursive);
        assert!(
            found.contains("a") && found.contains("0069"),
            "collections are objects too"
        );
        let reads = if recursive {
            vec!["root", "root", "b", "a"]
        } else {
            vec!["root", "root"]
        };
        assert_eq!(read, reads, "each once, the first in two pages");
    }
}

#[test]
fn a_collection_that_shrinks_while_it_is_read_is_read_to_the_end_again() {
    let query = of(QuerySource::Collection {
        id: "root".to_owned(),
        recursive: false,
    });
    let mut all = assets(0..120);
    let mut reads = 0;
    let (found, remarks) = walked(&query, |call| {
        reads += 1;
        let page = contents_answer(&all, call);
        if reads == 1 {
            // What was on the next page moves onto the one that was read.
            all.drain(..40);
        }
        page
    })
    .unwrap();
    let found: BTreeSet<&str> = ids(&found).into_iter().collect();
    assert_eq!(found.len(), 120, "nothing was missed");
    assert!(remarks.is_empty());
    assert_eq!(reads, 4, "two pages, and two again");
}

#[test]
fn a_collection_that_never_stands_still_is_given_up_with_a_word() {
    let query = of(QuerySource::Collection {
        id: "root".to_owned(),
        recursive: false,
    });
    let (mut count, mut reads) = (60, 0);
    let (_, remarks) = walked(&query, |call| {
        (count, reads) = (count + 1, reads + 1);
        contents_answer(&assets(0..count), call)
    })
    .unwrap();
    assert_eq!(reads, 2 * PASSES_MAX);
    assert!(
        remarks[0].contains("collection root kept changing"),
        "{remarks:?}"
    );
}

#[test]
fn a_collection_inside_may_be_gone_and_the_first_one_may_not() {
    let query = of(QuerySource::Collection {
        id: "root".to_owned(),
        recursive: true,
    });
    let gone = || answer(404, json!({"errors": ["Collection does not exist"]}));
    let (found, _) = walked(&query, |call| match collection_of(call).as_str() {
        "root" => contents_answer(&collections(&["a", "b"]), call),
        "a" => gone(),
        _ => contents_answer(&assets(0..1), call),
    })
    .unwrap();
    assert_eq!(ids(&found), ["a", "b", "0000"]);
    let trouble = walked(&query, |_| gone()).unwrap_err();
    assert!(
        trouble.contains("404") && trouble.contains("does not exist"),
        "{trouble}"
    );
}

#[test]
fn jobs_are_read_by_a_scroll_that_is_begun_anew_when_iconik_has_forgotten_it() {
    let query = of(QuerySource::Jobs {
        query: BTreeMap::from([
            ("status".to_owned(), "FAILED".to_owned()),
            ("per_page".to_owned(), "7".to_owned()),
        ]),
    });
    let all: Vec<Value> = (0..250)
        .map(|id| json!({"id": format!("{id:04}")}))
        .collect();
    let mut asked = Vec::new();
    let mut batch = 0;
    let (found, _) = walked(&query, |call| {
        assert_eq!(call.query["per_page"], "100");
        asked.push(call.query.get("scroll_id").cloned().unwrap_or_default());
        if !call.query.contains_key("scroll_id") {
            assert_eq!(
                (call.query["scroll"].as_str(), call.query["status"].as_str()),
                ("true", "FAILED")
            );
            batch = 0;
        }
        if asked.len() == 3 {
            return answer(404, json!({"errors": ["gone"]}));
        }
        let page: Vec<_> = all.iter().skip(batch * 100).take(100).collect();
        batch += 1;
        answer(
            200,
            json!({"objects": page, "scroll_id": format!("s{}", asked.len())}),
        )
    })
    .unwrap();
    let distinct: BTreeSet<&str> = ids(&found).into_iter().collect();
    assert_eq!(distinct.len(), 250);
    assert!(found.iter().all(|it| it.object_type == "jobs"));
    assert_eq!(asked, ["", "s1", "s2", "", "s4", "s5", "s6"]);
}

#[test]
fn a_scroll_that_is_always_forgotten_is_given_up() {
    let query = of(QuerySource::Jobs {
        query: BTreeMap::new(),
    });
    let mut begun = 0;
    let trouble = walked(&query, |call| {
        if call.query.contains_key("scroll_id") {
            return answer(404, json!({"errors": ["gone"]}));
        }
        begun += 1;
        answer(200, json!({"objects": [{"id": "J"}], "scroll_id": "s"}))
    })
    .unwrap_err();
    assert!(trouble.contains("gone"), "{trouble}");
    assert_eq!(begun, SCROLLS_MAX);
}

#[test]
fn sources_are_walked_one_after_the_other_and_ids_need_no_page() {
    let query = Query {
        sources: vec![
            QuerySource::Ids {
                object_type: "assets".to_owned(),
                ids: (0..2_500).map(|id| format!("{id:04}")).collect(),
            },
            QuerySource::Ids {
                object_type: "assets".to_owned(),
                ids: Vec::new(),
            },
            QuerySource::Collection {
                id: "root".to_owned(),
                recursive: false,
            },
        ],
    };
    let (found, _) = walked(&query, |call| contents_answer(&assets(5_000..5_001), call)).unwrap();
    assert_eq!(found.len(), 2_501);
    assert_eq!(found.last().unwrap().object_id, "5000");
    let (found, _) = walked(&Query::default(), |_| panic!("there is nothing to ask")).unwrap();
    assert!(found.is_empty());
}

#[test]
fn answers_that_are_no_pages_end_the_walk_with_a_sentence() {
    let query = of(QuerySource::Search { body: json!({}) });
    for (status, body, words) in [
        (
            400,
            json!({"errors": ["bad filter"]}),
            "400: [\"bad filter\"]",
        ),
        (403, Value::Null, "403"),
        (200, json!({"total": 3}), "no `objects`"),
        (
            200,
            json!({"objects": [{"id": "A"}]}),
            "without `id` or `object_type`",
        ),
    ] {
        let trouble = walked(&query, |_| answer(status, body.clone())).unwrap_err();
        assert!(trouble.contains(words), "{trouble}");
    }
}
