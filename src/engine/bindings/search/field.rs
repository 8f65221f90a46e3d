//! The fields that a search can be about, and how values are written there.
//!
//! A metadata field is named `metadata.<field>` (a public client does so in `facets_filters`; that terms and sort take
//! the same name is inferred). Values are texts (`CriteriaTerm`).

use rhai::{Dynamic, NativeCallContext};

use super::super::super::convert::type_name;
use super::super::super::moment::Time;
use super::super::super::session::{Fallible, error};
use super::super::event::nearest;
use super::super::view::View;
use super::Search;

/// Keys of assets in the index (`AssetElasticSchema`), as far as they can be searched for by one value.
const OF_ASSETS: &[&str] = &[
    "analyze_status",
    "ancestor_collections",
    "archive_status",
    "category",
    "created_by_user",
    "date_created",
    "date_deleted",
    "date_imported",
    "date_modified",
    "date_viewed",
    "deleted_by_user",
    "duration_milliseconds",
    "external_id",
    "external_link",
    "face_recognition_status",
    "favoured",
    "has_unconfirmed_persons",
    "id",
    "in_collections",
    "is_blocked",
    "is_online",
    "last_archive_restore_date",
    "media_type",
    "original_asset_id",
    "original_segment_id",
    "original_version_id",
    "person_ids",
    "site_name",
    "status",
    "time_end_milliseconds",
    "time_start_milliseconds",
    "title",
    "type",
    "updated_by_user",
    "versions_number",
    "warning",
];

/// Keys of collections (`CollectionElasticSchema`).
const OF_COLLECTIONS: &[&str] = &[
    "category",
    "created_by_user",
    "custom_order_status",
    "date_created",
    "date_deleted",
    "date_modified",
    "deleted_by_user",
    "external_id",
    "favoured",
    "id",
    "in_collections",
    "is_root",
    "parent_id",
    "parents",
    "project_id",
    "status",
    "storage_id",
    "title",
];

/// Keys of segments (`SegmentElasticSchema`).
const OF_SEGMENTS: &[&str] = &[
    "asset_id",
    "date_created",
    "date_modified",
    "external_id",
    "has_drawing",
    "id",
    "parent_id",
    "person_id",
    "project_id",
    "segment_checked",
    "segment_color",
    "segment_text",
    "segment_track",
    "segment_type",
    "share_id",
    "status",
    "subclip_id",
    "time_end_milliseconds",
    "time_start_milliseconds",
    "top_level",
    "transcription_id",
    "user_id",
    "version_id",
];

/// A field that a search may be about.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// As Iconik knows it.
    pub(super) name: String,
    /// As the rule wrote it.
    given: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Day,
    Moment,
    Number,
    Flag,
    Text,
}

impl Field {
    /// Finds a field by what the rule calls it: a key of the object, or a metadata field by its view.
    pub(super) fn look_up(
        context: &NativeCallContext<'_>,
        search: &mut Search,
        given: &str,
    ) -> Fallible<Self> {
        match given.rsplit_once('.') {
            Some((view, field)) => Self::of_view(context, search, view, field),
            None => Self::of_object(search, given),
        }
    }

    fn of_view(
        context: &NativeCallContext<'_>,
        search: &mut Search,
        view: &str,
        field: &str,
    ) -> Fallible<Self> {
        if !search.views.contains_key(view) {
            let found = View::look_up(context, view)?;
            search.views.insert(view.to_owned(), found);
        }
        let kind = search.views[view].field(field)?.kind();
        Ok(Self {
            name: format!("metadata.{field}"),
            given: format!("{view}.{field}"),
            kind: match kind {
                "date" => Kind::Day,
                "datetime" => Kind::Moment,
                "integer" | "float" => Kind::Number,
                "boolean" => Kind::Flag,
                _ => Kind::Text,
            },
        })
    }

    fn of_object(search: &Search, key: &str) -> Fallible<Self> {
        let doc_types = search.doc_types();
        let mut known = doc_types.iter().flat_map(|doc_type| match *doc_type {
            "assets" => OF_ASSETS,
            "collections" => OF_COLLECTIONS,
            "segments" => OF_SEGMENTS,
            _ => &[],
        });
        if !known.clone().any(|known| *known == key) {
            let near = nearest(key, known.by_ref().copied());
            let advice = near.map_or_else(
                || "a metadata field is named with its view: \"Rights.expires\"".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            let what = doc_types.join(" and ");
            return Err(error(format!(
                "{what} cannot be searched by `{key}`; {advice}"
            )));
        }
        let flag = key.starts_with("is_") || key.starts_with("has_");
        let kind = match key {
            "favoured" | "segment_checked" | "top_level" => Kind::Flag,
            "versions_number" => Kind::Number,
            _ if key.ends_with("_milliseconds") => Kind::Number,
            _ if key.starts_with("date_") || key.ends_with("_date") => Kind::Moment,
            _ if flag => Kind::Flag,
            _ => Kind::Text,
        };
        Ok(Self {
            name: key.to_owned(),
            given: key.to_owned(),
            kind,
        })
    }

    /// A time as it is written in this field.
    pub(super) fn time(&self, time: Time) -> Fallible<String> {
        match self.kind {
            Kind::Day => Ok(time.date()),
            Kind::Moment => Ok(time.to_string()),
            _ => Err(error(format!(
                "`{}` holds no times: use `between` for numbers, `equals` or `one_of` for others",
                self.given
            ))),
        }
    }

    /// A value as it is written in this field.
    pub(super) fn value(&self, value: &Dynamic) -> Fallible<String> {
        if value.is_unit() {
            return Err(error(format!(
                "the value for `{}` is missing: it is `()`; use `missing()` and `exists()`",
                self.given
            )));
        }
        let wanted = match self.kind {
            Kind::Day | Kind::Moment => {
                let time = value.read_lock::<Time>().map(|time| *time);
                let written = value.as_immutable_string_ref().ok();
                match time.or_else(|| written.and_then(|text| Time::parse(&text))) {
                    Some(time) => return self.time(time),
                    None => "a Time",
                }
            }
            Kind::Number => match (value.as_int(), value.as_float()) {
                (Ok(int), _) => return Ok(int.to_string()),
                (_, Ok(float)) => return Ok(float.to_string()),
                _ => "a number",
            },
            Kind::Flag => match value.as_bool() {
                Ok(flag) => return Ok(flag.to_string()),
                Err(_) => "true or false",
            },
            Kind::Text => match value.as_immutable_string_ref() {
                Ok(text) => return Ok(text.to_string()),
                Err(_) => "a text",
            },
        };
        Err(error(format!(
            "`{}` is compared with {wanted}, and this is a {}",
            self.given,
            type_name(value)
        )))
    }
}
