//! Deep reading of lists: `?scroll=true` opens a scroll, `?scroll_id=…` reads on in it.
//!
//! That a scroll shows the list as it was when the scroll was opened, that it goes after five minutes
//! without a reader, that its end is a batch without objects and that it has no `next_url` is inferred from
//! the search engine behind it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::operation::Ask;
use super::paging::{Bounds, Cut, Row, page, sort};
use super::refusal::Refusal;
use super::table::Document;
use super::world::new_id;

/// The most scrolls that are open at a time; then the one that was opened first goes.
const OPEN_MAX: usize = 100;

/// How long a scroll waits for its reader.
const PATIENCE: Duration = Duration::from_secs(300);

/// The open scrolls.
#[derive(Debug, Default)]
pub(super) struct Scrolls {
    open: VecDeque<Scroll>,
}

#[derive(Debug)]
struct Scroll {
    id: String,
    path: String,
    rest: VecDeque<(Arc<Document>, Option<&'static str>)>,
    read: usize,
    per_page: usize,
    total: usize,
    used: Timestamp,
}

impl Scrolls {
    /// The next batch of a scroll, if the request names one.
    ///
    /// # Errors
    ///
    /// 404 for a scroll that is gone or was opened on another list.
    pub(super) fn next(&mut self, ask: &Ask) -> Option<Result<Document, Refusal>> {
        let id = ask.query.get("scroll_id").filter(|id| !id.is_empty())?;
        let now = ask.caller.now;
        self.open.retain(|scroll| scroll.waits_at(now));
        let path = ask.path();
        let scroll = self
            .open
            .iter_mut()
            .find(|it| it.id == *id && it.path == path);
        let Some(scroll) = scroll else {
            let message = "This scroll is gone; open another with scroll=true";
            return Some(Err(Refusal::new(StatusCode::NOT_FOUND, message)));
        };
        scroll.used = now;
        Some(Ok(scroll.batch()))
    }

    /// A page of the rows, or the first batch of a new scroll.
    ///
    /// # Errors
    ///
    /// As [`page`].
    pub(super) fn list(
        &mut self,
        mut rows: Vec<Row<'_>>,
        ask: &Ask,
        bounds: Bounds,
    ) -> Result<Document, Refusal> {
        if !ask.flag("scroll") {
            return page(rows, &ask.path(), &ask.query, bounds);
        }
        let Cut { per_page, .. } = Cut::asked(&ask.query, bounds)?;
        sort(&mut rows, &ask.query)?;
        let rest: VecDeque<_> = rows
            .iter()
            .map(|row| (Arc::clone(row.document), row.object_type))
            .collect();
        let mut scroll = Scroll {
            id: new_id(),
            path: ask.path(),
            total: rest.len(),
            rest,
            read: 0,
            per_page,
            used: ask.caller.now,
        };
        let first = scroll.batch();
        if self.open.len() == OPEN_MAX {
            self.open.pop_front();
        }
        self.open.push_back(scroll);
        Ok(first)
    }
}

impl Scroll {
    /// A clock that was set back has not made it old.
    fn waits_at(&self, now: Timestamp) -> bool {
        now < self.used || now.duration_since(self.used).unsigned_abs() < PATIENCE
    }

    fn batch(&mut self) -> Document {
        let size = self.per_page.min(self.rest.len());
        let objects = self
            .rest
            .drain(..size)
            .map(|(document, object_type)| {
                let document = &document;
                Row {
                    document,
                    object_type,
                }
                .shown()
            })
            .collect::<Vec<_>>();
        self.read += 1;
        Document::from_iter([
            ("objects".to_owned(), Value::Array(objects)),
            ("page".to_owned(), json!(self.read)),
            (
                "pages".to_owned(),
                json!(self.total.div_ceil(self.per_page).max(1)),
            ),
            ("per_page".to_owned(), json!(self.per_page)),
            ("total".to_owned(), json!(self.total)),
            ("first_url".to_owned(), Value::Null),
            ("last_url".to_owned(), Value::Null),
            ("prev_url".to_owned(), Value::Null),
            ("next_url".to_owned(), Value::Null),
            ("scroll_id".to_owned(), json!(self.id)),
        ])
    }
}
