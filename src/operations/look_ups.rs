//! How to find out afterwards whether a create has happened: where to look, and by what the object is known.
//!
//! Iconik has no keys of idempotency. So a create that takes a free text of ours carries one that no other call has;
//! others are known by what was sent, by who made the object and by when. A create that is not listed here can only be
//! judged by a person. Unless said otherwise the keys are those of the schemas of Iconik's documents of May 2025, and
//! that a search compares `external_id` as a whole is inferred. Lists and searches read an index that lags.

use crate::model::Method;

use super::{Operation, find};

/// The key of a job's `metadata` that holds our text.
const JOB_MARK: &str = "cuegate";

/// How to find out whether a create has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// The path of the create, as its operation has it.
    pub create: &'static str,
    /// Where to look.
    pub seek: Seek,
    /// By what it is known.
    pub proof: Proof,
}

/// Where to look for what a create may have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// A search for objects of this type with the `external_id` that was sent.
    Search(&'static str),
    /// A list that is paged by number, with these query parameters.
    Pages(&'static str, &'static [(&'static str, Filter)]),
    /// A list that is read on after the last id.
    AfterLast(&'static str),
}

/// What a query parameter of a list is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// This key of the body; left out where the body has none.
    Body(&'static str),
    /// Our own user.
    Maker,
    /// The earliest time that counts, with an open end.
    Since,
    /// This text.
    Text(&'static str),
}

/// By what it is known that a create has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// An object that was made.
    Object(Made),
    /// An entry for an object in a list: it is the same whoever has made it. The keys of the body that name the
    /// object's id and its type.
    Entry {
        /// Compared with `id`.
        id: &'static str,
        /// Compared with the key of the same name.
        object_type: &'static str,
    },
}

/// By what an object is known as the one that a create has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Where the object is read by its id: `{id}` besides the names in the create's path.
    pub path: &'static str,
    /// The place in the body for our own text, key by key, if the create takes one.
    pub mark: Option<&'static [&'static str]>,
    /// The keys of the body that the object shows as they were sent.
    pub alike: &'static [&'static str],
    /// The key that names the user who made it, if there is one.
    pub maker: Option<&'static str>,
    /// The key that says when it was made.
    pub made_at: &'static str,
}

/// How to find out whether this create has happened; none if there is no way but asking a person.
pub fn look_up(operation: &Operation) -> Option<&'static LookUp> {
    let known = LOOK_UPS.iter();
    let mut known = known.filter(|look_up| look_up.create == operation.path);
    known.next().filter(|_| operation.method == Method::Post)
}

/// The same for a call whose path has its ids filled in.
pub fn look_up_of(method: Method, path: &str) -> Option<&'static LookUp> {
    find(method, path).and_then(look_up)
}

impl LookUp {
    /// The path `template` with the ids that the path of a call has in the places of `create`.
    pub fn filled(&self, template: &str, call: &str, id: Option<&str>) -> String {
        let names: Vec<&str> = self.create.split('/').collect();
        let ids: Vec<&str> = call.split('/').collect();
        let fill = |segment: &str| -> String {
            if segment == "{id}" {
                return id.unwrap_or(segment).to_owned();
            }
            let place = names.iter().position(|name| *name == segment);
            let is_name = segment.starts_with('{');
            let filled = place.filter(|_| is_name).and_then(|place| ids.get(place));
            filled.map_or(segment, |id| *id).to_owned()
        };
        template.split('/').map(fill).collect::<Vec<_>>().join("/")
    }
}

/// Every create that can be looked for.
static LOOK_UPS: &[LookUp] = &[
    LookUp {
        create: "assets/v1/assets/",
        seek: Seek::Search("assets"),
        proof: Proof::Object(Made {
            path: "assets/v1/assets/{id}/",
            mark: Some(&["external_id"]),
            alike: &["title", "type", "external_id", "original_asset_id"],
            maker: Some("created_by_user"),
            // `date_created` may be given by whoever makes the asset.
            made_at: "date_imported",
        }),
    },
    LookUp {
        create: "assets/v1/collections/",
        seek: Seek::Search("collections"),
        proof: Proof::Object(Made {
            path: "assets/v1/collections/{id}/",
            mark: Some(&["external_id"]),
            alike: &["title", "external_id", "parent_id"],
            maker: Some("created_by_user"),
            made_at: "date_created",
        }),
    },
    LookUp {
        create: "assets/v1/collections/{collection_id}/contents/",
        seek: Seek::Pages(
            "assets/v1/collections/{collection_id}/contents/",
            &[
                ("object_ids", Filter::Body("object_id")),
                ("object_types", Filter::Body("object_type")),
            ],
        ),
        proof: Proof::Entry {
            id: "object_id",
            object_type: "object_type",
        },
    },
    LookUp {
        create: "assets/v1/assets/{asset_id}/segments/",
        seek: Seek::Pages(
            "assets/v1/assets/{asset_id}/segments/",
            &[
                ("segment_type", Filter::Body("segment_type")),
                ("version_id", Filter::Body("version_id")),
                ("sort", Filter::Text("date_created,asc")),
            ],
        ),
        proof: Proof::Object(Made {
            path: "assets/v1/assets/{asset_id}/segments/{id}/",
            mark: Some(&["external_id"]),
            alike: &[
                "segment_type",
                "external_id",
                "segment_text",
                "time_start_milliseconds",
                "time_end_milliseconds",
            ],
            maker: Some("user_id"),
            made_at: "date_created",
        }),
    },
    LookUp {
        create: "jobs/v1/jobs/",
        seek: Seek::Pages(
            "jobs/v1/jobs/",
            &[
                ("type", Filter::Body("type")),
                ("object_id", Filter::Body("object_id")),
                ("parent_id", Filter::Body("parent_id")),
                ("created_by", Filter::Maker),
                ("date_created", Filter::Since),
                ("sort", Filter::Text("date_created,asc")),
                ("facets", Filter::Text("false")),
            ],
        ),
        proof: Proof::Object(Made {
            path: "jobs/v1/jobs/{id}/",
            mark: Some(&["metadata", JOB_MARK]),
            alike: &["type", "title", "custom_type", "object_id", "parent_id"],
            maker: Some("created_by"),
            made_at: "date_created",
        }),
    },
    // Recorded answers to these show nobody as the maker of a format, a file set or a file (the last two have no
    // key for it in all answers), and a proxy and a keyframe have no key for it. So one that is found is a person's to
    // judge; that there is none can be told.
    LookUp {
        create: "files/v1/assets/{asset_id}/formats/",
        seek: Seek::AfterLast("files/v1/assets/{asset_id}/formats/"),
        proof: Proof::Object(Made {
            path: "files/v1/assets/{asset_id}/formats/{id}/",
            mark: None,
            alike: &["name", "version_id"],
            maker: Some("user_id"),
            made_at: "date_created",
        }),
    },
    LookUp {
        create: "files/v1/assets/{asset_id}/file_sets/",
        seek: Seek::AfterLast("files/v1/assets/{asset_id}/file_sets/"),
        proof: Proof::Object(Made {
            path: "files/v1/assets/{asset_id}/file_sets/{id}/",
            mark: None,
            alike: &["name", "base_dir", "format_id", "storage_id"],
            maker: None,
            made_at: "date_created",
        }),
    },
    LookUp {
        create: "files/v1/assets/{asset_id}/files/",
        seek: Seek::AfterLast("files/v1/assets/{asset_id}/files/"),
        proof: Proof::Object(Made {
            path: "files/v1/assets/{asset_id}/files/{id}/",
            mark: None,
            alike: &[
                "original_name",
                "type",
                "file_set_id",
                "format_id",
                "storage_id",
            ],
            maker: Some("user_id"),
            made_at: "date_created",
        }),
    },
    LookUp {
        create: "files/v1/assets/{asset_id}/proxies/",
        seek: Seek::AfterLast("files/v1/assets/{asset_id}/proxies/"),
        proof: Proof::Object(Made {
            path: "files/v1/assets/{asset_id}/proxies/{id}/",
            mark: None,
            alike: &["name", "filename", "codec", "resolution", "storage_id"],
            maker: None,
            made_at: "date_created",
        }),
    },
    LookUp {
        create: "files/v1/assets/{asset_id}/keyframes/",
        seek: Seek::AfterLast("files/v1/assets/{asset_id}/keyframes/"),
        proof: Proof::Object(Made {
            path: "files/v1/assets/{asset_id}/keyframes/{id}/",
            mark: None,
            alike: &["type", "name", "filename", "time_code", "storage_id"],
            maker: None,
            made_at: "date_created",
        }),
    },
    LookUp {
        create: "assets/v1/assets/{asset_id}/history/",
        seek: Seek::Pages(
            "assets/v1/assets/{asset_id}/history/",
            &[("sort", Filter::Text("date_created,asc"))],
        ),
        proof: Proof::Object(Made {
            path: "assets/v1/assets/{asset_id}/history/{id}/",
            mark: None,
            alike: &["operation_type", "operation_description", "job_id"],
            maker: Some("user_id"),
            made_at: "date_created",
        }),
    },
];

#[cfg(test)]
mod tests {
    use super::super::{RepeatClass, all};
    use super::*;

    fn template(look_up: &LookUp) -> Option<&'static str> {
        match look_up.seek {
            Seek::Search(_) => None,
            Seek::Pages(path, _) | Seek::AfterLast(path) => Some(path),
        }
    }

    #[test]
    fn each_is_about_a_create_and_looks_only_by_known_reads() {
        for entry in LOOK_UPS {
            let creates: Vec<_> = all()
                .filter(|it| it.method == Method::Post && it.path == entry.create)
                .collect();
            let [create] = creates[..] else {
                panic!("{} is no operation", entry.create);
            };
            assert_eq!(create.class, RepeatClass::Creating, "{}", entry.create);
            assert_eq!(look_up(create), Some(entry));
            let object = match entry.proof {
                Proof::Object(made) => Some(made.path),
                Proof::Entry { .. } => None,
            };
            for path in template(entry).into_iter().chain(object) {
                let path = entry.filled(path, entry.create, Some("1"));
                assert!(find(Method::Get, &path).is_some(), "{path}");
            }
        }
    }

    #[test]
    fn what_is_compared_can_be_sent() {
        for entry in LOOK_UPS {
            let create = find(Method::Post, entry.create).expect("a create");
            let takes =
                |key: &str| create.required.contains(&key) || create.optional.contains(&key);
            let mut keys = Vec::new();
            match entry.proof {
                Proof::Object(made) => {
                    keys.extend(made.alike);
                    keys.extend(made.mark.and_then(|mark| mark.first()));
                }
                Proof::Entry { id, object_type } => keys.extend([id, object_type]),
            }
            if let Seek::Pages(_, filters) = entry.seek {
                keys.extend(filters.iter().filter_map(|(_, from)| match from {
                    Filter::Body(key) => Some(*key),
                    _ => None,
                }));
            }
            for key in keys {
                assert!(takes(key), "{} takes no {key}", entry.create);
            }
        }
    }

    #[test]
    fn ids_are_filled_in_by_their_names() {
        let segments = look_up_of(Method::Post, "assets/v1/assets/A/segments/").expect("known");
        let Proof::Object(made) = segments.proof else {
            panic!("a segment is an object");
        };
        let path = segments.filled(made.path, "assets/v1/assets/A/segments/", Some("S"));
        assert_eq!(path, "assets/v1/assets/A/segments/S/");
    }

    #[test]
    fn what_cannot_be_looked_for_is_not_listed() {
        for (method, path) in [
            (Method::Post, "assets/v1/assets/A/relations/"),
            (Method::Post, "assets/v1/assets/A/segments/bulk/"),
            (Method::Post, "assets/v1/assets/A/shares/"),
            (Method::Get, "jobs/v1/jobs/"),
        ] {
            assert_eq!(look_up_of(method, path), None, "{path}");
        }
    }
}
