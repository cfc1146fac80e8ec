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
pub(crate) async fn guarded<T>(work: impl Future<Output = T>, clock: &dyn Clock, deadline: Duration) -> Result<T, Cut> {
    let mut work = pin!(work);
    let mut alarm = catch_unwind(AssertUnwindSafe(|| clock.sleep(deadline))).map_err(|_| Cut::Panic)?;
    poll_fn(move |context| {
        let step = AssertUnwindSafe(|| match work.as_mut().poll(context) {
            // Work that never gave way may be done only after its deadline: then it came too late all the same.
            Poll::Ready(result) => Poll::Ready(match alarm.as_mut().poll(context) {
                Poll::Ready(()) => Err(Cut::Deadline),
                Poll::Pending => Ok(result),
            }),
            Poll::Pending => alarm.as_mut().poll(context).map(|()| Err(Cut::Deadline)),
        });
        catch_unwind(step).unwrap_or(Poll::Ready(Err(Cut::Panic)))
    })
    .await
}
