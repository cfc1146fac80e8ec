//! One record for somebody who does not have the log: the leaf, the proof, and the values that are opened.
//!
//! ```json
//! {"proof": "c2sp.org/tlog-proof@v1\n…", "leaf": "{…the exact bytes…}",
//!  "opened": [{"name": "argument:1", "salt": "<base64>", "value": "<canonical JSON, as text>"}]}
//! ```
//!
//! Values that are not opened stay as closed as they were: their salts are not in the file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callgate_text::{Json, JsonError};

use crate::checkpoint::Checkpoint;
use crate::commitment::Disclosure;
use crate::error::AuditError;
use crate::frame::MAX_LEAF;
use crate::leaf::{self, commitments};
use crate::note::{NoteError, VerifierKey};
use crate::proof::TlogProof;
use crate::reader::{Opening, Reader};

/// The longest evidence that is read, in bytes.
const MAX_EVIDENCE: usize = 128 << 20;

/// One record for somebody who does not have the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The proof that it is in the log.
    pub proof: TlogProof,
    /// The exact bytes of the record.
    pub leaf: Vec<u8>,
    /// The values that are opened.
    pub opened: Vec<Disclosure>,
}

impl Reader {
    /// The evidence for the record at `index`, opening the values called `names`.
    ///
    /// # Errors
    /// [`AuditError::NoSuchRecord`] if no checkpoint covers it yet, [`AuditError::Unavailable`] if a value was
    /// erased or never was.
    pub fn evidence(&self, index: u64, names: &[&str]) -> Result<Evidence, AuditError> {
        let proven = self.prove(index)?;
        let mut openings = self.openings(&proven.shown)?;
        let mut opened = Vec::new();
        for name in names {
            let found = openings.iter().position(|(found, _)| found == name);
            match found.map(|at| openings.swap_remove(at).1) {
                Some(Opening::Open(disclosure)) => opened.push(disclosure),
                Some(Opening::Gone) => {
                    return Err(AuditError::Unavailable(format!("the value `{name}` of record {index} was erased")));
                }
                None => {
                    return Err(AuditError::Unavailable(format!("record {index} holds no value called `{name}`")));
                }
            }
        }
        Ok(Evidence { proof: proven.proof, leaf: proven.shown.bytes, opened })
    }
}

impl Evidence {
    /// As the file is written.
    pub fn to_json(&self) -> Json {
        let opened = self.opened.iter().map(|one| {
            Json::object([
                ("name", Json::from(one.name.as_str())),
                ("salt", Json::from(STANDARD.encode(one.salt))),
                ("value", Json::from(String::from_utf8_lossy(&one.value).into_owned())),
            ])
        });
        Json::object([
            ("proof", Json::from(self.proof.to_string())),
            ("leaf", Json::from(String::from_utf8_lossy(&self.leaf).into_owned())),
            ("opened", Json::Array(opened.collect())),
        ])
    }

    /// Reads the file. Never panics, whatever the bytes.
    ///
    /// # Errors
    /// [`NoteError::Malformed`]. Says nothing about its truth: [`Evidence::verify`] does.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        const FORM: NoteError = NoteError::Malformed("not evidence: `{proof, leaf, opened}`");
        let json = Json::parse_within(bytes, MAX_EVIDENCE).map_err(|_: JsonError| FORM)?;
        let text = |json: &Json, member: &str| json.get(member).and_then(Json::as_str).map(str::to_owned).ok_or(FORM);
        let proof = TlogProof::parse(text(&json, "proof")?.as_bytes())?;
        let leaf = text(&json, "leaf")?.into_bytes();
        let opened = json.get("opened").and_then(Json::as_array).ok_or(FORM)?.iter().map(|one| {
            let salt = STANDARD.decode(text(one, "salt")?).map_err(|_| FORM)?;
            Ok(Disclosure {
                index: proof.index,
                name: text(one, "name")?,
                salt: salt.try_into().map_err(|_| FORM)?,
                value: text(one, "value")?.into_bytes(),
            })
        });
        let opened = opened.collect::<Result<Vec<_>, NoteError>>()?;
        Ok(Self { proof, leaf, opened })
    }

    /// Whether the record is in the log that `trusted` signs, and every opened value is what it commits to.
    /// Gives the checkpoint.
    ///
    /// # Errors
    /// [`NoteError`], `Malformed` if a value is not what was committed to.
    pub fn verify(&self, trusted: &[VerifierKey]) -> Result<Checkpoint, NoteError> {
        let checkpoint = self.proof.verify(&self.leaf, trusted)?;
        let leaf = self.leaf.len() <= MAX_LEAF;
        let leaf = leaf.then(|| leaf::parse(&self.leaf)).flatten().ok_or(NoteError::Malformed("not a record"))?;
        let commitments = commitments(&leaf);
        let committed = |one: &Disclosure| commitments.contains(&(one.name.as_str(), one.commitment()));
        if self.opened.iter().all(committed) {
            Ok(checkpoint)
        } else {
            Err(NoteError::Malformed("an opened value is not what the record commits to"))
        }
    }
}
