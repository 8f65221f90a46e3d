//! What a page says.

use serde_json::Value;

use crate::model::{Answer, Object};

/// The objects of a page as Iconik shows them.
pub(super) fn documents(answer: &Answer) -> Result<&[Value], String> {
    if !(200..300).contains(&answer.status) {
        let reasons = answer.body.get("errors").unwrap_or(&answer.body);
        let reasons = match reasons {
            Value::Null => String::new(),
            reasons => format!(": {reasons}"),
        };
        return Err(format!("Iconik refused it with {}{reasons}", answer.status));
    }
    let objects = answer.body.get("objects").and_then(Value::as_array);
    objects
        .map(Vec::as_slice)
        .ok_or_else(|| "the answer is no page: it has no `objects`".to_owned())
}

/// What the documents of a page are; those of a list of one type do not say it.
pub(super) fn objects(documents: &[Value], only_type: Option<&str>) -> Result<Vec<Object>, String> {
    let objects = documents.iter().map(|document| {
        let text = |key: &str| document.get(key).and_then(Value::as_str);
        Some(Object {
            object_type: text("object_type").or(only_type)?.to_owned(),
            object_id: text("id")?.to_owned(),
        })
    });
    objects
        .collect::<Option<_>>()
        .ok_or_else(|| "an object on the page is without `id` or `object_type`".to_owned())
}

/// Why a collection that is too large is not read to its end, and what to write instead.
pub(super) fn too_deep(collection: &str, most: u32) -> String {
    format!(
        "Iconik lists only the first {most} objects of a collection, and {collection} has more. Let `each` search for \
         them, which has no such end: `search::assets().field(\"in_collections\").equals(\"{collection}\")`, or \
         `field(\"ancestor_collections\")` for those in the collections inside as well; add \
         `search::collections().field(\"in_collections\")…` if collections are wanted too"
    )
}
