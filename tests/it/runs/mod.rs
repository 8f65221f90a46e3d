//! From a stored event to the end of its runs, over a real store.

#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot go on without has failed it"
)]

mod concurrency;
mod crashes;
mod door;
mod doubts;
mod egress;
mod fakes;
mod jobs;
mod looping;
mod outages;
mod pauses;
mod quarantines;
mod routing;
mod samples;
mod schedules;
mod simulated;
mod timing;
mod walks;
mod world;
