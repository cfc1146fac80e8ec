//! `callgate init`: a gate directory to start from. It passes `policy check` and its own tests.

use std::io::Write;
use std::path::Path;

use crate::files::GateFiles;
use crate::finding::{Finding, LoadError, Rule};

/// The files, by path.
const FILES: &[(&str, &str)] = &[
    ("callgate.toml", include_str!("init/callgate.toml")),
    ("entities.toml", include_str!("init/entities.toml")),
    ("policies/notes.cedar", include_str!("init/policies/notes.cedar")),
    ("tests/notes.toml", include_str!("init/tests/notes.toml")),
    ("tools/notes.json", include_str!("init/tools/notes.json")),
];

/// The starter as texts, by path.
pub fn starter() -> GateFiles {
    GateFiles::from_texts(FILES.iter().copied())
}

/// Writes the starter into `dir`, which is made if it does not exist. Returns the paths written.
///
/// # Errors
/// If one of the files exists already (nothing is then written), or cannot be written.
pub fn init(dir: &Path) -> Result<Vec<&'static str>, LoadError> {
    let there: Vec<Finding> = FILES
        .iter()
        .filter(|(path, _)| dir.join(path).symlink_metadata().is_ok())
        .map(|(path, _)| {
            Finding::new(Rule::UnexpectedFile, *path, "exists already").help("choose a directory without a gate")
        })
        .collect();
    if !there.is_empty() {
        return Err(there.into());
    }
    for (path, text) in FILES {
        write(&dir.join(path), text)
            .map_err(|error| Finding::new(Rule::Unreadable, *path, format!("cannot be written: {error}")))?;
    }
    Ok(FILES.iter().map(|(path, _)| *path).collect())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::File::create_new(path)?;
    file.write_all(text.as_bytes())
}
