//! `callgate init`: a gate directory to start from. It passes `policy check` and its own tests.

use std::io::Write;
use std::path::Path;

use crate::config;
use crate::files::GateFiles;
use crate::finding::{Finding, LoadError, Rule};

/// What `init` can write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// A small gate for notes, to learn from.
    Starter,
    /// The pack for a developer's Claude Code, in `policies/claude-code`.
    ClaudeCode(Developer),
    /// The pack for an agent that works with the gate's own tools, in `policies/tools`.
    Tools(Developer),
}

/// Who works with an agent, and where. Paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Developer {
    /// The directory in which files may be written.
    pub workspace: String,
    /// The home directory.
    pub home: String,
    /// The user id.
    pub uid: u32,
    /// The user's name.
    pub user: String,
}

/// The files, by path.
const STARTER: &[(&str, &str)] = &[
    ("callgate.toml", include_str!("init/callgate.toml")),
    ("entities.toml", include_str!("init/entities.toml")),
    ("policies/notes.cedar", include_str!("init/policies/notes.cedar")),
    ("tests/notes.toml", include_str!("init/tests/notes.toml")),
    ("tools/notes.json", include_str!("init/tools/notes.json")),
];

const CLAUDE_CODE: &[(&str, &str)] = &[
    ("callgate.toml", include_str!("../../../policies/claude-code/callgate.toml")),
    ("entities.toml", include_str!("../../../policies/claude-code/entities.toml")),
    ("policies/claude-code.cedar", include_str!("../../../policies/claude-code/policies/claude-code.cedar")),
    ("policies/shell.cedar", include_str!("../../../policies/shell/policies/shell.cedar")),
    ("tests/claude-code.toml", include_str!("../../../policies/claude-code/tests/claude-code.toml")),
    ("tests/shell.toml", include_str!("../../../policies/shell/tests/shell.toml")),
    ("tools/claude-code.json", include_str!("../../../policies/claude-code/tools/claude-code.json")),
];

const TOOLS: &[(&str, &str)] = &[
    ("callgate.toml", include_str!("../../../policies/tools/callgate.toml")),
    ("entities.toml", include_str!("../../../policies/tools/entities.toml")),
    ("policies/shell.cedar", include_str!("../../../policies/shell/policies/shell.cedar")),
    ("policies/tools.cedar", include_str!("../../../policies/tools/policies/tools.cedar")),
    ("tests/tools.toml", include_str!("../../../policies/tools/tests/tools.toml")),
    ("tools/callgate.json", include_str!("../../../policies/tools/tools/callgate.json")),
];

impl Template {
    /// The files as texts, by path.
    pub fn texts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Starter => STARTER.iter().map(|(path, text)| (*path, (*text).to_owned())).collect(),
            Self::ClaudeCode(developer) => developer.all(CLAUDE_CODE),
            Self::Tools(developer) => developer.all(TOOLS),
        }
    }

    fn developer(&self) -> Option<&Developer> {
        match self {
            Self::Starter => None,
            Self::ClaudeCode(developer) | Self::Tools(developer) => Some(developer),
        }
    }
}

impl Developer {
    fn all(&self, files: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        files.iter().map(|(path, text)| (*path, self.fill(path, text))).collect()
    }

    /// Puts this developer in the place of `@WORKSPACE@` and the like, in the files that hold them.
    fn fill(&self, path: &str, text: &str) -> String {
        if path.ends_with(".json") || path.ends_with(".cedar") {
            return text.to_owned();
        }
        text.replace("@WORKSPACE@", &self.workspace)
            .replace("@HOME@", &self.home)
            .replace("@UID@", &self.uid.to_string())
            .replace("@USER@", &self.user)
    }

    /// What could not stand between the quotes of the files.
    fn unfit(&self) -> Option<&'static str> {
        // A workspace around the home directory would hold the keys that it must not.
        let around = format!("{}/", self.home).starts_with(&format!("{}/", self.workspace));
        let odd = |text: &str| text.contains(['"', '\\', '@']) || text.chars().any(char::is_control);
        let place = |path: &str| !path.starts_with('/') || path.len() < 2 || path.ends_with('/') || odd(path);
        match self {
            _ if around || place(&self.workspace) => Some("the workspace"),
            _ if place(&self.home) => Some("the home directory"),
            _ if self.user.parse::<callgate_core::AgentId>().is_err() || self.user.contains('.') => {
                Some("the user's name")
            }
            _ => None,
        }
    }
}

/// The starter as texts, by path.
pub fn starter() -> GateFiles {
    GateFiles::from_texts(STARTER.iter().copied())
}

/// Writes the template into `dir`, which is made if it does not exist, with `sandbox` behind its settings. Returns the
/// paths written.
///
/// # Errors
/// If one of the files exists already (nothing is then written), or cannot be written.
pub fn init(dir: &Path, template: &Template, sandbox: &str) -> Result<Vec<&'static str>, LoadError> {
    if let Some(what) = template.developer().and_then(Developer::unfit) {
        let message = format!(
            "{what} cannot stand in a configuration: it is an absolute path without quotes, `@` and the like, and the \
             workspace does not hold the home directory"
        );
        return Err(Finding::new(Rule::BadEntity, "", message).into());
    }
    let mut texts = template.texts();
    if let Some((_, settings)) = texts.iter_mut().find(|(path, _)| *path == config::FILE) {
        settings.push_str(sandbox);
    }
    let there: Vec<Finding> = texts
        .iter()
        .filter(|(path, _)| dir.join(path).symlink_metadata().is_ok())
        .map(|(path, _)| {
            Finding::new(Rule::UnexpectedFile, *path, "exists already").help("choose a directory without a gate")
        })
        .collect();
    if !there.is_empty() {
        return Err(there.into());
    }
    for (path, text) in &texts {
        write(&dir.join(path), text)
            .map_err(|error| Finding::new(Rule::Unreadable, *path, format!("cannot be written: {error}")))?;
    }
    Ok(texts.iter().map(|(path, _)| *path).collect())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::File::create_new(path)?;
    file.write_all(text.as_bytes())
}
