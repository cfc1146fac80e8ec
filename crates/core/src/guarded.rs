//! A future that can neither panic outwards nor outlive its deadline.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::seam::Clock;

/// Why a guarded future gave no result.
#[derive(Debug)]
pub(crate) enum Cut {
    /// It took longer than its deadline.
    Deadline,
    /// It panicked.
    Panic,
}

/// Runs `work` to its end, its deadline or its panic, whichever comes first.
///
/// Unwind safety: what a panicking poll leaves behind is dropped with `work`; state shared with other
/// calls lies behind the seams, which must keep their own locks whole.
pub(crate) async fn guarded<T>(
    work: impl Future<Output = T>,
    clock: &dyn Clock,
    deadline: Duration,
) -> Result<T, Cut> {
    let mut work = pin!(work);
    let mut alarm = clock.sleep(deadline);
    poll_fn(move |context| {
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Err(_) => return Poll::Ready(Err(Cut::Panic)),
            Ok(Poll::Ready(result)) => return Poll::Ready(Ok(result)),
            Ok(Poll::Pending) => {}
        }
        alarm.as_mut().poll(context).map(|()| Err(Cut::Deadline))
    })
    .await
}
