//! Metadata: fields (what may be said), views (which fields are shown together), values (what is said
//! about an object, for an asset about one of its versions).

mod batches;
mod fields;
mod kinds;
mod values;
mod views;

use super::routes::Routes;

pub(super) use fields::add as add_field;
pub(super) use kinds::is_many;
pub(super) use values::{Target, Values, write};
pub(super) use views::{add as add_view, shows};

/// The pseudo-field by which a view separates its fields.
const SEPARATOR: &str = "__separator__";

pub(super) fn routes() -> Routes {
    fields::routes()
        .merge(views::routes())
        .merge(values::routes())
        .merge(batches::routes())
}
