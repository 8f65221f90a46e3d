//! Whether an object is what a create has made: pure.
//!
//! A match counts only if our own user made it, not earlier than a little before the intent. Where Iconik does not show
//! the one or the other, or shows our own mark on something older, nobody but a person can tell.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::operations::Made;

use super::mark::text_in;

/// How far Iconik's clock may be behind ours.
pub(super) const CLOCKS_APART: Duration = Duration::from_secs(5 * 60);

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought<'a> {
    /// By what it is known.
    pub(super) made: &'a Made,
    /// The body that was sent.
    pub(super) body: &'a Value,
    /// The mark of the step.
    pub(super) mark: &'a str,
    /// Our own user.
    pub(super) maker: &'a str,
    /// The earliest time that counts.
    pub(super) since: Timestamp,
}

/// What an object is to a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Something else.
    Other,
    /// What it has made, at this time.
    Ours(Timestamp),
    /// It may be, and Iconik does not say what it would take to know.
    Unclear(&'static str),
}

impl Sought<'_> {
    /// Whether the object carries the mark, or without one looks as it was sent.
    pub(super) fn resembles(&self, object: &Value) -> bool {
        if self.is_marked() {
            return text_in(self.made, object) == Some(self.mark);
        }
        self.made.alike.iter().all(|key| {
            let sent = self.body.get(key).filter(|sent| !sent.is_null());
            sent.is_none_or(|sent| object.get(key) == Some(sent))
        })
    }

    /// Whether the object is it.
    pub(super) fn judge(&self, object: &Value) -> Verdict {
        if !self.resembles(object) {
            return Verdict::Other;
        }
        let Some(maker) = self.made.maker.and_then(|key| object.get(key)?.as_str()) else {
            return Verdict::Unclear("Iconik does not show who made it");
        };
        if maker != self.expected_maker() {
            return Verdict::Other;
        }
        if self.body.get(self.made.made_at).is_some() {
            return Verdict::Unclear("the call itself says when it was made");
        }
        let made_at = object.get(self.made.made_at).and_then(Value::as_str);
        match made_at.and_then(|text| text.parse::<Timestamp>().ok()) {
            None => Verdict::Unclear("Iconik does not show when it was made"),
            Some(at) if at < self.since && self.is_marked() => {
                Verdict::Unclear("it has our mark, and is older than the call")
            }
            Some(at) if at < self.since => Verdict::Other,
            Some(at) => Verdict::Ours(at),
        }
    }

    fn is_marked(&self) -> bool {
        text_in(self.made, self.body) == Some(self.mark)
    }

    /// A marked object may have been made in the name of somebody else, if the call said so.
    fn expected_maker(&self) -> &str {
        let named = self.made.maker.and_then(|key| self.body.get(key)?.as_str());
        named.filter(|_| self.is_marked()).unwrap_or(self.maker)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Method;
    use crate::operations::{Proof, look_up_of};

    const MARK: &str = "cuegate:7:2:0a0b0c0d";
    const SINCE: &str = "2026-03-01T11:55:00Z";

    fn made(path: &str) -> Made {
        let look_up = look_up_of(Method::Post, path).expect("it can be looked for");
        match look_up.proof {
            Proof::Object(made) => made,
            Proof::Entry { .. } => panic!("it makes an object"),
        }
    }

    fn judge(path: &str, body: &Value, object: &Value) -> Verdict {
        let made = made(path);
        let sought = Sought {
            made: &made,
            body,
            mark: MARK,
            maker: "me",
            since: SINCE.parse().expect("a time"),
        };
        sought.judge(object)
    }

    fn asset(external_id: &str, maker: &str, made_at: &str) -> Value {
        json!({"title": "A", "external_id": external_id, "created_by_user": maker, "date_imported": made_at})
    }

    #[test]
    fn the_mark_is_the_key_and_an_identical_object_without_it_is_another() {
        let body = json!({"title": "A", "external_id": MARK});
        let at = "2026-03-01T12:00:00.5+00:00";
        let judged = |object: &Value| judge("assets/v1/assets/", &body, object);
        let ours = Verdict::Ours("2026-03-01T12:00:00.5Z".parse().expect("a time"));
        assert_eq!(judged(&asset(MARK, "me", at)), ours);
        let mut renamed = asset(MARK, "me", at);
        renamed["title"] = json!("renamed since");
        assert_eq!(judged(&renamed), ours);
        for other in [
            asset("", "me", at),
            asset("cuegate:8:2:0a0b0c0d", "me", at),
            asset(MARK, "somebody", at),
        ] {
            assert_eq!(judged(&other), Verdict::Other, "{other}");
        }
        // Whose clock is wrong cannot be known.
        let old = judged(&asset(MARK, "me", "2026-03-01T11:54:59Z"));
        assert!(matches!(old, Verdict::Unclear(_)), "{old:?}");
    }

    #[test]
    fn without_a_mark_all_that_was_sent_must_be_there() {
        let body = json!({"title": "A", "external_id": "own", "type": null});
        let judged = |object: &Value| judge("assets/v1/assets/", &body, object);
        let object = asset("own", "me", "2026-03-01T12:00:00Z");
        assert!(matches!(judged(&object), Verdict::Ours(_)));
        for (key, value) in [("title", "B"), ("external_id", "other")] {
            let mut other = object.clone();
            other[key] = json!(value);
            assert_eq!(judged(&other), Verdict::Other, "{key}");
        }
    }

    #[test]
    fn what_iconik_does_not_show_makes_it_unclear() {
        let format = json!({"name": "ORIGINAL"});
        let unclear = |path: &str, body: &Value, object: &Value| {
            matches!(judge(path, body, object), Verdict::Unclear(_))
        };
        let path = "files/v1/assets/A/formats/";
        let nobody = json!({"name": "ORIGINAL", "user_id": null, "date_created": SINCE});
        assert!(unclear(path, &format, &nobody));
        let no_time = json!({"name": "ORIGINAL", "user_id": "me"});
        assert!(unclear(path, &format, &no_time));
        let other = json!({"name": "PROXY", "user_id": null});
        assert_eq!(judge(path, &format, &other), Verdict::Other);
        let set = json!({"name": "S", "base_dir": "d"});
        assert!(unclear("files/v1/assets/A/file_sets/", &set, &set));
        let dated =
            json!({"title": "C", "external_id": MARK, "date_created": "2020-01-01T00:00:00Z"});
        let collection = json!({"title": "C", "external_id": MARK, "created_by_user": "me",
            "date_created": "2020-01-01T00:00:00Z"});
        assert!(unclear("assets/v1/collections/", &dated, &collection));
    }

    #[test]
    fn a_marked_object_may_be_made_in_the_name_of_another_and_an_unmarked_one_may_not() {
        let path = "assets/v1/assets/A/segments/";
        let object = |external_id: &str| {
            json!({"segment_type": "MARKER", "external_id": external_id, "user_id": "editor",
                "date_created": "2026-03-01T12:00:00Z"})
        };
        let body = |external_id: &str| json!({"segment_type": "MARKER", "external_id": external_id, "user_id": "editor"});
        let marked = judge(path, &body(MARK), &object(MARK));
        assert!(matches!(marked, Verdict::Ours(_)));
        assert_eq!(judge(path, &body("own"), &object("own")), Verdict::Other);
    }
}
