//! The writer's thread: batches in, one write and one `fdatasync`, indexes out.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate_core::seam::LogError;
use callgate_core::{Entry, Kind, Lane, Timestamp};
use callgate_text::Json;

use crate::dir::Lock;
use crate::disclosure::{GROUP, push_row};
use crate::frame::{self, HEADER, Header};
use crate::leaf::{self, count};
use crate::merkle::Hash;
use crate::oneshot::channel;
use crate::queue::{Folded, Pending};
use crate::shared::{Shared, Work};
use crate::storage::LogFile;
use crate::wal::segment_path;

/// The segment that is written to.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    pub(crate) file: Box<dyn LogFile>,
    pub(crate) offset: u64,
    /// Up to where space is allocated.
    pub(crate) allocated: u64,
}

/// Owns the segments; nobody else writes them.
pub(crate) struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) size: u64,
    pub(crate) chain: Hash,
    pub(crate) segment: Option<OpenSegment>,
    /// The latest time that the log has seen.
    pub(crate) latest: Timestamp,
    /// Held by both threads, until the last has ended.
    #[expect(dead_code, reason = "kept, not read")]
    pub(crate) lock: Arc<Lock>,
}

/// Why a batch could not be written.
enum Failure {
    /// There is no space. Nothing was changed.
    Full,
    /// What stands on the disk is unknown.
    Broken(String),
}

impl Failure {
    fn of(what: &str, error: &io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => Self::Full,
            _ => Self::Broken(format!("{what}: {error}")),
        }
    }
}

/// Refuses everything when the thread ends, however it ends.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let why = if std::thread::panicking() { "the log's writer failed" } else { "the log was stopped" };
        let stopped_in_order = self.0.inbox().closing && !std::thread::panicking();
        if stopped_in_order {
            self.0.inbox().dead.get_or_insert_with(|| why.to_owned());
        } else {
            self.0.poison(why);
        }
    }
}

impl Engine {
    pub(crate) fn run(mut self) {
        const LONGEST: Duration = Duration::from_millis(1);
        let _farewell = Farewell(Arc::clone(&self.shared));
        let (mut expected, mut patience) = (0, Duration::ZERO);
        loop {
            match self.shared.next_work(expected, patience) {
                Work::Batch(batch, folded) => {
                    expected = batch.len();
                    let start = Instant::now();
                    self.commit(batch, folded);
                    // Waiting is worth a part of what another sync would cost.
                    patience = (start.elapsed() / 4).min(LONGEST);
                }
                Work::Last(folded) => {
                    self.commit(Vec::new(), folded);
                    self.seal();
                    return;
                }
                Work::Dead => return,
            }
        }
    }

    fn commit(&mut self, waiting: Vec<Pending>, folded: Vec<Folded>) {
        let latest = self.latest;
        let mut batch = self.own_records(&folded);
        batch.extend(waiting);
        let batch = self.refuse_below_floor(batch);
        let written = match self.write(&batch) {
            Ok(()) => {
                self.acknowledge(batch);
                true
            }
            Err(Failure::Broken(why)) => self.broken(batch, &why),
            Err(Failure::Full) => self.write_in_reserve(batch),
        };
        if !written {
            // What the log had to say itself was not said; it is said with the next batch.
            self.latest = latest;
            self.shared.inbox().lanes.put_back(folded);
        }
    }

    /// What the log itself has to say before the next records.
    fn own_records(&mut self, folded: &[Folded]) -> Vec<Pending> {
        let now = self.shared.options.time.wall();
        let tolerance = i64::try_from(self.shared.options.clock_tolerance.as_millis()).unwrap_or(i64::MAX);
        let mut records = Vec::new();
        if now.as_millis().saturating_add(tolerance) < self.latest.as_millis() {
            let details = vec![("from", Json::from(self.latest.to_string())), ("to", Json::from(now.to_string()))];
            records.push((None, Kind::ClockJump, details));
            self.latest = now;
        }
        self.latest = self.latest.max(now);
        for folded in folded {
            let agent = match &folded.lane {
                Lane::Agent(agent) => Some(agent.clone()),
                Lane::Operator | Lane::Unrecognised => None,
            };
            let details = vec![("records", count(folded.records)), ("bytes", count(folded.bytes))];
            records.push((agent, Kind::Folded, details));
        }
        let entries = records.into_iter().filter_map(|(agent, kind, details)| {
            let mut record = leaf::own_record(kind, now, details).ok()?;
            record.agent = agent;
            Some(Pending {
                lane: Lane::Operator,
                encoded: leaf::encode(record, self.shared.dir.origin()).ok()?,
                reply: channel().0,
            })
        });
        entries.collect()
    }

    /// Keeps the last space for the operator.
    fn refuse_below_floor(&mut self, batch: Vec<Pending>) -> Vec<Pending> {
        let options = &self.shared.options;
        // A file system that cannot say how much is free is asked by writing.
        let free = options.storage.bytes_free(self.shared.dir.root()).unwrap_or(u64::MAX);
        let low = free < options.floor_bytes;
        {
            let mut status = self.shared.status();
            status.bytes_free = free;
            status.refusing_agents = low;
            if low {
                status.last_error = Some("the log's disk is nearly full".to_owned());
            }
        }
        if !low {
            if free.saturating_sub(options.floor_bytes) > options.reserve_bytes {
                // Without a reserve the log is no worse than any other program on a full disk.
                let _ = make_reserve(&self.shared);
            }
            return batch;
        }
        let (operator, agents) = Shared::split(batch);
        refuse(agents, "the log's disk is nearly full");
        operator
    }

    /// The disk is full: agents are refused, and the operator's records get the reserve. `false` if they could not
    /// be written either.
    fn write_in_reserve(&mut self, batch: Vec<Pending>) -> bool {
        {
            let mut status = self.shared.status();
            status.refusing_agents = true;
            status.last_error = Some("the log's disk is full".to_owned());
        }
        let (operator, agents) = Shared::split(batch);
        refuse(agents, "the log's disk is full");
        if operator.is_empty() {
            return true;
        }
        let _ = fs::remove_file(self.shared.dir.reserve_path());
        match self.write(&operator) {
            Ok(()) => {
                self.acknowledge(operator);
                true
            }
            Err(Failure::Full) => {
                refuse(operator, "the log's disk is full");
                false
            }
            Err(Failure::Broken(why)) => self.broken(operator, &why),
        }
    }

    fn broken(&mut self, batch: Vec<Pending>, why: &str) -> bool {
        self.shared.poison(why);
        refuse(batch, why);
        false
    }

    fn acknowledge(&mut self, batch: Vec<Pending>) {
        let first = self.size.saturating_sub(u64::try_from(batch.len()).unwrap_or_default());
        self.shared.status().durable_size = self.size;
        self.shared.publishing.durable_now(self.size);
        for (pending, index) in batch.into_iter().zip(first..) {
            pending.reply.send(Ok(index));
        }
    }

    /// Writes one batch and makes it durable. Unless it says that it is broken, a failure leaves the log as it was.
    fn write(&mut self, batch: &[Pending]) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let written = self.write_disclosures(batch).and_then(|()| self.write_frames(batch));
        if written.is_err() {
            self.shared.store().roll_back();
        }
        written
    }

    fn write_disclosures(&self, batch: &[Pending]) -> Result<(), Failure> {
        let mut groups: Vec<(u64, Vec<u8>)> = Vec::new();
        for (pending, index) in batch.iter().zip(self.size..) {
            if groups.last().is_none_or(|(group, _)| *group != index / GROUP) {
                groups.push((index / GROUP, Vec::new()));
            }
            let Some((_, rows)) = groups.last_mut() else { continue };
            for opened in &pending.encoded.opened {
                push_row(rows, index, &opened.name, &opened.salt, &opened.value)
                    .ok_or_else(|| Failure::Broken("a disclosure is too long".to_owned()))?;
            }
        }
        let mut store = self.shared.store();
        store.begin();
        for (group, rows) in groups.into_iter().filter(|(_, rows)| !rows.is_empty()) {
            store.append(group, &rows).map_err(|error| Failure::of("writing disclosures", &error))?;
        }
        Ok(())
    }

    fn write_frames(&mut self, batch: &[Pending]) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let mut chain = self.chain;
        for (pending, place) in batch.iter().zip(0_usize..) {
            let (_, next) = frame::encode(&mut bytes, &pending.encoded.leaf, place == 0, &chain)
                .ok_or_else(|| Failure::Broken("a leaf is empty or too long".to_owned()))?;
            chain = next;
        }
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let allocate = self.shared.options.allocate_bytes;
        let segment = self.segment_for(length)?;
        let end = segment.offset.saturating_add(length);
        let written = if end > segment.allocated && allocate > 0 {
            let wanted = end.saturating_add(allocate);
            let grown = segment.file.allocate(segment.allocated, wanted.saturating_sub(segment.allocated));
            // Without room to allocate ahead there may still be room for the batch.
            if grown.is_ok() {
                segment.allocated = wanted;
            }
            segment.file.write_at(&bytes, segment.offset)
        } else {
            segment.file.write_at(&bytes, segment.offset)
        };
        if let Err(error) = written {
            let failure = Failure::of("writing the log", &error);
            // What was written of the batch must not stay: the next one may be shorter.
            return match segment.file.truncate(segment.offset) {
                Ok(()) => {
                    segment.allocated = segment.offset;
                    Err(failure)
                }
                Err(error) => Err(Failure::Broken(format!("cutting off a partial write: {error}"))),
            };
        }
        // After a failed sync nobody knows what is durable, and asking again would be answered wrongly.
        segment.file.sync().map_err(|error| Failure::Broken(format!("syncing the log: {error}")))?;
        segment.offset = end;
        self.chain = chain;
        self.size = self.size.saturating_add(u64::try_from(batch.len()).unwrap_or_default());
        Ok(())
    }

    /// The segment that takes the next `length` bytes: the open one, or a new one if that is full.
    fn segment_for(&mut self, length: u64) -> Result<&mut OpenSegment, Failure> {
        let header = u64::try_from(HEADER).unwrap_or_default();
        let limit = self.shared.options.segment_bytes;
        let full = self
            .segment
            .as_ref()
            .is_some_and(|segment| segment.offset > header && segment.offset.saturating_add(length) > limit);
        if self.segment.is_none() || full {
            let next = self.new_segment(header)?;
            self.seal();
            self.segment = Some(next);
        }
        self.segment.as_mut().ok_or_else(|| Failure::Broken("no segment".to_owned()))
    }

    /// A segment file is there whole, with its header, or not at all.
    fn new_segment(&self, header: u64) -> Result<OpenSegment, Failure> {
        let wal = self.shared.dir.wal_path();
        let path = segment_path(&wal, self.size);
        let temporary = path.with_extension("new");
        let storage = &self.shared.options.storage;
        let make = || {
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = storage.open(&temporary, true)?;
            file.write_at(&Header { first: self.size, chain: self.chain }.encode(), 0)?;
            file.sync()?;
            fs::rename(&temporary, &path)?;
            storage.sync_directory(&wal)?;
            Ok(file)
        };
        let file = make().map_err(|error| {
            let _ = fs::remove_file(&temporary);
            Failure::of("making a segment", &error)
        })?;
        Ok(OpenSegment { file, offset: header, allocated: header })
    }

    /// Gives back what was allocated ahead. Harmless if it fails: readers skip zeros.
    fn seal(&mut self) {
        if let Some(mut segment) = self.segment.take() {
            let _ = segment.file.truncate(segment.offset);
        }
    }
}

fn refuse(batch: Vec<Pending>, why: &str) {
    for pending in batch {
        pending.reply.send(Err(LogError::Unavailable(why.to_owned())));
    }
}

/// Allocates the reserve, if it is not there.
pub(crate) fn make_reserve(shared: &Shared) -> io::Result<()> {
    let path: PathBuf = shared.dir.reserve_path();
    let bytes = shared.options.reserve_bytes;
    if bytes == 0 || fs::metadata(&path).is_ok_and(|metadata| metadata.len() == bytes) {
        return Ok(());
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = shared.options.storage.open(&path, true)?;
    let made = file.allocate(0, bytes);
    if made.is_err() {
        let _ = fs::remove_file(&path);
    }
    made
}

/// Queues one of the log's own records and waits until it is durable.
pub(crate) fn append_own(shared: &Shared, kind: Kind, details: Vec<(&'static str, Json)>) -> Result<u64, LogError> {
    let record = leaf::own_record(kind, shared.options.time.wall(), details)?;
    let receiver = shared.submit(Entry { record, lane: Lane::Operator })?;
    crate::oneshot::block_on(receiver).unwrap_or_else(|| Err(LogError::Unavailable("the log was stopped".to_owned())))
}
