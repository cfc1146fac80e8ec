//! One connection's requests: each is looked at from the outside in, and refused at the first thing that is wrong.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use callgate_core::{CallFault, Caller, Code, Reason};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use tokio::task::JoinHandle;

use crate::lanes::{Lane, Taken};
use crate::places::{Arrival, NoSeat, Seat};
use crate::socket::{Greeting, Peer};

use super::bearer::{Presented, presented};
use super::body::{self, Wrong};
use super::endpoints::{NoEndpoint, Row, Whose, find};
use super::hosts::{self, Stranger};
use super::patient::Pace;
use super::reply::Reply;
use super::server::Shared;
use super::{DOOR, operate};

/// What the requests of one connection share.
pub(super) struct Visit {
    shared: Arc<Shared>,
    peer: Peer,
    place: Mutex<Place>,
    pace: Pace,
}

/// Where the connection is among the others.
enum Place {
    /// Nobody is known behind it yet.
    Waiting(Arrival),
    /// A credential was accepted on it.
    Seated { _seat: Seat },
    /// There was no seat for it.
    Refused(NoSeat),
}

/// A body that was admitted, and the room that it and its answer take until that is written.
pub(super) struct Admitted {
    pub(super) bytes: Result<Vec<u8>, Wrong>,
    pub(super) _room: (Option<Taken>, Option<Taken>),
}

/// A request that is being answered.
struct Work {
    task: JoinHandle<Reply>,
    visit: Arc<Visit>,
}

impl Drop for Work {
    /// The connection is over. Whoever has a seat holds it until the work is done; what nobody is known for ends here, or
    /// those who hang up and come again would leave more work behind than there are places.
    fn drop(&mut self) {
        if !matches!(*self.visit.place(), Place::Seated { .. }) {
            self.task.abort();
        }
    }
}

impl Visit {
    pub(super) fn new(shared: Arc<Shared>, peer: Peer, arrival: Arrival, pace: Pace) -> Arc<Self> {
        Arc::new(Self { shared, peer, place: Mutex::new(Place::Waiting(arrival)), pace })
    }

    /// Whether somebody else needs the place of this connection.
    pub(super) fn poll_shown_out(&self, context: &mut Context<'_>) -> Poll<()> {
        match &mut *self.place() {
            Place::Waiting(arrival) => arrival.poll_shown_out(context),
            Place::Seated { .. } | Place::Refused(_) => Poll::Pending,
        }
    }

    /// Answers one request. On a task of its own: an agent that hangs up does not undo what was begun, and a panic is
    /// one refusal.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let answering = self.pace.begin();
        let (head, body) = request.into_parts();
        self.come_in(&head);
        let visit = self.clone();
        let mut work = Work { task: tokio::spawn(async move { visit.handle(head, body).await }), visit: self };
        let reply = (&mut work.task).await;
        let reply =
            reply.unwrap_or_else(|_| Reply::failed(Reason::new(Code::Internal, "the gate failed over this request")));
        drop(answering);
        reply.into_response()
    }

    /// Seats whoever is known as soon as its first head is there, before anything is waited for: however many others
    /// come in meanwhile, this connection does not give way to them.
    fn come_in(&self, head: &Parts) {
        let waits = matches!(*self.place(), Place::Waiting(_));
        let (true, Ok(row)) = (waits, self.find(head)) else { return };
        let seated = match row.whose {
            Whose::Anybodys => return,
            Whose::Agents => match self.caller(head) {
                Caller::Unrecognised { .. } => return,
                caller => self.sit(&self.shared.lanes.of(&caller, self.peer.uid), false),
            },
            Whose::Operators if self.is_operator(head) => self.sit(&self.shared.lanes.of_operator(), true),
            Whose::Operators => return,
        };
        // Without a seat it is refused where it is answered.
        drop(seated);
    }

    async fn handle(&self, head: Parts, body: Incoming) -> Reply {
        match self.find(&head) {
            Ok(row) => self.open(row, &head, body).await,
            Err(refusal) => {
                self.discard(&head, body).await;
                refusal
            }
        }
    }

    /// The endpoint, if the request is for this gate and not from a page.
    fn find(&self, head: &Parts) -> Result<&'static Row, Reply> {
        let stranger = |status, why| Err(refusal(status, Code::NotPermitted, why).hang_up());
        match hosts::check(&head.headers, self.shared.port, &self.shared.services.origins) {
            Ok(()) => {}
            Err(Stranger::Unnamed) => return stranger(StatusCode::BAD_REQUEST, "the request must have one Host"),
            Err(Stranger::Elsewhere) => return stranger(StatusCode::FORBIDDEN, "the request's Host is not this gate"),
            Err(Stranger::Page) => {
                return stranger(StatusCode::FORBIDDEN, "the request comes from a page whose Origin is not listed");
            }
        }
        if head.uri.authority().is_some() {
            return stranger(StatusCode::BAD_REQUEST, "the request is one for a proxy");
        }
        find(&head.method, head.uri.path()).map_err(|none| match none {
            NoEndpoint::Path => refusal(StatusCode::NOT_FOUND, Code::InvalidArguments, "there is no such endpoint"),
            NoEndpoint::Method(allow) => {
                let reply =
                    refusal(StatusCode::METHOD_NOT_ALLOWED, Code::InvalidArguments, "this endpoint has another method");
                match HeaderValue::try_from(allow) {
                    Ok(allow) => reply.with(header::ALLOW, allow),
                    Err(_) => reply,
                }
            }
        })
    }

    async fn open(&self, row: &Row, head: &Parts, body: Incoming) -> Reply {
        if row.body.is_none() && body::is_present(&head.headers) {
            self.discard(head, body).await;
            return refusal(StatusCode::BAD_REQUEST, Code::InvalidArguments, "this endpoint takes no body").hang_up();
        }
        match row.whose {
            Whose::Anybodys => operate::anybody(&self.shared, row.endpoint),
            Whose::Agents => self.open_to_agent(row, head, body).await,
            Whose::Operators => self.open_to_operator(row, head, body).await,
        }
    }

    async fn open_to_agent(&self, row: &Row, head: &Parts, body: Incoming) -> Reply {
        let caller = self.caller(head);
        if let Caller::Unrecognised { .. } = caller {
            self.discard(head, body).await;
            return self.unrecognised(&caller, head).await;
        }
        let lane = self.shared.lanes.of(&caller, self.peer.uid);
        if let Err(full) = self.sit(&lane, false) {
            self.discard(head, body).await;
            return full;
        }
        let Some(admitted) = self.admit(&lane, head, body).await else { return closing() };
        // Anew: a revocation counts from the moment it is made, however slowly a body came.
        let unread = admitted.bytes.is_err();
        let reply = match self.caller(head) {
            Caller::Agent { id, posture } => operate::agent(&self.shared, row.endpoint, id, posture, admitted).await,
            caller => {
                // What it holds of its agent's share must be free before anything else is waited for.
                drop(admitted);
                self.unrecognised(&caller, head).await
            }
        };
        if unread { reply.hang_up() } else { reply }
    }

    async fn open_to_operator(&self, row: &Row, head: &Parts, body: Incoming) -> Reply {
        if !self.is_operator(head) {
            let caller = self.caller(head);
            self.discard(head, body).await;
            return match caller {
                // Known, but this is not theirs: an unmetered preview would tell an agent all of its policy.
                Caller::Agent { .. } => {
                    let lane = self.shared.lanes.of(&caller, self.peer.uid);
                    let Some(_room) = lane.enter(0).await else { return closing() };
                    refusal(StatusCode::FORBIDDEN, Code::NotPermitted, "only an operator's credential opens this")
                }
                Caller::Unrecognised { .. } => self.unrecognised(&caller, head).await,
            };
        }
        let lane = self.shared.lanes.of_operator();
        if let Err(full) = self.sit(&lane, true) {
            self.discard(head, body).await;
            return full;
        }
        let admitted = match &row.body {
            None => None,
            Some(_) => match self.admit(&lane, head, body).await {
                Some(admitted) => Some(admitted),
                None => return closing(),
            },
        };
        if !self.is_operator(head) {
            drop(admitted);
            return self.unrecognised(&self.caller(head), head).await;
        }
        let unread = admitted.as_ref().is_some_and(|admitted| admitted.bytes.is_err());
        let reply = operate::operator(&self.shared, &self.peer, row.endpoint, admitted).await;
        if unread { reply.hang_up() } else { reply }
    }

    /// Reads the body once its agent has room for it.
    async fn admit(&self, lane: &Arc<Lane>, head: &Parts, body: Incoming) -> Option<Admitted> {
        let length = match body::announced(&head.headers) {
            Ok(length) => length,
            Err(wrong) => {
                self.discard(head, body).await;
                let room = lane.clone().enter(0).await?;
                return Some(Admitted { bytes: Err(wrong), _room: (Some(room), None) });
            }
        };
        let bulk = match length > self.shared.limits.small {
            true => Some(lane.clone().enter_bulk().await?),
            false => None,
        };
        let bytes = body::read(body, self.shared.limits.body).await;
        let room = lane.clone().enter(length).await?;
        Some(Admitted { bytes, _room: (Some(room), bulk) })
    }

    async fn discard(&self, head: &Parts, body: Incoming) {
        body::discard(&head.headers, body, self.shared.limits.body).await;
    }

    /// The agent that the credential proves.
    fn caller(&self, head: &Parts) -> Caller {
        match presented(&head.headers) {
            Presented::Nothing => Caller::Unrecognised { why: "no credential was presented" },
            Presented::Garbled => Caller::Unrecognised { why: "the Authorization is not one bearer token" },
            Presented::Token(token) => {
                let greeting =
                    Greeting { token: Some(token.to_owned()), door: self.shared.door.clone(), session: None };
                self.shared.services.credentials.identify(&self.peer, &greeting)
            }
        }
    }

    fn is_operator(&self, head: &Parts) -> bool {
        match presented(&head.headers) {
            Presented::Token(token) => self.shared.services.credentials.is_operator(token),
            Presented::Nothing | Presented::Garbled => false,
        }
    }

    /// Refuses whoever has no accepted credential, by the gate, so that there is a record of it.
    async fn unrecognised(&self, caller: &Caller, head: &Parts) -> Reply {
        let nobody = Caller::Unrecognised {
            why: match caller {
                Caller::Unrecognised { why } => why,
                Caller::Agent { .. } => "the credential was revoked",
            },
        };
        let Some(_room) = self.shared.lanes.of(&nobody, self.peer.uid).enter(0).await else { return closing() };
        let call = Err(CallFault::Shape("was not looked at"));
        let answer = self.shared.services.gate.decide_at(DOOR, &nobody, call).await;
        let told = answer.verdict.reasons.first().is_some_and(|reason| reason.code == Code::UnknownAgent);
        let reply = match told {
            true => Reply::decided(StatusCode::UNAUTHORIZED, &answer),
            // It could not be recorded, or not once more. That is no reason to say more than who is not known.
            false => refusal(StatusCode::UNAUTHORIZED, Code::UnknownAgent, "the credential is not accepted"),
        };
        let challenge = match presented(&head.headers) {
            Presented::Nothing => HeaderValue::from_static("Bearer realm=\"callgate\""),
            Presented::Garbled | Presented::Token(_) => {
                HeaderValue::from_static("Bearer realm=\"callgate\", error=\"invalid_token\"")
            }
        };
        reply.with(header::WWW_AUTHENTICATE, challenge)
    }

    /// From the waiting room to a seat, with the first credential that is accepted.
    fn sit(&self, lane: &Arc<Lane>, operator: bool) -> Result<(), Reply> {
        let mut place = self.place();
        let (next, seated) = match mem::replace(&mut *place, Place::Refused(NoSeat::Gate)) {
            Place::Waiting(arrival) => match arrival.sit(lane, operator) {
                Ok(seat) => (Place::Seated { _seat: seat }, Ok(())),
                Err(none) => (Place::Refused(none), Err(none)),
            },
            Place::Refused(none) => (Place::Refused(none), Err(none)),
            seated @ Place::Seated { .. } => (seated, Ok(())),
        };
        *place = next;
        seated.map_err(|none| match none {
            NoSeat::Caller => {
                let why = "this agent has too many connections";
                refusal(StatusCode::TOO_MANY_REQUESTS, Code::RateExceeded, why).hang_up()
            }
            NoSeat::Gate => closing(),
        })
    }

    /// Whole whatever panics around it: every change is one assignment.
    fn place(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(status: StatusCode, code: Code, why: &'static str) -> Reply {
    Reply::refused(status, Reason::new(code, why))
}

/// There is no room, and this connection gets none.
fn closing() -> Reply {
    refusal(StatusCode::SERVICE_UNAVAILABLE, Code::Internal, "the gate has no place left for another connection")
        .hang_up()
}
