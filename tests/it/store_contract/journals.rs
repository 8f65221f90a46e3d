//! What a run asked for and was answered is kept, and an intent that may have happened is never forgotten.

use super::*;

fn line(step: u32, index: u32, text: &str) -> LogLine {
    LogLine {
        step,
        index,
        level: LogLevel::Warn,
        text: text.to_owned(),
    }
}

async fn claimed(store: &dyn Store) -> Claim {
    enqueue(store, 0, &[("tag", "a")]).await;
    claim_one(store).await
}

pub(crate) async fn a_journal_reads_back_as_it_was_written(place: &dyn Place) {
    let store = open(place).await;
    let lease = claimed(&*store).await.lease;
    let entry = |entry, logs| Append { lease, entry, logs };
    let fenced = store
        .append(vec![
            entry(
                JournalEntry::Answer(Box::new(read(0))),
                vec![line(0, 0, "found")],
            ),
            entry(JournalEntry::Intent(intent(1)), Vec::new()),
            entry(JournalEntry::Answer(Box::new(answer(1))), Vec::new()),
            entry(
                JournalEntry::Answer(Box::new(read(2))),
                vec![line(2, 0, "read again")],
            ),
        ])
        .await
        .unwrap();
    assert_eq!(fenced, [Fenced::Written; 4]);
    let steps = vec![read(0), answer(1), read(2)];
    assert_eq!(
        store.journal(lease.run).await.unwrap(),
        (steps.clone(), None)
    );
    drop(store);
    let store = place.open().await;
    let claim = claim_one(&*store).await;
    assert_eq!(claim.journal, steps);
    assert_eq!(claim.open_intent, None);
    let lines = [line(0, 0, "found"), line(2, 0, "read again")];
    assert_eq!(store.logs(lease.run).await.unwrap(), lines);
}

pub(crate) async fn an_open_intent_is_shown_after_a_crash(place: &dyn Place) {
    let store = open(place).await;
    let lease = claimed(&*store).await.lease;
    append(&*store, lease, JournalEntry::Answer(Box::new(read(0)))).await;
    append(&*store, lease, JournalEntry::Intent(intent(1))).await;
    assert_eq!(
        store.journal(lease.run).await.unwrap(),
        (vec![read(0)], Some(intent(1)))
    );
    drop(store);
    let store = place.open().await;
    let claim = claim_one(&*store).await;
    assert_eq!(claim.open_intent, Some(intent(1)));
    assert_eq!(claim.journal, [read(0)]);
}

pub(crate) async fn a_withdrawn_intent_is_not_open(place: &dyn Place) {
    let store = open(place).await;
    let lease = claimed(&*store).await.lease;
    append(&*store, lease, JournalEntry::Intent(intent(0))).await;
    append(&*store, lease, JournalEntry::Withdrawn { number: 0 }).await;
    drop(store);
    let store = place.open().await;
    let claim = claim_one(&*store).await;
    assert_eq!(claim.open_intent, None);
    // Sent again, it is open again; and only that one.
    let later = Intent {
        at: at(77),
        ..intent(0)
    };
    append(&*store, claim.lease, JournalEntry::Intent(later.clone())).await;
    assert_eq!(store.journal(lease.run).await.unwrap().1, Some(later));
    append(&*store, claim.lease, JournalEntry::Withdrawn { number: 0 }).await;
    assert_eq!(store.journal(lease.run).await.unwrap().1, None);
    let nothing = Append {
        lease: claim.lease,
        entry: JournalEntry::Withdrawn { number: 0 },
        logs: Vec::new(),
    };
    assert!(matches!(
        store.append(vec![nothing]).await,
        Err(StoreError::Failed(_))
    ));
}

pub(crate) async fn an_answered_intent_is_not_open(place: &dyn Place) {
    let store = open(place).await;
    let lease = claimed(&*store).await.lease;
    append(&*store, lease, JournalEntry::Intent(intent(0))).await;
    append(&*store, lease, JournalEntry::Answer(Box::new(answer(0)))).await;
    drop(store);
    let store = place.open().await;
    let claim = claim_one(&*store).await;
    assert_eq!((claim.journal, claim.open_intent), (vec![answer(0)], None));
}

pub(crate) async fn an_intent_asked_for_twice_keeps_its_first_time(place: &dyn Place) {
    let store = open(place).await;
    let lease = claimed(&*store).await.lease;
    append(&*store, lease, JournalEntry::Intent(intent(0))).await;
    let again = Intent {
        at: at(500),
        ..intent(0)
    };
    assert_eq!(
        append(&*store, lease, JournalEntry::Intent(again)).await,
        Fenced::Written
    );
    assert_eq!(store.journal(lease.run).await.unwrap().1, Some(intent(0)));
    let other = effect(Method::Delete, "assets/v1/assets/1/");
    let other = Intent {
        digest: other.digest(),
        effect: other,
        ..intent(0)
    };
    let other = Append {
        lease,
        entry: JournalEntry::Intent(other),
        logs: Vec::new(),
    };
    assert!(matches!(
        store.append(vec![other]).await,
        Err(StoreError::Failed(_))
    ));
}

pub(crate) async fn steps_have_no_gaps_and_a_refused_batch_writes_nothing(place: &dyn Place) {
    let store = open(place).await;
    let lease = claimed(&*store).await.lease;
    for wrong in [1, 7] {
        let batch = [0, wrong + 1].map(|number| Append {
            lease,
            entry: JournalEntry::Answer(Box::new(read(number))),
            logs: vec![line(number, 0, "lost")],
        });
        assert!(matches!(
            store.append(batch.into()).await,
            Err(StoreError::Failed(_))
        ));
    }
    assert_eq!(store.journal(lease.run).await.unwrap(), (Vec::new(), None));
    assert_eq!(store.logs(lease.run).await.unwrap(), []);
    append(&*store, lease, JournalEntry::Answer(Box::new(read(0)))).await;
    let twice = Append {
        lease,
        entry: JournalEntry::Answer(Box::new(read(0))),
        logs: Vec::new(),
    };
    assert!(store.append(vec![twice]).await.is_err());
    assert_eq!(store.journal(lease.run).await.unwrap().0, [read(0)]);
}

pub(crate) async fn the_time_that_claims_took_adds_up(place: &dyn Place) {
    let store = open(place).await;
    let mut claim = claimed(&*store).await;
    let second = Duration::from_secs(1);
    for claims in 0..3 {
        assert_eq!(claim.spent, claims * second);
        let waits = Settlement::Waiting {
            waits: Waits::Time,
            until: at(15),
            reason: "asleep".to_owned(),
            failing_since: None,
        };
        let how = if claims == 1 {
            Settlement::Released
        } else {
            waits
        };
        let settled = Settle {
            spent: second,
            ..settlement(claim.lease, how)
        };
        let twice = vec![settled.clone(), settled];
        let fenced = store.settle(twice).await.unwrap();
        assert_eq!(
            fenced,
            [Fenced::Written, Fenced::Lost],
            "and each claim counts once"
        );
        store.wake_due(at(15)).await.unwrap();
        claim = claim_one(&*store).await;
    }
}

pub(crate) async fn a_log_line_is_kept_once(place: &dyn Place) {
    let store = open(place).await;
    let lease = claimed(&*store).await.lease;
    let settle = |lease, settlement, logs| Settle {
        lease,
        settlement,
        spent: Duration::ZERO,
        logs,
        at: at(9),
    };
    let first = vec![line(0, 0, "one"), line(0, 1, "two")];
    store
        .settle(vec![settle(lease, Settlement::Released, first.clone())])
        .await
        .unwrap();
    let lease = claim_one(&*store).await.lease;
    let again = vec![line(0, 0, "one"), line(0, 1, "two"), line(0, 2, "three")];
    store
        .settle(vec![settle(lease, Settlement::Succeeded, again.clone())])
        .await
        .unwrap();
    assert_eq!(store.logs(lease.run).await.unwrap(), again);
    let lost = settle(lease, Settlement::Succeeded, vec![line(0, 3, "late")]);
    assert_eq!(store.settle(vec![lost]).await.unwrap(), [Fenced::Lost]);
    assert_eq!(store.logs(lease.run).await.unwrap(), again);
}

pub(crate) async fn nothing_is_added_without_a_claim(place: &dyn Place) {
    let store = open(place).await;
    let run = enqueue(&*store, 0, &[("tag", "a")]).await[0];
    for token in [0, 1] {
        let lease = Lease { run, token };
        assert_eq!(
            append(&*store, lease, JournalEntry::Intent(intent(0))).await,
            Fenced::Lost
        );
        let unknown = Lease {
            run: RunId(4_711),
            token,
        };
        assert_eq!(
            settle(&*store, unknown, Settlement::Succeeded).await,
            Fenced::Lost
        );
    }
    assert_eq!(store.journal(run).await.unwrap(), (Vec::new(), None));
}
