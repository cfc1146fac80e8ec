//! Files that are written whole: whoever reads them sees the old text or the new one, never half of one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use callgate_text::Json;

/// How to replace a file.
pub(crate) struct Replaced<'a> {
    /// Where the draft lies: on the same file system, and where nobody takes it for the file.
    pub(crate) draft_in: Option<&'a Path>,
    /// The permissions of the new file.
    pub(crate) mode: u32,
}

impl Replaced<'_> {
    /// Durable when this returns.
    pub(crate) fn write(&self, path: &Path, text: &str) -> Result<()> {
        let folder = path.parent().with_context(|| format!("{} is no file", path.display()))?;
        let draft = tempfile::NamedTempFile::new_in(self.draft_in.unwrap_or(folder))
            .with_context(|| format!("cannot write in {}", folder.display()))?;
        std::fs::write(draft.path(), text)?;
        draft.as_file().set_permissions(std::fs::Permissions::from_mode(self.mode))?;
        draft.as_file().sync_all()?;
        draft.persist(path).with_context(|| path.display().to_string())?;
        Ok(std::fs::File::open(folder)?.sync_all()?)
    }
}

/// JSON for people: members on lines of their own, short things on one.
pub(crate) fn indented(value: &Json) -> String {
    at_depth(value, 0)
}

fn at_depth(value: &Json, depth: usize) -> String {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    match value {
        Json::Object(object) if !object.is_empty() => {
            let members: Vec<_> = object
                .iter()
                .map(|(key, value)| format!("{inner}{}: {}", flat(&Json::from(key)), at_depth(value, depth + 1)))
                .collect();
            format!("{{\n{}\n{outer}}}", members.join(",\n"))
        }
        Json::Array(items) if items.iter().any(|item| item.as_object().is_some()) => {
            let items: Vec<_> = items.iter().map(|item| format!("{inner}{}", at_depth(item, depth + 1))).collect();
            format!("[\n{}\n{outer}]", items.join(",\n"))
        }
        leaf => flat(leaf),
    }
}

fn flat(value: &Json) -> String {
    String::from_utf8_lossy(&value.canonical()).into_owned()
}
