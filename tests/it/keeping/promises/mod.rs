//! One planted break, or several, for every promise that `store check` looks after: what is found, what it says, what
//! a repair changes, and that it changes nothing else.

mod events;
mod files;
mod journals;
mod lanes;
mod runs;
mod waits;

use std::collections::BTreeSet;

use cuegate::store::Finding;

use super::contents::{Contents, changes, contents, set_aside};
use super::filled::{Files, everything_ends, filled};
use crate::sources::{files_below, read};

/// A break, made by hand in a store that is in order.
#[derive(Debug)]
pub(super) struct Plant {
    /// The finding's kind.
    kind: &'static str,
    /// The break.
    sql: &'static str,
    /// What the finding is about.
    place: &'static str,
    /// A part of what it says.
    says: &'static str,
    /// Kinds that cannot but be found as well.
    besides: &'static [&'static str],
    /// What is another one afterwards than in the store that was in order.
    changed: &'static [&'static str],
    /// Where the rows come from that were set aside.
    aside: &'static [&'static str],
}

async fn each_is_found_repaired_and_outlived(plants: &[Plant]) {
    let sound = filled().await;
    let before = contents(&sound.connect());
    let mut wrong = Vec::new();
    for plant in plants {
        if let Err(why) = outlived(plant, &sound, &before).await {
            wrong.push(format!("{}: {}\n{why}", plant.kind, plant.sql));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

async fn outlived(plant: &Plant, sound: &Files, before: &Contents) -> Result<(), String> {
    let files = sound.copy();
    files.connect().execute_batch(plant.sql).unwrap();
    let broken = contents(&files.connect());
    let found = files.check().await;
    expect_found(plant, &found)?;
    if contents(&files.connect()) != broken {
        return Err("looking changed something".to_owned());
    }
    let repaired = files.repair().await;
    let mended = repaired.iter().all(|one| one.repaired);
    if !mended || !repaired.iter().any(|one| one.kind == plant.kind) {
        return Err(format!("not repaired: {repaired:#?}"));
    }
    let after = files.connect();
    let expected: BTreeSet<String> = plant.changed.iter().map(ToString::to_string).collect();
    let changed = changes(before, &contents(&after));
    let aside = set_aside(&after);
    drop(after);
    if changed != expected || aside != plant.aside {
        return Err(format!("changed: {changed:?}\naside: {aside:?}"));
    }
    let left = files.check().await;
    if !left.is_empty() {
        return Err(format!("left: {left:#?}"));
    }
    everything_ends(&files).await;
    Ok(())
}

fn expect_found(plant: &Plant, found: &[Finding]) -> Result<(), String> {
    let mut expected: BTreeSet<&str> = plant.besides.iter().copied().collect();
    expected.insert(plant.kind);
    let kinds: BTreeSet<&str> = found.iter().map(|one| one.kind).collect();
    let is_it = |one: &&Finding| one.kind == plant.kind && one.place == plant.place;
    let it = found.iter().find(is_it);
    if kinds != expected || it.is_none_or(|it| it.repaired || !it.text.contains(plant.says)) {
        return Err(format!("found: {found:#?}"));
    }
    Ok(())
}

/// The kinds of all promises, as their sources name them.
fn known_kinds() -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for path in files_below(&["src/store/sqlite/checking"], "rs") {
        for line in read(&path).lines().map(str::trim) {
            let kind = line
                .strip_prefix("kind: \"")
                .or_else(|| line.strip_prefix("stray!(\""))
                .or_else(|| line.strip_prefix("pub(super) const DAMAGED: &str = \""))
                .and_then(|rest| rest.split('"').next());
            kinds.extend(kind.map(ToOwned::to_owned));
        }
    }
    kinds
}

#[test]
fn a_break_of_every_promise_is_planted() {
    let planted: BTreeSet<String> = [
        files::PLANTS,
        events::PLANTS,
        runs::PLANTS,
        journals::PLANTS,
        waits::PLANTS,
        lanes::PLANTS,
    ]
    .into_iter()
    .flatten()
    .map(|plant| plant.kind.to_owned())
    .collect();
    assert!(planted.len() > 40, "{planted:?}");
    assert_eq!(planted, known_kinds());
}
