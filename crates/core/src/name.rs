//! Names, checked once at the wall.

use std::fmt;
use std::str::FromStr;

/// Why a string is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {what}: {rule}")]
pub struct NameError {
    what: &'static str,
    rule: &'static str,
}

const LONGEST: usize = 128;

fn plain(text: &str, extra: &[u8]) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(NameError { what: $what, rule: $rule }) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl From<&$name> for callgate_text::Json {
            fn from(name: &$name) -> Self {
                Self::from(name.as_str())
            }
        }
    };
}

name!(
    /// An agent, as the operator's `entities.toml` names it.
    AgentId, "an agent name", "1 to 128 of A-Z a-z 0-9 . _ - @ :, the first a letter, digit or _", |text| plain(text, b"._-@:")
);
name!(
    /// A session of an agent; whatever a host calls it, it means something only together with the agent.
    SessionId, "a session id", "1 to 128 of A-Z a-z 0-9 . _ - @ : /, the first a letter, digit or _", |text| plain(text, b"._-@:/")
);
name!(
    /// A host's id of one call; means something only together with agent and session.
    HostCall, "a call id", "1 to 128 of A-Z a-z 0-9 . _ - @ :, the first a letter, digit or _", |text| plain(text, b"._-@:")
);
name!(
    /// A way in, by its protocol or by the host that it stands in: `mcp`, `http`, `claude-code`.
    DoorName, "a door's name", "1 to 128 of A-Z a-z 0-9 _ -, the first a letter, digit or _", |text| plain(text, b"_-")
);
name!(
    /// A provider of tools, as the operator names it. Has no dot, so that it ends where the tool begins.
    ServerName, "a server name", "1 to 128 of A-Z a-z 0-9 _ -, the first a letter, digit or _", |text| plain(text, b"_-")
);
name!(
    /// `<server>.<tool>`, or `<server>.<protocol method>` for what MCP offers beside tools.
    ToolName, "a tool name", "`<server>.<tool>` of A-Z a-z 0-9 . _ - /, at most 128 long", |text| {
        plain(text, b"._-/")
            && text.split_once('.').is_some_and(|(server, tool)| plain(server, b"_-") && !tool.is_empty())
    }
);

impl ToolName {
    /// The tool `tool` of `server`.
    ///
    /// # Errors
    /// If `tool` holds anything but A-Z a-z 0-9 . _ - /, or the whole is too long.
    pub fn of(server: &ServerName, tool: &str) -> Result<Self, NameError> {
        format!("{server}.{tool}").parse()
    }

    /// The server's part.
    pub fn server(&self) -> &str {
        self.0.split_once('.').map_or(&*self.0, |(server, _)| server)
    }

    /// The tool's part.
    pub fn tool(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, tool)| tool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_they_should() {
        assert!("bank.payment_send".parse::<ToolName>().is_ok());
        assert!("bank.prompts/get".parse::<ToolName>().is_ok());
        for bad in ["bank", ".x", "bank.", "ba nk.x", "bänk.x", "bank.\u{0}", "-a.b", "", &"a.b".repeat(60)] {
            assert!(bad.parse::<ToolName>().is_err(), "{bad:?}");
        }
        let name: ToolName = "desk.mail.send".parse().expect("valid");
        assert_eq!((name.server(), name.tool()), ("desk", "mail.send"));
        assert!("a.b".parse::<ServerName>().is_err());
    }
}
