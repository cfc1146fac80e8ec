//! Reading records, one by one, of a log that may be growing.

use callgate_core::{AgentId, SessionId, Timestamp, ToolName};
use callgate_text::Json;

use crate::commitment::Disclosure;
use crate::dir::LogDir;
use crate::disclosure::{GROUP, read_group};
use crate::error::AuditError;
use crate::leaf::{self, count};
use crate::wal::{Cursor, Step};

/// A record as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its place in the log.
    pub index: u64,
    /// The exact bytes that are hashed.
    pub bytes: Vec<u8>,
    /// The same as JSON.
    pub leaf: Json,
}

impl Shown {
    /// `{log, index, record}`: enough to prove it elsewhere.
    pub fn to_json(&self, origin: &str) -> Json {
        Json::object([("log", Json::from(origin)), ("index", count(self.index)), ("record", self.leaf.clone())])
    }
}

/// What became of a value that the log commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It is there, and is what was committed to.
    Open(Disclosure),
    /// It was erased, or lost: the log's `erasure` and `recovery` records tell.
    Gone,
}

/// Which records are wanted: those that meet every condition that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `decision`, `outcome`, ….
    pub kind: Option<String>,
    /// The agent.
    pub agent: Option<AgentId>,
    /// The session.
    pub session: Option<SessionId>,
    /// The tool.
    pub tool: Option<ToolName>,
    /// `allow`, `deny`, `escalate`.
    pub decision: Option<String>,
    /// The id of the record.
    pub id: Option<String>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether a leaf meets every condition. A leaf that cannot say when it was made meets none about time.
    pub fn matches(&self, leaf: &Json) -> bool {
        let text = |member: &str, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| leaf.get(member).and_then(Json::as_str) == Some(wanted))
        };
        let at = if self.since.is_some() || self.until.is_some() { leaf::at(leaf) } else { None };
        text("kind", self.kind.as_deref())
            && text("agent", self.agent.as_ref().map(AgentId::as_str))
            && text("session", self.session.as_ref().map(SessionId::as_str))
            && text("tool", self.tool.as_ref().map(ToolName::as_str))
            && text("decision", self.decision.as_deref())
            && text("id", self.id.as_deref())
            && self.since.is_none_or(|since| at.is_some_and(|at| at >= since))
            && self.until.is_none_or(|until| at.is_some_and(|at| at < until))
    }
}

/// Reads a log, with or without a gate that writes it.
#[derive(Clone, Debug)]
pub struct Reader {
    dir: LogDir,
}

impl Reader {
    /// A reader of the log in `dir`.
    pub fn open(dir: &LogDir) -> Self {
        Self { dir: dir.clone() }
    }

    /// The log that is read.
    pub fn dir(&self) -> &LogDir {
        &self.dir
    }

    /// How many records are surely durable: those under the checkpoint, and those that a later batch follows.
    /// If no writer has the log open, that is all of them.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn size(&self) -> Result<u64, AuditError> {
        let checkpoint = self.dir.checkpoint(&self.dir.trusted_keys()?)?;
        let live = self.dir.is_in_use();
        let wal = self.dir.wal_path();
        let near = checkpoint.size.saturating_sub(1);
        let mut cursor = Cursor::near(&wal, self.dir.origin(), near).map_err(AuditError::io(&wal))?;
        let mut surely = checkpoint.size;
        while let Step::Record(index, frame) = cursor.step().map_err(AuditError::io(&wal))? {
            if frame.starts_batch {
                surely = surely.max(index);
            }
        }
        Ok(if live { surely } else { cursor.index().max(checkpoint.size) })
    }

    /// The durable records from `from` on.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn records(&self, from: u64) -> Result<Records, AuditError> {
        self.records_below(from, self.size()?)
    }

    /// The records from `from` to below `end`.
    pub(crate) fn records_below(&self, from: u64, end: u64) -> Result<Records, AuditError> {
        let wal = self.dir.wal_path();
        let cursor = Cursor::near(&wal, self.dir.origin(), from).map_err(AuditError::io(&wal))?;
        Ok(Records { cursor, dir: self.dir.clone(), from, end })
    }

    /// The last `count` durable records.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn tail(&self, count: u64) -> Result<Vec<Shown>, AuditError> {
        let size = self.size()?;
        self.records_below(size.saturating_sub(count), size)?.collect()
    }

    /// The record at `index`.
    ///
    /// # Errors
    /// [`AuditError::NoSuchRecord`] if there is none yet.
    pub fn record(&self, index: u64) -> Result<Shown, AuditError> {
        let size = self.size()?;
        let found = if index < size { self.records_below(index, index + 1)?.next_record()? } else { None };
        found.ok_or(AuditError::NoSuchRecord { index, size })
    }

    /// The first durable record from `from` on that meets `filter`.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn find(&self, from: u64, filter: &Filter) -> Result<Option<Shown>, AuditError> {
        let mut records = self.records(from)?;
        while let Some(shown) = records.next_record()? {
            if filter.matches(&shown.leaf) {
                return Ok(Some(shown));
            }
        }
        Ok(None)
    }

    /// What became of each value that a record commits to, by name.
    ///
    /// # Errors
    /// If the disclosure store cannot be read.
    pub fn openings(&self, shown: &Shown) -> Result<Vec<(String, Opening)>, AuditError> {
        let directory = self.dir.disclosures_path();
        let group = read_group(&directory, shown.index / GROUP).map_err(AuditError::io(&directory))?;
        let mut rows: Vec<_> = group.rows.into_iter().filter(|row| row.index == shown.index).collect();
        let commitments = leaf::commitments(&shown.leaf);
        let opening = commitments.into_iter().map(|(name, commitment)| {
            let found = rows.iter().position(|row| row.name == name && row.commitment() == commitment);
            let opening = found.map_or(Opening::Gone, |at| Opening::Open(rows.swap_remove(at)));
            (name.to_owned(), opening)
        });
        Ok(opening.collect())
    }
}

/// Records in order. An iterator.
#[derive(Debug)]
pub struct Records {
    cursor: Cursor,
    dir: LogDir,
    from: u64,
    end: u64,
}

impl Records {
    /// The next record.
    ///
    /// # Errors
    /// [`AuditError::Tampered`] if the log is damaged there.
    pub fn next_record(&mut self) -> Result<Option<Shown>, AuditError> {
        while self.cursor.index() < self.end {
            match self.cursor.step().map_err(AuditError::io(&self.dir.wal_path()))? {
                Step::Record(index, frame) if index >= self.from => {
                    let bytes = frame.leaf.to_vec();
                    let leaf = leaf::parse(&bytes)
                        .ok_or_else(|| AuditError::Tampered(format!("record {index} is not a JSON object")))?;
                    return Ok(Some(Shown { index, bytes, leaf }));
                }
                Step::Record(..) => {}
                Step::End | Step::Damage(_) => {
                    let index = self.cursor.index();
                    return Err(AuditError::Tampered(format!("record {index} is damaged or missing")));
                }
            }
        }
        Ok(None)
    }
}

impl Iterator for Records {
    type Item = Result<Shown, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}
