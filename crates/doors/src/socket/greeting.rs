//! The first line of a connection: what the other end says of itself, and what it can prove.

use callgate_core::{DoorName, SessionId};
use callgate_text::Json;

use super::PROTOCOL;

/// What a client says when it connects. The token proves an agent; the rest is its own word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// An agent's credential.
    pub token: Option<String>,
    /// Which door it is: `mcp`, or the host that its hook stands in.
    pub door: Option<DoorName>,
    /// The host's session, if one session is all that this connection is for.
    pub session: Option<SessionId>,
}

impl Greeting {
    /// Whether this is the operator's: a door speaks for an agent, whoever runs it.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// What kind of door this is, of a closed list: how a door calls itself is its own word.
    pub(super) fn kind(&self) -> &'static str {
        const KINDS: [&str; 3] = ["mcp", "claude-code", "tools"];
        let named = self.door.as_ref().and_then(|door| KINDS.into_iter().find(|kind| *kind == door.as_str()));
        named.unwrap_or("socket")
    }

    pub(super) fn to_json(&self) -> Json {
        let mut hello = vec![("protocol", Json::integer(PROTOCOL))];
        hello.extend(self.token.as_deref().map(|token| ("token", Json::from(token))));
        hello.extend(self.door.as_ref().map(|door| ("door", Json::from(door))));
        hello.extend(self.session.as_ref().map(|session| ("session", Json::from(session))));
        Json::object([("hello", Json::object(hello))])
    }

    /// `None` if this is no greeting of this protocol, to the last member.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let Json::Object(mut message) = Json::parse(line).ok()? else { return None };
        let Json::Object(mut hello) = message.remove("hello")? else { return None };
        if hello.remove("protocol")?.as_i64() != Some(PROTOCOL) || !message.is_empty() {
            return None;
        }
        let mut text = |key| match hello.remove(key) {
            None => Some(None),
            Some(Json::String(text)) => Some(Some(text)),
            Some(_) => None,
        };
        let greeting = Self {
            token: text("token")?,
            door: text("door")?.map(|door| door.parse()).transpose().ok()?,
            session: text("session")?.map(|session| session.parse()).transpose().ok()?,
        };
        hello.is_empty().then_some(greeting)
    }
}
