//! The world without ids and times: two simulated Iconiks that went through the same day look alike, although
//! every id and every moment in them differs.
//!
//! An object is a line of text. Where it names an object that was made, the line has a label in place of the
//! id, taken from what the named object looks like, in turn with labels, a few rounds deep. So lines differ
//! when an object hangs on another parent, and do not when only ids or the order of making differ. The ids
//! of what was there from the start, and of users, stay.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::table::{Document, Table, text};
use super::world::World;

/// How far labels look: from a segment over its asset and a collection to the collection above.
const ROUNDS: usize = 4;

/// What stands for an id of nothing that is there any more, and of what no label is made for.
const NOBODY: &str = "<some id>";

/// Ids as they are written, and the long hexadecimal numbers of other systems.
static IDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b",
    )
    .expect("the pattern is a literal")
});

/// The lines of all objects, sorted. Keys of the given names are left out at any depth.
pub(super) fn lines(world: &World, leave_out: &[&str]) -> Vec<String> {
    let sitters = sitters(world, leave_out);
    let mut labels = Labels {
        planted: &world.planted,
        of: HashMap::new(),
    };
    for _ in 0..ROUNDS {
        labels.of = sitters
            .iter()
            .flat_map(|sitter| sitter.labels(&labels))
            .collect();
    }
    let mut lines: Vec<_> = sitters
        .iter()
        .map(|sitter| {
            let name = labels.name(&sitter.id);
            format!("{} {name} {}", sitter.kind, sitter.drawn(&labels))
        })
        .collect();
    lines.sort();
    lines
}

/// A short text that is the same for the same lines.
pub(super) fn digest(lines: &[String]) -> String {
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line);
        hash.update("\n");
    }
    hex::encode(hash.finalize())
}

/// An object, with everything that belongs to it.
struct Sitter {
    kind: &'static str,
    id: String,
    /// Its versions, oldest first.
    versions: Vec<String>,
    looks: Value,
}

struct Labels<'a> {
    planted: &'a BTreeSet<String>,
    of: HashMap<String, String>,
}

impl Labels<'_> {
    fn name(&self, id: &str) -> &str {
        match self.planted.get(id) {
            Some(id) => id,
            None => self.of.get(id).map_or(NOBODY, String::as_str),
        }
    }

    /// The text with labels in place of ids.
    fn named(&self, text: &str) -> String {
        let named = |found: &Captures<'_>| self.name(&found[0]).to_owned();
        IDS.replace_all(text, named).into_owned()
    }
}

impl Sitter {
    fn drawn(&self, labels: &Labels<'_>) -> String {
        labels.named(&self.looks.to_string())
    }

    /// Its own label and those of its versions.
    fn labels(&self, labels: &Labels<'_>) -> Vec<(String, String)> {
        let looks = Sha256::digest(self.drawn(labels));
        let label = format!("<{} {}>", self.kind, hex::encode(&looks[..6]));
        let versions = self.versions.iter().enumerate();
        let versions = versions.map(|(number, id)| {
            let name = match labels.planted.get(&self.id) {
                Some(id) => id,
                None => &label,
            };
            (id.clone(), format!("<version {} of {name}>", number + 1))
        });
        let versions: Vec<_> = versions.collect();
        versions
            .into_iter()
            .chain([(self.id.clone(), label)])
            .collect()
    }
}

fn sitters(world: &World, leave_out: &[&str]) -> Vec<Sitter> {
    let mut sitters = Vec::new();
    let mut seat = |kind: &'static str, table: &Table, more: &dyn Fn(&Document) -> Value| {
        sitters.extend(table.iter().map(|document| Sitter {
            kind,
            id: text(document, "id").to_owned(),
            versions: versions(document),
            looks: json!([
                bare(&json!(document), leave_out),
                bare(&more(document), leave_out)
            ]),
        }));
    };
    let nothing = |_: &Document| Value::Null;
    seat("asset", &world.assets, &|it| surroundings(world, it));
    seat("collection", &world.collections, &|it| {
        surroundings(world, it)
    });
    seat("segment", &world.segments, &|it| surroundings(world, it));
    seat("format", &world.formats, &nothing);
    seat("file set", &world.file_sets, &nothing);
    seat("file", &world.files, &nothing);
    seat("job", &world.jobs, &nothing);
    seat("user", &world.users, &nothing);
    seat("view", &world.views, &nothing);
    for (kind, shelf) in &world.shelves {
        // What has no id of its own is told by what it hangs on.
        let documents = shelf.iter().filter(|it| !text(it, "id").is_empty());
        sitters.extend(documents.map(|document| Sitter {
            kind: kind.trim_end_matches("_id"),
            id: text(document, "id").to_owned(),
            versions: Vec::new(),
            looks: bare(&json!(document), leave_out),
        }));
    }
    for (name, field) in &world.fields {
        sitters.push(Sitter {
            kind: "field",
            id: name.clone(),
            versions: Vec::new(),
            looks: bare(&json!(field), leave_out),
        });
    }
    sitters
}

/// What belongs to an object without standing in it: its metadata, and the collections that it lies in.
fn surroundings(world: &World, document: &Document) -> Value {
    let id = text(document, "id");
    let mut versions = versions(document);
    if versions.is_empty() {
        versions.push(id.to_owned());
    }
    let metadata = versions
        .iter()
        .map(|version| world.values.plain(id, version));
    json!({
        "metadata": metadata.collect::<Vec<_>>(),
        "lies_in": world.contents.holders(id).collect::<Vec<_>>(),
    })
}

/// Oldest first.
fn versions(document: &Document) -> Vec<String> {
    let versions = document.get("versions").and_then(Value::as_array);
    let versions = versions.into_iter().flatten().rev();
    versions
        .filter_map(|version| version["id"].as_str().map(str::to_owned))
        .collect()
}

/// The value without times and without what is left out. Its own id says nothing; which version is the
/// current one is told by its place.
fn bare(value: &Value, leave_out: &[&str]) -> Value {
    match value {
        Value::Object(keys) => {
            let kept = keys.iter().filter(|(key, _)| {
                !leave_out.contains(&key.as_str()) && !is_time(key) && *key != "id"
            });
            kept.map(|(key, value)| (key.clone(), bare(value, leave_out)))
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect::<Document>()
                .into()
        }
        Value::Array(values) => values.iter().map(|it| bare(it, leave_out)).collect(),
        other => other.clone(),
    }
}

/// The names under which Iconik keeps times.
fn is_time(key: &str) -> bool {
    key.starts_with("date_") || key.ends_with("_at") || key == "last_archive_restore_date"
}
