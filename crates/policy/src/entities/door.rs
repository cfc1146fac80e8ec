//! `[[door]]` of `entities.toml`: who it is that comes in without a credential of its own.
//!
//! ```toml
//! [[door]]
//! uid = 1000                # the process at the socket runs as this user
//! host = "claude-code"      # and says that it stands in this host
//! session = "nightly-*"     # and in this session; a star at the end stands for anything
//! agent = "dev-1"
//! ```
//!
//! Only the user is proved, by the kernel. Host and session are what a process of that user says: they choose
//! among the agents of one user, and never reach another user's.

use callgate_core::{AgentId, DoorName, SessionId};
use toml::de::DeValue;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    uid: u32,
    host: Option<DoorName>,
    session: Option<Pattern>,
    pub(crate) agent: AgentId,
}

/// A session id, or how it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    start: String,
    open: bool,
}

impl Pattern {
    fn read(text: &str) -> Option<Self> {
        let (start, open) = text.strip_suffix('*').map_or((text, false), |start| (start, true));
        let valid = open && start.is_empty() || start.parse::<SessionId>().is_ok();
        valid.then(|| Self { start: start.to_owned(), open })
    }

    fn holds(&self, session: &SessionId) -> bool {
        if self.open { session.as_str().starts_with(&self.start) } else { session.as_str() == self.start }
    }
}

impl Door {
    pub(crate) fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let DeValue::Table(table) = value else { return Err("a door is a table".to_owned()) };
        let (mut uid, mut host, mut session, mut agent) = (None, None, None, None);
        for (key, value) in table {
            let text = value.get_ref().as_str();
            match &**key.get_ref() {
                "uid" => uid = Some(super::user_id(value.get_ref()).ok_or("`uid` must be a user id")?),
                "host" => {
                    let name = text.and_then(|text| text.parse().ok());
                    host = Some(name.ok_or("`host` must be a door's name, like \"claude-code\"")?);
                }
                "session" => {
                    let pattern = text.and_then(Pattern::read);
                    session = Some(pattern.ok_or("`session` must be a session id, or the start of one and a `*`")?);
                }
                "agent" => {
                    let name = text.and_then(|text| text.parse().ok());
                    agent = Some(name.ok_or("`agent` must be an agent's name")?);
                }
                other => return Err(format!("`{}` means nothing on a door", super::clip(other))),
            }
        }
        Ok(Self {
            uid: uid.ok_or("a door needs a `uid`")?,
            host,
            session,
            agent: agent.ok_or("a door needs an `agent`")?,
        })
    }

    /// The row that an agent's own `uid` stands for.
    pub(crate) fn of_user(uid: u32, agent: AgentId) -> Self {
        Self { uid, host: None, session: None, agent }
    }

    /// Whether this is for everything that runs as `uid`.
    pub(crate) fn is_of_any(&self, uid: u32) -> bool {
        self.uid == uid && self.host.is_none() && self.session.is_none()
    }

    /// How exactly this row speaks of who is at the door; `None` if it speaks of somebody else.
    fn fits(&self, uid: u32, host: Option<&DoorName>, session: Option<&SessionId>) -> Option<Rank> {
        let fits = self.uid == uid
            && (self.host.is_none() || self.host.as_ref() == host)
            && self.session.as_ref().is_none_or(|pattern| session.is_some_and(|session| pattern.holds(session)));
        fits.then(|| self.rank())
    }

    fn rank(&self) -> Rank {
        let session = self.session.as_ref().map(|pattern| (pattern.start.len(), !pattern.open));
        (session, self.host.is_some())
    }

    /// Whether somebody could be spoken of by both as exactly.
    pub(crate) fn clashes(&self, other: &Self) -> bool {
        (self.uid, &self.host, &self.session) == (other.uid, &other.host, &other.session)
    }
}

type Rank = (Option<(usize, bool)>, bool);

/// The agent that the most exact row names: a session before a host, a longer start before a shorter one.
pub(crate) fn agent<'a>(
    doors: &'a [Door],
    uid: u32,
    host: Option<&DoorName>,
    session: Option<&SessionId>,
) -> Option<&'a AgentId> {
    let ranked = doors.iter().filter_map(|door| Some((door.fits(uid, host, session)?, &door.agent)));
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, agent)| agent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors() -> Vec<Door> {
        let row = |uid, host: Option<&str>, session: Option<&str>, agent: &str| Door {
            uid,
            host: host.map(|host| host.parse().unwrap()),
            session: session.map(|session| Pattern::read(session).unwrap()),
            agent: agent.parse().unwrap(),
        };
        vec![
            row(1000, None, None, "user"),
            row(1000, Some("claude-code"), None, "claude"),
            row(1000, None, Some("ci-*"), "ci"),
            row(1000, Some("claude-code"), Some("ci-*"), "claude-ci"),
            row(1000, None, Some("ci-7"), "seventh"),
            row(1001, None, None, "other"),
        ]
    }

    fn who(uid: u32, host: Option<&str>, session: Option<&str>) -> Option<String> {
        let host = host.map(|host| host.parse().unwrap());
        let session = session.map(|session| session.parse().unwrap());
        agent(&doors(), uid, host.as_ref(), session.as_ref()).map(ToString::to_string)
    }

    #[test]
    fn the_most_exact_row_names_the_agent() {
        for (uid, host, session, expected) in [
            (1000, None, None, Some("user")),
            (1000, Some("codex"), Some("x"), Some("user")),
            (1000, Some("claude-code"), Some("x"), Some("claude")),
            (1000, Some("codex"), Some("ci-1"), Some("ci")),
            (1000, Some("claude-code"), Some("ci-1"), Some("claude-ci")),
            (1000, Some("claude-code"), Some("ci-7"), Some("seventh")),
            (1000, None, Some("c"), Some("user")),
            (1002, Some("claude-code"), Some("ci-7"), None),
        ] {
            assert_eq!(who(uid, host, session).as_deref(), expected, "{uid} {host:?} {session:?}");
        }
    }

    #[test]
    fn what_is_said_never_reaches_another_user() {
        for host in [None, Some("claude-code"), Some("other")] {
            for session in [None, Some("ci-7"), Some("user")] {
                assert_eq!(who(1001, host, session).as_deref(), Some("other"));
                assert_eq!(who(0, host, session), None);
            }
        }
    }
}
