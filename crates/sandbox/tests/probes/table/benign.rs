//! What ordinary programs do, all of which must work: without it, a sandbox that stops everything would look perfect.

use super::Outside::Both;
use super::Shows::Says;
use super::{Probe, p};

const fn works(what: &'static str, words: &'static str, says: &'static str) -> Probe {
    p("benign", what, words, Says(says), Both)
}

pub(crate) const PROBES: &[Probe] = &[
    works("files, links, threads, pipes, a pair of sockets, loopback", "good-citizen {work}/kept", "Name:"),
    works("list the interfaces", "list-interfaces", "lo"),
    works("make a program and run it", "run-copy {work}/kept/program", "it ran"),
    works("a shell", "run /bin/sh {work}/inject.sh", "{token}"),
    works("python", "run /usr/bin/python3 -c print(6*7)", "42").needs("/usr/bin/python3"),
    works("python, many processes", "run /usr/bin/python3 {work}/many.py", "[0, 2, 4]").needs("/usr/bin/python3"),
    works("node", "run node -e console.log(6*7)", "42").needs("node"),
    works("perl", "run perl -e print(6*7)", "42").needs("perl"),
    works("git", "run git init {work}/kept/new", "Initialized").needs("git"),
    works("watch a file", "watch {work}/kept/file", "seen"),
    works("lock a file", "lock {work}/kept/file", "locked"),
    works("change an ordinary file", "append {work}/kept/file", "appended"),
];
