//! The policy in force, and how it changes: all files at once, or none.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use callgate_core::FactSpec;
use callgate_core::seam::{Policies, Snapshot, Stale};

use crate::cache::Cache;
use crate::files::{Exposure, GateFiles};
use crate::finding::{Finding, LoadError, Severity};
use crate::load::{Loaded, load_with};
use crate::snapshot::GateSnapshot;

/// Time since some fixed instant, that never goes back.
pub type Monotonic = Box<dyn Fn() -> Duration + Send + Sync>;

/// What the other layers find in their parts of the files. Each error keeps them from being taken.
pub type Look = fn(&GateSnapshot, &GateFiles) -> Vec<Finding>;

/// The snapshot in force, and the directory that it came from.
pub struct Store {
    dir: PathBuf,
    specs: Vec<FactSpec>,
    /// Whether a reload, too, refuses what others can write to.
    exposure: Exposure,
    look: Look,
    clock: Monotonic,
    cache: Cache,
    current: ArcSwap<GateSnapshot>,
    /// Since when a change could not be taken, in nanoseconds of `clock`; [`GOOD`] if the last one was.
    bad_since: AtomicU64,
    /// Held over a whole load, so nothing on the way of a call may take it.
    loading: Mutex<()>,
    state: Mutex<State>,
}

const GOOD: u64 = u64::MAX;

#[derive(Default)]
struct State {
    findings: Vec<Finding>,
    /// Why the last change could not be taken.
    bad: Option<LoadError>,
}

impl Store {
    /// Loads the directory; anything that cannot be read refuses to start. Here and at each reload, `exposure`
    /// says whether so does what others can write to.
    ///
    /// # Errors
    /// Everything that is wrong with the directory.
    pub fn load(dir: &Path, specs: &[FactSpec], exposure: Exposure) -> Result<Self, LoadError> {
        Self::load_looking(dir, specs, exposure, |_, _| Vec::new())
    }

    /// As [`Store::load`], and at each load the other layers look at what is theirs.
    ///
    /// # Errors
    /// As [`Store::load`], and what they found.
    pub fn load_looking(dir: &Path, specs: &[FactSpec], exposure: Exposure, look: Look) -> Result<Self, LoadError> {
        let start = std::time::Instant::now();
        Self::load_with(dir, specs, exposure, look, Box::new(move || start.elapsed()))
    }

    /// As [`Store::load`], with another clock for `stale_limit`.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub fn load_at(dir: &Path, specs: &[FactSpec], exposure: Exposure, clock: Monotonic) -> Result<Self, LoadError> {
        Self::load_with(dir, specs, exposure, |_, _| Vec::new(), clock)
    }

    fn load_with(
        dir: &Path,
        specs: &[FactSpec],
        exposure: Exposure,
        look: Look,
        clock: Monotonic,
    ) -> Result<Self, LoadError> {
        let cache = Cache::default();
        let files = GateFiles::read(dir)?.accept(exposure)?;
        let Loaded { snapshot, findings } = looked(load_with(&files, specs, &cache)?, &files, look)?;
        Ok(Self {
            dir: dir.to_owned(),
            specs: specs.to_vec(),
            exposure,
            look,
            clock,
            cache,
            current: ArcSwap::from_pointee(snapshot),
            bad_since: AtomicU64::new(GOOD),
            loading: Mutex::new(()),
            state: Mutex::new(State { findings, bad: None }),
        })
    }

    /// Takes the files as they are now, all at once. If any of them is bad, the last good snapshot stays in
    /// force until `stale_limit`, and the error stays to be seen in [`Store::failure`].
    ///
    /// # Errors
    /// Everything that is wrong with the directory.
    pub fn reload(&self) -> Result<Arc<GateSnapshot>, LoadError> {
        // An older read must never replace a newer one.
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let files = GateFiles::read(&self.dir).and_then(|files| files.accept(self.exposure));
        let result = files.and_then(|files| looked(load_with(&files, &self.specs, &self.cache)?, &files, self.look));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(Loaded { snapshot, findings }) => {
                let snapshot = Arc::new(snapshot);
                self.current.store(Arc::clone(&snapshot));
                self.bad_since.store(GOOD, Ordering::SeqCst);
                *state = State { findings, bad: None };
                Ok(snapshot)
            }
            Err(error) => {
                let now = u64::try_from((self.clock)().as_nanos()).unwrap_or(GOOD - 1);
                // Only the first of several failures sets the time.
                let _ = self.bad_since.compare_exchange(GOOD, now, Ordering::SeqCst, Ordering::SeqCst);
                state.bad = Some(error.clone());
                Err(error)
            }
        }
    }

    /// The last good snapshot, whether or not it is stale: for reports, never for decisions.
    pub fn last_good(&self) -> Arc<GateSnapshot> {
        self.current.load_full()
    }

    /// Why the last reload failed, if it did: `status` is then not healthy.
    pub fn failure(&self) -> Option<LoadError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bad.clone()
    }

    /// What somebody should look at in the snapshot in force.
    pub fn findings(&self) -> Vec<Finding> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).findings.clone()
    }

    /// The gate directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// What was loaded, with what the layers found; or that, if any of it is an error.
fn looked(loaded: Loaded, files: &GateFiles, look: Look) -> Result<Loaded, LoadError> {
    let mut findings = look(&loaded.snapshot, files);
    match findings.iter().any(|finding| finding.severity() == Severity::Error) {
        true => Err(findings.into()),
        false => {
            findings.splice(..0, loaded.findings);
            Ok(Loaded { findings, ..loaded })
        }
    }
}

impl Policies for Store {
    fn current(&self) -> Result<Arc<dyn Snapshot>, Stale> {
        let snapshot = self.current.load_full();
        match self.bad_since.load(Ordering::SeqCst) {
            GOOD => Ok(snapshot),
            since => {
                let age = (self.clock)().saturating_sub(Duration::from_nanos(since));
                if age >= snapshot.config.gate.stale_limit { Err(Stale) } else { Ok(snapshot) }
            }
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).finish_non_exhaustive()
    }
}
