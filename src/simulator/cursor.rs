//! Lists that are read on after the last object of the page before: `?per_page=50&last_id=…`, the style of
//! formats, file sets and files.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::paging::{PER_PAGE, PER_PAGE_MAX, Row, count, encoded};
use super::refusal::Refusal;
use super::table::{Document, text};

/// The rows after the one whose id is `last_id`. That there is no link back, and that the object must still
/// be there, is inferred.
///
/// # Errors
///
/// 400 if `per_page` makes no sense or no row has the id.
pub(super) fn page_after(
    rows: &[Row<'_>],
    path: &str,
    query: &BTreeMap<String, String>,
) -> Result<Document, Refusal> {
    let per_page = count(query, "per_page", PER_PAGE, PER_PAGE_MAX)?;
    let total = rows.len();
    let begin = match query.get("last_id").filter(|id| !id.is_empty()) {
        None => 0,
        Some(id) => {
            let mut rows = rows.iter();
            let last = rows.position(|row| text(row.document, "id") == id);
            last.ok_or_else(|| Refusal::invalid("last_id", "There is no such object here"))? + 1
        }
    };
    let shown = &rows[begin..];
    let shown = &shown[..per_page.min(shown.len())];
    let url = |last_id: Option<&str>| {
        let per_page = per_page.to_string();
        let mut pairs = vec![("per_page", per_page.as_str())];
        pairs.extend(last_id.map(|id| ("last_id", id)));
        let rest = query
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "last_id" | "per_page"));
        pairs.extend(rest.map(|(name, value)| (name.as_str(), value.as_str())));
        format!("{path}?{}", encoded(&pairs))
    };
    let next = shown.last().filter(|_| begin + shown.len() < total);
    let next = next.map(|row| url(Some(text(row.document, "id"))));
    Ok(Document::from_iter([
        ("objects".to_owned(), shown.iter().map(Row::shown).collect()),
        ("page".to_owned(), json!(begin / per_page + 1)),
        ("pages".to_owned(), json!(total.div_ceil(per_page).max(1))),
        ("per_page".to_owned(), json!(per_page)),
        ("total".to_owned(), json!(total)),
        ("first_url".to_owned(), json!(url(None))),
        ("last_url".to_owned(), Value::Null),
        ("prev_url".to_owned(), Value::Null),
        ("next_url".to_owned(), json!(next)),
        ("scroll_id".to_owned(), Value::Null),
    ]))
}
