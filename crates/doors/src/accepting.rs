//! Accepting connections, within bounds, until told to stop: the same for every door that listens.

use std::io;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::places::Places;

/// Where connections come from. Dropped, it takes no more.
pub(crate) trait Listens {
    /// A connection.
    type Stream;

    /// The next one.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// How long to wait when the system has no file descriptor left for another connection.
const BREATH: Duration = Duration::from_millis(50);

/// Serves until `stop` resolves; then takes no new work, lets what is under way finish within `patience`, and closes what
/// is left. `serve` is what becomes of a connection, which hears when all are to end; nothing, if nobody is at its other
/// end any more.
pub(crate) async fn accept<L: Listens, F>(
    listening: L,
    places: &Places,
    patience: Duration,
    stop: impl Future<Output = ()>,
    mut serve: impl FnMut(L::Stream, watch::Receiver<bool>) -> Option<F>,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (halt, halted) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listening.accept() => match accepted {
                Err(_) => {
                    places.shed();
                    tokio::time::sleep(BREATH).await;
                }
                Ok(stream) => {
                    let Some(connection) = serve(stream, halted.clone()) else { continue };
                    connections.spawn(connection);
                    // Its first request may be there already: it comes before whoever connects next.
                    tokio::task::yield_now().await;
                }
            },
        }
    }
    drop(listening);
    let _ = halt.send(true);
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, finish).await.is_err() {
        tracing::warn!("connections were closed with work under way");
    }
}
