//! What rules can see, one file for each module or type: register(registry) beside the thing itself.

mod asset;
mod call;
mod collection;
mod control;
mod event;
mod iconik;
mod job;
mod metadata;
mod segment;
mod text;
mod time;
mod view;

pub(super) use call::API_ERROR_TAG;
pub(super) use event::{EventView, nearest};

use super::catalog::Registry;

pub(super) fn register(registry: &mut Registry) {
    event::register(registry);
    control::register(registry);
    time::register(registry);
    text::register(registry);
    iconik::register(registry);
    asset::register(registry);
    metadata::register(registry);
    collection::register(registry);
    job::register(registry);
}
