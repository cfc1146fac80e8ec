//! What a line costs grows with its length, whatever it is made of.
//!
//! Times are taken of the same kind of text, short and eight times as long, in one run; where the cost grew with the
//! square it would be eight times more than it may be.

#![allow(clippy::expect_used, reason = "a test stops at what it did not expect")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use callgate_guard::shell::{Setting, Table, analyse};

/// Pieces that repeat, `%` a number that grows.
const KINDS: &[&str] = &[
    "git add src/main.rs ",
    "rm -rf /data/{a,b}/* target/; ",
    "sudo env A=b timeout 5 sh -c 'rm -rf x | cat'; ",
    "x%=$(echo $(date) `id`); ",
    "for f in a b; do cat $f; done; if true; then ls; fi; ",
    "ln -s a l%; cat b%; ",
    "curl -o d% h; sh e%; ",
    "$(( #((((\n) ); ",
    "(( #((((\n) ); ",
    "if a; then x%=1; fi; ",
    "f%() { ls; }; f%; ",
    "export e%=1; ls; ",
    "alias a%=ls; ",
    "cd a%; ",
    "a%=(b c); ",
    "echo ${x%:-${y%:-z}}; ",
    "cat <<E%\nx\nE%\n",
    "cat <<E% & ",
    "a\\\n",
    "x+=a; ",
    "set -- a b; shift; ",
    "trap 'ls' EXIT; ",
    "pushd a%; popd; ",
    "{a,b}{c,d} ",
    "echo {a,{b,{c,d}}}; ",
];

/// One text of many arms.
const ARMS: &[(&str, &str, &str)] = &[
    ("case x in ", "%) a%=1;; ", "esac"),
    ("case x in ", "%) f%() { ls; };; ", "esac"),
    ("if a; then b; ", "elif c; then x%=1; ", "fi"),
    ("true ", "&& x%=1 || y%=2 ", ""),
    ("f() { ", "local x%=1; ", "}; f"),
    ("a=(", "b% ", "); echo ${a[@]}"),
    ("echo ", "a%={b,c} ", ""),
    ("cat ", "<a% ", ""),
    ("echo \"", "$x% ${y%} ", "\""),
    ("for f in ", "a% ", "; do cat $f; done"),
    ("ls ", "| cat a% ", ""),
    ("while read x; do ", "y%=$x; ", "done"),
    ("python3 -c '", "import os%; ", "'"),
    ("awk '", "{ print > \"a%\" } ", "' x"),
    ("sed '", "w a%\n", "' x"),
    ("find . ", "-name a% -o ", "-print"),
    ("git -c ", "a=b% -c ", "a=b status"),
];

fn text(before: &str, piece: &str, behind: &str, bytes: usize) -> String {
    let mut text = before.to_owned();
    let mut number = 100_000;
    while text.len() + behind.len() + piece.len() + 16 < bytes {
        text.push_str(&piece.replace('%', &number.to_string()));
        number += 1;
    }
    text + behind
}

fn best(text: &str, setting: &Setting, table: &Table) -> Duration {
    let once = || {
        let started = Instant::now();
        let _ = black_box(analyse(text, setting, table));
        started.elapsed()
    };
    (0..3).map(|_| once()).min().unwrap_or_default()
}

#[test]
fn cost_grows_with_length() {
    let table = Table::builtin().expect("the table");
    let setting = Setting { cwd: Some("/workspace".to_owned()), home: Some("/home/agent".to_owned()) };
    let kinds = KINDS.iter().map(|piece| ("", *piece, "")).chain(ARMS.iter().copied());
    let mut steep = Vec::new();
    for (before, piece, behind) in kinds {
        let [short, long] = [8_000, 64_000].map(|bytes| best(&text(before, piece, behind, bytes), &setting, &table));
        let ratio = long.as_secs_f64() / short.as_secs_f64();
        eprintln!("{ratio:>8.1}  {short:>10.1?} {long:>10.1?}  {before}{piece}{behind}");
        // Eight times the text: eight times the cost, and as much again for caches and neighbours.
        if ratio > 8.0 * 4.0 {
            steep.push(format!("{ratio:.1} times the cost for eight times of {before}{piece}{behind}"));
        }
    }
    assert!(steep.is_empty(), "{}", steep.join("\n"));
}
