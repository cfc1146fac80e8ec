//! What became of a row, and whether it is what had to.

use std::time::Duration;

use serde_json::{Value, json};

use super::table::{Expected, Row};

/// A row and its answer.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(super) row: Row,
    pub(super) text: String,
    pub(super) is_error: bool,
    pub(super) took: Duration,
}

impl Outcome {
    /// The server's name.
    pub(super) fn server(&self) -> &str {
        self.row.tool.split_once('.').map_or(self.row.tool, |(server, _)| server)
    }

    /// Whether the answer says that the tool ran.
    pub(crate) fn ran_by_its_answer(&self) -> bool {
        !self.is_error
    }

    /// What the server must have written if the tool ran.
    pub(super) fn journal_line(&self) -> Value {
        json!({"tool": self.row.tool, "arguments": self.row.arguments})
    }

    /// The reason code of a denial, from the sentence that the model reads.
    pub(crate) fn code(&self) -> Option<&str> {
        let rest = self.is_error.then(|| self.text.strip_prefix("Denied: ")).flatten()?;
        rest.split(['.', ' ']).next()
    }

    /// What is not as it must be, naming the row.
    pub(super) fn failure(&self) -> Option<String> {
        let Row { who, tool, what, .. } = &self.row;
        let was = match self.code() {
            Some(code) => code,
            None if self.is_error => "an error",
            None => "allow",
        };
        let wanted = match &self.row.expected {
            Expected::Allow if !self.is_error => return None,
            Expected::Allow => "allow",
            Expected::Deny(code, words) if self.code() == Some(code) => {
                let missing = words.iter().find(|word| !self.text.contains(**word))?;
                return Some(format!("{who} {tool} ({what}): the reason does not name {missing}: {}", self.text));
            }
            Expected::Deny(code, _) => code,
        };
        Some(format!("{who} {tool} ({what}): expected {wanted}, got {was}: {}", self.text))
    }

    /// `{agent, tool, arguments, shows, decision, reason, micros, expected}`.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "agent": self.row.who,
            "tool": self.row.tool,
            "arguments": self.row.arguments,
            "shows": self.row.what,
            "decision": if self.is_error { "deny" } else { "allow" },
            "code": self.code(),
            "answer": self.text,
            "micros": u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX),
            "as_expected": self.failure().is_none(),
        })
    }

    /// Agent, call, decision, reason and time, as the table shows them.
    pub(crate) fn cells(&self) -> [String; 5] {
        let decision = if self.is_error { "deny" } else { "allow" };
        let reason = match (self.code(), self.is_error) {
            (Some(code), _) => format!("{code} · {}", self.row.what),
            (None, true) => "error".to_owned(),
            (None, false) => self.row.what.to_owned(),
        };
        let call = format!("{} {}", self.row.tool, shorten(&self.row.arguments.to_string(), 58));
        let took = format!("{:.1} ms", self.took.as_secs_f64() * 1000.0);
        [self.row.who.to_owned(), call, decision.to_owned(), reason, took]
    }

    /// The answer as the model reads it.
    pub(crate) fn answer(&self) -> &str {
        &self.text
    }

    /// A denial by policy, with values and a hint.
    pub(crate) fn is_worth_reading(&self) -> bool {
        matches!(self.row.expected, Expected::Deny("not_permitted", words) if words.len() > 1)
    }

    /// Whether the row is as it must be.
    pub(crate) fn as_expected(&self) -> bool {
        self.failure().is_none()
    }
}

fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
