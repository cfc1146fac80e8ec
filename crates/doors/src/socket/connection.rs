//! One connection: its greeting, its requests, its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use callgate_core::{Caller, Code, Reason};
use callgate_text::Json;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::frames::{Frame, Frames, too_many_values};
use crate::lanes::{Lanes, Taken};
use crate::outbox::{Outbox, outbox};
use crate::places::{Arrival, NoSeat};
use crate::tools::Tools;

use super::operate::operate;
use super::running::Running;
use super::{Greeting, Limits, PROTOCOL, Peer, Services, wire};

/// What all connections share.
pub(super) struct Shared {
    pub(super) services: Services,
    pub(super) limits: Limits,
    pub(super) lanes: Arc<Lanes>,
    pub(super) own_uid: u32,
    /// The gate's own tools, if it runs any.
    pub(super) tools: OnceLock<Arc<dyn Tools>>,
}

impl Shared {
    /// Root and the gate's own user could do all that the operator can with a debugger; nobody else may ask.
    pub(super) fn is_operator(&self, peer: &Peer, greeting: &Greeting) -> bool {
        (peer.uid == 0 || peer.uid == self.own_uid) && greeting.is_plain()
    }
}

/// From this size on, a message is parsed where it holds up nobody else.
const HEAVY: usize = 256 * 1024;

/// Answers that wait to be written, in bytes; one may be longer.
const UNWRITTEN: u32 = 1 << 20;

pub(super) struct Connection {
    shared: Arc<Shared>,
    stream: UnixStream,
    peer: Peer,
    halted: watch::Receiver<bool>,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, stream: UnixStream, peer: Peer, halted: watch::Receiver<bool>) -> Self {
        Self { shared, stream, peer, halted }
    }

    pub(super) async fn run(self, arrival: Arrival) {
        let Self { shared, stream, peer, mut halted } = self;
        let (reader, writer) = stream.into_split();
        let (outbox, drain) = outbox(UNWRITTEN);
        let writing = tokio::spawn(drain.run(writer, Some(shared.limits.unread)));
        let frames = Frames::new(reader, shared.limits.message);
        let in_flight = Arc::new(Semaphore::new(usize::try_from(shared.limits.in_flight).unwrap_or(1)));
        let most = shared.limits.in_flight;
        let running = Arc::new(Running::default());
        let mut session = Session {
            shared,
            peer,
            greeting: Arc::default(),
            frames,
            outbox,
            in_flight: in_flight.clone(),
            running: running.clone(),
        };
        tokio::select! {
            biased;
            _ = halted.wait_for(|halted| *halted) => {}
            () = writer_gone(session.outbox.clone()) => {}
            () = session.serve(arrival) => {}
        }
        // What runs for somebody who is gone runs for nobody.
        running.end();
        // Once every place is free, every request is done and its answer written or undeliverable.
        let _ = in_flight.acquire_many(most).await;
        drop(session);
        let _ = writing.await;
    }
}

async fn writer_gone(outbox: Outbox) {
    outbox.gone().await;
}

struct Session {
    shared: Arc<Shared>,
    peer: Peer,
    greeting: Arc<Greeting>,
    frames: Frames<OwnedReadHalf>,
    outbox: Outbox,
    in_flight: Arc<Semaphore>,
    running: Arc<Running>,
}

impl Session {
    async fn serve(&mut self, mut arrival: Arrival) {
        let patience = self.shared.limits.hello;
        let hello = tokio::select! {
            biased;
            hello = timeout(patience, self.next()) => hello,
            () = arrival.shown_out() => return,
        };
        let Ok(Some((Frame::Line(hello), _))) = hello else { return };
        let Some(greeting) = Greeting::read(&hello) else {
            return self.refuse("the first line must be a greeting of protocol 1").await;
        };
        self.greeting = Arc::new(greeting);
        let lane = self.shared.lanes.of(&self.caller(), self.peer.uid);
        let operator = self.shared.is_operator(&self.peer, &self.greeting);
        let _seat = match arrival.sit(&lane, operator) {
            Ok(seat) => seat,
            Err(NoSeat::Caller) => return self.refuse("this agent has too many connections").await,
            // Hung up: the client tries again for as long as its patience lasts.
            Err(NoSeat::Gate) => return,
        };
        drop(lane);
        let hello = Json::object([("hello", Json::object([("protocol", Json::integer(PROTOCOL))]))]);
        if self.outbox.send(hello.canonical()).await.is_err() {
            return;
        }
        loop {
            let Some((frame, bulk)) = self.next().await else { return };
            match frame {
                Frame::TooLong(_) => return self.refuse("the message is too long").await,
                Frame::Line(line) if line.iter().all(u8::is_ascii_whitespace) => {}
                Frame::Line(line) => {
                    if self.start(line, bulk).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// Starts one request, once its connection and its lane have room.
    async fn start(&mut self, line: Vec<u8>, bulk: Option<Taken>) -> Option<()> {
        let place = self.in_flight.clone().acquire_owned().await.ok()?;
        let lane = self.shared.lanes.of(&self.caller(), self.peer.uid);
        let room = lane.enter(line.len()).await?;
        let request = Request {
            shared: self.shared.clone(),
            peer: self.peer,
            greeting: self.greeting.clone(),
            outbox: self.outbox.clone(),
            running: self.running.clone(),
        };
        tokio::spawn(request.run(line, place, (room, bulk)));
        Some(())
    }

    fn caller(&self) -> Caller {
        self.shared.services.identify.identify(&self.peer, &self.greeting)
    }

    /// The next message. One that is more than small waits for its agent's turn, and once begun it
    /// must come to its end in time.
    async fn next(&mut self) -> Option<(Frame, Option<Taken>)> {
        let mut bulk = None;
        let mut deadline = None;
        loop {
            if let Some(frame) = self.frames.buffered() {
                return Some((frame, bulk));
            }
            if self.frames.has_ended() {
                return None;
            }
            let Some(held) = self.frames.unfinished() else {
                self.frames.fill().await.ok()?;
                continue;
            };
            if held > self.shared.limits.small && bulk.is_none() {
                let caller = self.caller();
                let Caller::Agent { .. } = caller else { return None };
                bulk = Some(self.shared.lanes.of(&caller, self.peer.uid).enter_bulk().await?);
                deadline = None;
            }
            let until = *deadline.get_or_insert_with(|| Instant::now() + self.shared.limits.frame);
            timeout_at(until, self.frames.fill()).await.ok()?.ok()?;
        }
    }

    /// Says why, briefly; the connection ends after this.
    async fn refuse(&self, why: &'static str) {
        let error = wire::reason_to_json(&Reason::new(Code::InvalidArguments, why));
        let answer = Json::object([("id", Json::Null), ("error", error)]);
        let _ = timeout(Duration::from_secs(1), self.outbox.send(answer.canonical())).await;
    }
}

/// One request, on its own task.
pub(super) struct Request {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Peer,
    pub(super) greeting: Arc<Greeting>,
    pub(super) outbox: Outbox,
    pub(super) running: Arc<Running>,
}

impl Request {
    async fn run(self, line: Vec<u8>, place: OwnedSemaphorePermit, room: (Taken, Option<Taken>)) {
        let (id, result) = match parse(line, self.shared.limits.message).await {
            Err(why) => (Json::Null, Err(Reason::new(Code::InvalidArguments, why))),
            Ok((id, op, body)) => (Json::integer(id), shielded(operate(&self, id, &op, body)).await),
        };
        drop(room);
        let answer = match result {
            Ok(result) => Json::object([("id", id), ("ok", result)]),
            Err(reason) => Json::object([("id", id), ("error", wire::reason_to_json(&reason))]),
        };
        let _ = self.outbox.send_held(answer.canonical(), Some(place)).await;
    }
}

/// `{id, op, body?}`.
async fn parse(line: Vec<u8>, limit: usize) -> Result<(i64, String, Json), &'static str> {
    let heavy = line.len() > HEAVY;
    let parse = move || {
        if too_many_values(&line) {
            return Err("the message holds too many values");
        }
        let document = Json::parse_within(&line, limit).map_err(|_| "the message is not strict JSON")?;
        let Json::Object(mut message) = document else { return Err("the message is not an object") };
        let id = message.remove("id").and_then(|id| id.as_i64()).ok_or("the message has no integer as `id`")?;
        let Some(Json::String(op)) = message.remove("op") else { return Err("the message has no `op`") };
        let body = message.remove("body").unwrap_or(Json::Null);
        if message.is_empty() { Ok((id, op, body)) } else { Err("the message has a member too many") }
    };
    if !heavy {
        return parse();
    }
    tokio::task::spawn_blocking(parse).await.unwrap_or(Err("the message could not be read"))
}

/// A panic becomes an answer. What it leaves half done lies behind the gate's seams, which keep their
/// own locks whole.
async fn shielded<T>(work: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(move |context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(Reason::new(Code::Internal, "the gate failed over this request"))))
    })
    .await
}
