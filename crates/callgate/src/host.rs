//! What `install`, `uninstall` and `doctor` know about a host: where its settings lie, and what in them is ours.

pub(crate) mod canary;
pub(crate) mod claude_code;
pub(crate) mod model;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use callgate_text::{Json, Object};

use crate::replaced::{Replaced, indented};

/// The hosts whose hooks can be installed, as `callgate.toml` names their doors.
pub(crate) const ALL: [&str; 1] = [callgate_doors::hook::claude_code::NAME];

/// No settings file is longer.
const MOST_BYTES: u64 = 4 << 20;

/// Whose settings a hook stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The machine's: an agent's user cannot change them.
    Managed,
    /// One user's: advisory, since whoever runs as that user can change them.
    User,
}

impl Scope {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::User => "user",
        }
    }

    /// What a hook that stands there is worth.
    pub(crate) const fn posture(self) -> &'static str {
        match self {
            Self::Managed => "enforced",
            Self::User => "advisory",
        }
    }
}

/// A settings file as it is: absent, or an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettingsFile {
    pub(crate) path: PathBuf,
    text: Option<String>,
    pub(crate) settings: Object,
}

impl SettingsFile {
    /// Reads it, strictly: what two readers could read differently is not rewritten.
    pub(crate) fn read(path: PathBuf) -> Result<Self> {
        let text = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Ok(metadata) if metadata.len() > MOST_BYTES => bail!("{} is longer than 4 MiB", path.display()),
            _ => Some(std::fs::read_to_string(&path).with_context(|| path.display().to_string())?),
        };
        let settings = match text.as_deref().filter(|text| !text.trim().is_empty()) {
            None => Object::default(),
            Some(text) => match Json::parse_within(text.as_bytes(), text.len()) {
                Ok(Json::Object(settings)) => settings,
                Ok(_) => bail!("{} is no object", path.display()),
                Err(error) => bail!("{}: {error}; mend it first", path.display()),
            },
        };
        Ok(Self { path, text, settings })
    }

    /// What the file would hold with `settings`; `None` for no file.
    fn rendered(settings: &Object) -> Option<String> {
        (!settings.is_empty()).then(|| indented(&Json::Object(settings.clone())) + "\n")
    }

    /// The change to `settings`, line by line; `None` if there is none.
    pub(crate) fn difference(&self, settings: &Object) -> Option<String> {
        if *settings == self.settings {
            return None;
        }
        let (before, after) = (self.text.clone().unwrap_or_default(), Self::rendered(settings).unwrap_or_default());
        Some(difference(&self.path, &before, &after))
    }

    /// Where the first backup lies; a later one never overwrites it.
    pub(crate) fn backup(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!("{name}.before-callgate"))
    }

    /// Writes `settings`, after a backup of what was there before Callgate came.
    pub(crate) fn write(&self, settings: &Object) -> Result<()> {
        let folder = self.path.parent().context("the settings have no directory")?;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mode = std::fs::metadata(&self.path)
            .map_or(0o644, |metadata| std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777);
        let replaced = Replaced { draft_in: None, mode };
        if let Some(text) = &self.text
            && !self.backup().exists()
        {
            replaced.write(&self.backup(), text)?;
        }
        match Self::rendered(settings) {
            Some(text) => replaced.write(&self.path, &text),
            None => std::fs::remove_file(&self.path).with_context(|| self.path.display().to_string()),
        }
    }
}

/// A change as `diff -u` shows it.
pub(crate) fn difference(path: &Path, before: &str, after: &str) -> String {
    let shown = path.display().to_string();
    similar::TextDiff::from_lines(before, after).unified_diff().context_radius(3).header(&shown, &shown).to_string()
}
