//! Who sends: one sender a lane, who tells its events in order and each until it is acknowledged, as Iconik does.

use cuegate::model::EventId;
use cuegate::simulator::DEFAULT_DOMAIN;
use serde_json::{Value, json};

use super::Place;
use super::cases::{CASES, Subject};
use super::person::Person;
use crate::gateway::{SECRET, SECRET_HEADER};

/// The most events of a lane that are under way, so that the load goes on as long as the kills do.
const UNDER_WAY_MAX: usize = 6;

/// An event and how far it is.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) subject: Subject,
    body: Value,
    /// The id that its sender was answered.
    pub(crate) acknowledged: Option<EventId>,
}

/// The events of one case about one asset.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) case: usize,
    pub(crate) number: usize,
    asset: String,
    collection: String,
    pub(crate) events: Vec<Sent>,
    /// A run of it is parked; nothing behind it moves.
    pub(crate) parked: bool,
    /// Its runs that had not ended at the last look.
    pub(crate) unfinished: usize,
}

impl Lane {
    /// A lane without events.
    pub(crate) async fn new(case: usize, number: usize, person: &Person) -> Self {
        let name = CASES[case].name;
        let titled = |what: &str| json!({ "title": format!("{what} of {name} {number}") });
        Self {
            case,
            number,
            asset: person
                .makes_one("assets/v1/assets/", &titled("asset"))
                .await,
            collection: person
                .makes_one("assets/v1/collections/", &titled("collection"))
                .await,
            events: Vec::new(),
            parked: false,
            unfinished: 0,
        }
    }

    /// Whether it may get another event.
    pub(crate) fn has_room(&self) -> bool {
        let unsent = self.events.iter().filter(|it| it.acknowledged.is_none());
        !self.parked && self.unfinished + unsent.count() < UNDER_WAY_MAX
    }

    /// Adds an event, not sent yet, after a person has made what it is about and, if it shall have a twin, the very
    /// thing that its rule makes.
    pub(crate) async fn add(&mut self, person: &Person, twin: bool) {
        let case = &CASES[self.case];
        let mut subject = Subject {
            mark: mark(case.name, self.number, self.events.len() + 1),
            asset: self.asset.clone(),
            collection: self.collection.clone(),
            thing: String::new(),
        };
        if let Some(thing) = case.thing {
            let (path, body) = thing(&subject);
            subject.thing = person.makes_one(&path, &body).await;
        }
        if let (true, Some(twin)) = (twin, case.twin) {
            let (path, body) = twin(&subject);
            person.makes(&path, &body).await;
        }
        self.events.push(Sent {
            body: webhook(case.name, &subject),
            subject,
            acknowledged: None,
        });
    }

    /// Sends what is not acknowledged, in order, until one is refused or not answered. True when all are.
    pub(crate) async fn send(&mut self, http: &reqwest::Client, hooks: &str) -> bool {
        for event in &mut self.events {
            if event.acknowledged.is_none() {
                event.acknowledged = post(http, hooks, &event.body).await;
                if event.acknowledged.is_none() {
                    return false;
                }
            }
        }
        true
    }
}

fn webhook(case: &str, subject: &Subject) -> Value {
    let Subject {
        mark,
        asset,
        collection,
        thing,
    } = subject;
    json!({
        "system_domain_id": DEFAULT_DOMAIN, "event_type": "assets", "realm": case, "operation": "happened",
        "object_id": asset, "user_id": "22222222-aaaa-4aaa-8aaa-000000000002", "request_id": mark,
        "data": { "asset_id": asset, "collection": collection, "mark": mark, "thing": thing },
    })
}

/// Unlike any other, and no beginning of another.
fn mark(case: &str, lane: usize, place: usize) -> String {
    format!("mark-{case}-{lane}-{place}-")
}

/// The place of an event in its lane, from any text that names its mark.
pub(super) fn read_mark(text: &str) -> Option<Place> {
    let (_, rest) = text.split_once("mark-")?;
    let mut parts = rest.split('-');
    let name = parts.next()?;
    let case = CASES.iter().position(|case| case.name == name)?;
    let mut number = || parts.next()?.parse().ok();
    Some((case, number()?, number()?))
}

/// The event's id if it was acknowledged.
async fn post(http: &reqwest::Client, hooks: &str, body: &Value) -> Option<EventId> {
    let answer = http
        .post(format!("{hooks}/hooks/iconik"))
        .header(SECRET_HEADER, SECRET)
        .json(body)
        .send()
        .await
        .ok()?;
    if answer.status() != 200 {
        return None;
    }
    let answer: Value = answer.json().await.ok()?;
    answer["event_id"].as_str()?.parse().ok()
}
