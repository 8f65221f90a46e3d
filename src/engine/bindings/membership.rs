//! Who may press a button: with `groups` in its header, the rule runs for members of one of them only.
//!
//! The membership is read when the run begins, as steps of its journal, so that it is read once, is shown in the trace, and
//! a run that goes on after a restart does not ask again. A user's document names groups by id (documented: `UserSchema`);
//! a group is read by id to learn its name.

use serde_json::Value;

use super::super::Outcome;
use super::super::here::Here;
use super::super::session::{Fallible, Phase, SharedSession, error};
use super::call::{Request, path_id, text_at};
use crate::model::{Event, EventKind};

/// Ends the run as skipped unless whoever pressed the button is in one of the rule's groups. Children of `each` are not
/// asked again: they are there because their parent was allowed.
///
/// # Errors
///
/// What ends the advance: a question to Iconik, its refusal, or the end of the run.
pub(in super::super) fn expect_member(session: &SharedSession, event: &Event) -> Fallible<()> {
    let wanted = &session.program().groups;
    let begins = matches!(session.phase(), Phase::Run | Phase::Each);
    if wanted.is_empty() || !begins || event.kind != EventKind::Button {
        return Ok(());
    }
    let user = event.text("user_id").ok_or_else(|| {
        error("nobody knows who pressed the button: Iconik sent no `user_id`, and the rule is for members of `groups` only")
    })?;
    let user_id = path_id("user", &user.to_owned().into())?;
    let document =
        Request::get(format!("users/v1/users/{user_id}/")).send_from(session, Here::default())?;
    let ids: Vec<&str> = document
        .get("groups")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if ids.iter().any(|id| wanted.iter().any(|group| group == id)) {
        return Ok(());
    }
    let mut names = Vec::new();
    for id in ids {
        let id = path_id("group", &id.to_owned().into())?;
        let group = Request::get(format!("users/v1/groups/{id}/"))
            .cacheable()
            .send_from(session, Here::default())?;
        let name = text_at(&group, "name").unwrap_or(&id).to_owned();
        if wanted.contains(&name) {
            return Ok(());
        }
        names.push(name);
    }
    let is_in = if names.is_empty() {
        "no group".to_owned()
    } else {
        format!("`{}`", names.join("`, `"))
    };
    let reason = format!(
        "the button is for members of `{}`, and {user} is in {is_in}",
        wanted.join("`, `")
    );
    Err(session.latch(Outcome::Skipped(reason), None))
}
