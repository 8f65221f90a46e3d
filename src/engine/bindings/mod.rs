//! What rules can see, one file for each module or type: register(registry) beside the thing itself.

mod asset;
mod call;
mod collection;
mod control;
mod egress;
mod event;
mod form;
mod iconik;
mod job;
mod membership;
mod metadata;
mod pages;
mod query;
mod search;
mod segment;
mod state;
mod text;
mod time;
mod view;
mod waiting;

pub(super) use call::{API_ERROR_TAG, JOB_ERROR_TAG};
pub(super) use egress::egress_module;
pub(super) use event::{EventView, nearest};
pub(super) use membership::expect_member;
pub(super) use query::query_of;

use rhai::Dynamic;

use super::catalog::Registry;
use asset::Asset;
use collection::Collection;
use job::Job;

/// Whether two objects of the same kind are the same one in Iconik; nothing where they are of no such kind.
pub(super) fn same_object(a: &Dynamic, b: &Dynamic) -> Option<bool> {
    fn both<T: Clone + Send + Sync + 'static>(
        a: &Dynamic,
        b: &Dynamic,
        id: fn(&T) -> &str,
    ) -> Option<bool> {
        Some(id(&*a.read_lock::<T>()?) == id(&*b.read_lock::<T>()?))
    }
    both(a, b, Asset::id)
        .or_else(|| both(a, b, Collection::id))
        .or_else(|| both(a, b, Job::id))
}

pub(super) fn register(registry: &mut Registry) {
    event::register(registry);
    control::register(registry);
    waiting::register(registry);
    time::register(registry);
    text::register(registry);
    iconik::register(registry);
    asset::register(registry);
    metadata::register(registry);
    collection::register(registry);
    job::register(registry);
    query::register(registry);
    search::register(registry);
    state::register(registry);
    egress::register(registry);
}
