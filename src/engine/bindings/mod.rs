//! What rules can see, one file for each module or type: register(registry) beside the thing itself.

mod asset;
mod call;
mod collection;
mod control;
mod definitions;
mod egress;
mod event;
mod event_object;
mod files;
mod form;
mod hash;
mod iconik;
mod ids;
mod job;
mod json;
mod kept_job;
mod kinds;
mod list;
mod listing;
mod machine;
mod membership;
mod metadata;
mod metadata_of_many;
mod order;
mod pages;
mod people;
mod query;
mod record;
mod search;
mod segment;
mod sharing;
mod state;
mod text;
mod time;
mod trash;
mod view;
mod waiting;

pub(super) use call::{API_ERROR_TAG, JOB_ERROR_TAG};
pub(super) use egress::egress_module;
pub(super) use event::{EventView, nearest};
pub(super) use kept_job::begin_job;
pub use kept_job::kept_job;
pub(super) use membership::expect_member;
pub(super) use query::query_of;

use rhai::Dynamic;

use super::catalog::Registry;

/// Whether two objects of the same kind are the same one in Iconik; nothing where they are of no such kind.
pub(super) fn same_object(a: &Dynamic, b: &Dynamic) -> Option<bool> {
    let ((kind, _, path), (other_kind, _, other_path)) = (kinds::address(a)?, kinds::address(b)?);
    (kind == other_kind).then(|| path == other_path)
}

pub(super) fn register(registry: &mut Registry) {
    event::register(registry);
    event_object::register(registry);
    control::register(registry);
    waiting::register(registry);
    time::register(registry);
    text::register(registry);
    list::register(registry);
    json::register(registry);
    hash::register(registry);
    iconik::register(registry);
    asset::register(registry);
    metadata::register(registry);
    segment::register(registry);
    collection::register(registry);
    files::register(registry);
    job::register(registry);
    definitions::register(registry);
    metadata_of_many::register(registry);
    sharing::register(registry);
    machine::register(registry);
    trash::register(registry);
    people::register(registry);
    query::register(registry);
    search::register(registry);
    state::register(registry);
    egress::register(registry);
}
