//! The recycle bin of formats and file sets: what lies in it, what is taken out and what goes for good.

use super::super::operation::{Ask, Done};
use super::super::refusal::Refusal;
use super::super::routes::{Routes, operations};
use super::super::shape::{Extent, Kind, checked, key};
use super::super::table::text;
use super::super::works::ids;
use super::super::world::{World, is_deleted};
use super::part::Part;
use super::{file_sets, formats};
use crate::model::Method::{Delete, Get, Post};

pub(super) fn routes() -> Routes {
    const BIN: &str = "/files/v1/delete_queue";
    Routes::new()
        .route(
            &format!("{BIN}/formats/"),
            operations([(Get, list_formats), (Delete, restore_formats)]),
        )
        .route(
            &format!("{BIN}/formats/purge/"),
            operations([(Post, purge_formats)]),
        )
        .route(
            &format!("{BIN}/formats/purge/all/"),
            operations([(Post, purge_all_formats)]),
        )
        .route(
            &format!("{BIN}/file_sets/"),
            operations([(Get, list_file_sets), (Delete, restore_file_sets)]),
        )
        .route(
            &format!("{BIN}/file_sets/purge/"),
            operations([(Post, purge_file_sets)]),
        )
        .route(
            &format!("{BIN}/file_sets/purge/all/"),
            operations([(Post, purge_all_file_sets)]),
        )
}

fn list_formats(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    formats::FORMAT.list_deleted(world, ask)
}

fn list_file_sets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    file_sets::FILE_SET.list_deleted(world, ask)
}

/// The named ones that lie in the bin; the others are passed over, which is inferred.
fn named(part: &Part, world: &World, ask: &Ask) -> Result<Vec<String>, Refusal> {
    let keys = [key("ids", Kind::TextList).required()];
    let given = checked(&ask.body()?, &keys, Extent::Whole)?;
    let mut named = ids(&given, "ids")?;
    let table = (part.table)(world);
    named.retain(|id| table.get(id).is_some_and(is_deleted));
    Ok(named)
}

fn restore(part: &Part, world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let named = named(part, world, ask)?.into_iter();
    let changes = named.filter_map(|id| part.taken_out(world, &id));
    let changes: Vec<_> = changes.collect();
    Ok(Done::no_content().with(changes))
}

fn restore_formats(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    restore(&formats::FORMAT, world, ask)
}

fn restore_file_sets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    restore(&file_sets::FILE_SET, world, ask)
}

fn purge(part: &Part, world: &mut World, named: &[String]) -> Done {
    let changes = named.iter().filter_map(|id| part.gone(world, id, "purge"));
    let changes: Vec<_> = changes.collect();
    Done::no_content().with(changes)
}

fn purge_formats(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let named = named(&formats::FORMAT, world, ask)?;
    Ok(purge(&formats::FORMAT, world, &named))
}

fn purge_file_sets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let named = named(&file_sets::FILE_SET, world, ask)?;
    Ok(purge(&file_sets::FILE_SET, world, &named))
}

fn all(part: &Part, world: &World) -> Vec<String> {
    let lying = (part.table)(world).iter().filter(|it| is_deleted(it));
    lying.map(|it| text(it, "id").to_owned()).collect()
}

fn purge_all_formats(world: &mut World, _: &Ask) -> Result<Done, Refusal> {
    let all = all(&formats::FORMAT, world);
    Ok(purge(&formats::FORMAT, world, &all))
}

fn purge_all_file_sets(world: &mut World, _: &Ask) -> Result<Done, Refusal> {
    let all = all(&file_sets::FILE_SET, world);
    Ok(purge(&file_sets::FILE_SET, world, &all))
}
