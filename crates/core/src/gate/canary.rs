//! Canaries: calls that the operator has made so that they are denied, to prove that denials arrive at a host.
//!
//! A canary is a random word that the gate makes and tells the operator. The next call that holds it, through whatever
//! door and whoever calls, is denied as `canary`, before policy is asked. A model that learnt the word could have its
//! own call denied, and nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::seam::EntropyError;
use crate::{AgentId, Request, Timestamp};

use super::Gate;

/// How long a canary is waited for.
const LIFE: Duration = Duration::from_secs(300);

/// Canaries that are waited for at once; the oldest gives way.
const MOST: usize = 64;

/// A canary that came to the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When.
    pub at: Timestamp,
    /// As whose call; `None` if nobody's.
    pub agent: Option<AgentId>,
}

#[derive(Debug)]
struct Canary {
    made: Timestamp,
    heard: Option<Heard>,
}

#[derive(Debug, Default)]
pub(super) struct Canaries(Mutex<BTreeMap<String, Canary>>);

impl Canaries {
    /// Whether this call holds a canary that is waited for.
    pub(super) fn hear(&self, request: &Request, agent: Option<&AgentId>, at: Timestamp) -> bool {
        let mut canaries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if canaries.is_empty() {
            return false;
        }
        canaries.retain(|_, canary| canary.lives(at));
        let Some(arguments) = &request.arguments else { return false };
        let text = callgate_text::Json::Object(arguments.clone()).canonical();
        let text = String::from_utf8_lossy(&text);
        let held = canaries.iter_mut().find(|(word, _)| text.contains(word.as_str()));
        let Some((_, canary)) = held else { return false };
        canary.heard = Some(Heard { at, agent: agent.cloned() });
        true
    }
}

impl Canary {
    fn lives(&self, now: Timestamp) -> bool {
        let age = now.as_millis().saturating_sub(self.made.as_millis());
        u128::try_from(age).is_ok_and(|age| age < LIFE.as_millis())
    }
}

impl Gate {
    /// A new canary: the next call that holds this word is denied.
    ///
    /// # Errors
    /// Without randomness.
    pub fn canary(&self) -> Result<String, EntropyError> {
        let mut random = [0; 16];
        self.seams.entropy.fill(&mut random)?;
        let word = format!("callgate-canary-{}", callgate_text::hex(&random));
        let made = self.seams.clock.now();
        let mut canaries = self.canaries.0.lock().unwrap_or_else(PoisonError::into_inner);
        canaries.retain(|_, canary| canary.lives(made));
        while canaries.len() >= MOST {
            let oldest = canaries.iter().min_by_key(|(_, canary)| canary.made).map(|(word, _)| word.clone());
            oldest.and_then(|word| canaries.remove(&word));
        }
        canaries.insert(word.clone(), Canary { made, heard: None });
        Ok(word)
    }

    /// Whether the canary came, and as whose call.
    pub fn heard(&self, canary: &str) -> Option<Heard> {
        self.canaries.0.lock().unwrap_or_else(PoisonError::into_inner).get(canary)?.heard.clone()
    }
}
