//! The runner at work while a test goes on.

use cuegate::runner::Options;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::world::World;

/// The runner's loop over a world, until it is told to stop.
pub(super) struct Loop {
    stop: oneshot::Sender<()>,
    /// Told when the loop has heard of the stop. The tests have one thread, so runs know of it by then as well.
    heard: oneshot::Receiver<()>,
    task: JoinHandle<()>,
}

impl Loop {
    pub(super) fn start(world: &World, options: Options) -> Self {
        let runner = world.runner_with(options);
        let (stop, stopped) = oneshot::channel::<()>();
        let (hearing, heard) = oneshot::channel();
        let task = tokio::spawn(async move {
            let shutdown = async {
                stopped.await.unwrap();
                hearing.send(()).unwrap();
            };
            runner.run(shutdown).await;
        });
        Self { stop, heard, task }
    }

    pub(super) async fn tell(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.heard.await.unwrap();
        self.task
    }

    pub(super) async fn stop(self) {
        self.tell().await.await.unwrap();
    }
}
