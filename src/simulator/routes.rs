//! Which operation stands behind which method and path. It is a list before it becomes a router, so that
//! the simulator can say what it knows, and a test can hold that against Iconik's own documents.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use serde_json::Value;

use super::Shared;
use super::operation::{Ask, Done};
use super::refusal::Refusal;
use super::resource::{Resource, Verb};
use super::world::World;
use crate::model::Method;

/// What an operation is.
pub(super) type Operation = fn(&mut World, &Ask) -> Result<Done, Refusal>;

/// What is done for one method of a path.
pub(super) struct Endpoint {
    method: Method,
    act: Act,
}

enum Act {
    /// An operation on the world; whether it writes.
    World(Operation, bool),
    /// What every resource can do.
    Resource(&'static Resource, Verb),
    /// What also goes out to others, and therefore waits.
    Waiting(Box<MethodRouter<Shared>>),
}

/// The operations of one path: a GET only reads, everything else writes.
pub(super) fn operations<const N: usize>(of_path: [(Method, Operation); N]) -> Vec<Endpoint> {
    let endpoint = |(method, operation)| Endpoint {
        method,
        act: Act::World(operation, method != Method::Get),
    };
    of_path.into_iter().map(endpoint).collect()
}

/// An operation that only reads, although its method is another than GET.
pub(super) fn reading(method: Method, operation: Operation) -> Vec<Endpoint> {
    let act = Act::World(operation, false);
    vec![Endpoint { method, act }]
}

/// An operation that waits for others; it notes its own writes.
pub(super) fn waiting(method: Method, handler: MethodRouter<Shared>) -> Vec<Endpoint> {
    let act = Act::Waiting(Box::new(handler));
    vec![Endpoint { method, act }]
}

/// What can be done with a resource at one of its two paths.
pub(super) fn verbs<const N: usize>(
    resource: &'static Resource,
    verbs: [Verb; N],
) -> Vec<Endpoint> {
    let endpoint = |verb: Verb| Endpoint {
        method: verb.method(),
        act: Act::Resource(resource, verb),
    };
    verbs.into_iter().map(endpoint).collect()
}

/// Operations by their paths.
#[derive(Default)]
pub(super) struct Routes {
    routed: Vec<(String, Vec<Endpoint>)>,
    also: Vec<(Method, &'static str)>,
}

impl Routes {
    /// No operations.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The same, with those of another path.
    pub(super) fn route(mut self, path: &str, of_path: Vec<Endpoint>) -> Self {
        self.routed.push((path.to_owned(), of_path));
        self
    }

    /// Says that an operation which the documents list of its own stands behind a path routed already.
    pub(super) fn also(mut self, method: Method, path: &'static str) -> Self {
        self.also.push((method, path));
        self
    }

    /// The same, with those of another family.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.routed.extend(other.routed);
        self.also.extend(other.also);
        self
    }

    /// Method and path of each operation; paths begin below `/API/`.
    pub(super) fn listed(&self) -> Vec<(Method, String)> {
        let bare = |path: &str| path.trim_start_matches('/').to_owned();
        let routed = self.routed.iter().flat_map(|(path, of_path)| {
            let endpoints = of_path.iter();
            endpoints.map(move |endpoint| (endpoint.method, bare(path)))
        });
        let also = self.also.iter();
        let also = also.map(|(method, path)| (*method, bare(path)));
        routed.chain(also).collect()
    }

    /// A router of them all.
    pub(super) fn router(self, site: Shared) -> Router {
        let mut router = Router::new();
        for (path, of_path) in self.routed {
            router = router.route(&path, method_router(of_path));
        }
        router
            .fallback(unknown_path)
            .method_not_allowed_fallback(unknown_method)
            .with_state(site)
    }
}

fn method_router(of_path: Vec<Endpoint>) -> MethodRouter<Shared> {
    let mut router = MethodRouter::new();
    for Endpoint { method, act } in of_path {
        router = match act {
            Act::World(operation, writes) => on(router, method, writes, operation),
            Act::Resource(resource, verb) => {
                let operation = move |world: &mut World, ask: &Ask| resource.act(verb, world, ask);
                on(router, method, verb.writes(), operation)
            }
            Act::Waiting(handler) => router.merge(*handler),
        };
    }
    router
}

fn on(
    router: MethodRouter<Shared>,
    method: Method,
    writes: bool,
    operation: impl Fn(&mut World, &Ask) -> Result<Done, Refusal> + Clone + Send + Sync + 'static,
) -> MethodRouter<Shared> {
    let handler = move |State(site): State<Shared>, ask: Ask| {
        let operation = operation.clone();
        async move { perform(&site, operation, &ask, writes.then_some(method)) }
    };
    router.on(filter(method), handler)
}

fn perform(
    site: &Shared,
    operation: impl Fn(&mut World, &Ask) -> Result<Done, Refusal>,
    ask: &Ask,
    write: Option<Method>,
) -> Response {
    site.let_time_pass(ask.caller.now);
    let mut world = site.world();
    let outcome = operation(&mut world, ask);
    world.reindex(ask.caller.now);
    match outcome {
        Ok(mut done) => {
            let changes = done.take_changes();
            site.courier.publish(&world, &ask.caller, changes);
            if let Some(method) = write {
                let answer = done.body().unwrap_or(&Value::Null);
                site.writes.note(method, ask, done.status(), answer);
            }
            done.into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    }
}

/// What is answered where no operation is routed.
pub(super) async fn unknown_path() -> Refusal {
    let message = "This path does not exist, or this simulator does not know it yet";
    Refusal::new(StatusCode::NOT_FOUND, message)
}

async fn unknown_method() -> Refusal {
    let message = "This path does not take this method";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message)
}
