//! What the guest says: one line each.

use std::fmt;
use std::str::FromStr;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The gate did not start, or the log does not verify; holds why.
    Refused(String),
    /// The log verifies; holds what was counted.
    Verified(String),
    /// The log has this decision.
    Decision(String),
    /// The log has this outcome.
    Outcome(String),
    /// That was the log.
    Looked,
    /// The host may cut from here on.
    Ready,
    /// The gate released this call to its caller.
    Released(String),
    /// The gate said that this call's outcome is recorded.
    Completed(String),
    /// This checkpoint was published; its line ends are `|`, its spaces `_`.
    Checkpoint(String),
    /// All is stopped in good order.
    Done,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "refused {}", why.split_whitespace().collect::<Vec<_>>().join(" ")),
            Self::Verified(counts) => write!(f, "verified {counts}"),
            Self::Decision(id) => write!(f, "decision {id}"),
            Self::Outcome(id) => write!(f, "outcome {id}"),
            Self::Looked => write!(f, "looked -"),
            Self::Ready => write!(f, "ready -"),
            Self::Released(id) => write!(f, "released {id}"),
            Self::Completed(id) => write!(f, "completed {id}"),
            Self::Checkpoint(text) => write!(f, "checkpoint {text}"),
            Self::Done => write!(f, "done -"),
        }
    }
}

impl FromStr for Report {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (word, rest) = line.split_once(' ').ok_or(())?;
        let rest = rest.to_owned();
        Ok(match word {
            "refused" => Self::Refused(rest),
            "verified" => Self::Verified(rest),
            "decision" => Self::Decision(rest),
            "outcome" => Self::Outcome(rest),
            "looked" => Self::Looked,
            "ready" => Self::Ready,
            "released" => Self::Released(rest),
            "completed" => Self::Completed(rest),
            "checkpoint" => Self::Checkpoint(rest),
            "done" => Self::Done,
            _ => return Err(()),
        })
    }
}
