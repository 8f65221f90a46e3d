//! An object as it was when it was read or made: what every kind of object has in common.

use std::marker::PhantomData;
use std::sync::Arc;

use rhai::{Dynamic, FuncRegistration, ImmutableString, Map, NativeCallContext};
use serde_json::Value;

use super::super::catalog::{FunctionDoc, Place, Registry, or_unit};
use super::super::convert::to_dynamic;
use super::super::session::{Fallible, error};
use super::call::{Request, text_at};
use super::event::nearest;
use super::kinds::Kind;
use crate::model::Method;

type Context<'a> = NativeCallContext<'a>;

/// An object of a kind.
#[derive(Clone, Debug)]
pub(in super::super) struct Record<K> {
    id: String,
    /// Where it is read, changed and deleted.
    path: String,
    document: Arc<Value>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Record<K> {
    /// The object that this document shows, of the list at this path.
    pub(super) fn of(list: &str, document: Value) -> Fallible<Self> {
        let id = text_at(&document, "id")
            .ok_or_else(|| error(format!("Iconik answered a {} without an id", K::NAME)))?;
        Ok(Self {
            path: format!("{list}{id}/"),
            id: id.to_owned(),
            document: Arc::new(document),
            kind: PhantomData,
        })
    }

    /// The objects of a list, as values of a script.
    pub(super) fn all(list: &str, documents: Vec<Value>) -> Fallible<rhai::Array> {
        let records = documents
            .into_iter()
            .map(|document| Self::of(list, document));
        records.map(|record| Ok(Dynamic::from(record?))).collect()
    }

    /// Reads one.
    pub(super) fn read(context: &Context<'_>, list: &str, id: &str) -> Fallible<Self> {
        Self::of(list, Request::get(format!("{list}{id}/")).send(context)?)
    }

    /// Makes one in the list at this path.
    pub(super) fn create(context: &Context<'_>, list: &str, values: &Map) -> Fallible<Self> {
        Self::of(list, Request::post(list).values(values)?.send(context)?)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// A path below its own.
    pub(super) fn below(&self, rest: &str) -> String {
        format!("{}{rest}", self.path)
    }

    pub(super) fn document(&self) -> &Value {
        &self.document
    }

    /// The text at a key, or `()`.
    pub(super) fn text(&self, key: &str) -> Dynamic {
        or_unit(text_at(&self.document, key).map(ToOwned::to_owned))
    }

    /// What it has under a documented key. A misspelt one is an error, because it would read as `()` for ever.
    fn documented(&self, key: &str) -> Fallible<Dynamic> {
        if let Some(value) = self.document.get(key) {
            return Ok(to_dynamic(value));
        }
        if K::KEYS.contains(&key) {
            return Ok(Dynamic::UNIT);
        }
        let near = nearest(key, K::KEYS.iter().copied());
        let advice = near.map_or_else(
            || "; what no document lists is read by `.get(key)`".to_owned(),
            |near| format!("; did you mean `{near}`?"),
        );
        let article = if K::NAME.starts_with('A') { "an" } else { "a" };
        Err(error(format!(
            "{article} {} has no `{key}`{advice}",
            K::NAME
        )))
    }

    /// The same object, as it is in another document.
    pub(super) fn renewed(&self, document: Value) -> Self {
        Self {
            document: Arc::new(document),
            ..self.clone()
        }
    }

    fn reload(&self, context: &Context<'_>) -> Fallible<Self> {
        Ok(self.renewed(Request::get(&self.path).send(context)?))
    }

    fn change(&self, context: &Context<'_>, method: Method, values: &Map) -> Fallible<Self> {
        let request = Request::new(method, &self.path).values(values)?;
        Ok(self.renewed(request.send(context)?))
    }
}

/// The documentation of a method or property of a kind; the example goes on with one that is there.
pub(super) fn doc<K: Kind>(
    signature: &'static str,
    about: &'static str,
    example: &str,
) -> FunctionDoc {
    // Made once, with the catalog, and kept as long as the program.
    FunctionDoc {
        place: Place::Type(K::NAME),
        signature,
        about,
        example: format!("{}{example}", K::MADE).leak(),
    }
}

/// Registers the type and what can be read of every object of the kind.
pub(super) fn register<K: Kind>(registry: &mut Registry) {
    let module = registry.global();
    module.set_custom_type::<Record<K>>(K::NAME);
    FuncRegistration::new_index_getter()
        .set_into_module(module, |record: &mut Record<K>, key: ImmutableString| {
            record.documented(&key)
        });
    let it = K::VARIABLE;
    let about = format!(
        "Its id. Every key that Iconik documents is a property (`{}`), `()` where the answer has none; a misspelt one is an error. The keys: `{}`.",
        K::SCHEMA,
        K::KEYS.join("`, `")
    );
    registry.add(
        doc::<K>("id", about.leak(), &format!("log::info({it}.id);")),
        |record: &mut Record<K>| record.id.clone(),
    );
    registry.add(
        doc::<K>(
            "get(key)",
            "What Iconik answered under a key that no document lists, or `()`.",
            &format!("if {it}.get(\"id\") != {it}.id {{ fail(\"get\"); }}"),
        ),
        |record: &mut Record<K>, key: &str| {
            record.document.get(key).map_or(Dynamic::UNIT, to_dynamic)
        },
    );
    registry.add(
        doc::<K>(
            "to_map()",
            "All that Iconik answered, as a map: to be kept or sent somewhere.",
            &format!("if {it}.to_map().id != {it}.id {{ fail(\"map\"); }}"),
        ),
        |record: &mut Record<K>| to_dynamic(&record.document),
    );
}

/// Registers `reload`.
pub(super) fn register_reload<K: Kind>(registry: &mut Registry) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "reload()",
            "Reads it again and returns it as it is now; what a script holds never changes by itself.",
            &format!("{it} = {it}.reload();"),
        ),
        |context: Context<'_>, record: &mut Record<K>| record.reload(&context),
    );
}

/// Registers `update`; `about` says what it needs, `values` is the example's map.
pub(super) fn register_update<K: Kind>(registry: &mut Registry, about: &'static str, values: &str) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "update(values)",
            about,
            &format!("{it} = {it}.update({values});"),
        ),
        |context: Context<'_>, record: &mut Record<K>, values: Map| {
            record.change(&context, Method::Patch, &values)
        },
    );
}

/// Registers `replace`, likewise.
pub(super) fn register_replace<K: Kind>(
    registry: &mut Registry,
    about: &'static str,
    values: &str,
) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(
            "replace(values)",
            about,
            &format!("{it} = {it}.replace({values});"),
        ),
        |context: Context<'_>, record: &mut Record<K>, values: Map| {
            record.change(&context, Method::Put, &values)
        },
    );
}

/// Registers `delete`, likewise.
pub(super) fn register_delete<K: Kind>(registry: &mut Registry, about: &'static str) {
    register_bare::<K>(registry, "delete()", about, (Method::Delete, ""));
}

/// Registers a method without arguments that sends a request without a body to a path below the object's.
pub(super) fn register_bare<K: Kind>(
    registry: &mut Registry,
    signature: &'static str,
    about: &'static str,
    (method, rest): (Method, &'static str),
) {
    let it = K::VARIABLE;
    registry.add(
        doc::<K>(signature, about, &format!("{it}.{signature};")),
        move |context: Context<'_>, record: &mut Record<K>| -> Fallible<()> {
            Request::new(method, record.below(rest))
                .send(&context)
                .map(drop)
        },
    );
}
