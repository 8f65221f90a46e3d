//! What came in and what went out, for tests and for people who watch. Bounded: the oldest go first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

/// A request that came in. It holds no token.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedRequest {
    /// Counts from 1 in the order of arrival.
    pub number: u64,
    /// When it came.
    pub at: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The path below `/API/`, with its closing slash: `assets/v1/assets/`.
    pub path: String,
    /// The query parameters.
    pub query: BTreeMap<String, String>,
    /// The body; null if there was none or it was no JSON.
    pub body: Value,
    /// The id that its events carry.
    pub request_id: String,
    /// The user behind the token, once that is known.
    pub user_id: Option<String>,
    /// The status that was sent; `None` while there is none yet, or if the connection was cut.
    pub status: Option<u16>,
}

/// One attempt to deliver an event to a webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// When it was over.
    pub at: Timestamp,
    /// The webhook.
    pub webhook_id: String,
    /// Counts from 1 for each event; 0 for an event that found the queue full.
    pub attempt: u32,
    /// The body.
    pub envelope: Value,
    /// The status of a success, or what went wrong, in words.
    pub outcome: Result<u16, String>,
}

/// The logs, and a signal for each entry.
#[derive(Debug)]
pub(super) struct Records {
    entries: Mutex<Entries>,
    entries_max: usize,
    happened: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Entries {
    numbered: u64,
    requests: VecDeque<ReceivedRequest>,
    deliveries: VecDeque<Delivery>,
    undelivered: usize,
}

impl Records {
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            entries: Mutex::default(),
            entries_max: entries_max.max(1),
            happened: watch::Sender::new(0),
        }
    }

    /// A signal that changes whenever something happened.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.happened.subscribe()
    }

    /// Something happened that is not logged here.
    pub(super) fn stir(&self) {
        self.happened.send_modify(|count| *count += 1);
    }

    /// Logs a request and numbers it.
    pub(super) fn received(&self, mut request: ReceivedRequest) -> u64 {
        let mut entries = self.entries();
        entries.numbered += 1;
        request.number = entries.numbered;
        let number = request.number;
        push(&mut entries.requests, request, self.entries_max);
        number
    }

    /// Completes the log of a request, unless it is forgotten already.
    pub(super) fn update(&self, number: u64, change: impl FnOnce(&mut ReceivedRequest)) {
        let mut entries = self.entries();
        let place = entries.requests.partition_point(|it| it.number < number);
        if let Some(request) = entries.requests.get_mut(place)
            && request.number == number
        {
            change(request);
        }
        drop(entries);
        self.stir();
    }

    /// An event waits for delivery.
    pub(super) fn delivery_queued(&self) {
        self.entries().undelivered += 1;
    }

    /// An event waits no more.
    pub(super) fn delivery_ended(&self) {
        self.entries().undelivered -= 1;
        self.stir();
    }

    /// Logs an attempt.
    pub(super) fn delivered(&self, delivery: Delivery) {
        push(&mut self.entries().deliveries, delivery, self.entries_max);
        self.stir();
    }

    pub(super) fn requests(&self) -> Vec<ReceivedRequest> {
        self.entries().requests.iter().cloned().collect()
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.entries().deliveries.iter().cloned().collect()
    }

    pub(super) fn undelivered(&self) -> usize {
        self.entries().undelivered
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push<T>(log: &mut VecDeque<T>, entry: T, most: usize) {
    if log.len() == most {
        log.pop_front();
    }
    log.push_back(entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ReceivedRequest {
        ReceivedRequest {
            number: 0,
            at: Timestamp::UNIX_EPOCH,
            method: "GET".to_owned(),
            path: String::new(),
            query: BTreeMap::new(),
            body: Value::Null,
            request_id: String::new(),
            user_id: None,
            status: None,
        }
    }

    #[test]
    fn the_oldest_requests_are_forgotten_first_and_the_others_keep_their_numbers() {
        let records = Records::new(2);
        for _ in 0..3 {
            records.received(request());
        }
        records.update(1, |_| panic!("number 1 is forgotten"));
        records.update(3, |request| request.status = Some(200));
        let seen: Vec<_> = records
            .requests()
            .iter()
            .map(|request| (request.number, request.status))
            .collect();
        assert_eq!(seen, [(2, None), (3, Some(200))]);
    }

    #[test]
    fn every_entry_gives_a_signal() {
        let records = Records::new(1);
        let number = records.received(request());
        let signal = records.watch();
        assert!(!signal.has_changed().unwrap());
        records.update(number, |request| request.status = Some(200));
        assert!(signal.has_changed().unwrap());
    }
}
