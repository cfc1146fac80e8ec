//! Several ways to do one thing, timed in turns, so that whatever else the machine does falls on all of them alike.

use std::time::{Duration, Instant};

/// The ways, the first of which is the floor.
pub(crate) struct Contest<'a> {
    title: &'static str,
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    name: String,
    once: Box<dyn FnMut() -> Duration + 'a>,
    times: Vec<Duration>,
}

impl<'a> Contest<'a> {
    pub(crate) fn new(title: &'static str) -> Self {
        Self { title, entries: Vec::new() }
    }

    /// Adds a way that is timed from its call to its return.
    pub(crate) fn enter(&mut self, name: &str, mut once: impl FnMut() + 'a) {
        self.enter_timed(name, move || {
            let start = Instant::now();
            once();
            start.elapsed()
        });
    }

    /// Adds a way that says itself how long it took.
    pub(crate) fn enter_timed(&mut self, name: &str, once: impl FnMut() -> Duration + 'a) {
        self.entries.push(Entry { name: name.to_owned(), once: Box::new(once), times: Vec::new() });
    }

    /// Runs all of them in turns and prints what each took, beside the first.
    pub(crate) fn run(mut self, rounds: usize) {
        for round in 0..rounds + rounds.div_ceil(10) {
            for entry in &mut self.entries {
                // What the one before has left the kernel to tidy up is not the next one's time.
                std::thread::sleep(Duration::from_millis(5));
                let took = (entry.once)();
                // The first rounds warm what is cold.
                if round >= rounds.div_ceil(10) {
                    entry.times.push(took);
                }
            }
        }
        println!("{}", self.title);
        let mut floor = None;
        for entry in &mut self.entries {
            entry.times.sort();
            let at = |part: usize| entry.times[entry.times.len() * part / 100];
            let floor = *floor.get_or_insert(at(50));
            let ratio = at(50).as_secs_f64() / floor.as_secs_f64();
            println!(
                "  {:<46} p50 {:>9.2?}  p95 {:>9.2?}  min {:>9.2?}  {ratio:>6.2} × the first",
                entry.name,
                at(50),
                at(95),
                entry.times[0]
            );
        }
    }
}
