//! When a host's door was last proved to deny: `proofs.json` in the gate's state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use callgate_core::DoorName;
use callgate_text::Json;

use crate::replaced::{Replaced, indented};

/// What `callgate doctor` found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// When, as RFC 3339.
    pub(crate) at: String,
    /// The host's version.
    pub(crate) version: String,
    /// Whether every canary was denied.
    pub(crate) holds: bool,
}

impl Proof {
    pub(crate) fn to_json(&self) -> Json {
        Json::object([
            ("at", Json::from(self.at.as_str())),
            ("version", Json::from(self.version.as_str())),
            ("holds", Json::Bool(self.holds)),
        ])
    }

    fn from_json(json: &Json) -> Option<Self> {
        let text = |key| json.get(key).and_then(Json::as_str).map(str::to_owned);
        Some(Self { at: text("at")?, version: text("version")?, holds: json.get("holds")?.as_bool()? })
    }
}

/// The newest proof for each host.
#[derive(Debug)]
pub(crate) struct Proofs {
    path: PathBuf,
    newest: Mutex<BTreeMap<DoorName, Proof>>,
}

impl Proofs {
    /// Those of this state. What cannot be read proves nothing.
    pub(crate) fn open(state: &Path) -> Self {
        let path = state.join("proofs.json");
        let read = || -> Option<BTreeMap<DoorName, Proof>> {
            let document = Json::parse(&std::fs::read(&path).ok()?).ok()?;
            document
                .as_object()?
                .iter()
                .map(|(host, proof)| Some((host.parse().ok()?, Proof::from_json(proof)?)))
                .collect()
        };
        Self { newest: Mutex::new(read().unwrap_or_default()), path }
    }

    pub(crate) fn all(&self) -> BTreeMap<DoorName, Proof> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn keep(&self, host: DoorName, proof: Proof) -> Result<()> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.insert(host, proof);
        let document = Json::object(newest.iter().map(|(host, proof)| (host.as_str(), proof.to_json())));
        Replaced { draft_in: None, mode: 0o600 }.write(&self.path, &(indented(&document) + "\n")).context("proofs.json")
    }
}
