//! What an attack has while it runs, counted from outside.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::table::Resource;

/// The process numbers of all that have `word` on their command line.
pub(crate) fn processes(word: &str) -> Vec<u32> {
    let numbered = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let has = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|own| own == word.as_bytes())
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(numbered).filter(has).collect()
}

/// Ends all that have `word` on their command line.
pub(crate) fn end(word: &str) {
    for id in processes(word) {
        if let Some(id) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    }
}

/// Counts until it is asked for the most that it saw.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    counting: JoinHandle<u64>,
}

impl Watch {
    /// Of the processes that have `word` on their command line; of files, those in `folder` as they see it.
    pub(crate) fn start(resource: Resource, word: String, folder: Option<String>) -> Self {
        Self::counting(move |began: &mut Option<Instant>| {
            let ids = processes(&word);
            if ids.is_empty() {
                return 0;
            }
            let began = *began.get_or_insert_with(Instant::now);
            let each: Vec<u64> = ids.iter().map(|id| of_one(resource, *id, folder.as_deref())).collect();
            match resource {
                Resource::Time => u64::try_from(began.elapsed().as_millis() / 100).unwrap(),
                Resource::Disk | Resource::Files | Resource::Descriptors => each.into_iter().max().unwrap_or(0),
                Resource::Processes | Resource::Memory | Resource::Processor => each.into_iter().sum(),
            }
        })
    }

    /// How often `command`, tried again and again, did not get what it asks for.
    pub(crate) fn refusals(mut command: Command) -> Self {
        let mut refused = 0;
        Self::counting(move |_| {
            let output = command.output().unwrap();
            refused += u64::from(!output.stdout.starts_with(b"GOT"));
            refused
        })
    }

    fn counting(mut count: impl FnMut(&mut Option<Instant>) -> u64 + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let counting = std::thread::spawn(move || {
            let (mut most, mut began) = (0, None);
            while !stopped.load(Ordering::Relaxed) {
                most = most.max(count(&mut began));
                std::thread::sleep(Duration::from_millis(10));
            }
            most
        });
        Self { stop, counting }
    }

    /// The most that was seen at one time.
    pub(crate) fn most(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.counting.join().unwrap()
    }
}

/// What one process has; nothing if it is gone meanwhile.
fn of_one(resource: Resource, id: u32, folder: Option<&str>) -> u64 {
    let entries = |path: String| fs::read_dir(path).map_or(0, |entries| entries.count() as u64);
    let inside = || format!("/proc/{id}/root{}", folder.unwrap_or("/nowhere"));
    match resource {
        Resource::Processes => entries(format!("/proc/{id}/task")),
        Resource::Descriptors => entries(format!("/proc/{id}/fd")),
        Resource::Files => entries(inside()),
        Resource::Disk => {
            let Ok(files) = fs::read_dir(inside()) else { return 0 };
            let blocks: u64 = files.flatten().filter_map(|file| Some(file.metadata().ok()?.blocks())).sum();
            blocks / 2048
        }
        Resource::Memory => {
            let text = fs::read_to_string(format!("/proc/{id}/statm")).unwrap_or_default();
            text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) / 256
        }
        Resource::Processor => {
            let text = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            let fields = text.rsplit(") ").next().unwrap_or_default().split(' ');
            // Its own, and that of children it has waited for, in hundredths.
            fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() / 10
        }
        Resource::Time => 0,
    }
}

/// The bytes of all files below `folder`, as far as their names say.
pub(crate) fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(there) if there.is_dir() => size(&entry.path()),
        Ok(there) => there.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}
