//! One connection: HTTP/1.1 within bounds, until it ends, gives way or the gate stops.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::places::Arrival;
use crate::socket::Peer;

use super::patient::{Lateness, Pace, Patient};
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
    let pace = Pace::default();
    let stream = TokioIo::new(Patient::new(stream, pace.clone(), &limits));
    let mut lateness = Lateness::new(pace.clone(), &limits);
    let visit = Visit::new(shared, peer, arrival, pace);
    let service = service_fn(|request| {
        let visit = visit.clone();
        async move { Ok::<_, Infallible>(visit.answer(request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            // We keep the time: hyper's one limit would hold for a head and for an idle connection.
            .header_read_timeout(None)
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
            // What was wrong is the peer's affair: hyper has answered what could be answered.
            _ = connection.as_mut() => return,
            () = poll_fn(|context| lateness.poll(context)) => return,
            () = poll_fn(|context| visit.poll_shown_out(context)) => return,
            _ = halted.wait_for(|halted| *halted), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Hyper wants at least this much.
const SMALLEST_BUFFER: usize = 8 << 10;
