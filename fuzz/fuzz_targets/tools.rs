//! The file tools, as an agent words its calls: whatever the arguments are, nothing panics, nothing outside the
//! workspace is opened to write, and an answer crosses the wire unchanged. And what a hostile program writes in place
//! of an answer is read or refused.
#![no_main]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::LazyLock;

use callgate_text::Json;
use callgate_tools::{Operation, Work, contained};
use libfuzzer_sys::fuzz_target;

/// A workspace with ways out of it, in a folder of its own.
static WORKSPACE: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = std::env::temp_dir().join(format!("callgate-fuzz-tools-{}", std::process::id()));
    let workspace = root.join("ws");
    fs::create_dir_all(workspace.join("src")).expect("a folder");
    fs::write(root.join("secret"), "secret\n").expect("a file");
    for (target, name) in [("..", "up"), ("../secret", "link"), ("/", "root"), ("self", "self")] {
        symlink(target, workspace.join(name)).expect("a link");
    }
    workspace
});

/// What stands beside the workspace.
fn outside() -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let entries = fs::read_dir(WORKSPACE.parent().expect("a parent")).expect("a folder");
    let mut all: Vec<_> =
        entries.map(|entry| entry.expect("an entry").path()).map(|path| (path.clone(), fs::read(path).ok())).collect();
    all.sort();
    all
}

fuzz_target!(|data: &[u8]| {
    let _ = contained::answer(data);
    let Some((tool, arguments)) = data.split_first() else { return };
    let Ok(arguments) = Json::parse(arguments) else { return };
    let _ = Operation::of(arguments.as_object());
    let tools = ["read_file", "write_file", "edit_file", "search_files", "list_directory"];
    let tool = tools[usize::from(*tool) % tools.len()];
    // The same road as in the sandbox, over the wire.
    let request = contained::request(&WORKSPACE, tool, arguments.as_object()).expect("a request");
    let file = WORKSPACE.join("src/main.rs");
    fs::write(&file, "fn main() {}\n").expect("a file");
    let before = outside();
    let result = contained::run(&request);
    assert_eq!(outside(), before, "something outside was changed");
    if let Some(Ok(work)) = Work::of(tool, arguments.as_object()) {
        // What it did once it does again, or says why not; and reading is always the same.
        let again = work.run(&WORKSPACE);
        if matches!(work, Work::Read { .. } | Work::List { .. } | Work::Search { .. }) {
            assert_eq!(again, result);
        }
    }
});
