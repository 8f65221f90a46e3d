//! What every request passes before and after its operation: the log, trouble on purpose, the token, the
//! rate limit. Both slash forms are accepted, because many clients leave the closing slash off and work.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::Instant;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::operation::Caller;
use super::rate::{Admission, Windows};
use super::recorder::{Exchange, Recorder};
use super::records::{ReceivedRequest, Records};
use super::refusal::Refusal;
use super::routes::{Routes, unknown_path};
use super::trouble::{Cut, HoldPoint, Trouble, Troubles, answered, half, no_json};
use super::{Credential, Shared, WrittenFault, world_page};
use crate::clock::SharedClock;

/// The largest body that is read, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where a running simulator is given faults, one a line; it is no part of Iconik.
const FAULTS: &str = "/control/faults/";

/// The one path that takes no token.
const LOG_IN: &str = "auth/v1/auth/simple/login/";

const APP_ID: &str = "app-id";
const AUTH_TOKEN: &str = "auth-token";
const RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");

/// The way in.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) router: Router,
    pub(super) site: Shared,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) credentials: Vec<Credential>,
    pub(super) windows: Windows,
    pub(super) per_page_max: Option<usize>,
    pub(super) redirects_to_slash: bool,
    pub(super) troubles: Arc<Troubles>,
    pub(super) records: Arc<Records>,
    pub(super) clock: SharedClock,
}

/// A request as the door sees it.
struct Visit {
    number: u64,
    method: String,
    path: String,
    request_id: String,
}

impl Door {
    /// Answers a request, or cuts the connection on purpose.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response, Cut> {
        let (parts, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(Body::new(body), BODY_BYTES_MAX).await else {
            let message = "The body is too large or broke off";
            let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message);
            return Ok(refusal.into_response());
        };
        if parts.uri.path() == "/" && parts.method == http::Method::GET {
            return Ok(world_page::page(&self.site.world(), &self.records));
        }
        if parts.uri.path() == FAULTS && parts.method == http::Method::POST {
            return Ok(self.take_faults(&body));
        }
        let visit = self.admitted(&parts, &body);
        let query = parts.uri.query().map(str::to_owned);
        let outcome = self.handle(&visit, parts, body.clone()).await;
        let outcome = match (&self.recorder, outcome) {
            (Some(recorder), Ok(answer)) => {
                recorded(recorder, &visit, query.as_deref(), &body, answer).await
            }
            (_, outcome) => outcome,
        };
        let status = outcome.as_ref().ok().map(|it| it.status().as_u16());
        self.records
            .update(visit.number, |request| request.status = status);
        outcome
    }

    fn admitted(&self, parts: &Parts, body: &Bytes) -> Visit {
        let path = parts.uri.path();
        let path = path.strip_prefix("/API/").unwrap_or(path).trim_matches('/');
        let method = parts.method.as_str().to_owned();
        let path = format!("{path}/");
        let request_id = Uuid::new_v4().simple().to_string();
        let query = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri);
        let number = self.records.received(ReceivedRequest {
            number: 0,
            at: self.clock.now(),
            method: method.clone(),
            path: path.clone(),
            query: query.map(|Query(query)| query).unwrap_or_default(),
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
            request_id: request_id.clone(),
            user_id: None,
            status: None,
        });
        Visit {
            number,
            method,
            path,
            request_id,
        }
    }

    async fn handle(&self, visit: &Visit, parts: Parts, body: Bytes) -> Result<Response, Cut> {
        let (method, path) = (visit.method.as_str(), visit.path.as_str());
        let trouble = match self.troubles.strike(method, path) {
            Some(Trouble::LoseRequest) => return Err(Cut),
            Some(Trouble::Answer {
                status,
                body,
                retry_after,
            }) => return Ok(answered(status, body, retry_after)),
            trouble => trouble,
        };
        if (method, path) == ("POST", super::oauth::TOKEN) {
            return Ok(self.issue(&parts.headers, &body));
        }
        let Some(caller) = self.caller(visit, &parts.headers) else {
            return Ok(Refusal::unauthorized().into_response());
        };
        self.records.update(visit.number, |request| {
            request.user_id = Some(caller.user_id.clone());
        });
        let admission = self.windows.admit(&caller.app_id, Instant::now());
        if let Admission::Refused { retry_after } = admission {
            return Ok(refused(retry_after.map(|wait| wait.as_secs() + 1)));
        }
        let records = &self.records;
        self.troubles
            .pass(HoldPoint::Before, method, path, visit.number, records)
            .await?;
        let caller = Caller {
            now: self.clock.now(),
            ..caller
        };
        let mut answer = self.perform(visit, parts, body, caller).await;
        records.stir();
        self.troubles
            .pass(HoldPoint::After, method, path, visit.number, records)
            .await?;
        if let Admission::Admitted { remaining } = admission {
            let remaining = HeaderValue::from(remaining);
            answer.headers_mut().insert(RATE_LIMIT_REMAINING, remaining);
        }
        afterwards(trouble, answer).await
    }

    /// Routes the request with the closing slash that the routes have.
    async fn perform(&self, visit: &Visit, parts: Parts, body: Bytes, caller: Caller) -> Response {
        if !parts.uri.path().starts_with("/API/") {
            return unknown_path().await.into_response();
        }
        if let Some(refused) = self.peculiarity(&parts) {
            return refused;
        }
        let target = match parts.uri.query() {
            Some(query) => format!("/{}?{query}", visit.path),
            None => format!("/{}", visit.path),
        };
        let Ok(target) = PathAndQuery::try_from(target) else {
            return Refusal::bad("The path cannot be read").into_response();
        };
        let mut request = Request::from_parts(parts, Body::from(body));
        *request.uri_mut() = Uri::from(target);
        request.extensions_mut().insert(caller);
        match self.router.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }

    /// What this Iconik does not take, as its options say.
    fn peculiarity(&self, parts: &Parts) -> Option<Response> {
        let path = parts.uri.path();
        if self.redirects_to_slash && !path.ends_with('/') {
            let query = parts.uri.query().map(|it| format!("?{it}"));
            let target = format!("{path}/{}", query.unwrap_or_default());
            let to = [(header::LOCATION, target)];
            return Some((StatusCode::PERMANENT_REDIRECT, to).into_response());
        }
        let most = self.per_page_max?;
        let query = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri).ok()?;
        let asked = query.get("per_page")?.parse::<usize>().ok()?;
        (asked > most).then(|| {
            let message = format!("Must be at most {most}");
            Refusal::invalid("per_page", message).into_response()
        })
    }

    /// Faults as people write them, one a line: all or, if one cannot be read, none.
    fn take_faults(&self, body: &Bytes) -> Response {
        let text = String::from_utf8_lossy(body);
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        match lines
            .map(str::parse::<WrittenFault>)
            .collect::<Result<Vec<_>, _>>()
        {
            Ok(faults) => {
                for WrittenFault {
                    matching,
                    times,
                    trouble,
                } in faults
                {
                    self.troubles.add_fault(matching, times, trouble);
                }
                StatusCode::NO_CONTENT.into_response()
            }
            Err(message) => Refusal::bad(message).into_response(),
        }
    }

    /// Who calls: by a credential or a token that was given out. Whoever logs in is nobody yet.
    fn caller(&self, visit: &Visit, headers: &HeaderMap) -> Option<Caller> {
        let caller = |app_id: &str, token: &str, user_id: &str| Caller {
            user_id: user_id.to_owned(),
            app_id: app_id.to_owned(),
            token: token.to_owned(),
            number: visit.number,
            request_id: visit.request_id.clone(),
            now: self.clock.now(),
        };
        if visit.path == LOG_IN {
            return Some(caller("", "", ""));
        }
        let app_id = headers.get(APP_ID)?.to_str().ok()?;
        let token = headers.get(AUTH_TOKEN)?.to_str().ok()?;
        let mut credentials = self.credentials.iter();
        let credential =
            credentials.find(|it| it.app_id == app_id && it.auth_token.expose() == token);
        if let Some(credential) = credential {
            return Some(caller(app_id, token, &credential.user_id));
        }
        let world = self.site.world();
        let given = world.tokens.find(app_id, token, self.clock.now())?;
        Some(caller(app_id, token, &given.user_id))
    }
}

/// Writes a request and its answer as a fixture. An answer that breaks off is not written.
async fn recorded(
    recorder: &Recorder,
    visit: &Visit,
    query: Option<&str>,
    request: &Bytes,
    answer: Response,
) -> Result<Response, Cut> {
    let (parts, body) = answer.into_parts();
    let answer = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_err(|_| Cut)?;
    recorder
        .exchange(&Exchange {
            method: &visit.method,
            path: &visit.path,
            query,
            request,
            status: parts.status.as_u16(),
            answer: &answer,
        })
        .await;
    Ok(Response::from_parts(parts, Body::from(answer)))
}

/// What becomes of the answer to a request that was carried out.
async fn afterwards(trouble: Option<Trouble>, answer: Response) -> Result<Response, Cut> {
    match trouble {
        None | Some(Trouble::LoseRequest | Trouble::Answer { .. }) => Ok(answer),
        Some(Trouble::LoseAnswer) => Err(Cut),
        Some(Trouble::HalfBody) => half(answer).await,
        Some(Trouble::NotJson) => Ok(no_json(&answer)),
        Some(Trouble::Slow(wait)) => {
            tokio::time::sleep(wait).await;
            Ok(answer)
        }
        Some(Trouble::AnswerAfterwards {
            status,
            body,
            retry_after,
        }) => Ok(answered(status, body, retry_after)),
    }
}

/// All families.
pub(super) fn routes() -> Routes {
    super::assets::routes()
        .merge(super::collections::routes())
        .merge(super::custom_actions::routes())
        .merge(super::files::routes())
        .merge(super::jobs::routes())
        .merge(super::metadata::routes())
        .merge(super::search::routes())
        .merge(super::segments::routes())
        .merge(super::users::routes())
        .merge(super::webhooks::routes())
        .merge(super::acl_templates::routes())
        .merge(super::acls::routes())
        .merge(super::approvals::routes())
        .merge(super::auth::routes())
        .merge(super::automations::routes())
        .merge(super::categories::routes())
        .merge(super::collection_tree::routes())
        .merge(super::delete_queue::routes())
        .merge(super::exports::routes())
        .merge(super::favourites::routes())
        .merge(super::groups::routes())
        .merge(super::history::routes())
        .merge(super::job_steps::routes())
        .merge(super::logs::routes())
        .merge(super::media::routes())
        .merge(super::notifications::routes())
        .merge(super::playlists::routes())
        .merge(super::reindexing::routes())
        .merge(super::relations::routes())
        .merge(super::saved_searches::routes())
        .merge(super::segment_texts::routes())
        .merge(super::settings::routes())
        .merge(super::shares::routes())
        .merge(super::storages::routes())
        .merge(super::sync_sessions::routes())
        .merge(super::transcoding::routes())
        .merge(super::transcriptions::routes())
        .merge(super::transfers::routes())
        .merge(super::versions::routes())
}

fn refused(retry_after_seconds: Option<u64>) -> Response {
    let message = "Too many requests";
    let mut answer = Refusal::new(StatusCode::TOO_MANY_REQUESTS, message).into_response();
    let headers = answer.headers_mut();
    headers.insert(RATE_LIMIT_REMAINING, HeaderValue::from(0));
    if let Some(seconds) = retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}
