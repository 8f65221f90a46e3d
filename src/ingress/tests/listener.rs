//! Slow, large and many: what a stranger can cost, and how a stop treats those who are being served.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::wire::{Wire, genuine, request, send};
use super::{DEADLINE, Door, Memory, limits};
use crate::config::Limits;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(60);

fn impatient() -> Limits {
    Limits {
        request: SHORT,
        ..limits()
    }
}

async fn finished(door: Door) -> usize {
    timeout(DEADLINE, door.served)
        .await
        .expect("a listener that stops")
        .expect("no panic")
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let door = Door::with(Memory::open(), impatient(), LONG).await;
    let mut wire = Wire::connect(door.address).await;
    let whole = genuine(r#"{"event_type":"assets"}"#);
    wire.write(&whole[..whole.len() - 5]).await;
    let answer = wire.answer().await;
    answer.refused(408);
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(wire.until_closed().await, b"");
    assert_eq!(door.store.events(), []);
}

#[tokio::test]
async fn a_head_that_does_not_come_is_given_up() {
    let door = Door::with(Memory::open(), impatient(), LONG).await;
    let mut silent = Wire::connect(door.address).await;
    let mut slow = Wire::connect(door.address).await;
    slow.write("POST /hooks/iconik HTTP/1.1\r\nhost:").await;
    silent.until_closed().await;
    slow.until_closed().await;
}

#[tokio::test]
async fn a_kept_connection_that_stays_silent_is_closed() {
    let door = Door::with(Memory::open(), impatient(), LONG).await;
    let mut wire = Wire::connect(door.address).await;
    wire.write(genuine("{}")).await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.until_closed().await, b"");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let door = Door::open().await;
    let filler = "x".repeat(20 * 1024);
    let mut wire = Wire::connect(door.address).await;
    wire.write(request(
        "POST /hooks/iconik",
        &[("x-filler", &filler)],
        "{}",
    ))
    .await;
    let answer = String::from_utf8(wire.until_closed().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let fine = "x".repeat(15 * 1024);
    let bytes = request("POST /hooks/open", &[("x-filler", &fine)], "{}");
    assert_eq!(send(door.address, bytes).await.status, 200);
}

#[tokio::test]
async fn beyond_the_most_connections_the_next_one_waits_for_its_turn() {
    let one = Limits {
        connections: 1,
        ..limits()
    };
    let door = Door::with(Memory::open(), one, LONG).await;
    let mut first = Wire::connect(door.address).await;
    first.write(genuine("{}")).await;
    assert_eq!(first.answer().await.status, 200);

    let mut second = Wire::connect(door.address).await;
    second.write(genuine("{}")).await;
    assert!(
        timeout(SHORT, second.answer()).await.is_err(),
        "served beyond the limit"
    );
    assert_eq!(door.store.events().len(), 1);

    drop(first);
    assert_eq!(second.answer().await.status, 200);
}

#[tokio::test]
async fn a_panic_ends_its_connection_and_no_other() {
    let door = Door::open().await;
    let mut other = Wire::connect(door.address).await;
    other.write(genuine("{}")).await;
    assert_eq!(other.answer().await.status, 200);

    let mut wire = Wire::connect(door.address).await;
    wire.write(request("GET /panic", &[], "")).await;
    assert_eq!(wire.until_closed().await, b"");

    other.write(genuine("{}")).await;
    assert_eq!(other.answer().await.status, 200);
    assert_eq!(send(door.address, genuine("{}")).await.status, 200);
}

#[tokio::test]
async fn a_stop_refuses_the_new_closes_the_idle_and_finishes_the_open() {
    let store = Memory::with_permits(1);
    let mut door = Door::with(store, limits(), LONG).await;
    let mut idle = Wire::connect(door.address).await;
    idle.write(genuine("{}")).await;
    assert_eq!(idle.answer().await.status, 200);
    door.store.reached.notified().await;

    let mut open = Wire::connect(door.address).await;
    open.write(genuine("{}")).await;
    timeout(DEADLINE, door.store.reached.notified())
        .await
        .expect("an event at the store");

    door.stop();
    assert_eq!(idle.until_closed().await, b"");
    assert!(
        TcpStream::connect(door.address).await.is_err(),
        "still listening"
    );
    assert!(!door.served.is_finished());

    door.store.gate.add_permits(1);
    let answer = open.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(door.store.events().len(), 2);
    assert_eq!(finished(door).await, 0);
}

#[tokio::test]
async fn a_drain_does_not_wait_for_ever() {
    let mut door = Door::with(Memory::with_permits(0), limits(), SHORT).await;
    let mut open = Wire::connect(door.address).await;
    open.write(genuine("{}")).await;
    timeout(DEADLINE, door.store.reached.notified())
        .await
        .expect("an event at the store");
    door.stop();
    assert_eq!(open.until_closed().await, b"");
    assert_eq!(door.store.events(), []);
    assert_eq!(finished(door).await, 1);
}
