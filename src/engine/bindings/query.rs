//! What `each` may return: ids that the rule has at hand.

use rhai::{Array, Dynamic};

use super::super::convert::type_name;
use super::super::session::{Fallible, error};
use super::call::path_id;
use crate::model::{Query, QuerySource};

/// The objects that a value names.
pub(in super::super) fn query_of(value: &Dynamic) -> Fallible<Query> {
    let Some(items) = value.read_lock::<Array>() else {
        return Err(error(format!(
            "`each` returns which objects `run` is for, such as a list of ids of assets, and not a {}",
            type_name(value)
        )));
    };
    let ids = items.iter().map(|id| path_id("asset", id));
    Ok(Query {
        sources: vec![QuerySource::Ids {
            object_type: "assets".to_owned(),
            ids: ids.collect::<Fallible<_>>()?,
        }],
    })
}
