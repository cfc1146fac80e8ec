//! A tool call, immutable once parsed.

use std::fmt;
use std::str::FromStr;

use callgate_text::{Digest, Json, JsonError, Object};

use crate::{AgentId, HostCall, NameError, SessionId, ToolName, WorkingDirectory};

/// Who is at the door, as its credential proved; never what the caller says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An agent that a credential proved.
    Agent {
        /// Which agent.
        id: AgentId,
        /// Whether the agent could get around this gate.
        posture: Posture,
    },
    /// No credential, or none that this gate accepts.
    Unrecognised {
        /// What to tell the operator; holds no part of the credential.
        why: &'static str,
    },
}

/// Whether the agent runs where the operating system keeps it away from the gate's keys and state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posture {
    /// Another user than the gate's: the agent cannot read keys or write policy.
    Enforced,
    /// The same user as the gate's: an agent that ignores its host could.
    Advisory,
    /// The operator lets this door only watch: what policy denies runs all the same, as `would_deny`.
    Observing,
}

impl Posture {
    /// The word in records and `status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Advisory => "advisory",
            Self::Observing => "observing",
        }
    }
}

/// What a door read from the wire, before the gate knows whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The tool.
    pub tool: ToolName,
    /// The host's session, if it has one.
    pub session: Option<SessionId>,
    /// The arguments; absent ones stay absent.
    pub arguments: Option<Object>,
    /// Protocol members that change what the call does (a task, a retry's answers), by name.
    pub members: Object,
    /// Where relative paths of the call start, if the door's host says so.
    pub cwd: Option<WorkingDirectory>,
    /// The digest of the bytes that will be sent on.
    pub original: Digest,
    /// What the server offers by the tool's name now, where the door looks at that.
    pub offered: Option<Offered>,
    /// The host's own id of this call, by which a door that cannot keep the permit reports what became of it. Not
    /// part of the call.
    pub host_call: Option<HostCall>,
}

/// What a server offers by a tool's name, as the door itself saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// One definition, by the digest of its canonical form.
    Definition(Digest),
    /// Nothing.
    Nothing,
    /// Definitions that contradict each other, or that change faster than one can be decided.
    Unsettled,
    /// Its list could not be had.
    Unlisted,
}

impl fmt::Display for Offered {
    /// The digest, or `nothing`, `unsettled`, `unlisted`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Definition(digest) => digest.fmt(f),
            Self::Nothing => f.write_str("nothing"),
            Self::Unsettled => f.write_str("unsettled"),
            Self::Unlisted => f.write_str("unlisted"),
        }
    }
}

/// A text that is no [`Offered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a digest nor `nothing`, `unsettled` or `unlisted`")]
pub struct NotOffered;

impl FromStr for Offered {
    type Err = NotOffered;

    fn from_str(text: &str) -> Result<Self, NotOffered> {
        match text {
            "nothing" => Ok(Self::Nothing),
            "unsettled" => Ok(Self::Unsettled),
            "unlisted" => Ok(Self::Unlisted),
            digest => digest.parse().map(Self::Definition).map_err(|_| NotOffered),
        }
    }
}

/// Why bytes are not a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallFault {
    /// Parsers could disagree about the bytes.
    #[error("the call is not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// The document is not an object with the members of a call.
    #[error("the call {0}")]
    Shape(&'static str),
    /// A name is not one.
    #[error("the call's name is {0}")]
    Name(#[from] NameError),
    /// A fault that a door on the other side of a socket found, in its words.
    #[error("{0}")]
    Reported(String),
}

impl Request {
    /// Reads the form of `callgate decide` and of the HTTP API,
    /// `{"agent"?, "session"?, "tool", "arguments"?}`, and the agent that it names.
    ///
    /// # Errors
    /// [`CallFault`] if the bytes are not strict JSON of exactly this shape.
    pub fn parse(bytes: &[u8]) -> Result<(Option<AgentId>, Self), CallFault> {
        let Json::Object(mut document) = Json::parse(bytes)? else {
            return Err(CallFault::Shape("must be a JSON object"));
        };
        let mut text = |key: &'static str, fault: &'static str| match document.remove(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(CallFault::Shape(fault)),
        };
        let agent = text("agent", "must name its agent by a string")?;
        let session = text("session", "must name its session by a string")?;
        let tool = text("tool", "must name its tool by a string")?;
        let tool = tool.ok_or(CallFault::Shape("lacks `tool`"))?.parse()?;
        let arguments = match document.remove("arguments") {
            None => None,
            Some(Json::Object(arguments)) => Some(arguments),
            Some(_) => return Err(CallFault::Shape("must have an object as `arguments`")),
        };
        if !document.is_empty() {
            return Err(CallFault::Shape("has a member other than agent, session, tool, arguments"));
        }
        let request = Self {
            tool,
            session: session.map(|session| session.parse()).transpose()?,
            arguments,
            members: Object::default(),
            cwd: None,
            original: Digest::of(bytes),
            offered: None,
            host_call: None,
        };
        Ok((agent.map(|agent| agent.parse()).transpose()?, request))
    }
}

/// A request and whose it is: what policy judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    agent: AgentId,
    request: Request,
    digest: Digest,
    asked: Digest,
    length: usize,
}

impl Call {
    /// Binds `request` to the agent that makes it.
    pub fn new(agent: AgentId, request: Request) -> Self {
        let canonical = document(&agent, &request, request.cwd.as_ref()).canonical();
        let digest = Digest::of(&canonical);
        let asked = match &request.cwd {
            None => digest,
            Some(_) => Digest::of(&document(&agent, &request, None).canonical()),
        };
        Self { digest, asked, length: canonical.len(), agent, request }
    }

    /// Who calls.
    pub fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// In which session.
    pub fn session(&self) -> Option<&SessionId> {
        self.request.session.as_ref()
    }

    /// Which tool.
    pub fn tool(&self) -> &ToolName {
        &self.request.tool
    }

    /// With which arguments.
    pub fn arguments(&self) -> Option<&Object> {
        self.request.arguments.as_ref()
    }

    /// The protocol members that are part of the call.
    pub fn members(&self) -> &Object {
        &self.request.members
    }

    /// Where its relative paths start, if its host says so.
    pub fn cwd(&self) -> Option<&WorkingDirectory> {
        self.request.cwd.as_ref()
    }

    /// The host's own id of this call.
    pub fn host_call(&self) -> Option<&HostCall> {
        self.request.host_call.as_ref()
    }

    /// What the server offers by this tool's name now.
    pub fn offered(&self) -> Option<Offered> {
        self.request.offered
    }

    /// The digest of the canonical form.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of what is asked for, wherever that is: after a call its host may work somewhere else.
    pub fn asked(&self) -> Digest {
        self.asked
    }

    /// The length of the canonical form, in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The digest of the bytes that will be sent on.
    pub fn original(&self) -> Digest {
        self.request.original
    }

    /// `{agent, session?, tool, arguments?, members?, cwd?}`: what the digest covers.
    pub fn to_json(&self) -> Json {
        document(&self.agent, &self.request, self.request.cwd.as_ref())
    }
}

fn document(agent: &AgentId, request: &Request, cwd: Option<&WorkingDirectory>) -> Json {
    let mut members = vec![("agent", Json::from(agent)), ("tool", Json::from(&request.tool))];
    if let Some(session) = &request.session {
        members.push(("session", Json::from(session)));
    }
    if let Some(arguments) = &request.arguments {
        members.push(("arguments", Json::Object(arguments.clone())));
    }
    if !request.members.is_empty() {
        members.push(("members", Json::Object(request.members.clone())));
    }
    if let Some(cwd) = cwd {
        members.push(("cwd", Json::from(cwd.as_str())));
    }
    Json::object(members)
}
