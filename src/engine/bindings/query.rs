//! Queries: sets of objects that a rule names without reading them. `each` returns one, `for` goes through one.

use std::any::TypeId;
use std::collections::BTreeMap;

use rhai::{Array, Dynamic, FuncRegistration, Map, NativeCallContext};

use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::convert::{to_json, type_name};
use super::super::here::Here;
use super::super::session::{Fallible, Session, SharedSession, error};
use super::call::path_id;
use super::event::nearest;
use super::pages::Pages;
use super::search::Search;
use crate::model::{Query, QuerySource};

type Context<'a> = NativeCallContext<'a>;

const QUERY: Place = Place::Type("Query");

/// What can be walked over object by object, as far as the gateway is told.
const OBJECT_TYPES: [&str; 3] = ["assets", "collections", "jobs"];

/// The filters of a list of jobs (Iconik's jobs document).
const JOB_FILTERS: [&str; 10] = [
    "created_by",
    "date_created",
    "date_modified",
    "ids",
    "object_id",
    "object_type",
    "parent_id",
    "query",
    "status",
    "type",
];

/// Objects that somebody may look for, one source after the other. It knows its session, because a loop over it
/// asks for pages without a native around it.
#[derive(Clone, Debug)]
pub(in super::super) struct Objects {
    pub(super) sources: Vec<Source>,
    pub(super) session: SharedSession,
    /// Where it was made.
    pub(super) here: Here,
}

/// One source of objects.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Search(Box<Search>),
    /// What lies in a collection, and in those below it if they are wanted.
    Contents {
        id: String,
        recursive: bool,
    },
    Jobs(BTreeMap<String, String>),
    Ids {
        object_type: String,
        ids: Vec<String>,
    },
}

impl Objects {
    pub(super) fn of(context: &Context<'_>, source: Source) -> Fallible<Self> {
        Ok(Self {
            sources: vec![source],
            session: Session::of(context)?,
            here: context.into(),
        })
    }

    /// The contents of a collection: `#{ recursive: true }` or none of it.
    pub(super) fn contents(context: &Context<'_>, id: &str, options: &Map) -> Fallible<Self> {
        let mut recursive = false;
        for (key, value) in options {
            match (key.as_str(), value.as_bool()) {
                ("recursive", Ok(flag)) => recursive = flag,
                ("recursive", Err(_)) => return Err(error("`recursive` is true or false")),
                _ => {
                    return Err(error(format!(
                        "contents has no option `{key}`; it takes `recursive`"
                    )));
                }
            }
        }
        let id = id.to_owned();
        Self::of(context, Source::Contents { id, recursive })
    }

    fn plus(mut self, other: Self) -> Self {
        self.sources.extend(other.sources);
        self
    }

    /// The ids of all objects; the rule learns that there are too many before it holds them.
    fn ids(&self) -> Fallible<Array> {
        let most = self.session.limits().elements;
        let mut ids = Array::new();
        let mut pages = Pages::of(self.clone());
        while let Some(found) = pages.next_object()? {
            if ids.len() == most {
                return Err(error(format!(
                    "there are more than the {most} objects that a list may hold; go through them with `for`, or return \
                     the query from `fn each(event)`"
                )));
            }
            ids.extend(found.id().map(|id| Dynamic::from(id.to_owned())));
        }
        Ok(ids)
    }
}

/// The objects that the value names which `each` returned.
pub(in super::super) fn query_of(value: &Dynamic) -> Fallible<Query> {
    let sources = if let Some(objects) = value.read_lock::<Objects>() {
        objects
            .sources
            .iter()
            .map(source)
            .collect::<Fallible<_>>()?
    } else if let Some(ids) = value.read_lock::<Array>() {
        vec![source(&listed("assets", &ids)?)?]
    } else {
        return Err(error(format!(
            "`each` returns which objects `run` is for, such as a search or a list of ids of assets, and not a {}",
            type_name(value)
        )));
    };
    Ok(Query { sources })
}

fn source(source: &Source) -> Fallible<QuerySource> {
    Ok(match source.clone() {
        Source::Search(search) => QuerySource::Search {
            body: search.objects_body()?,
        },
        Source::Contents { id, recursive } => QuerySource::Collection { id, recursive },
        Source::Jobs(query) => QuerySource::Jobs { query },
        Source::Ids { object_type, ids } => QuerySource::Ids { object_type, ids },
    })
}

fn listed(object_type: &str, ids: &Array) -> Fallible<Source> {
    if !OBJECT_TYPES.contains(&object_type) {
        let near = nearest(object_type, OBJECT_TYPES.into_iter());
        let advice = near.map_or_else(
            || format!("it is one of {}", OBJECT_TYPES.join(", ")),
            |near| format!("did you mean \"{near}\"?"),
        );
        return Err(error(format!(
            "\"{object_type}\" is no type of objects; {advice}"
        )));
    }
    let what = object_type.trim_end_matches('s');
    let ids = ids.iter().map(|id| path_id(what, id));
    Ok(Source::Ids {
        object_type: object_type.to_owned(),
        ids: ids.collect::<Fallible<_>>()?,
    })
}

fn jobs(filters: &Map) -> Fallible<Source> {
    let mut query = BTreeMap::new();
    for (key, value) in filters {
        if !JOB_FILTERS.contains(&key.as_str()) {
            let near = nearest(key, JOB_FILTERS.into_iter());
            let advice = near.map_or_else(
                || format!("there are {}", JOB_FILTERS.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(error(format!("jobs have no filter `{key}`; {advice}")));
        }
        let value = to_json(value)?;
        let text = value
            .as_str()
            .filter(|text| !text.is_empty())
            .ok_or_else(|| error(format!("the filter `{key}` takes a text")))?;
        query.insert(key.to_string(), text.to_owned());
    }
    Ok(Source::Jobs(query))
}

pub(super) fn register(registry: &mut Registry) {
    let module = registry.global();
    module.set_custom_type::<Objects>("Query");
    module.set_iter_result(TypeId::of::<Objects>(), |objects: Dynamic| {
        Box::new(
            objects
                .try_cast::<Objects>()
                .into_iter()
                .flat_map(Pages::of),
        )
    });
    let mut sum = |name: &str, add: fn(Objects, Objects) -> Objects| {
        FuncRegistration::new(name)
            .in_global_namespace()
            .set_into_module(module, add);
    };
    sum("+", Objects::plus);
    FuncRegistration::new("+")
        .in_global_namespace()
        .set_into_module(
            module,
            |mut objects: Objects, ids: Array| -> Fallible<Objects> {
                objects.sources.push(listed("assets", &ids)?);
                Ok(objects)
            },
        );
    register_sources(registry);
    register_answers(registry);
}

fn register_sources(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: Place::Module("iconik"),
            signature: "jobs(filters)",
            about: "The jobs that these filters let through, as a Query: `type`, `status`, `object_id`, `object_type`, `parent_id`, \
                    `created_by`, `date_created`, `date_modified`, `query`, `ids` (Iconik's jobs document; a range of dates is \
                    written `from;to`, `*` for an open end).",
            example: "for job in iconik::jobs(#{ status: \"FAILED\" }) { log::info(job.title); }",
        },
        |context: Context<'_>, filters: Map| Objects::of(&context, jobs(&filters)?),
    );
    registry.add(
        FunctionDoc {
            place: Place::Module("search"),
            signature: "ids(object_type, ids)",
            about: "Objects whose ids are at hand, as a Query: `\"assets\"`, `\"collections\"` or `\"jobs\"`. `+` takes a bare list of \
                    ids of assets as well.",
            example: "let wanted = search::ids(\"collections\", [event.collection_id]) + [event.asset_id];\n\
                      if wanted.ids().len() != 2 { fail(\"two objects\"); }",
        },
        |context: Context<'_>, object_type: &str, ids: Array| {
            Objects::of(&context, listed(object_type, &ids)?)
        },
    );
}

fn register_answers(registry: &mut Registry) {
    registry.add(
        FunctionDoc {
            place: QUERY,
            signature: "ids()",
            about: "The ids of all objects as a list, page by page, each page a step; at most as many as a list may hold. For \
                    more, go through the query with `for object in …`, or let `each` return it. Queries are added with `+`; \
                    an object that is in several parts comes once.",
            example: "let found = search::assets().field(\"title\").equals(\"Evening News\");\n\
                      if found.ids().is_empty() { return skip(\"no such asset\"); }",
        },
        |objects: &mut Objects| objects.ids(),
    );
    registry.add(
        FunctionDoc {
            place: QUERY,
            signature: "first()",
            about: "The first object as a map with `id` and `object_type`, or `()`: one step.",
            example: "let newest = search::assets().sort(\"date_created\", \"desc\").first();\n\
                      if newest == () { return skip(\"there are none\"); }\nlog::info(newest.title);",
        },
        |objects: &mut Objects| -> Fallible<Dynamic> {
            let first = Pages::first_only(objects.clone()).next();
            first.unwrap_or(Ok(Dynamic::UNIT))
        },
    );
}
