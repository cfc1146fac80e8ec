//! What the model is told of a call that ran.

use callgate_core::Outcome;
use callgate_doors::tools::ToolResult;
use callgate_sandbox::{Ending, Exit};
use callgate_text::{Json, Object};
use callgate_tools::{Done, Fault};

use super::kept::Kept;
use super::settle::Settled;

/// How a call ended, beside the ways in which a contained program does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A tool that runs no program did what it was asked.
    Done,
    /// It was not started: too much runs already.
    Busy,
    /// It was not started, or nobody knows how it ended.
    Refused,
    /// A program ended so.
    Ended(Exit),
}

/// A result on its way.
#[derive(Clone, Debug)]
pub(super) struct Said {
    state: State,
    texts: Vec<String>,
    failed: bool,
    structured: Object,
    /// The outcome is in the log.
    recorded: bool,
}

/// A form for programs with nothing but a state.
pub(super) fn stated(state: &str) -> Object {
    let mut structured = Object::default();
    structured.set("state", state);
    structured
}

impl State {
    fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Ended(exit) => exit.word(),
        }
    }
}

impl Said {
    fn new(state: State, texts: Vec<String>, failed: bool) -> Self {
        let structured = stated(state.word());
        Self { state, texts, failed, structured, recorded: false }
    }

    /// Nothing came of it.
    pub(super) fn failed(state: State, why: &str) -> Self {
        Self::new(state, vec![why.to_owned()], true)
    }

    /// What a tool of the gate's own says.
    pub(super) fn of_tool(state: State, result: Result<Done, Fault>) -> Self {
        match result {
            Ok(done) => {
                let texts = std::iter::once(done.text).chain(done.note).collect();
                let mut said = Self::new(state, texts, false);
                // Whoever wrote them ran where hostile files lie: they are members beside ours, of plain names.
                let plain = |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let simple = |value: &Json| matches!(value, Json::Bool(_) | Json::Number(_) | Json::String(_));
                for (key, value) in done.details.iter().filter(|(key, value)| plain(key) && simple(value)) {
                    if !said.structured.contains(key) {
                        said.structured.set(key, value.clone());
                    }
                }
                said
            }
            Err(fault) => {
                let mut said = Self::failed(state, &fault.message);
                said.structured.set("error", fault.kind.as_str());
                said
            }
        }
    }

    /// What a command printed, and how it ended.
    pub(super) fn of_terminal(ending: &Ending, output: &Kept) -> Self {
        let exit = &ending.exit;
        let mut texts = vec![output.text()];
        if *exit != Exit::Code(0) {
            texts.push(format!("[{exit}]"));
        }
        let mut said = Self::new(State::Ended(exit.clone()), texts, *exit != Exit::Code(0));
        let number = |number: u64| Json::integer(i64::try_from(number).unwrap_or(i64::MAX));
        match exit {
            Exit::Code(code) => said.structured.set("code", Json::integer((*code).into())),
            Exit::Signal(signal) => said.structured.set("signal", Json::integer((*signal).into())),
            _ => said.structured.set("detail", exit.to_string()),
        }
        said.structured.set("output_bytes", number(output.total()));
        said.structured.set("left_out_bytes", number(output.left_out()));
        said.structured.set("wall_millis", number(ending.usage.wall_millis));
        said
    }

    /// What the contained program answered, if it came to that.
    pub(super) fn of_file(exit: &Exit, output: &Kept) -> Self {
        let state = State::Ended(exit.clone());
        if *exit != Exit::Code(0) {
            return Self::failed(state, &format!("The tool did not come to its end: {exit}."));
        }
        match output.whole().and_then(|bytes| callgate_tools::contained::answer(&bytes)) {
            Some(result) => Self::of_tool(state, result),
            None => Self::failed(state, "The tool's answer could not be read."),
        }
    }

    /// Whether what it changed may be kept, as far as that depends on how it ended.
    pub(super) fn may_commit(&self, exit: &Exit) -> bool {
        matches!(exit, Exit::Code(_)) && (!self.failed || self.structured.contains("code"))
    }

    /// Adds what became of its changes.
    pub(super) fn settled(&mut self, settled: Settled) {
        let count = |count: usize| Json::integer(i64::try_from(count).unwrap_or(i64::MAX));
        match settled {
            Settled::Nothing => {}
            Settled::Committed(changes) => self.structured.set("committed", count(changes)),
            Settled::Unknown(why) => {
                self.structured.set("discarded", "all");
                self.texts.push(format!("[Changes to files were not kept: {why}]"));
                self.failed = true;
            }
            Settled::Discarded(changes, why) => {
                self.structured.set("discarded", count(changes));
                self.texts.push(format!("[{changes} changes to files were not kept: {why}]"));
                self.failed = true;
            }
        }
    }

    /// The same, with its outcome in the log.
    pub(super) fn on_record(self) -> Self {
        Self { recorded: true, ..self }
    }

    pub(super) fn is_on_record(&self) -> bool {
        self.recorded
    }

    pub(super) fn outcome(&self) -> Outcome {
        match &self.state {
            State::Done if self.failed => Outcome::Error,
            State::Done => Outcome::Ok,
            State::Busy | State::Refused | State::Ended(Exit::Refused(_)) => Outcome::NotRun,
            State::Ended(Exit::TimedOut) => Outcome::Timeout,
            State::Ended(_) if self.failed => Outcome::Error,
            State::Ended(_) => Outcome::Ok,
        }
    }

    pub(super) fn result(&self) -> Json {
        let texts = self.texts.iter().map(|text| Json::from(text.as_str())).collect();
        Json::object([("texts", Json::Array(texts)), ("structured", Json::Object(self.structured.clone()))])
    }

    pub(super) fn into_result(self) -> ToolResult {
        ToolResult { texts: self.texts, is_error: self.failed, structured: self.structured }
    }
}
