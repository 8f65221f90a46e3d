//! How metadata is defined: fields, views, categories.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::to_dynamic;
use super::super::session::Fallible;
use super::call::Request;
use super::ids::path_name;
use super::listing::{self, Paging};
use super::view::View;
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;

const FIELDS: &str = "metadata/v1/fields/";
const VIEWS: &str = "metadata/v1/views/";
/// The example's field, which is no field of the seed.
const FIELD: &str =
    "iconik::create_field(#{ name: \"Season\", label: \"Season\", field_type: \"integer\" });\n";
const VIEW: &str =
    "let view = iconik::create_view(#{ name: \"Short\", view_fields: [#{ name: \"owner\" }] });\n";
const CATEGORY: &str =
    "iconik::create_category(\"assets\", #{ name: \"promo\", label: \"Promo\", view_ids: [] });\n";

fn doc(signature: &'static str, about: &'static str, example: &'static str) -> FunctionDoc {
    FunctionDoc {
        place: Place::Module("iconik"),
        signature,
        about,
        example,
    }
}

/// The documentation of a function whose example begins with something that is made.
fn doc_after(
    made: &str,
    signature: &'static str,
    about: &'static str,
    example: &str,
) -> FunctionDoc {
    doc(signature, about, format!("{made}{example}").leak())
}

pub(super) fn register(registry: &mut Registry) {
    register_fields(registry);
    register_changed_fields(registry);
    register_views(registry);
    register_categories(registry);
    register_changed_categories(registry);
}

fn field(name: &str) -> Fallible<String> {
    Ok(format!("{FIELDS}{}/", path_name("metadata field", name)?))
}

fn answer(context: &Context<'_>, request: Request) -> Fallible<Dynamic> {
    Ok(to_dynamic(&request.send(context)?))
}

fn register_fields(registry: &mut Registry) {
    registry.add(
        doc(
            "fields()",
            "All metadata fields, as a list of maps with `name`, `label`, `field_type`, `multi`, `options` and so on \
             (`MetadataFieldSchema`).",
            "for field in iconik::fields() { log::info(field.name); }",
        ),
        |context: Context<'_>| -> Fallible<Array> {
            let paging = Paging::After("name", "last_field_name");
            let found = listing::all(&context, "metadata fields", paging, &Request::get(FIELDS))?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc(
            "field(name)",
            "One metadata field by its name, as a map.",
            "if iconik::field(\"owner\").field_type != \"string\" { fail(\"type\"); }",
        ),
        |context: Context<'_>, name: &str| answer(&context, Request::get(field(name)?)),
    );
    registry.add(
        doc_after(
            FIELD,
            "create_field(values)",
            "Makes a metadata field and returns it as a map: `name`, `label` and `field_type` are required. Needs `metadata:write`.",
            "if iconik::field(\"Season\").label != \"Season\" { fail(\"label\"); }",
        ),
        |context: Context<'_>, values: Map| answer(&context, Request::post(FIELDS).values(&values)?),
    );
}

fn register_changed_fields(registry: &mut Registry) {
    registry.add(
        doc_after(
            FIELD,
            "update_field(name, values)",
            "Changes keys of a metadata field (`PATCH`) and returns it as a map. Needs `metadata:write`.",
            "iconik::update_field(\"Season\", #{ label: \"Season number\" });",
        ),
        |context: Context<'_>, name: &str, values: Map| {
            answer(&context, Request::new(Method::Patch, field(name)?).values(&values)?)
        },
    );
    registry.add(
        doc_after(
            FIELD,
            "replace_field(name, values)",
            "Sets a whole metadata field (`PUT`): `label` and `field_type` are required. Needs `metadata:write`.",
            "iconik::replace_field(\"Season\", #{ label: \"Season number\", field_type: \"integer\" });",
        ),
        |context: Context<'_>, name: &str, values: Map| {
            answer(&context, Request::put(field(name)?).values(&values)?)
        },
    );
    registry.add(
        doc_after(
            FIELD,
            "delete_field(name)",
            "Deletes a metadata field. Needs `metadata:delete`.",
            "iconik::delete_field(\"Season\");",
        ),
        |context: Context<'_>, name: &str| -> Fallible<()> {
            Request::delete(field(name)?).send(&context).map(drop)
        },
    );
}

fn register_views(registry: &mut Registry) {
    registry.add(
        doc(
            "views()",
            "All metadata views, as a list of maps with `id` and `name`.",
            "for view in iconik::views() { log::info(view.name); }",
        ),
        |context: Context<'_>| -> Fallible<Array> {
            let found = listing::all(
                &context,
                "metadata views",
                Paging::Whole,
                &Request::get(VIEWS),
            )?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc(
            "view(name_or_id)",
            "One metadata view with all about its fields in `view_fields`, as a map; a name is looked up in a list that may be a minute \
             old.",
            "if iconik::view(\"Rights\").view_fields.len() == 0 { fail(\"fields\"); }",
        ),
        |context: Context<'_>, name: &str| {
            let path = format!("{VIEWS}{}/", View::id_of(&context, name)?);
            answer(&context, Request::get(path).query("merge_fields", true))
        },
    );
    registry.add(
        doc_after(
            VIEW,
            "create_view(values)",
            "Makes a metadata view and returns it as a map: `name` and `view_fields` are required (`MetadataViewInputSchema`). Needs \
             `metadata:write`.",
            "log::info(view.id);",
        ),
        |context: Context<'_>, values: Map| answer(&context, Request::post(VIEWS).values(&values)?),
    );
    registry.add(
        doc_after(
            VIEW,
            "update_view(name_or_id, values)",
            "Changes keys of a metadata view (`PATCH`) and returns it as a map. Needs `metadata:write`.",
            "iconik::update_view(view.id, #{ name: \"Shorter\" });",
        ),
        |context: Context<'_>, name: &str, values: Map| {
            let path = format!("{VIEWS}{}/", View::id_of(&context, name)?);
            answer(&context, Request::new(Method::Patch, path).values(&values)?)
        },
    );
    registry.add(
        doc_after(
            VIEW,
            "delete_view(name_or_id)",
            "Deletes a metadata view; the values of its fields stay. Needs `metadata:delete`.",
            "iconik::delete_view(view.id);",
        ),
        |context: Context<'_>, name: &str| -> Fallible<()> {
            let path = format!("{VIEWS}{}/", View::id_of(&context, name)?);
            Request::delete(path).send(&context).map(drop)
        },
    );
}

/// The path of the categories of a type of objects, or of one of them.
fn categories(object_type: &str, name: Option<&str>) -> Fallible<String> {
    let list = format!(
        "metadata/v1/{}/categories/",
        path_name("type of objects", object_type)?
    );
    match name {
        Some(name) => Ok(format!("{list}{}/", path_name("metadata category", name)?)),
        None => Ok(list),
    }
}

fn register_categories(registry: &mut Registry) {
    registry.add(
        doc(
            "categories(object_type)",
            "The metadata categories of a type of objects such as `\"assets\"`, as a list of maps with `name`, `label`, `view_ids`.",
            "for category in iconik::categories(\"assets\") { log::info(category.name); }",
        ),
        |context: Context<'_>, object_type: &str| -> Fallible<Array> {
            let request = Request::get(categories(object_type, None)?);
            let found = listing::all(&context, "metadata categories", Paging::Whole, &request)?;
            Ok(found.iter().map(to_dynamic).collect())
        },
    );
    registry.add(
        doc_after(
            CATEGORY,
            "category(object_type, name)",
            "One metadata category, as a map.",
            "if iconik::category(\"assets\", \"promo\").label != \"Promo\" { fail(\"label\"); }",
        ),
        |context: Context<'_>, object_type: &str, name: &str| {
            answer(&context, Request::get(categories(object_type, Some(name))?))
        },
    );
    registry.add(
        doc_after(
            CATEGORY,
            "category_views(object_type, name)",
            "A metadata category with its views and their fields in `views`, as a map.",
            "let views = iconik::category_views(\"assets\", \"promo\").views;",
        ),
        |context: Context<'_>, object_type: &str, name: &str| {
            answer(
                &context,
                Request::get(format!("{}views/", categories(object_type, Some(name))?)),
            )
        },
    );
}

fn register_changed_categories(registry: &mut Registry) {
    registry.add(
        doc_after(
            CATEGORY,
            "create_category(object_type, values)",
            "Makes a metadata category and returns it as a map: `name` and `label` are required, `view_ids` are its views. Needs \
             `metadata:write`.",
            "log::info(iconik::category(\"assets\", \"promo\").label);",
        ),
        |context: Context<'_>, object_type: &str, values: Map| {
            answer(&context, Request::post(categories(object_type, None)?).values(&values)?)
        },
    );
    registry.add(
        doc_after(
            CATEGORY,
            "replace_category(object_type, name, values)",
            "Sets a whole metadata category (`PUT`; Iconik has no `PATCH` of it): `name` and `label` are required. Needs `metadata:write`.",
            "iconik::replace_category(\"assets\", \"promo\", #{ name: \"promo\", label: \"Trailers\", view_ids: [] });",
        ),
        |context: Context<'_>, object_type: &str, name: &str, values: Map| {
            answer(&context, Request::put(categories(object_type, Some(name))?).values(&values)?)
        },
    );
    registry.add(
        doc_after(
            CATEGORY,
            "delete_category(object_type, name)",
            "Deletes a metadata category. Needs `metadata:delete`.",
            "iconik::delete_category(\"assets\", \"promo\");",
        ),
        |context: Context<'_>, object_type: &str, name: &str| -> Fallible<()> {
            Request::delete(categories(object_type, Some(name))?)
                .send(&context)
                .map(drop)
        },
    );
}
