//! The crate's own test programs, as cargo has just built them beside this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Those that say something about a machine rather than about this crate's code alone.
const NAMES: [&str; 5] = ["bombs", "native", "probes", "processors", "workspace"];

/// Each by its name: those, and this program itself.
pub(crate) fn all() -> Vec<(String, PathBuf)> {
    let own = std::env::current_exe().expect("a path");
    let folder = own.parent().expect("a folder").to_owned();
    let others = NAMES.iter().map(|name| ((*name).to_owned(), newest(&folder, name)));
    others.chain([("guest".to_owned(), own.clone())]).collect()
}

/// Cargo names a test program by a digest that others cannot work out. It builds all those of a package before it runs
/// the first, so that the newest of a name is the right one, unless it is older than what it is made of.
fn newest(folder: &Path, name: &str) -> PathBuf {
    let prefix = format!("{name}-");
    let entries = fs::read_dir(folder).expect("reads").map(|entry| entry.expect("reads").path());
    let programs = entries.filter(|path| {
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        file.strip_prefix(&prefix).is_some_and(|digest| digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    let newest = programs.max_by_key(|path| changed(path)).unwrap_or_else(|| panic!("{name} is not built; {HINT}"));
    let sources = ["src", "attacker", "tests/support", &format!("tests/{name}"), &format!("tests/{name}.rs")];
    for source in sources.iter().map(|source| Path::new(env!("CARGO_MANIFEST_DIR")).join(source)) {
        if source.exists() {
            assert!(last_change(&source) <= changed(&newest), "{name} is older than {}; {HINT}", source.display());
        }
    }
    newest
}

const HINT: &str = "build all tests first: cargo test -p callgate-sandbox --no-run";

fn changed(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|file| file.modified()).expect("a time")
}

fn last_change(path: &Path) -> SystemTime {
    if !path.is_dir() {
        return changed(path);
    }
    let entries = fs::read_dir(path).expect("reads").map(|entry| last_change(&entry.expect("reads").path()));
    entries.max().unwrap_or(SystemTime::UNIX_EPOCH)
}
