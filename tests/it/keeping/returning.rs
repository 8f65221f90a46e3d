//! A claim that went wrong on its way is given back, however often the store fails meanwhile.

use cuegate::model::*;
use cuegate::store::*;

use super::filled::Files;
use crate::store_contract::{at, enqueue, open, settle};

/// Reading the claim back fails.
const UNREADABLE: &str = "ALTER TABLE walk RENAME TO lost_walk";
const READABLE: &str = "ALTER TABLE lost_walk RENAME TO walk";
/// Giving it back fails.
const STUCK: &str = "CREATE TRIGGER stuck BEFORE UPDATE OF state ON lane WHEN new.state = 'ready'
                     BEGIN SELECT raise(ABORT, 'not now'); END";
const LOOSE: &str = "DROP TRIGGER stuck";

#[tokio::test]
async fn a_claim_is_given_back_after_any_number_of_failures_in_a_row() {
    for failures in 0..4 {
        let files = Files::new();
        let store = open(&files).await;
        let runs = enqueue(&*store, 1, &[("tag", "a"), ("tag", "a"), ("tag", "b")]).await;
        let change = |sql: &str| files.connect().execute_batch(sql).unwrap();
        change(UNREADABLE);
        let failed = store.claim(Claiming::up_to(9), at(1)).await;
        assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
        change(STUCK);
        for _ in 0..failures {
            let failed = store.claim(Claiming::up_to(9), at(2)).await;
            let says = |why: &str| why.contains("not now");
            assert!(
                matches!(&failed, Err(StoreError::Failed(why)) if says(why)),
                "{failed:?}"
            );
        }
        change(LOOSE);
        change(READABLE);
        let claims = store.claim(Claiming::up_to(9), at(3)).await.unwrap();
        let claimed: Vec<RunId> = claims.iter().map(|claim| claim.run.id).collect();
        assert_eq!(
            claimed,
            [runs[0], runs[2]],
            "after {failures} more failures"
        );
        for claim in claims {
            assert_eq!(claim.run.attempt, 1, "what nobody had is not counted");
            let settled = settle(&*store, claim.lease, Settlement::Succeeded).await;
            assert_eq!(settled, Fenced::Written);
        }
        assert_eq!(
            store.claim(Claiming::up_to(9), at(4)).await.unwrap().len(),
            1
        );
        assert_eq!(store.check().await.unwrap(), []);
    }
}
