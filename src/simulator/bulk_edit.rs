//! Edits of many objects by one request: everything is checked at once, and edited when the job ends.

use super::assets;
use super::operation::{Ask, Caller, Done};
use super::refusal::Refusal;
use super::shape::{Extent, Kind, checked, key};
use super::table::text;
use super::works::{self, Task};
use super::world::World;

/// Edits many assets.
pub(super) fn of_assets(world: &mut World, ask: &Ask) -> Result<Done, Refusal> {
    let given = checked(
        &ask.body()?,
        &[key("objects", Kind::List).required()],
        Extent::Whole,
    )?;
    let mut edits = Vec::new();
    for object in given["objects"].as_array().into_iter().flatten() {
        let message = "Must be a list of objects";
        let object = object.as_object();
        let object = object.ok_or_else(|| Refusal::invalid("objects", message))?;
        let id = text(object, "id").to_owned();
        world.asset(&id)?;
        checked(object, &assets::KEYS, Extent::Part)?;
        edits.push((id, object.clone()));
    }
    let task = Task {
        kind: "METADATA",
        title: "Editing assets",
        about: None,
    };
    let ending = Box::new(move |world: &mut World, caller: &Caller| {
        let edited = edits
            .iter()
            .filter_map(|(id, object)| assets::edit(world, caller, id, object, Extent::Part).ok());
        let edited: Vec<_> = edited.collect();
        edited
            .iter()
            .map(|it| assets::changed("update", it))
            .collect()
    });
    works::accepted(world, &ask.caller, task, ending)
}
