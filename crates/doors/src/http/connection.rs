//! One connection: HTTP/1.1 within bounds, until it ends, gives way or the gate stops.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::places::Arrival;
use crate::socket::Peer;

use super::patient::{Busy, Patient};
use super::server::Shared;
use super::visit::Visit;

pub(super) async fn run(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: Peer,
    arrival: Arrival,
    mut halted: watch::Receiver<bool>,
) {
    let limits = shared.limits;
    let busy = Busy::default();
    let stream = TokioIo::new(Patient::new(stream, busy.clone(), limits.idle, limits.unread));
    let visit = Visit::new(shared, peer, arrival, busy);
    let service = service_fn(|request| {
        let visit = visit.clone();
        async move { Ok::<_, Infallible>(visit.answer(request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_headers(limits.headers)
            .max_header_size(limits.head_bytes)
            .max_buf_size(limits.head_bytes.max(SMALLEST_BUFFER))
            .half_close(false)
            .serve_connection(stream, service)
    );
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            _ = halted.wait_for(|halted| *halted), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = poll_fn(|context| visit.poll_shown_out(context)) => return,
            // What was wrong is the peer's affair: hyper has answered what could be answered.
            _ = connection.as_mut() => return,
        }
    }
}

/// Hyper wants at least this much.
const SMALLEST_BUFFER: usize = 8 << 10;
