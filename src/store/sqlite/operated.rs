//! The store's side of what people do. Every change is durable before it is answered.

use async_trait::async_trait;

use super::writer::{Class, Command};
use super::{SqliteStore, event_lists, listing, standing, verbs};
use crate::model::{EventId, RunId};
use crate::store::{
    AboutEvent, Cancelling, Change, EventFilter, EventSummary, Matching, Operated, Repeats,
    Replaying, Retrying, RunFilter, Standing, StoreError, Trace,
};

#[async_trait]
impl Operated for SqliteStore {
    async fn retry(&self, run: RunId, retrying: Retrying) -> Result<RunId, StoreError> {
        let command = Command::new(Class::Durable, move |db| verbs::retry(db, run, &retrying));
        self.main
            .submit(command.announcing(Change::Claimable))
            .await
    }

    async fn replay(&self, run: RunId, replaying: Replaying) -> Result<RunId, StoreError> {
        let command = Command::new(Class::Durable, move |db| verbs::replay(db, run, &replaying));
        self.main
            .submit(command.announcing(Change::Claimable))
            .await
    }

    async fn repeats(&self, run: RunId) -> Result<Repeats, StoreError> {
        self.readers.read(move |db| verbs::repeats(db, run)).await
    }

    async fn cancel(&self, run: RunId, cancelling: Cancelling) -> Result<usize, StoreError> {
        let command = Command::new(Class::Durable, move |db| {
            verbs::cancel(db, run, &cancelling)
        });
        self.main
            .submit(command.announcing(Change::Claimable))
            .await
    }

    async fn matching(&self, filter: RunFilter) -> Result<Matching, StoreError> {
        self.readers
            .read(move |db| listing::matching(db, &filter))
            .await
    }

    async fn oldest(
        &self,
        filter: RunFilter,
        after: RunId,
        up_to: RunId,
    ) -> Result<Vec<RunId>, StoreError> {
        self.readers
            .read(move |db| listing::oldest(db, &filter, after, up_to))
            .await
    }

    async fn events(&self, filter: EventFilter) -> Result<Vec<EventSummary>, StoreError> {
        self.readers
            .read(move |db| event_lists::events(db, &filter))
            .await
    }

    async fn about_event(&self, id: EventId) -> Result<AboutEvent, StoreError> {
        self.readers
            .read(move |db| event_lists::about(db, id))
            .await
    }

    async fn standing(&self, run: RunId) -> Result<Standing, StoreError> {
        self.readers
            .read(move |db| standing::standing(db, run))
            .await
    }

    async fn trace(&self, run: RunId) -> Result<Trace, StoreError> {
        self.readers.read(move |db| standing::trace(db, run)).await
    }
}
