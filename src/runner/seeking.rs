//! Looks for what a create may have made, and takes it as the answer if it is there.
//!
//! Lists and searches read an index that lags, so a look comes no earlier than `index_lag` after the last moment at
//! which the call can have been sent. What a list shows is read again by its id, because a list may be of yesterday.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{Answer, Call, Step};
use crate::operations::{self, Made, Proof, Seek};
use crate::store::{Adopted, Adoption, Intent, JournalEntry, Remark};

use super::backoff::jitter;
use super::calls::Wanted;
use super::door::{Door, STORE_PATIENCE};
use super::doubts::{Reopened, UNSEEN, later, sent};
use super::line::current_user;
use super::mark::mark_of;
use super::matching::{CLOCKS_APART, Verdict};
use super::parking::park;
use super::progress::{End, Progress, after, between, words};
use super::search::{Following, Search};

/// The most pages that are read in one look.
const PAGES_MAX: u32 = 20;

/// How long to wait at most for an answer that another run is about to get; half of it at least.
const IN_FLIGHT: Duration = Duration::from_secs(10);

/// An object that may be what was made.
struct Candidate {
    id: String,
    document: Value,
    /// When it was made, if it is known to be ours.
    made_at: Option<Timestamp>,
    /// Why a person must judge it, if it is not.
    unclear: &'static str,
}

impl Door {
    /// Looks for what an open create may have made.
    pub(super) async fn look_up(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
        open: &Intent,
    ) -> Result<Reopened, End> {
        let now = self.clock.now();
        let began = self.began(now);
        if open.at > now {
            return Err(self.stamp_anew(wanted, progress, open).await?);
        }
        // Before this process began another may have sent it at any time, and from now on nobody else does.
        let known_for = between(open.at, now).min(between(began, now));
        if known_for < self.index_lag {
            let until = after(now, self.index_lag.saturating_sub(known_for));
            let why = "the gateway stopped before an answer arrived";
            return Err(later(wanted, until, progress.run.failing_since, why));
        }
        let call = sent(wanted, open);
        let look_up = operations::look_up_of(call.method, &call.path);
        let (Some(look_up), Some(body)) = (look_up, &call.body) else {
            let doubt = "nothing tells whether it happened";
            return Err(park(progress.run.id, open, doubt));
        };
        let search = Search {
            look_up,
            sent: call,
            body,
            mark: mark_of(&progress.run, open.number),
            maker: self.own_user(wanted, progress, open).await?,
            since: open.at.checked_sub(CLOCKS_APART).unwrap_or(Timestamp::MIN),
        };
        let listed = self.listed(wanted, progress, open, &search).await?;
        let made = match look_up.proof {
            Proof::Entry { id, object_type } => {
                let is_there = listed.iter().any(|it| {
                    let listed_type = it.get("object_type");
                    it.get("id") == body.get(id)
                        && (listed_type.is_none() || listed_type == body.get(object_type))
                });
                if is_there {
                    return self.entry_found(wanted, progress).await;
                }
                return self.nothing_found(wanted, progress, open, &search).await;
            }
            Proof::Object(made) => made,
        };
        let candidates = self
            .candidates(wanted, progress, open, &search, &made, listed)
            .await?;
        self.choose(wanted, progress, open, &search, candidates)
            .await
    }

    /// When this process began; now, if the clock was set back since.
    fn began(&self, now: Timestamp) -> Timestamp {
        let now_us = now.as_microsecond();
        let began_us = self.began_us.fetch_min(now_us, Ordering::Relaxed);
        Timestamp::from_microsecond(began_us.min(now_us)).unwrap_or(now)
    }

    /// The clock was set back since the intent, so nothing tells how long ago that was: it counts as made now.
    async fn stamp_anew(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
        open: &Intent,
    ) -> Result<End, End> {
        let now = self.clock.now();
        let why = "the clock was set back after it was sent";
        let entries = vec![
            JournalEntry::Remark(Remark {
                number: open.number,
                at: now,
                text: why.to_owned(),
            }),
            JournalEntry::Withdrawn {
                number: open.number,
            },
            JournalEntry::Intent(Intent {
                at: now,
                ..open.clone()
            }),
        ];
        self.append(progress, entries).await?;
        let until = after(now, self.index_lag);
        Ok(later(wanted, until, progress.run.failing_since, why))
    }

    /// Whom Iconik takes us for.
    async fn own_user(
        &self,
        wanted: &Wanted<'_>,
        progress: &Progress,
        open: &Intent,
    ) -> Result<String, End> {
        if let Some(person) = wanted.person(&progress.event) {
            return Ok(person.to_owned());
        }
        if let Some(user) = self.own_user.get() {
            return Ok(user.clone());
        }
        let found = self.look(wanted, progress, open, &current_user()).await?;
        let id = found.as_ref().and_then(|user| user.get("id")?.as_str());
        let Some(id) = id else {
            let doubt =
                "Iconik does not say who we are, so what it may have made cannot be known again";
            return Err(park(progress.run.id, open, doubt));
        };
        Ok(self.own_user.get_or_init(|| id.to_owned()).clone())
    }

    /// Everything that the list shows.
    async fn listed(
        &self,
        wanted: &Wanted<'_>,
        progress: &Progress,
        open: &Intent,
        search: &Search<'_>,
    ) -> Result<Vec<Value>, End> {
        let Some(first) = search.first_page() else {
            let doubt = "what the call has put in the place of our mark cannot be searched for";
            return Err(park(progress.run.id, open, doubt));
        };
        let path = first.path.clone();
        let (mut all, mut call) = (Vec::new(), first);
        for _ in 0..PAGES_MAX {
            // What the list belongs to is gone: nothing is in it any more.
            let Some(page) = self.look(wanted, progress, open, &call).await? else {
                return Ok(all);
            };
            let Some(objects) = objects_of(&page) else {
                let trouble = format!("`{path}` was answered with something else than a list");
                return Err(self.look_again(wanted, progress, open, &trouble));
            };
            all.extend(objects.iter().cloned());
            match search.page_after(&call, &page, objects) {
                Following::None => return Ok(all),
                Following::Page(next) => call = next,
                Following::Unreachable => break,
            }
        }
        let doubt = format!("`{path}` has more pages than can be looked through");
        Err(park(progress.run.id, open, &doubt))
    }

    /// The listed objects that may be what was made, as they are now, and that are no other step's.
    async fn candidates(
        &self,
        wanted: &Wanted<'_>,
        progress: &Progress,
        open: &Intent,
        search: &Search<'_>,
        made: &Made,
        listed: Vec<Value>,
    ) -> Result<Vec<Candidate>, End> {
        let sought = search.sought(made);
        let mut candidates = Vec::new();
        for object in listed {
            let Some(id) = object.get("id").and_then(Value::as_str) else {
                continue;
            };
            // A search shows only ids; other lists show enough to leave the rest alone.
            let may_be =
                matches!(search.look_up.seek, Seek::Search(_)) || sought.resembles(&object);
            if !may_be || self.made_by_another(progress, id).await? {
                continue;
            }
            let read = Call {
                path: search
                    .look_up
                    .filled(made.path, &search.sent.path, Some(id)),
                ..current_user()
            };
            let document = self.look(wanted, progress, open, &read).await?;
            let (verdict, document) = match document {
                Some(document) if !document.is_object() => {
                    (Verdict::Unclear("Iconik does not show it"), Value::Null)
                }
                Some(document) => (sought.judge(&document), document),
                None => (Verdict::Unclear("it is gone again"), Value::Null),
            };
            let (made_at, unclear) = match verdict {
                Verdict::Other => continue,
                Verdict::Ours(at) => (Some(at), ""),
                Verdict::Unclear(why) => (None, why),
            };
            candidates.push(Candidate {
                id: id.to_owned(),
                document,
                made_at,
                unclear,
            });
        }
        candidates.sort_by_key(|candidate| candidate.made_at.unwrap_or(Timestamp::MAX));
        Ok(candidates)
    }

    async fn made_by_another(&self, progress: &Progress, object: &str) -> Result<bool, End> {
        let maker = self.store.maker(object).await.map_err(|error| {
            let trouble = format!("what other runs have made cannot be read: {error}");
            End::own_trouble(&self.clock, progress, &trouble)
        })?;
        Ok(maker.is_some())
    }

    /// Takes the first candidate that is ours and nobody else's.
    async fn choose(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
        open: &Intent,
        search: &Search<'_>,
        candidates: Vec<Candidate>,
    ) -> Result<Reopened, End> {
        for candidate in candidates {
            if candidate.made_at.is_none() {
                let doubt = format!(
                    "{} may be what it made: {}",
                    candidate.id, candidate.unclear
                );
                return Err(park(progress.run.id, open, &doubt));
            }
            let remark = Remark {
                number: progress.next_step(),
                at: self.clock.now(),
                text: format!(
                    "looked for what it may have made: {} is it, and is taken as the answer",
                    candidate.id
                ),
            };
            let step = Step {
                number: progress.next_step(),
                digest: wanted.asked.digest,
                effect: wanted.asked.effect.clone(),
                answer: Answer {
                    status: 201,
                    body: candidate.document,
                    at: self.clock.now().max(progress.latest()),
                },
            };
            let adoption = Adoption {
                lease: progress.lease,
                step,
                object: candidate.id,
                under_way_since: self.under_way_since(),
                remark,
                logs: std::mem::take(&mut progress.logs),
            };
            match self.adopt(progress, adoption.clone()).await? {
                Adopted::Written => {
                    self.answered(progress, adoption.step, Duration::ZERO);
                    return Ok(Reopened::Answered);
                }
                Adopted::Lost => return Err(End::Gone),
                Adopted::Taken => progress.logs = adoption.logs,
                Adopted::InFlight => {
                    progress.logs = adoption.logs;
                    let pause = IN_FLIGHT / 2 + jitter(IN_FLIGHT / 2, fastrand::f64());
                    let until = after(self.clock.now(), pause);
                    let why = "another run is just sending the same";
                    return Err(later(wanted, until, progress.run.failing_since, why));
                }
            }
        }
        self.nothing_found(wanted, progress, open, search).await
    }

    /// Whoever has sent something earlier has an answer, or none to expect: what a call may take, and what the store's
    /// trouble may add before it leaves.
    fn under_way_since(&self) -> Timestamp {
        let longest = self.call_timeout + STORE_PATIENCE;
        self.clock
            .now()
            .checked_sub(longest)
            .unwrap_or(Timestamp::MIN)
    }

    async fn entry_found(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
    ) -> Result<Reopened, End> {
        let text = "looked whether it happened: the entry is there".to_owned();
        self.remark(progress, text).await?;
        let answer = Answer {
            status: 201,
            body: Value::Null,
            at: self.clock.now(),
        };
        self.answer(wanted.asked, progress, answer, Duration::ZERO)
            .await?;
        Ok(Reopened::Answered)
    }

    async fn nothing_found(
        &self,
        wanted: &Wanted<'_>,
        progress: &mut Progress,
        open: &Intent,
        search: &Search<'_>,
    ) -> Result<Reopened, End> {
        if wanted.person(&progress.event).is_some() {
            return Err(park(progress.run.id, open, UNSEEN));
        }
        let text = format!(
            "looked for what {} may have made: nothing is there; it is sent again",
            words(search.sent)
        );
        self.begin_anew(progress, open, text).await?;
        Ok(Reopened::Send)
    }
}

/// What a page lists: nothing if it is no list, or lists something without an id.
fn objects_of(page: &Value) -> Option<&[Value]> {
    let objects = page.get("objects")?.as_array()?;
    let named = |object: &Value| object.get("id").is_some_and(Value::is_string);
    objects.iter().all(named).then_some(objects)
}
