//! The door's own requests to the server. The client never sees them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use callgate_text::{Json, Object};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::outbox::Outbox;

use super::{Id, Message};

/// Pages and items of one list; a server that offers more is not listed at all.
const MOST_PAGES: usize = 200;
const MOST_ITEMS: usize = 20_000;

#[derive(Debug)]
pub(super) struct Own {
    prefix: String,
    next: AtomicU64,
    /// It listens to changes of the lists.
    listening: AtomicBool,
    waiting: Mutex<BTreeMap<String, oneshot::Sender<Message>>>,
}

/// Why the server's list cannot be had. Holds nothing that the server wrote.
pub(super) type Unlisted = &'static str;

impl Own {
    /// With a prefix that nobody can guess, so that no id of the client can be one of these.
    pub(super) fn new() -> std::io::Result<Self> {
        let mut random = [0_u8; 16];
        let filled = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        if filled != random.len() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let prefix = format!("callgate-{}-", callgate_text::hex(&random));
        Ok(Self { prefix, next: AtomicU64::new(1), listening: AtomicBool::new(false), waiting: Mutex::default() })
    }

    pub(super) fn is_own(&self, id: &Id) -> bool {
        matches!(id, Id::Text(text) if text.starts_with(&self.prefix))
    }

    /// Hands over an answer; what nobody waits for is dropped.
    pub(super) fn deliver(&self, id: &Id, message: Message) {
        let Id::Text(id) = id else { return };
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(message);
        }
    }

    /// Lets whoever waits for this answer know that it cannot be had.
    pub(super) fn fail(&self, id: &Id) {
        if let Id::Text(id) = id {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
    }

    /// Asks a server of the stateless era, once, to say when its lists change. One that does not say so has lists
    /// that do not change, as in the older era.
    pub(super) async fn listen(&self, to_server: &Outbox, meta: &Json) {
        if !self.listening.swap(true, Ordering::Relaxed) {
            let wanted = Json::object([("toolsListChanged", true), ("promptsListChanged", true)]);
            let params = Json::object([("notifications", wanted), ("_meta", meta.clone())]);
            let (_, request) = self.request("subscriptions/listen", Some(params));
            let _ = to_server.send(request).await;
        }
    }

    /// All items of a list, page by page. `meta` is what a request of the stateless era says about itself.
    pub(super) async fn list(
        &self,
        to_server: &Outbox,
        (method, member): (&str, &str),
        meta: Option<&Json>,
        patience: Duration,
    ) -> Result<Vec<Json>, Unlisted> {
        let deadline = Instant::now() + patience;
        let mut items = Vec::new();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let page = cursor.map(|cursor: String| ("cursor", Json::from(cursor)));
            let meta = meta.map(|meta| ("_meta", meta.clone()));
            let params: Vec<_> = page.into_iter().chain(meta).collect();
            let params = (!params.is_empty()).then(|| Json::object(params));
            let asked = self.ask(to_server, method, params);
            let mut result = timeout_at(deadline, asked).await.map_err(|_| "it did not list in time")??;
            match result.remove(member) {
                Some(Json::Array(page)) => items.extend(page),
                _ => return Err("its answer is not a list"),
            }
            if items.len() > MOST_ITEMS {
                return Err("it offers too much");
            }
            match result.remove("nextCursor") {
                None | Some(Json::Null) => return Ok(items),
                Some(Json::String(next)) => cursor = Some(next),
                Some(_) => return Err("its answer is not a list"),
            }
        }
        Err("its list has too many pages")
    }

    /// The bytes of a request, and its id.
    fn request(&self, method: &str, params: Option<Json>) -> (String, Vec<u8>) {
        let id = format!("{}{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        let mut request =
            vec![("jsonrpc", Json::from("2.0")), ("id", Json::from(id.as_str())), ("method", Json::from(method))];
        request.extend(params.map(|params| ("params", params)));
        (id, Json::object(request).canonical())
    }

    async fn ask(&self, to_server: &Outbox, method: &str, params: Option<Json>) -> Result<Object, Unlisted> {
        let (id, request) = self.request(method, params);
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), sender);
        let waiting = Waiting { own: self, id: Id::Text(id) };
        to_server.send(request).await.map_err(|_| "the server is gone")?;
        let mut answer = receiver.await.map_err(|_| "its answer cannot be read")?;
        drop(waiting);
        match answer.json.remove("result") {
            Some(Json::Object(result)) => Ok(result),
            _ => Err("it refused to list"),
        }
    }
}

/// Forgets the question if whoever asked stops waiting.
struct Waiting<'a> {
    own: &'a Own,
    id: Id,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.own.fail(&self.id);
    }
}
