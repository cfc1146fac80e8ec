//! What one relay allows.

use std::time::Duration;

/// Bounds that hold against a client and a server that do their worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest message of the client: a call of 1 MiB and its envelope.
    pub from_client: usize,
    /// The longest message of the server. The result of a call that is longer is withheld.
    pub from_server: usize,
    /// Requests under way in each direction.
    pub in_flight: usize,
    /// Bytes of requests that wait for a decision.
    pub undecided: u32,
    /// Bytes that wait to be read by the client, and by the server. One message may be longer.
    pub unread: u32,
    /// How long the server may leave a request without an answer and without a sign of progress; with progress six
    /// times as long. `None` is for ever.
    pub call: Option<Duration>,
    /// How long the server may take to list what it offers, and never longer than `call`.
    pub listing: Duration,
    /// How long the server may take to end once its input is closed, and again once it is told to.
    pub grace: Duration,
    /// How long the last answers and reports may take.
    pub flush: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            from_client: (1 << 20) + (64 << 10),
            from_server: 8 << 20,
            in_flight: 256,
            undecided: 16 << 20,
            unread: 16 << 20,
            call: Some(Duration::from_secs(600)),
            listing: Duration::from_secs(30),
            grace: Duration::from_secs(3),
            flush: Duration::from_secs(5),
        }
    }
}
