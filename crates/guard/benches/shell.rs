//! What it costs to say what a line does, beside a bare parse by the same parser, from 1 to 64 KiB.
//!
//! `cargo bench -p callgate-guard --bench shell [KIND]`. Prints the best of several rounds. "parse" is the floor: trees
//! and nothing else, of the line and of every script that it holds inside of a word, which is a text of its own that
//! somebody has to parse. "per KiB" is over the cost per KiB of the shortest text of its kind: linear if it stays near 1.

#![allow(clippy::expect_used, clippy::cast_precision_loss, reason = "a bench, not a gate")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use callgate_guard::shell::{Setting, Table, analyse, parses};

/// What each is called, the piece that repeats, and the scripts inside of its words.
const KINDS: &[(&str, &str, &[&str])] = &[
    ("words", "git add src/main.rs ", &[]),
    ("commands", "cd /workspace/x && git status --short; ", &[]),
    ("pipes", "grep -rn 'foo bar' src | sort -u | head -n 5 > out.txt; ", &[]),
    ("quotes", "echo \"a $x ${y:-z}\" 'b c' $'d\\n' \\e; ", &[]),
    ("deletes", "rm -rf /data/{a,b}/* target/; ", &[]),
    ("wrappers", "sudo env A=b timeout 5 sh -c 'rm -rf x | cat'; ", &["rm -rf x | cat"]),
    ("shells", "bash -c 'sh -c \"rm -rf x\"; ls'; ", &["sh -c \"rm -rf x\"; ls", "rm -rf x"]),
    ("substitutions", "x=$(echo $(date) `id`); ", &[]),
    ("loops", "for f in a b; do cat $f; done; if true; then ls; fi; ", &[]),
];

fn best(mut work: impl FnMut(), rounds: u32) -> Duration {
    (0..rounds)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let rounds = if quick { 1 } else { 15 };
    let table = Table::builtin().expect("the table");
    let setting = Setting { cwd: Some("/workspace".to_owned()), home: Some("/home/agent".to_owned()) };
    println!("{:<14} {:>7} {:>11} {:>11} {:>9} {:>8}", "", "KiB", "parse", "analyse", "/ parse", "per KiB");
    for (name, piece, scripts) in
        KINDS.iter().filter(|(name, ..)| only.as_deref().is_none_or(|only| name.contains(only)))
    {
        let mut floor = None;
        for kib in [1_usize, 4, 16, 60] {
            let text = piece.repeat(kib * 1024 / piece.len());
            let count = text.len() / piece.len();
            let all = || parses(&text) && (0..count).all(|_| scripts.iter().all(|script| parses(black_box(script))));
            let parse = best(|| assert!(black_box(all())), rounds);
            let mut refused = false;
            let analysis = best(|| refused = black_box(analyse(&text, &setting, &table)).is_err(), rounds);
            let per = analysis.as_secs_f64() / text.len() as f64;
            let first = *floor.get_or_insert(per);
            println!(
                "{name:<14} {kib:>7} {parse:>11.1?} {analysis:>11.1?} {:>9.2} {:>8.2}{}",
                analysis.as_secs_f64() / parse.as_secs_f64(),
                per / first,
                if refused { "  refused: more than is judged" } else { "" }
            );
        }
    }
}
