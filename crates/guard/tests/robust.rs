//! Whatever a line is, it is judged or refused: no panic, no endless loop, no stack that overflows.

#![allow(clippy::expect_used, reason = "a test stops at what it did not expect")]

use callgate_guard::shell::{Refusal, Setting, Table, analyse, analyse_argv};
use proptest::prelude::*;

fn setting() -> Setting {
    Setting { cwd: Some("/workspace".to_owned()), home: Some("/home/agent".to_owned()) }
}

/// On the small stack of a worker thread of a debug build, as the gate's own threads have it.
fn on_a_small_stack(text: String) -> Result<usize, Refusal> {
    let work =
        move || analyse(&text, &setting(), &Table::builtin().expect("the table")).map(|line| line.commands.len());
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).expect("a thread");
    thread.join().expect("no panic")
}

#[test]
fn deep_and_long_texts_are_refused_or_judged() {
    for piece in [
        "(",
        "$(",
        "`",
        "{ ",
        "$((",
        "((",
        "${x:-",
        "\"$(",
        "if ",
        "while ",
        "[[ ",
        "a=(",
        "<(",
        "sh -c '",
        "eval ",
        "! ",
        "f() { ",
        "case x in x) ",
        "for i in a; do ",
        "{a,",
        "$[",
        "cat <<E\n",
        "a|",
        "a&&",
        "\\",
        "'",
        "\"",
        "sudo ",
        "x=$x$x; ",
        "{1..9}",
        "xargs ",
        "find . -exec ",
        "env ",
        "a[",
        "coproc ",
        "function f ",
        "select x in ",
        "until ",
        "~",
        "*",
        "env -S ",
        "ssh h ",
        "awk '{system(\"",
        "99999999999999999999>x ",
        "{x}>",
        "&>",
        "<<<",
        "$'\\",
        "time ",
        "cd x; ",
        "cd x && ",
        "cd .. || ",
    ] {
        for count in [1, 7, 50, 500, 5_000] {
            let text = piece.repeat(count);
            let _ = on_a_small_stack(text.chars().take(65_000).collect());
        }
    }
}

#[test]
fn what_a_line_may_use_up_is_bounded() {
    let refused = |text: &str| on_a_small_stack(text.to_owned()).expect_err(text);
    assert_eq!(refused(&"a".repeat(70_000)), Refusal::TooLong);
    assert_eq!(refused(&"(".repeat(100)), Refusal::TooDeep);
    assert_eq!(
        refused(&format!("{}ls", "sh -c ".repeat(0).as_str()).replace("ls", &"$(".repeat(60))),
        Refusal::TooDeep
    );
    for text in ["echo {1..9}{1..9}{1..9}{1..9}{1..9}{1..9}", "echo {1..99999999}", &"ls;".repeat(20_000)] {
        assert!(matches!(refused(text), Refusal::TooMany { .. }), "{text}");
    }
    // Each assignment doubles the value.
    let doubling: String = (0..60).map(|_| "x=$x$x;").collect();
    assert!(matches!(refused(&format!("x=ab;{doubling}")), Refusal::TooMany { .. }));
    // Functions that call each other twice.
    let calls: String = (0..40).map(|n| format!("f{n}() {{ f{}; f{}; }};", n + 1, n + 1)).collect();
    assert!(on_a_small_stack(format!("{calls} f0")).is_err());
}

#[test]
fn what_hides_from_a_reader_is_refused() {
    for text in
        ["ls\r", "ls\0", "ls \u{202E}x", "ls\u{E0041}", "ls\u{A0}-la", "'ls\u{1B}[8m'", "ls\u{200B}", "\u{3000}ls"]
    {
        let refusal = on_a_small_stack(text.to_owned()).expect_err(text);
        assert!(matches!(refusal, Refusal::Hidden(_)), "{text:?}: {refusal}");
    }
    assert!(on_a_small_stack("echo 'caf\u{E9} \u{A0} \u{1F600}'".to_owned()).is_ok(), "quoted text is text");
    let table = Table::builtin().expect("the table");
    assert!(matches!(analyse_argv(&["ls", "a\rb"], &setting(), &table), Err(Refusal::Hidden(_))));
}

proptest! {
    #[test]
    fn any_text_is_judged_or_refused_and_twice_alike(text in "[a-z0-9 '\"$`(){}|&;<>\\n\\\\*?~=!#/.,-]{0,200}") {
        let table = Table::builtin().expect("the table");
        let first = analyse(&text, &setting(), &table);
        prop_assert_eq!(&first, &analyse(&text, &setting(), &table));
        for command in first.iter().flat_map(|line| &line.commands) {
            for path in command.reads.iter().chain(&command.writes).chain(&command.deletes) {
                prop_assert!(path.starts_with('/'), "{}", path);
            }
        }
    }

    #[test]
    fn quoting_changes_nothing(word in "[a-z0-9._/ -]{1,20}") {
        let table = Table::builtin().expect("the table");
        let deletes = |text: String| {
            let line = analyse(&text, &setting(), &table).expect("judged");
            line.commands.first().map(|command| command.deletes.clone()).unwrap_or_default()
        };
        let plain = deletes(format!("rm -- '{word}'"));
        let escaped: String = word.chars().map(|letter| format!("\\{letter}")).collect();
        prop_assert_eq!(&plain, &deletes(format!("rm -- \"{word}\"")));
        prop_assert_eq!(&plain, &deletes(format!("rm -- {escaped}")));
        prop_assert_eq!(&plain, &deletes(format!("x='{word}'; rm -- \"$x\"")));
        prop_assert_eq!(&plain, &deletes(format!("rm -- $'{word}'")));
    }
}
