//! Lists in pages, in the page style of Iconik's API: `?page=2&per_page=50`, `next_url` relative to the
//! host, as recorded.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::table::Document;

/// How many objects a page has when the caller does not say, as published for jobs.
pub(super) const PER_PAGE: usize = 10;

/// The most objects that a page may have. Iconik's own maximum is not published but for jobs; clients use 150.
pub(super) const PER_PAGE_MAX: usize = 1000;

/// How deep pages reach into what an index lists: page times objects a page. Inferred from the search
/// engine that the schemas name; further on one scrolls or searches after the last object.
const WINDOW_MAX: usize = 10_000;

/// What a list allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    per_page_max: usize,
    window_max: usize,
    ends: bool,
}

impl Bounds {
    /// A list that the database answers.
    pub(super) const PLAIN: Self = Self {
        per_page_max: PER_PAGE_MAX,
        window_max: usize::MAX,
        ends: false,
    };
    /// A list that the index answers. "Requested page does not exist" is published for a page beyond the
    /// last.
    pub(super) const INDEXED: Self = Self {
        per_page_max: PER_PAGE_MAX,
        window_max: WINDOW_MAX,
        ends: true,
    };
    /// The contents of a collection, for which only the missing collection is published as a 404.
    pub(super) const CONTENTS: Self = Self {
        ends: false,
        ..Self::INDEXED
    };
    /// Jobs: the one list with a published maximum.
    pub(super) const JOBS: Self = Self {
        per_page_max: 100,
        ..Self::INDEXED
    };
}

/// One object of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    /// What is kept of it.
    pub(super) document: &'a Arc<Document>,
    /// `object_type` where the list shows one that the document does not have.
    pub(super) object_type: Option<&'static str>,
}

impl<'a> Row<'a> {
    /// The object as it is kept.
    pub(super) fn plain(document: &'a Arc<Document>) -> Self {
        Self {
            document,
            object_type: None,
        }
    }

    /// The object with its type.
    pub(super) fn typed(document: &'a Arc<Document>, object_type: &'static str) -> Self {
        Self {
            document,
            object_type: Some(object_type),
        }
    }

    /// As a list shows it.
    pub(super) fn shown(&self) -> Value {
        let mut document = Document::clone(self.document);
        if let Some(object_type) = self.object_type {
            document.insert("object_type".to_owned(), json!(object_type));
        }
        Value::Object(document)
    }
}

/// Which page is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// From 1.
    pub(super) page: usize,
    /// How many objects a page has.
    pub(super) per_page: usize,
}

impl Cut {
    /// What the query asks for.
    ///
    /// # Errors
    ///
    /// 400 if `page` or `per_page` make no sense or reach too deep.
    pub(super) fn asked(query: &BTreeMap<String, String>, bounds: Bounds) -> Result<Self, Refusal> {
        let cut = Self {
            page: count(query, "page", 1, usize::MAX)?,
            per_page: count(query, "per_page", PER_PAGE, bounds.per_page_max)?,
        };
        let end = cut.page.saturating_mul(cut.per_page);
        if end > bounds.window_max {
            let message = format!("Pages reach no further than {} objects", bounds.window_max);
            return Err(Refusal::invalid("page", message));
        }
        Ok(cut)
    }

    /// How many objects lie before the page.
    pub(super) fn skipped(self) -> usize {
        (self.page - 1).saturating_mul(self.per_page)
    }

    /// The answer: these objects of so many, with links to the other pages.
    ///
    /// # Errors
    ///
    /// 404 for a page beyond the last, where the list says so.
    pub(super) fn answer(
        self,
        objects: Vec<Value>,
        total: usize,
        path: &str,
        query: &BTreeMap<String, String>,
        bounds: Bounds,
    ) -> Result<Document, Refusal> {
        let Self { page, per_page } = self;
        let pages = total.div_ceil(per_page).max(1);
        if bounds.ends && page > pages {
            let message = "Requested page does not exist";
            return Err(Refusal::new(StatusCode::NOT_FOUND, message));
        }
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
        Ok(Document::from_iter([
            ("objects".to_owned(), Value::Array(objects)),
            ("page".to_owned(), json!(page)),
            ("pages".to_owned(), json!(pages)),
            ("per_page".to_owned(), json!(per_page)),
            ("total".to_owned(), json!(total)),
            ("first_url".to_owned(), json!(url(1))),
            ("last_url".to_owned(), json!(url(pages))),
            (
                "prev_url".to_owned(),
                json!((page > 1).then(|| url(page - 1))),
            ),
            (
                "next_url".to_owned(),
                json!((page < pages).then(|| url(page + 1))),
            ),
            ("scroll_id".to_owned(), Value::Null),
        ]))
    }
}

/// The page of the rows that the query asks for, sorted as it says. `path` is the list's own, from `/API`
/// on.
///
/// # Errors
///
/// As [`Cut::asked`] and [`Cut::answer`], and 400 if `sort` makes no sense.
pub(super) fn page(
    mut rows: Vec<Row<'_>>,
    path: &str,
    query: &BTreeMap<String, String>,
    bounds: Bounds,
) -> Result<Document, Refusal> {
    let cut = Cut::asked(query, bounds)?;
    sort(&mut rows, query)?;
    let objects = rows.iter().skip(cut.skipped()).take(cut.per_page);
    let objects = objects.map(Row::shown).collect();
    cut.answer(objects, rows.len(), path, query, bounds)
}

/// A whole number from 1 in the query.
///
/// # Errors
///
/// 400 if it is none or too large.
pub(super) fn count(
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

/// Sorts rows as the query says: `sort=title,asc;date_created,desc`.
///
/// # Errors
///
/// 400 if it names another order.
pub(super) fn sort(rows: &mut [Row<'_>], query: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let Some(sort) = query.get("sort") else {
        return Ok(());
    };
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
    rows.sort_by(|left, right| {
        let (left, right) = (left.document, right.document);
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
pub(super) fn encoded(pairs: &[(&str, &str)]) -> String {
    let base = reqwest::Url::parse("http://localhost/").expect("the text is a URL");
    let mut url = base;
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page of objects with these titles.
    fn page_of(titles: &[&str], pairs: &[(&str, &str)], bounds: Bounds) -> Result<Value, Refusal> {
        let documents: Vec<_> = titles
            .iter()
            .map(|title| Arc::new(Document::from_iter([("title".to_owned(), json!(title))])))
            .collect();
        let rows = documents.iter().map(Row::plain).collect();
        page(rows, "/API/assets/v1/assets/", &query(pairs), bounds).map(Value::Object)
    }

    fn query(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_page_links_to_its_neighbours_relative_to_the_host() {
        let query = [
            ("page", "2"),
            ("per_page", "1"),
            ("status", "ACTIVE & more"),
        ];
        let page = page_of(&["a", "b", "c"], &query, Bounds::INDEXED).unwrap();
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
    fn the_last_page_has_no_next() {
        let last = page_of(&["a"], &[], Bounds::INDEXED).unwrap();
        assert_eq!(last["next_url"], Value::Null);
        assert_eq!(last["prev_url"], Value::Null);
        assert!(page_of(&[], &[], Bounds::INDEXED).is_ok());
    }

    #[test]
    fn a_page_beyond_the_last_does_not_exist_or_is_empty() {
        let refused = page_of(&["a"], &[("page", "2")], Bounds::INDEXED).unwrap_err();
        assert_eq!(refused.explain(), "Requested page does not exist");
        let beyond = page_of(&["a"], &[("page", "2")], Bounds::CONTENTS).unwrap();
        assert_eq!(beyond["objects"], json!([]));
        assert_eq!(beyond["next_url"], Value::Null);
    }

    #[test]
    fn pages_of_an_index_reach_only_so_deep() {
        let at = |page: &'static str| [("page", page), ("per_page", "100")];
        assert!(page_of(&["a"], &at("100"), Bounds::CONTENTS).is_ok());
        assert!(page_of(&["a"], &at("101"), Bounds::CONTENTS).is_err());
        assert!(page_of(&["a"], &at("101"), Bounds::PLAIN).is_ok());
    }

    #[test]
    fn an_impossible_page_is_refused() {
        for (name, value) in [
            ("page", "0"),
            ("page", "two"),
            ("per_page", "1001"),
            ("sort", "title,upwards"),
        ] {
            let refused = page_of(&[], &[(name, value)], Bounds::INDEXED).unwrap_err();
            assert!(refused.explain().starts_with(name), "{name}={value}");
        }
        assert!(page_of(&[], &[("per_page", "101")], Bounds::JOBS).is_err());
    }

    #[test]
    fn a_list_is_sorted_by_several_keys() {
        let query = [("sort", "title,desc")];
        let page = page_of(&["a", "c", "b"], &query, Bounds::INDEXED).unwrap();
        assert_eq!(
            page["objects"],
            json!([{ "title": "c" }, { "title": "b" }, { "title": "a" }])
        );
    }
}
