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
    assert_eq!(refused(&format!("{}ls{}", "( ".repeat(100), ") ".repeat(100))), Refusal::TooDeep);
    // What is never closed is nothing that a shell runs.
    let open = analyse(&"(".repeat(100), &setting(), &Table::builtin().expect("the table")).expect("judged");
    assert!(open.is_dynamic());
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

/// Languages of one-liners: how they are called, and how a comment begins.
const ONE_LINERS: &[(&str, &str)] = &[
    ("python3 -c", "#"),
    ("node -e", "//"),
    ("perl -e", "#"),
    ("ruby -e", "#"),
    ("php -r", "//"),
    ("lua -e", "--"),
    ("awk", "#"),
];

/// `program 'code'`, whatever is in the code.
fn one_liner(program: &str, code: &str) -> String {
    format!("{program} '{}'", code.replace('\'', "'\\''"))
}

/// Code of many languages, of pieces that matter to one who takes it apart.
fn code() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "print",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "`",
        "/",
        "\\",
        "\n",
        " ",
        ";",
        ",",
        ".",
        "=",
        "$",
        "@",
        "%",
        "#",
        "#{",
        "${",
        "@{[",
        "//",
        "/*",
        "*/",
        "--",
        "--[[",
        "]]",
        "<<",
        "<<E",
        "\nE\n",
        "=begin",
        "\n=end\n",
        "q",
        "qq",
        "qx",
        "s/a/b/e",
        "m{",
        "tr",
        "y",
        "%x(",
        "%w[",
        "f\"",
        "rb'",
        "'''",
        "\"\"\"",
        "__class__",
        "eval",
        "os",
        "system",
        "open",
        "x",
        "1",
        "import",
        "require",
        "sys",
        "argv",
        "json",
        "lambda",
        ":",
        "?",
        "|",
        "&",
        "!",
        "~",
        "<",
        ">",
        "getline",
        "BEGIN",
        "console.log",
        "process",
        "puts",
        "STDIN",
        "é",
        "\u{2028}",
        "0x1",
        "1e3",
        "?>",
        "=>",
        "->",
        "::",
        "if",
        "return",
        "for",
        "in",
        "__END__",
        "__DATA__",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn code_of_other_languages_is_judged_or_refused_and_twice_alike(code in code()) {
        let table = Table::builtin().expect("the table");
        for (program, _) in ONE_LINERS {
            let line = one_liner(program, &code);
            prop_assert_eq!(analyse(&line, &setting(), &table), analyse(&line, &setting(), &table), "{}", line);
        }
    }

    #[test]
    fn nothing_behind_code_makes_it_harmless(code in code(), blanks in "[ \\n\\t]{1,4}", note in "[a-z ]{0,12}") {
        let table = Table::builtin().expect("the table");
        let dynamic = |line: &str| match analyse(line, &setting(), &table) {
            Ok(line) => line.commands.iter().any(|command| !command.dynamic.is_empty()),
            Err(_) => true,
        };
        // A backslash at the end makes something else of what is put behind it.
        let code = code.trim_end_matches('\\');
        for (program, comment) in ONE_LINERS {
            let line = one_liner(program, code);
            // In these two any sign may quote, that of a comment as well, so that what is put behind may close it.
            let any_quote = program.starts_with("perl") || program.starts_with("ruby");
            if !any_quote && dynamic(&line) {
                for more in [blanks.clone(), format!("\n{comment} {note}"), format!("\n{comment} {note}\n")] {
                    let longer = one_liner(program, &format!("{code}{more}"));
                    prop_assert!(dynamic(&longer), "{} is harmless, and {} was not", longer, line);
                }
            }
        }
    }
}

#[test]
fn code_of_other_languages_takes_time_in_proportion() {
    let table = Table::builtin().expect("the table");
    let took = |line: &str| {
        let once = || {
            let start = std::time::Instant::now();
            let _ = std::hint::black_box(analyse(line, &setting(), &table));
            start.elapsed()
        };
        (0..3).map(|_| once()).min().expect("some")
    };
    for piece in [
        "x ",
        "x.",
        "(",
        "{{",
        "\"a\" ",
        "\"",
        "/",
        "/* ",
        "f\"{x}\" ",
        "\"#{x}\" ",
        "`${x}` ",
        "s/a/b/ ",
        "%x(",
        "x=x;",
        "$x ",
    ] {
        for (program, _) in ONE_LINERS {
            let line = |length: usize| one_liner(program, &piece.repeat(length / piece.len()));
            let (short, long) = (line(4_000), line(16_000));
            // Four times as long: four times the time, and sixteen times if each letter looked at all the others.
            let ratio = took(&long).as_secs_f64() / took(&short).as_secs_f64().max(1e-5);
            assert!(ratio < 12.0, "{program} {piece:?}: {ratio}");
        }
    }
}
