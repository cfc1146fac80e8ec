//! What a server of the stateless era asked for in its answers, and what may be said to it in return.
//!
//! Such a server does not ask by itself. It answers a call with what it needs (`inputRequests`), a state that only
//! it understands (`requestState`), or both; the client makes the call again with its answers and the state. Both
//! are free in form, so without care they are a way past every policy: an agent could tell a server anything as
//! the answer to a question that nobody asked. What is said must therefore belong to what was asked **in this
//! session, in return for the very same request** (its method, what it names and its arguments):
//!
//! - a state passes if the server gave it;
//! - an answer passes if the server asked, by that name, for something of that kind, and policy let it ask; answers
//!   to anything else are taken out, as a server is to overlook them anyway;
//! - where the server asked nothing in this session (its process may have been started anew meanwhile, and keeps no
//!   session), an answer passes if policy lets the server ask for such a thing: it is decided as that question, with
//!   nothing in it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use callgate_core::Outcome;
use callgate_text::{Digest, Json, Object};

use super::actions::Action;
use super::inflight::Released;

/// Answers with questions that are remembered; the oldest is forgotten first.
const MOST_ROUNDS: usize = 256;
/// Questions in one answer, and of one task.
pub(super) const MOST_QUESTIONS: usize = 32;
/// The longest name of a question.
pub(super) const LONGEST_NAME: usize = 256;

/// In return for what something is asked: one request with all that it says, or a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target(Digest);

impl Target {
    /// The request of `action` with these `params`; what belongs to one attempt alone is no part of it.
    pub(super) fn of(action: Action, params: Option<&Object>) -> Self {
        let said = params.into_iter().flat_map(Object::iter);
        let said = said.filter(|(key, _)| !["_meta", "inputResponses", "requestState"].contains(key));
        let said: Object = said.map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let target = Json::object([("method", Json::from(action.method())), ("params", Json::Object(said))]);
        Self(Digest::of(&target.canonical()))
    }

    /// The task of this name.
    pub(super) fn task(id: &str) -> Self {
        Self(Digest::of(&Json::object([("task", id)]).canonical()))
    }
}

/// Something that the server asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// What an answer must be.
    pub(super) kind: Action,
    /// The digest of the canonical form of what was asked.
    pub(super) asked: Digest,
    /// The permit by which it was handed to the client, until it was answered.
    pub(super) released: Option<Released>,
}

/// Questions by their names.
pub(super) type Asked = BTreeMap<String, Question>;

#[derive(Debug)]
struct Round {
    target: Target,
    state: Option<Digest>,
    asked: Asked,
}

/// The last rounds of a session.
#[derive(Debug, Default)]
pub(super) struct Questions(Mutex<VecDeque<Round>>);

/// What a request says to what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answers {
    target: Target,
    state: Option<Digest>,
    /// The questions that it answers, and the digests of the answers.
    given: Vec<(String, Digest)>,
    /// Answers to questions that were not asked in this session: of which kind, and their digests.
    pub(super) unseen: Vec<(Action, Digest)>,
}

impl Questions {
    /// Learns what the server asked for; what had to be forgotten for it.
    pub(super) fn learn(&self, target: Target, state: Option<&str>, asked: Asked) -> Vec<Released> {
        let state = state.map(|state| Digest::of(state.as_bytes()));
        let mut rounds = self.rounds();
        let mut forgotten = Vec::new();
        // The same question again (a task that is looked at twice, a state that is given twice) is one question.
        if let Some(at) = rounds.iter().position(|round| round.target == target && round.state == state)
            && let Some(before) = rounds.remove(at)
        {
            let stays =
                |name: &str, permit: &Option<Released>| asked.get(name).is_some_and(|now| now.released == *permit);
            let gone = before.asked.into_iter().filter(|(name, question)| !stays(name, &question.released));
            forgotten.extend(gone.filter_map(|(_, question)| question.released));
        }
        rounds.push_back(Round { target, state, asked });
        if rounds.len() > MOST_ROUNDS
            && let Some(oldest) = rounds.pop_front()
        {
            forgotten.extend(oldest.asked.into_values().filter_map(|question| question.released));
        }
        forgotten
    }

    /// The question of this name that was let through before, if it is the very same.
    pub(super) fn known(&self, target: Target, state: Option<&str>, name: &str, asked: Digest) -> Option<Question> {
        let state = state.map(|state| Digest::of(state.as_bytes()));
        let rounds = self.rounds();
        let mut rounds = rounds.iter().filter(|round| round.target == target && round.state == state);
        let question = rounds.find_map(|round| round.asked.get(name)).filter(|question| question.asked == asked);
        question.cloned()
    }

    /// Holds what a request says against what was asked, and takes out of `params` what answers nothing.
    ///
    /// # Errors
    /// Why nothing of it may be said.
    pub(super) fn fit(&self, target: Target, params: &mut Object) -> Result<Answers, &'static str> {
        let state = match params.get("requestState") {
            None => None,
            Some(Json::String(state)) => Some(Digest::of(state.as_bytes())),
            Some(_) => return Err("has a state that is no text"),
        };
        let rounds = self.rounds();
        let mine = || rounds.iter().filter(|round| round.target == target && round.state == state);
        if state.is_some() && mine().next().is_none() {
            return Err("has a state that the server did not give for this request in this session");
        }
        let mut answers = Answers { target, state, given: Vec::new(), unseen: Vec::new() };
        let responses = match params.get("inputResponses") {
            None => return Ok(answers),
            Some(Json::Object(responses)) => responses,
            Some(_) => return Err("must have an object as `inputResponses`"),
        };
        if mine().next().is_none() {
            if responses.len() > MOST_QUESTIONS {
                return Err("has too many answers");
            }
            for (_, answer) in responses.iter() {
                let kind = KINDS.into_iter().find(|kind| is_answer(*kind, answer));
                let kind = kind.ok_or("has an answer that is of no kind that a server asks for")?;
                answers.unseen.push((kind, Digest::of(&answer.canonical())));
            }
            return Ok(answers);
        }
        let mut kept = Object::default();
        for (name, answer) in responses.iter() {
            // The latest question of a name is the one that is answered.
            let Some(question) = mine().filter_map(|round| round.asked.get(name)).next_back() else { continue };
            if !is_answer(question.kind, answer) {
                return Err("has an answer that is not of the kind that the server asked for");
            }
            answers.given.push((name.to_owned(), Digest::of(&answer.canonical())));
            kept.set(name, answer.clone());
        }
        if kept.len() < responses.len() {
            match kept.is_empty() {
                true => drop(params.remove("inputResponses")),
                false => params.set("inputResponses", kept),
            }
        }
        Ok(answers)
    }

    /// The server was told: what is to be reported of the questions that are answered for the first time.
    pub(super) fn answered(&self, answers: &Answers) -> Vec<(Released, Outcome, Digest)> {
        let mut rounds = self.rounds();
        let mut reports = Vec::new();
        for (name, digest) in &answers.given {
            let mine = rounds.iter_mut().filter(|round| round.target == answers.target && round.state == answers.state);
            let question = mine.filter_map(|round| round.asked.get_mut(name)).next_back();
            if let Some(released) = question.and_then(|question| question.released.take()) {
                reports.push((released, Outcome::Ok, *digest));
            }
        }
        reports
    }

    /// Forgets everything; what was never answered.
    pub(super) fn abandon(&self) -> Vec<Released> {
        let rounds = std::mem::take(&mut *self.rounds());
        let asked = rounds.into_iter().flat_map(|round| round.asked.into_values());
        asked.filter_map(|question| question.released).collect()
    }

    fn rounds(&self) -> MutexGuard<'_, VecDeque<Round>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a server asks for.
const KINDS: [Action; 3] = [Action::Elicit, Action::Sample, Action::ListRoots];

/// The question of this kind with nothing in it, as the older era would ask it.
pub(super) fn bare(kind: Action) -> Object {
    let params = match kind {
        Action::Elicit => Json::object([("message", "")]),
        Action::Sample => Json::object([("messages", Json::Array(Vec::new())), ("maxTokens", Json::integer(0))]),
        _ => Json::Object(Object::default()),
    };
    [("method".to_owned(), Json::from(kind.method())), ("params".to_owned(), params)].into_iter().collect()
}

/// Whether this is how a question of that kind is answered.
fn is_answer(kind: Action, answer: &Json) -> bool {
    let text = |key: &str| answer.get(key).and_then(Json::as_str);
    match kind {
        Action::Elicit => {
            matches!(text("action"), Some("accept" | "decline" | "cancel"))
                && answer.get("content").is_none_or(|content| content.as_object().is_some())
        }
        Action::ListRoots => answer.get("roots").is_some_and(|roots| roots.as_array().is_some()),
        Action::Sample => text("role").is_some() && text("model").is_some() && answer.get("content").is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
