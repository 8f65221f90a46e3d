//! The rules that are active while events are accepted and routed: a few, of which some are asked about every
//! event and decline, so that the whole way to a decision is walked and no call is made.

use cuegate::model::RuleFile;

/// Asked about every event, and declines.
const DESK: &str = r#"//! Desk from the title: sets the desk of an asset whose title says so.

rule(#{
    on:    ["assets/metadata/update"],
    allow: ["metadata:write"],
});

fn when(event) {
    let values = event.data.metadata_values.title.field_values;
    let desk = text::capture(values[0].value, `^(NEWS|PROMO)_`);
    desk != () && event.data.metadata_values.rating.field_values[0].value > 3
}

fn run(event) {
    iconik::asset(event.asset_id).set_metadata("Operations", #{ desk: "news" });
}
"#;

/// Asked about every event, and declines.
const RATING: &str = r#"//! Rating: reports assets that were rated zero.

rule(#{ on: ["assets/metadata/*", "assets/entity/*"] });

fn when(event) {
    event.data.metadata_values.rating.field_values[0].value == 0
}

fn run(event) {
    log::warn(`${event.asset_id} was rated zero`);
}
"#;

/// Not about these events.
const MARKER: &str = r#"//! Markers: logs every marker.

rule(#{ on: ["assets/segments/create"] });

fn when(event) {
    event.data.segment_type == "MARKER"
}

fn run(event) {
    log::info(event.data.segment_type);
}
"#;

/// Not about these events.
const COLLECTION: &str = r#"//! Collections: logs every entry.

rule(#{ on: ["collections/contents/create"] });

fn run(event) {
    log::info(event.data.object_id);
}
"#;

/// Rules of which none is about the measured events.
pub(super) fn unconcerned() -> Vec<RuleFile> {
    vec![
        file("marker.rhai", MARKER),
        file("collection.rhai", COLLECTION),
    ]
}

/// The same, and two that are asked about every event and decline.
pub(super) fn declining() -> Vec<RuleFile> {
    let mut files = unconcerned();
    files.extend([file("desk.rhai", DESK), file("rating.rhai", RATING)]);
    files
}

fn file(path: &str, source: &str) -> RuleFile {
    RuleFile {
        path: path.to_owned(),
        source: source.to_owned(),
    }
}
