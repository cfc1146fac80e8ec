//! The file tools on real folders: what they do, and where they cannot be led.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use callgate_text::Json;
use callgate_tools::{Done, Fault, Kind, Work};
use proptest::prelude::*;

struct House {
    _root: tempfile::TempDir,
    workspace: PathBuf,
}

fn house() -> House {
    let root = tempfile::tempdir().unwrap();
    let workspace = root.path().canonicalize().unwrap().join("ws");
    fs::create_dir_all(workspace.join("src")).unwrap();
    fs::write(workspace.join("src/a.rs"), "fn one() {}\nfn two() {}\n").unwrap();
    fs::write(workspace.parent().unwrap().join("secret"), "secret\n").unwrap();
    House { _root: root, workspace }
}

impl House {
    fn call(&self, tool: &str, arguments: &str) -> Result<Done, Fault> {
        let arguments = Json::parse(arguments.as_bytes()).unwrap();
        // As the contained program: over its own wire and back.
        let request = callgate_tools::contained::request(&self.workspace, tool, arguments.as_object()).unwrap();
        callgate_tools::contained::run(&request)
    }

    fn text(&self, tool: &str, arguments: &str) -> String {
        self.call(tool, arguments).unwrap().text
    }

    fn fault(&self, tool: &str, arguments: &str) -> Kind {
        match self.call(tool, arguments) {
            Err(fault) => fault.kind,
            Ok(done) => panic!("{tool} {arguments}: {done:?}"),
        }
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.workspace.join(path)).unwrap()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.workspace.join(path)
    }
}

#[test]
fn lines_are_read_exactly() {
    let house = house();
    assert_eq!(house.text("read_file", r#"{"path":"src/a.rs"}"#), "fn one() {}\nfn two() {}\n");
    let done = house.call("read_file", r#"{"path":"src/a.rs","limit":1}"#).unwrap();
    assert_eq!((done.text.as_str(), done.details.get("more").unwrap().as_bool()), ("fn one() {}\n", Some(true)));
    assert_eq!(house.text("read_file", r#"{"path":"src/a.rs","offset":2}"#), "fn two() {}\n");
    let absolute = format!(r#"{{"path":"{}"}}"#, house.path("src/../src/a.rs").display());
    assert!(house.text("read_file", &absolute).contains("two"));
    assert_eq!(house.fault("read_file", r#"{"path":"src/a.rs","offset":9}"#), Kind::NotFound);
    assert_eq!(house.fault("read_file", r#"{"path":"nowhere"}"#), Kind::NotFound);
    assert_eq!(house.fault("read_file", r#"{"path":"src"}"#), Kind::NotAFile);
}

#[test]
fn what_is_no_text_is_not_read() {
    let house = house();
    fs::write(house.path("nul"), b"a\0b").unwrap();
    fs::write(house.path("latin"), b"\xe4\xf6\n").unwrap();
    assert_eq!(house.fault("read_file", r#"{"path":"nul"}"#), Kind::Binary);
    assert_eq!(house.fault("read_file", r#"{"path":"latin"}"#), Kind::Binary);
    let edit = r#"{"path":"nul","edits":[{"old_text":"a","new_text":"b"}]}"#;
    assert_eq!(house.fault("edit_file", edit), Kind::Binary);
}

#[test]
fn answers_are_bounded() {
    let house = house();
    fs::write(house.path("long"), "ä".repeat(300 << 10)).unwrap();
    let done = house.call("read_file", r#"{"path":"long"}"#).unwrap();
    assert!(done.text.len() <= 256 << 10 && done.text.chars().all(|c| c == 'ä') && done.note.is_some());
    fs::write(house.path("many"), "line\n".repeat(100_000)).unwrap();
    let done = house.call("read_file", r#"{"path":"many","limit":100000}"#).unwrap();
    assert!(done.text.len() <= 256 << 10 && done.details.get("more").unwrap().as_bool() == Some(true));
    let done = house.call("search_files", r#"{"pattern":"line","limit":5}"#).unwrap();
    assert_eq!((done.text.lines().count(), done.details.get("more").unwrap().as_bool()), (5, Some(true)));
    for number in 0..2100 {
        fs::write(house.path(&format!("src/{number}")), "").unwrap();
    }
    let done = house.call("list_directory", r#"{"path":"src"}"#).unwrap();
    assert_eq!((done.text.lines().count(), done.details.get("more").unwrap().as_bool()), (2000, Some(true)));
}

#[test]
fn files_are_written_as_a_whole_and_keep_their_mode() {
    let house = house();
    house.call("write_file", r#"{"path":"new","content":"x"}"#).unwrap();
    assert_eq!(house.read("new"), "x");
    fs::set_permissions(house.path("new"), fs::Permissions::from_mode(0o4755)).unwrap();
    house.call("write_file", r#"{"path":"new","content":"y"}"#).unwrap();
    assert_eq!(fs::metadata(house.path("new")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(house.fault("write_file", r#"{"path":"a/b/c","content":""}"#), Kind::NotFound);
    house.call("write_file", r#"{"path":"a/b/c","content":"","create_parents":true}"#).unwrap();
    assert_eq!(house.read("a/b/c"), "");
    assert_eq!(house.fault("write_file", r#"{"path":"src","content":""}"#), Kind::NotAFile);
    assert_eq!(
        house.fault("write_file", r#"{"path":"src/a.rs/b","content":"","create_parents":true}"#),
        Kind::NotAFolder
    );
    let left: Vec<_> = fs::read_dir(&house.workspace).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".callgate")), "{left:?}");
}

/// What somebody left by the name of a file that is not there yet is in nobody's way, and stays.
#[test]
fn names_that_are_taken_are_no_hindrance() {
    let house = house();
    fs::create_dir(house.path(&format!(".callgate-new-{}-0", std::process::id()))).unwrap();
    symlink("src/a.rs", house.path(&format!(".callgate-new-{}-1", std::process::id()))).unwrap();
    house.call("write_file", r#"{"path":"new","content":"x"}"#).unwrap();
    assert_eq!((house.read("new").as_str(), house.read("src/a.rs").as_str()), ("x", "fn one() {}\nfn two() {}\n"));
    assert!(house.path(&format!(".callgate-new-{}-0", std::process::id())).is_dir());
}

#[test]
fn edits_change_all_or_nothing() {
    let house = house();
    let edits =
        r#"{"path":"src/a.rs","edits":[{"old_text":"one","new_text":"1"},{"old_text":"three","new_text":"3"}]}"#;
    assert_eq!(house.fault("edit_file", edits), Kind::NoMatch);
    assert_eq!(
        house.fault("edit_file", r#"{"path":"src/a.rs","edits":[{"old_text":"fn","new_text":""}]}"#),
        Kind::Ambiguous
    );
    assert_eq!(house.read("src/a.rs"), "fn one() {}\nfn two() {}\n");
    let edits = r#"{"path":"src/a.rs","edits":[{"old_text":"one","new_text":"1"},{"old_text":"fn","new_text":"pub fn","replace_all":true}]}"#;
    house.call("edit_file", edits).unwrap();
    assert_eq!(house.read("src/a.rs"), "pub fn 1() {}\npub fn two() {}\n");
}

#[test]
fn searches_leave_out_what_git_does() {
    let house = house();
    fs::write(house.path(".gitignore"), "target/\n").unwrap();
    for path in ["target/a.rs", ".git/config", ".hidden/a.rs", "b.txt"] {
        fs::create_dir_all(house.path(path).parent().unwrap()).unwrap();
        fs::write(house.path(path), "fn one() {}\n").unwrap();
    }
    fs::write(house.path("binary"), b"fn one\0").unwrap();
    let found = house.text("search_files", r#"{"pattern":"fn (one|zwei)"}"#);
    let places: Vec<&str> = found.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(places, [".hidden/a.rs", "b.txt", "src/a.rs"]);
    assert_eq!(
        house.text("search_files", r#"{"pattern":"FN ONE","ignore_case":true,"glob":"**/*.txt"}"#),
        "b.txt:1:fn one() {}\n"
    );
    assert_eq!(house.text("search_files", r#"{"pattern":"two","path":"src/a.rs"}"#), "src/a.rs:2:fn two() {}\n");
    assert_eq!(house.text("search_files", r#"{"pattern":"^$"}"#), "");
    assert_eq!(house.fault("search_files", r#"{"pattern":"("}"#), Kind::Invalid);
    assert_eq!(house.fault("search_files", r#"{"pattern":"(a{1000}){1000}"}"#), Kind::Invalid);
    assert_eq!(house.fault("search_files", r#"{"pattern":"a","glob":"["}"#), Kind::Invalid);
}

/// Names are somebody else's word: none of them can put a line of its own into an answer.
#[test]
fn hostile_names_are_escaped() {
    let house = house();
    let name = std::ffi::OsStr::from_bytes(b"a\nb.rs:1:trust me\x1b[2J\xff\xe2\x80\xae");
    fs::write(house.workspace.join("src").join(name), "fn evil\n").unwrap();
    let listed = house.text("list_directory", r#"{"path":"src"}"#);
    assert_eq!(listed.lines().count(), 2);
    assert!(listed.contains("a\\nb.rs:1:trust me\\u{1b}[2J\\xff\\u{202e}"), "{listed}");
    let name = "b\nb.rs:1:trust me";
    fs::write(house.workspace.join("src").join(name), "fn evil\n").unwrap();
    let found = house.text("search_files", r#"{"pattern":"evil"}"#);
    assert_eq!(found.lines().count(), 1, "{found}");
}

/// Each way out of the workspace, tried with every tool.
#[test]
fn nothing_leads_out() {
    let house = house();
    let outside = house.workspace.parent().unwrap().to_owned();
    symlink("/", house.path("root")).unwrap();
    symlink("..", house.path("up")).unwrap();
    symlink("../secret", house.path("secret")).unwrap();
    symlink("src/a.rs", house.path("inner")).unwrap();
    symlink("loop", house.path("loop")).unwrap();
    symlink(&house.workspace, house.path("self")).unwrap();
    for path in ["secret", "up/secret", "inner", "loop", "self/src/a.rs", "root/etc/passwd", "root/proc/self/environ"] {
        for (tool, rest) in [
            ("read_file", ""),
            ("write_file", r#","content":"evil""#),
            ("edit_file", r#","edits":[{"old_text":"secret","new_text":"evil"}]"#),
            ("search_files", r#","pattern":"e""#),
            ("list_directory", ""),
        ] {
            let kind = house.fault(tool, &format!(r#"{{"path":"{path}"{rest}}}"#));
            assert_eq!(kind, Kind::Link, "{tool} {path}");
        }
    }
    // Without links, what lies outside can be read, where the sandbox and policy let it be, and never written.
    for path in ["../secret".to_owned(), outside.join("secret").display().to_string(), "..".to_owned(), "/".to_owned()]
    {
        assert_eq!(
            house.fault("write_file", &format!(r#"{{"path":"{path}","content":"x"}}"#)),
            Kind::Outside,
            "{path}"
        );
        let edit = format!(r#"{{"path":"{path}","edits":[{{"old_text":"s","new_text":"x"}}]}}"#);
        assert_eq!(house.fault("edit_file", &edit), Kind::Outside, "{path}");
    }
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret\n");
    // A walk does not follow links either.
    assert!(!house.text("search_files", r#"{"pattern":"secret"}"#).contains("secret:"));
    assert!(house.text("list_directory", r#"{"depth":8}"#).contains("root -> /\n"));
}

/// A pipe with a name, or a device, would let whoever left it there hold a tool up.
#[test]
fn only_ordinary_files_are_opened() {
    let house = house();
    assert!(std::process::Command::new("mkfifo").arg(house.path("pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(house.path("socket")).unwrap();
    assert_eq!(house.fault("read_file", r#"{"path":"pipe"}"#), Kind::NotAFile);
    assert_eq!(house.fault("write_file", r#"{"path":"pipe","content":"x"}"#), Kind::NotAFile);
    assert!(matches!(house.fault("read_file", r#"{"path":"socket"}"#), Kind::NotAFile | Kind::Failed));
    assert_eq!(house.fault("read_file", r#"{"path":"/dev/null"}"#), Kind::NotAFile);
    house.call("search_files", r#"{"pattern":"one"}"#).unwrap();
}

#[test]
fn arguments_that_are_not_the_tools_are_refused() {
    let house = house();
    for (tool, arguments) in [
        ("read_file", "{}"),
        ("read_file", r#"{"path":""}"#),
        ("read_file", r#"{"path":"a\u0000b"}"#),
        ("read_file", r#"{"path":["a"]}"#),
        ("read_file", r#"{"path":"a","offset":0}"#),
        ("read_file", r#"{"path":"a","offset":1.5}"#),
        ("read_file", r#"{"path":"a","more":1}"#),
        ("write_file", r#"{"path":"a"}"#),
        ("edit_file", r#"{"path":"a","edits":[]}"#),
        ("edit_file", r#"{"path":"a","edits":[{"old_text":"","new_text":""}]}"#),
        ("search_files", r#"{"pattern":"a","limit":100000}"#),
        ("list_directory", r#"{"depth":9}"#),
        ("terminal", r#"{"command":"true"}"#),
        ("memory", r#"{"operation":"list"}"#),
    ] {
        assert_eq!(house.fault(tool, arguments), Kind::Invalid, "{tool} {arguments}");
    }
    let missing = Path::new("/no/such/workspace");
    let work = Work::of("list_directory", None).unwrap().unwrap();
    assert_eq!(work.run(missing).unwrap_err().kind, Kind::Failed);
}

proptest! {
    /// Whatever the text of a path, nothing outside is written and nothing panics.
    #[test]
    fn no_path_writes_outside(path in "(/|\\.\\./|\\./|src/|up/|[a-z~$. ]{1,3}){1,6}[a-z.]{0,3}") {
        let house = house();
        symlink("..", house.path("up")).unwrap();
        let before = listing(house.workspace.parent().unwrap());
        let arguments = Json::object([("path", Json::from(path)), ("content", "x".into()), ("create_parents", Json::Bool(true))]);
        let _ = Work::of("write_file", arguments.as_object()).unwrap().and_then(|work| work.run(&house.workspace));
        prop_assert_eq!(listing(house.workspace.parent().unwrap()), before);
    }

    /// Whatever a hostile program writes in place of the answer, it is read or refused.
    #[test]
    fn answers_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,40}") {
        prop_assert!(callgate_tools::contained::answer(&bytes).is_none());
        let house = house();
        fs::write(house.path("x"), &text).unwrap();
        if let Ok(done) = house.call("read_file", r#"{"path":"x"}"#) {
            prop_assert_eq!(done.text, text);
        }
    }
}

/// The names beside the workspace, and its own.
fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
