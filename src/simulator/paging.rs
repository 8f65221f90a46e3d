//! Lists in pages, in the page style of Iconik's API: `?page=2&per_page=50`, `next_url` relative to the
//! host, as recorded.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::table::Document;

/// How many objects a page has when the caller does not say. Iconik's own default is not published.
const PER_PAGE: usize = 10;

/// The most objects that a page may have. Iconik's own maximum is not published; clients use 150.
const PER_PAGE_MAX: usize = 1000;

/// The page of `objects` that the query asks for, sorted as it says. `path` is the list's own, from `/API`
/// on.
///
/// # Errors
///
/// 400 if `page`, `per_page` or `sort` make no sense.
pub(super) fn page(
    mut objects: Vec<Document>,
    path: &str,
    query: &BTreeMap<String, String>,
) -> Result<Value, Refusal> {
    if let Some(sort) = query.get("sort") {
        sorted(&mut objects, sort)?;
    }
    let number = count(query, "page", 1, usize::MAX)?;
    let per_page = count(query, "per_page", PER_PAGE, PER_PAGE_MAX)?;
    let total = objects.len();
    let pages = total.div_ceil(per_page).max(1);
    let url = |page: usize| {
        let rest = query
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "page" | "per_page"))
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let (page, per_page) = (page.to_string(), per_page.to_string());
        let pairs = [("page", page.as_str()), ("per_page", per_page.as_str())]
            .into_iter()
            .chain(rest)
            .collect::<Vec<_>>();
        format!("{path}?{}", encoded(&pairs))
    };
    let shown = objects
        .into_iter()
        .skip((number - 1).saturating_mul(per_page))
        .take(per_page)
        .collect::<Vec<_>>();
    Ok(json!({
        "objects": shown,
        "page": number,
        "pages": pages,
        "per_page": per_page,
        "total": total,
        "first_url": url(1),
        "last_url": url(pages),
        "prev_url": (number > 1).then(|| url(number - 1)),
        "next_url": (number < pages).then(|| url(number + 1)),
        "scroll_id": null,
    }))
}

fn count(
    query: &BTreeMap<String, String>,
    name: &str,
    absent: usize,
    most: usize,
) -> Result<usize, Refusal> {
    let Some(text) = query.get(name) else {
        return Ok(absent);
    };
    match text.parse::<usize>() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        Ok(0) | Err(_) => Err(Refusal::invalid(name, "Must be a whole number from 1")),
        Ok(_) => Err(Refusal::invalid(name, format!("Must be at most {most}"))),
    }
}

/// `sort=title,asc;date_created,desc`.
fn sorted(objects: &mut [Document], sort: &str) -> Result<(), Refusal> {
    let mut keys = Vec::new();
    for part in sort.split(';').filter(|part| !part.is_empty()) {
        let (name, order) = part.split_once(',').unwrap_or((part, "asc"));
        let descending = match order {
            "asc" => false,
            "desc" => true,
            _ => return Err(Refusal::invalid("sort", "The order must be asc or desc")),
        };
        keys.push((name, descending));
    }
    objects.sort_by(|left, right| {
        keys.iter()
            .map(|(name, descending)| {
                let order = compared(left.get(*name), right.get(*name));
                if *descending { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    Ok(())
}

fn compared(left: Option<&Value>, right: Option<&Value>) -> Ordering {
    match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => left
            .as_f64()
            .partial_cmp(&right.as_f64())
            .unwrap_or(Ordering::Equal),
        (Some(Value::String(left)), Some(Value::String(right))) => left.cmp(right),
        (Some(Value::Bool(left)), Some(Value::Bool(right))) => left.cmp(right),
        (left, right) => left
            .is_some_and(|value| !value.is_null())
            .cmp(&right.is_some_and(|value| !value.is_null())),
    }
}

/// The pairs as a query string.
fn encoded(pairs: &[(&str, &str)]) -> String {
    let base = reqwest::Url::parse("http://localhost/").expect("the text is a URL");
    let mut url = base;
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titled(titles: &[&str]) -> Vec<Document> {
        titles
            .iter()
            .map(|title| Document::from_iter([("title".to_owned(), json!(title))]))
            .collect()
    }

    fn query(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_page_links_to_its_neighbours_relative_to_the_host() {
        let query = query(&[
            ("page", "2"),
            ("per_page", "1"),
            ("status", "ACTIVE & more"),
        ]);
        let page = page(titled(&["a", "b", "c"]), "/API/assets/v1/assets/", &query).unwrap();
        assert_eq!(page["objects"], json!([{ "title": "b" }]));
        assert_eq!(page["total"], 3);
        assert_eq!(page["pages"], 3);
        assert_eq!(
            page["next_url"],
            "/API/assets/v1/assets/?page=3&per_page=1&status=ACTIVE+%26+more"
        );
        assert_eq!(
            page["prev_url"],
            "/API/assets/v1/assets/?page=1&per_page=1&status=ACTIVE+%26+more"
        );
    }

    #[test]
    fn the_last_page_has_no_next_and_a_page_beyond_it_is_empty() {
        let last = page(titled(&["a"]), "/API/x/", &query(&[])).unwrap();
        assert_eq!(last["next_url"], Value::Null);
        assert_eq!(last["prev_url"], Value::Null);
        let beyond = page(titled(&["a"]), "/API/x/", &query(&[("page", "9")])).unwrap();
        assert_eq!(beyond["objects"], json!([]));
        assert_eq!(beyond["next_url"], Value::Null);
    }

    #[test]
    fn an_impossible_page_is_refused() {
        for (name, value) in [
            ("page", "0"),
            ("page", "two"),
            ("per_page", "1001"),
            ("sort", "title,upwards"),
        ] {
            let refused = page(titled(&[]), "/API/x/", &query(&[(name, value)])).unwrap_err();
            assert!(refused.explain().starts_with(name), "{name}={value}");
        }
    }

    #[test]
    fn a_list_is_sorted_by_several_keys() {
        let query = query(&[("sort", "title,desc")]);
        let page = page(titled(&["a", "c", "b"]), "/API/x/", &query).unwrap();
        assert_eq!(
            page["objects"],
            json!([{ "title": "c" }, { "title": "b" }, { "title": "a" }])
        );
    }
}
