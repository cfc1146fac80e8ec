//! Faults that the oracle, the fuzzer and a stopwatch found, each with its harmless twin.

#![allow(clippy::expect_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeSet;

use callgate_guard::shell::{Command, Line, Setting, Table, analyse};

fn line(text: &str) -> Line {
    let setting = Setting { cwd: Some("/w".to_owned()), home: Some("/home/me".to_owned()) };
    analyse(text, &setting, &Table::builtin().expect("the table")).expect(text)
}

fn paths(line: &Line, of: fn(&Command) -> &BTreeSet<String>) -> BTreeSet<String> {
    line.commands.iter().flat_map(|command| of(command).iter().cloned()).collect()
}

/// What `text` reads, writes and deletes, each separated by blanks; `?` where something is dynamic.
fn check(text: &str, reads: &str, writes: &str, deletes: &str) {
    let line = line(text);
    for (what, wanted, of) in [
        ("reads", reads, (|command| &command.reads) as fn(&Command) -> &BTreeSet<String>),
        ("writes", writes, |command| &command.writes),
        ("deletes", deletes, |command| &command.deletes),
    ] {
        let wanted: BTreeSet<String> = wanted.split(' ').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        assert_eq!(paths(&line, of), wanted, "what `{text}` {what}");
    }
    assert!(!line.is_dynamic(), "{text}: {:?}", line.commands);
}

#[test]
fn programs_that_print_parts_of_files_read_them() {
    check("cut -c1-80 /home/me/.ssh/id_rsa", "/home/me/.ssh/id_rsa", "", "");
    check("paste /a b", "/a /w/b", "", "");
    check("join -1 2 a b", "/w/a /w/b", "", "");
    check("tr a-z A-Z", "", "", "");
    check("awk 'BEGIN { while ((getline l < \"/a\") > 0) print l }'", "/a", "", "");
    check("awk '$1 < 5 { print }' b", "/w/b", "", "");
}

#[test]
fn a_functions_own_variables_end_with_it() {
    check("f() { local x=b; cat \"$x\"; }; x=/a; f; rm \"$x\"", "/w/b", "", "/a");
    check("f() { declare x=b; }; x=/a; f; rm \"$x\"", "", "", "/a");
    check("f() { g; rm \"$x\"; }; g() { local x=c; }; h() { local x=/a; f; }; x=b; h; cat \"$x\"", "/w/b", "", "/a");
    // What is not its own stays.
    check("f() { x=/a; }; x=b; f; rm \"$x\"", "", "", "/a");
    check("f() { declare -g x=/a; }; x=b; f; rm \"$x\"", "", "", "/a");
    // Whether it is depends on the way through the function.
    for text in [
        "f() { if [ -e q ]; then local x=b; else local x=b; fi; }; x=/a; f; rm \"$x\"",
        "f() { local x; rm \"$x\"; }; x=/a; f",
    ] {
        assert!(line(text).is_dynamic(), "{text}");
    }
}

#[test]
fn every_body_that_a_function_may_have_is_followed() {
    let text = "f() { cat a; }; if [ -e q ]; then f() { rm /b; }; fi; f";
    check(text, "/w/a", "", "/b");
    check("f() { rm /b; }; f() { cat a; }; f", "/w/a", "", "");
    // Whichever it was, what it left behind is not known.
    assert!(line("f() { x=a; }; if [ -e q ]; then f() { x=b; }; fi; f; rm \"$x\"").is_dynamic());
    assert!(line("if [ -e q ]; then f() { x=b; }; fi; x=/a; f; rm \"$x\"").is_dynamic());
    check("if [ -e q ]; then f() { x=/a; }; fi; x=/a; f; rm \"$x\"", "", "", "/a");
}

#[test]
fn xargs_gives_each_command_as_much_as_it_is_told_to() {
    check("printf '%s\\n' /a b | xargs -n1 cp c", "/w/c", "/a /w/b", "");
    check("printf '%s\\n' /a b | xargs -L 1 cp c", "/w/c", "/a /w/b", "");
    check("printf '%s\\n' /a b | xargs --max-args=1 cp c", "/w/c", "/a /w/b", "");
    check("printf '%s\\n' /a b | xargs cp c", "/a /w/c", "/w/b", "");
    check("printf '' | xargs rm /a", "", "", "/a");
    check("printf '' | xargs -n1 rm /a", "", "", "/a");
    for text in ["echo a | xargs -a b rm", "echo a | xargs --arg-file=b rm", "echo a | xargs -0a b rm"] {
        assert!(line(text).is_dynamic(), "the arguments come from a file: {text}");
    }
}

#[test]
fn a_glob_takes_every_place_that_it_may_fill() {
    check("mv /d/*", "/d/*", "/d/*", "/d/*");
    check("cp a /d/*", "/w/a /d/*", "/d/*", "");
    check("grep /d/*", "/d/*", "", "");
    // Not those of the arguments behind it.
    check("cp /d/* e", "/d/*", "/w/e", "");
    check("grep x /d/*", "/d/*", "", "");
}

#[test]
fn files_that_programs_name_themselves_are_written() {
    check("split -l 1 a /p", "/w/a", "/p*", "");
    check("csplit -s -f /p a 2", "/w/a", "/p*", "");
    check("gzip a.txt", "/w/a.txt", "/w/a*", "/w/a.txt");
    check("gunzip a.txt.gz", "/w/a.txt.gz", "/w/a.txt*", "/w/a.txt.gz");
    check("gzip -c a.txt", "/w/a.txt", "", "");
    check("/usr/bin/time -o /t cat a", "/w/a", "/t", "");
}

#[test]
fn pieces_are_called_something_if_nobody_says_what() {
    check("split -l 1 a", "/w/a", "/w/x*", "");
    check("split", "", "/w/x*", "");
    check("split -d a /p", "/w/a", "/p*", "");
    check("split --numeric-suffixes=3 -x a", "/w/a", "/w/x*", "");
    check("csplit -s a 2", "/w/a", "/w/xx*", "");
    check("csplit --pre=/p a 2", "/w/a", "/p*", "");
    check("cd /d && split /a", "/a /d", "/d/x*", "");
}

#[test]
fn what_is_kept_under_another_name_is_gone_from_its_own() {
    check("cp -b a /b", "/w/a", "/b /b*", "/b /b/a");
    check("mv --backup=numbered a /b", "/w/a", "/b /b*", "/w/a /b /b/a");
    check("install -S .old -m 644 a /b", "/w/a", "/b /b*", "/b /b/a");
    check("ln -bs a /b", "/w/a", "/b /b*", "/b /b/a");
    check("cp -b --target-directory=/d a s/c", "/w/a /w/s/c", "/d", "/d/a /d/c");
    check("cp -t /d -ab s/c/", "/w/s/c", "/d", "/d/c");
    check("mv -b a s/c /d", "/w/a /w/s/c", "/d", "/w/a /w/s/c /d/a /d/c");
    // A directory by its name: it stays where it is.
    check("cp -b a .", "/w/a", "/w", "/w/a");
    check("cp --back a s/", "/w/a", "/w/s", "/w/s/a");
    assert!(line("cp -b a \"$x\"").is_dynamic());
    // Without it, nothing is kept.
    check("cp a /b", "/w/a", "/b", "");
    check("mv a /b", "/w/a", "/b", "/w/a");
    check("install -m 644 a /b", "/w/a", "/b", "");
}

#[test]
fn an_archive_that_takes_files_away_has_read_them() {
    check("tar cf t --remove-files a s", "/w/a /w/s", "/w/t", "/w/a /w/s");
    check("tar --create --file t --remove -C /d a", "/d/a", "/w/t", "/d/a");
    check("tar cf t a s", "/w/a /w/s", "/w/t", "");
    // Long names may be cut short.
    check("tar --extr --file=t --dir /d", "/w/t", "/d", "");
    assert!(line("tar --ext --abs -f t").is_dynamic());
}

#[test]
fn lists_and_parameters_are_followed() {
    check("a=(b); a+=(c /d); rm \"${a[@]}\"", "", "", "/w/b /w/c /d");
    check("set -- a b /c; shift; rm \"$@\"", "", "", "/w/b /c");
    check("set -- a b /c; shift 2; rm \"$1\"", "", "", "/c");
    check("set -- a; shift 2; rm \"$1\"", "", "", "/w/a");
    assert!(line("shift; rm \"$1\"").is_dynamic());
    assert!(line("set -- a b; shift $n; rm \"$1\"").is_dynamic());
}

#[test]
fn more_links_than_are_told_apart_hide_nothing() {
    let links: String = (0..300).map(|number| format!("ln -s x l{number};")).collect();
    let behind = |text: &str| line(text).commands.last().is_some_and(|command| !command.dynamic.is_empty());
    assert!(behind(&format!("{links} cat l299/a")));
    assert!(behind("ln -s x l; cat l/a"));
    assert!(!behind("ln -s x l; cat m/a"));
}

#[test]
fn the_alternatives_of_a_long_chain_are_all_kept() {
    check("x=/a; true && y=b || y=c; rm $x", "", "", "/a");
    assert!(line("true && x=a || x=b && false || y=c; rm $x").is_dynamic());
    assert!(line("[ -e q ] && x=a || y=b; rm $x").is_dynamic());
    check("cd /d || exit; rm a", "/d", "", "/d/a");
    check("cd /d || true && false || true; rm a", "/d", "", "/d/a /w/a");
}
