//! The log's writing side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use callgate_core::gate::Receipt;
use callgate_core::seam::{Later, Log, LogError};
use callgate_core::{Entry, Kind, Timestamp};
use callgate_text::Json;

use crate::dir::LogDir;
use crate::disclosure::{GROUP, Store};
use crate::engine::{Engine, OpenSegment, append_own, make_reserve};
use crate::erase::{Erased, Selector};
use crate::error::AuditError;
use crate::keys::Keys;
use crate::leaf::count;
use crate::note::VerifierKey;
use crate::oneshot::block_on;
use crate::options::WriterOptions;
use crate::publish::Publisher;
use crate::publishing::Publishing;
use crate::queue::Lanes;
use crate::recover::recover;
use crate::shared::{Inbox, LogStatus, Shared};

/// The one writer of a log. Dropping it stops it.
pub struct Writer {
    shared: Arc<Shared>,
    threads: Mutex<Option<Threads>>,
    /// Erasures and key changes, one at a time.
    operating: Mutex<()>,
}

struct Threads {
    engine: JoinHandle<()>,
    publisher: JoinHandle<()>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Writer({})", self.shared.dir.origin())
    }
}

impl Writer {
    /// Takes the log's lock, derives everything again, holds it against the last checkpoint, and starts.
    ///
    /// Records `recovery` if a torn write had to be cut away or disclosures are missing behind the last
    /// checkpoint. Reads the whole log: about 3 seconds for a million records.
    ///
    /// # Errors
    /// [`AuditError::InUse`] if another process has it, [`AuditError::Tampered`] if it contradicts itself or its
    /// checkpoint, [`AuditError`] otherwise.
    pub fn open(dir: &LogDir, options: WriterOptions) -> Result<Self, AuditError> {
        let lock = Arc::new(dir.lock()?);
        let keys = Keys::load(dir)?;
        let recovered = recover(dir)?;
        let size = recovered.tree.size();
        let disclosures = dir.disclosures_path();
        let store = Store::open(disclosures.clone(), Arc::clone(&options.storage), size);
        let store = store.map_err(AuditError::io(&disclosures))?;
        let segment = match &recovered.segment {
            None => None,
            Some((path, offset)) => {
                let mut file = options.storage.open(path, false).map_err(AuditError::io(path))?;
                // What a gate that was killed has written may be in the system's memory alone. Nothing is signed over
                // it before it is durable.
                file.sync()
                    .and_then(|()| options.storage.sync_directory(&dir.wal_path()))
                    .map_err(AuditError::io(path))?;
                Some(OpenSegment { file, offset: *offset, allocated: *offset })
            }
        };
        let status = LogStatus {
            durable_size: size,
            lost_bytes: recovered.lost_bytes,
            bytes_free: options.storage.bytes_free(dir.root()).unwrap_or_default(),
            ..LogStatus::default()
        };
        let inbox = Inbox { lanes: Lanes::new(options.limits()), closing: false, wanted: 0, dead: None };
        let shared = Arc::new(Shared {
            dir: dir.clone(),
            options,
            inbox: Mutex::new(inbox),
            wake: Condvar::new(),
            status: Mutex::new(status),
            publishing: Publishing::default(),
            store: Mutex::new(store),
            keys: Mutex::new(keys),
        });
        // Nothing new yet: a checkpoint over what was lost comes after the record that says so.
        shared.publishing.start(recovered.checkpoint.size, recovered.checkpoint.size);
        if shared.status().bytes_free.saturating_sub(shared.options.floor_bytes) > shared.options.reserve_bytes {
            let reserve = dir.reserve_path();
            make_reserve(&shared).map_err(AuditError::io(&reserve))?;
        }
        let engine = Engine {
            shared: Arc::clone(&shared),
            size,
            chain: recovered.chain,
            segment,
            latest: recovered.last_at.unwrap_or(Timestamp::from_millis(i64::MIN)),
            lock: Arc::clone(&lock),
        };
        let publisher = Publisher {
            shared: Arc::clone(&shared),
            published: recovered.checkpoint.size,
            cursor: recovered.cursor,
            tree: recovered.tree,
            lock,
        };
        let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let threads = Threads {
            engine: spawn("audit-writer").spawn(|| engine.run()).map_err(AuditError::io(dir.root()))?,
            publisher: spawn("audit-publisher").spawn(|| publisher.run()).map_err(AuditError::io(dir.root()))?,
        };
        let writer = Self { shared, threads: Mutex::new(Some(threads)), operating: Mutex::new(()) };
        if recovered.lost_bytes > 0 || recovered.lost_disclosures > 0 {
            let details = vec![
                ("lost_bytes", count(recovered.lost_bytes)),
                ("lost_disclosures", count(recovered.lost_disclosures)),
            ];
            writer.append_own(Kind::Recovery, details)?;
        } else {
            writer.shared.publishing.durable_now(size);
        }
        Ok(writer)
    }

    fn append_own(&self, kind: Kind, details: Vec<(&'static str, Json)>) -> Result<u64, AuditError> {
        append_own(&self.shared, kind, details).map_err(|error| AuditError::Unavailable(error.to_string()))
    }

    /// The log that is written.
    pub fn dir(&self) -> &LogDir {
        &self.shared.dir
    }

    /// As [`Log::append`], for a caller that is no task: waits on this thread.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_blocking(&self, entry: Entry) -> Result<Receipt, LogError> {
        block_on(self.append(entry))
    }

    /// Signs a checkpoint over all that is durable now, and gives its size.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`] if it cannot be written.
    pub fn checkpoint_now(&self) -> Result<u64, AuditError> {
        self.shared.publishing.now().map_err(AuditError::Unavailable)
    }

    /// How the log stands.
    pub fn status(&self) -> LogStatus {
        let mut status = self.shared.status().clone();
        status.checkpoint_size = self.shared.publishing.published();
        if let Some(error) = self.shared.publishing.error() {
            status.last_error = Some(error);
        }
        status
    }

    /// The keys that sign now: the current one, then, after a rotation, the one before.
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        self.shared.keys().verifiers()
    }

    /// Makes a new key. From now on both sign; [`Writer::retire_key`] ends that.
    ///
    /// The `key_change` record that names the new key stands under a checkpoint that the old key alone signed.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`] if the key of an earlier rotation was not retired yet, or the log cannot be
    /// written.
    pub fn rotate_key(&self) -> Result<VerifierKey, AuditError> {
        let _one = self.operating.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = &self.shared.dir;
        let (old, next) = {
            let keys = self.shared.keys();
            (keys.current.verifier().to_string(), keys.prepare(dir)?)
        };
        let verifier = next.verifier().clone();
        let details =
            vec![("step", Json::from("rotated")), ("old", Json::from(old)), ("new", Json::from(verifier.to_string()))];
        self.append_own(Kind::KeyChange, details)?;
        self.checkpoint_now()?;
        self.shared.keys().advance(dir, next)?;
        self.shared.publishing.resign();
        self.checkpoint_now()?;
        Ok(verifier)
    }

    /// Deletes the key from before the last rotation; the new one signs alone.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`] if there is none, or the log cannot be written.
    pub fn retire_key(&self) -> Result<VerifierKey, AuditError> {
        let _one = self.operating.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(old) = self.verifiers().into_iter().nth(1) else {
            return Err(AuditError::Unavailable("there is no old key to retire".to_owned()));
        };
        let details = vec![("step", Json::from("retired")), ("old", Json::from(old.to_string()))];
        self.append_own(Kind::KeyChange, details)?;
        self.checkpoint_now()?;
        self.shared.keys().retire(&self.shared.dir)?;
        self.shared.publishing.resign();
        self.checkpoint_now()?;
        Ok(old)
    }

    /// Erases salts and values of the selected records, and records `erasure`. What was committed to stays in
    /// the log, and nothing there confirms a guess any more.
    ///
    /// # Errors
    /// [`AuditError::NothingSelected`] for an empty selector; [`AuditError`] if a file cannot be rewritten, and
    /// some may then be erased and others not: erase again.
    pub fn erase(&self, selector: &Selector) -> Result<Erased, AuditError> {
        let _one = self.operating.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = &self.shared.dir;
        // Whoever asks for an erasure means what is in the log now, checkpoint or not.
        let indices = selector.indices(dir, self.status().durable_size)?;
        let mut groups: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for index in indices {
            groups.entry(index / GROUP).or_default().insert(index);
        }
        let mut erased = Erased::default();
        let path = dir.disclosures_path();
        for (group, indices) in &groups {
            let values = self.shared.store().erase(*group, indices).map_err(AuditError::io(&path))?;
            erased.values = erased.values.saturating_add(values);
        }
        erased.records = groups.values().map(|indices| u64::try_from(indices.len()).unwrap_or_default()).sum();
        let details = vec![
            ("selector", selector.to_json()),
            ("records", count(erased.records)),
            ("values", count(erased.values)),
        ];
        erased.index = self.append_own(Kind::Erasure, details)?;
        Ok(erased)
    }

    /// Writes what waits, signs a last checkpoint and gives the log free. Appending fails from now on.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`] if the last records or the last checkpoint could not be written.
    pub fn stop(&self) -> Result<(), AuditError> {
        let Some(threads) = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(());
        };
        self.shared.inbox().closing = true;
        self.shared.wake.notify_all();
        let written = threads.engine.join();
        self.shared.publishing.stop();
        // With the second thread the lock goes: nothing writes any more, so another process may.
        let published = threads.publisher.join().and(written);
        let status = self.status();
        match (published, status.poisoned, status.last_error) {
            (Err(_), _, _) => Err(AuditError::Unavailable("the log's writer failed".to_owned())),
            (_, Some(why), _) => Err(AuditError::Unavailable(why)),
            (_, _, Some(why)) if status.checkpoint_size < status.durable_size => Err(AuditError::Unavailable(why)),
            _ => Ok(()),
        }
    }
}

impl Log for Writer {
    /// Queues the record at once; dropping the future does not take it back. A record of a call that its
    /// caller gave up on is then in the log without an outcome, which shows.
    fn append(&self, entry: Entry) -> Later<'_, Result<Receipt, LogError>> {
        let submitted = self.shared.submit(entry);
        Box::pin(async move {
            let index = submitted?.await;
            let index = index.unwrap_or_else(|| Err(LogError::Unavailable("the log's writer stopped".to_owned())))?;
            Ok(Receipt { log: self.shared.dir.origin().to_owned(), index })
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Whoever wants to know stops it first.
        let _ = self.stop();
    }
}
