//! Lists that a script gets as a whole: page by page, each page a step, and no more than a script may hold.

use rhai::NativeCallContext;
use serde_json::Value;

use super::super::session::{Fallible, Session, error};
use super::call::{Request, text_at};
use super::segment::{has_next, objects};

type Context<'a> = NativeCallContext<'a>;

/// How many entries are asked for at once.
const PER_PAGE: usize = 100;

/// How a list goes on (reference, 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    /// It comes whole, as far as the documents say; should it have further pages, they are asked for.
    Whole,
    /// By number.
    Page,
    /// After what is under this key of the last entry, by the query parameter.
    After(&'static str, &'static str),
}

/// After the last id.
pub(super) const AFTER_ID: Paging = Paging::After("id", "last_id");

/// All entries of a list; `what` names them in the error that there are too many.
pub(super) fn all(
    context: &Context<'_>,
    what: &str,
    paging: Paging,
    request: &Request,
) -> Fallible<Vec<Value>> {
    let session = Session::of(context)?;
    let most = session.limits().elements;
    let mut found: Vec<Value> = Vec::new();
    let mut page = 1;
    loop {
        let request = request.again();
        let request = match paging {
            Paging::Whole if page == 1 => request,
            Paging::Whole => request.query("page", page),
            Paging::Page => request.query("per_page", PER_PAGE).query("page", page),
            Paging::After(key, parameter) => {
                let last = found.last().and_then(|last| text_at(last, key));
                let request = request.query("per_page", PER_PAGE);
                last.into_iter()
                    .fold(request, |request, last| request.query(parameter, last))
            }
        };
        let answer = request.send(context)?;
        let before = found.len();
        found.extend(objects(&answer).cloned());
        let more = has_next(&answer) && found.len() > before;
        if found.len() > most || (more && found.len() == most) {
            return Err(error(format!(
                "there are more than {most} {what}, which is what a list may hold"
            )));
        }
        if !more {
            return Ok(found);
        }
        page += 1;
    }
}

/// The entries of one page, which the request says.
pub(super) fn page(context: &Context<'_>, request: Request) -> Fallible<Vec<Value>> {
    Ok(objects(&request.send(context)?).cloned().collect())
}
