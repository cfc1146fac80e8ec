//! The two eras of the protocol, and what every request of the stateless one carries.
//!
//! Up to 2025-11-25 a session begins with `initialize`. Since 2026-07-28 there is none: each request says in its
//! `_meta` which revision it is of, who asks and what the client can do. What a client says first fixes the era
//! of its session; see [`super::phase`].

use std::sync::OnceLock;

use callgate_text::{Digest, Json, Object};

use super::message::is_variant;

/// How a session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// With a handshake, to 2025-11-25.
    Handshake,
    /// Without, since 2026-07-28.
    Stateless,
}

/// The revisions with a handshake that this door understands, the newest first.
pub(super) const HANDSHAKE: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The stateless revisions that this door understands.
pub(super) const STATELESS: [&str; 1] = ["2026-07-28"];

/// Keys of `_meta`.
pub(super) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub(super) const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
pub(super) const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
pub(super) const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
/// The extension by which a server answers a call with a task.
pub(super) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// The levels of a log (RFC 5424).
pub(super) const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// The longest revision that is repeated in an answer.
const LONGEST_REVISION: usize = 64;

/// What a request of the stateless era says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    revision: Json,
    client: Option<Json>,
    capabilities: Json,
}

/// Why a request is none of the stateless era.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoEnvelope {
    /// Something that it must say is missing, or has another form.
    Malformed(&'static str),
    /// It is of a revision that this door does not know.
    Unknown {
        /// Which, as far as that may be repeated.
        requested: String,
    },
}

/// Whether a request claims to be of the stateless era.
pub(super) fn claims(params: Option<&Object>) -> bool {
    let meta = params.and_then(|params| params.get("_meta")).and_then(Json::as_object);
    meta.is_some_and(|meta| meta.contains(VERSION))
}

impl Envelope {
    /// Reads what a request says about itself.
    ///
    /// # Errors
    /// [`NoEnvelope`].
    pub(super) fn of(params: Option<&Object>) -> Result<Self, NoEnvelope> {
        let malformed = |why| Err(NoEnvelope::Malformed(why));
        let Some(Json::Object(meta)) = params.and_then(|params| params.get("_meta")) else {
            return malformed("`_meta` must say which revision of the protocol the request is of");
        };
        // Somebody who ignores case would read another envelope than this door.
        let known = [VERSION, CLIENT, CAPABILITIES, LOG_LEVEL, SUBSCRIPTION];
        if meta.iter().any(|(key, _)| known.iter().any(|name| is_variant(key, name))) {
            return malformed("`_meta` has a member of the protocol in another spelling");
        }
        let revision = match meta.get(VERSION) {
            Some(Json::String(revision)) => revision,
            _ => return malformed("`_meta` must say which revision of the protocol the request is of"),
        };
        if !STATELESS.contains(&revision.as_str()) {
            let requested = revision.chars().take(LONGEST_REVISION).collect();
            return Err(NoEnvelope::Unknown { requested });
        }
        let capabilities = match meta.get(CAPABILITIES) {
            Some(capabilities @ Json::Object(_)) => capabilities.clone(),
            _ => return malformed("`_meta` must say what the client can do"),
        };
        let client = match meta.get(CLIENT) {
            None => None,
            Some(client @ Json::Object(_)) => Some(client.clone()),
            Some(_) => return malformed("`_meta` must name the client by an object"),
        };
        if meta.get(LOG_LEVEL).is_some_and(|level| !level.as_str().is_some_and(|level| LEVELS.contains(&level))) {
            return malformed("`_meta` has a log level that the protocol does not know");
        }
        Ok(Self { revision: Json::from(revision.as_str()), client, capabilities })
    }

    /// Whether the client takes a task for an answer.
    pub(super) fn takes_tasks(&self) -> bool {
        self.capabilities.get("extensions").is_some_and(|extensions| extensions.get(TASKS).is_some())
    }

    /// The same as `_meta` of a request of the door's own: the server is to answer it as it would the client.
    pub(super) fn meta(&self) -> Json {
        let mut meta = vec![(VERSION, self.revision.clone()), (CAPABILITIES, self.capabilities.clone())];
        meta.extend(self.client.clone().map(|client| (CLIENT, client)));
        Json::object(meta)
    }

    /// The same without anything that the client is free to word.
    pub(super) fn bare(&self) -> Self {
        Self { revision: self.revision.clone(), client: None, capabilities: Json::Object(Object::default()) }
    }

    /// What the client is free to word, and how long that is.
    pub(super) fn wording(&self) -> (Digest, usize) {
        let mut wording = self.capabilities.canonical();
        wording.extend(self.client.iter().flat_map(Json::canonical));
        (Digest::of(&wording), wording.len())
    }
}

/// The first envelope of a session, by which the door itself asks.
#[derive(Debug, Default)]
pub(super) struct FirstEnvelope(OnceLock<Json>);

impl FirstEnvelope {
    pub(super) fn keep(&self, envelope: &Envelope) {
        let _ = self.0.set(envelope.meta());
    }

    pub(super) fn meta(&self) -> Option<&Json> {
        self.0.get()
    }
}
