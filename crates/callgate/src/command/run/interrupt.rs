//! Signals by which somebody wants a run to end.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What Ctrl-C sends, what a service manager sends, and what a terminal sends that is closed.
const SIGNALS: [(SignalKind, u8); 3] =
    [(SignalKind::interrupt(), 2), (SignalKind::terminate(), 15), (SignalKind::hangup(), 1)];

/// Whether one has come. From the first of these on, they end the run, and no longer this program before it has told
/// what became of the run.
pub(super) struct Interrupts(watch::Receiver<Option<u8>>);

impl Interrupts {
    /// Begins to listen. What whoever started us told us to ignore (`nohup`) stays ignored.
    ///
    /// # Errors
    /// If the system does not let us.
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = ignored()?;
        let (tell, heard) = watch::channel(None);
        for (kind, number) in SIGNALS.into_iter().filter(|(_, number)| ignored >> (number - 1) & 1 == 0) {
            let (mut signal, tell) = (signal(kind)?, tell.clone());
            tokio::spawn(async move {
                if signal.recv().await.is_some() {
                    tell.send_if_modified(|first| first.replace(first.unwrap_or(number)).is_none());
                }
            });
        }
        Ok(Self(heard))
    }

    /// The first that has come.
    pub(super) fn heard(&self) -> Option<u8> {
        *self.0.borrow()
    }

    /// Resolves when one has come.
    pub(super) async fn come(&self) {
        if self.0.clone().wait_for(Option::is_some).await.is_err() {
            // Nobody listens, as all are ignored.
            std::future::pending::<()>().await;
        }
    }
}

/// The signals that this process ignores, as bits.
fn ignored() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
