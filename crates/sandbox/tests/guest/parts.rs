//! What is run in a guest, and where in its tree of control groups.

use std::fmt::Write as _;

/// A part: tests of one program, in one place.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// Where, as `init.sh` knows it.
    place: &'static str,
    /// The program, and what chooses among its tests.
    command: &'static str,
    /// Whether it is for the long run alone.
    long: bool,
}

const fn part(name: &'static str, place: &'static str, command: &'static str) -> Part {
    Part { name, place, command, long: false }
}

const fn long(name: &'static str, place: &'static str, command: &'static str) -> Part {
    Part { name, place, command, long: true }
}

const PARTS: &[Part] = &[
    // Before anybody else has handed controllers down.
    part("top", "top", "guest places::the_top_of_all_hands_down --exact"),
    part("handed", "handed", "guest handed:: --test-threads=1"),
    part("alone as root", "alone-root", "guest places::whoever_is_alone_moves_into_a_leaf --exact"),
    part("alone as a user", "alone-user", "guest places::whoever_is_alone_moves_into_a_leaf --exact"),
    part("crowded", "crowded", "guest places::strangers_are_not_moved --exact"),
    part("nothing handed down", "none", "guest without::a_profile --test-threads=1"),
    part("beside the others", "slice", "guest places::a_group_above_that_lets_us_in --exact"),
    part("container", "container", "guest places::a_container_alone --exact"),
    part("crowded container", "container-crowded", "guest places::a_container_with_others --exact"),
    part("container, read-only", "container-read-only", "guest places::a_container_with_others --exact"),
    part("native", "handed", "native"),
    part("workspace", "handed", "workspace"),
    long("bombs", "handed", "bombs"),
    long("processors", "handed", "processors"),
    // Layers that are left out are another matter: on an older kernel fewer of them stop the same thing.
    long("probes", "handed", "probes --skip mutants"),
    long("counted", "none", "guest without::the_watcher --test-threads=1"),
    long("native, no groups", "none", "native"),
    long("bombs, no groups", "none", "bombs"),
    long("processors, no groups", "none", "processors"),
    long("probes, no groups", "none", "probes --skip mutants"),
];

/// Those of a run of this length, in their order.
pub(crate) fn all(long: bool) -> Vec<&'static Part> {
    PARTS.iter().filter(|part| long || !part.long).collect()
}

/// The list as `init.sh` reads it.
pub(crate) fn list(parts: &[&Part]) -> String {
    let mut text = String::new();
    for Part { name, place, command, .. } in parts {
        let _ = writeln!(text, "{place}|{name}|{command}");
    }
    text
}
