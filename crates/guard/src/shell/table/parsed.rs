//! The small words of the table.

use serde::Deserialize;

use super::super::Effect;

/// What an operand, or the value of an option, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Text,
    Reads,
    Writes,
    Deletes,
    Changes,
    Moves,
    Packs,
    Prefix,
    Script,
    Host,
    Url,
    Remote,
    RemoteWrites,
    Volume,
    Variable,
    Package,
    PackageOrRepository,
    Shell,
    Code,
    Argv,
    EnvArgv,
    ShellArgv,
}

/// A role, and whether it takes any number of operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Role {
    pub(in super::super) kind: Kind,
    pub(in super::super) many: bool,
}

impl Role {
    fn read(text: &str) -> Result<Self, String> {
        let (word, many) = text.strip_suffix('*').map_or((text, false), |word| (word, true));
        let kind = match word {
            "text" => Kind::Text,
            "reads" => Kind::Reads,
            "writes" => Kind::Writes,
            "deletes" => Kind::Deletes,
            "changes" => Kind::Changes,
            "moves" => Kind::Moves,
            "packs" => Kind::Packs,
            "prefix" => Kind::Prefix,
            "script" => Kind::Script,
            "host" => Kind::Host,
            "url" => Kind::Url,
            "remote" => Kind::Remote,
            "remote-writes" => Kind::RemoteWrites,
            "volume" => Kind::Volume,
            "variable" => Kind::Variable,
            "package" => Kind::Package,
            "package-or-repository" => Kind::PackageOrRepository,
            "code:sh" => Kind::Shell,
            "code" => Kind::Code,
            "argv" => Kind::Argv,
            "env-argv" => Kind::EnvArgv,
            "sh-argv" => Kind::ShellArgv,
            _ => return Err(format!("no role is called `{word}`")),
        };
        Ok(Self { kind, many })
    }

    /// Whether it, and everything after it, is a command.
    pub(in super::super) fn is_command(self) -> bool {
        matches!(self.kind, Kind::Argv | Kind::EnvArgv | Kind::ShellArgv)
    }
}

/// What an option means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Meaning {
    pub(in super::super) takes: Option<Kind>,
    /// The value is part of the option, or there is none.
    pub(in super::super) attached: bool,
    pub(in super::super) adds: Vec<Effect>,
    pub(in super::super) removes: Vec<Effect>,
    pub(in super::super) operands: Option<Vec<Role>>,
    /// It goes down into the directories that it reads.
    pub(in super::super) recursive: bool,
    /// What stands where it writes is kept under another name.
    pub(in super::super) backs_up: bool,
}

impl Meaning {
    fn read(text: &str) -> Result<Self, String> {
        let effect = |word: &str| word.parse::<Effect>().map_err(|()| format!("no effect is called `{word}`"));
        let mut meaning = Self::default();
        for word in text.split_ascii_whitespace() {
            if word == "recursive" {
                meaning.recursive = true;
            } else if word == "backs-up" {
                meaning.backs_up = true;
            } else if let Some(word) = word.strip_prefix('+') {
                meaning.adds.push(effect(word)?);
            } else if let Some(word) = word.strip_prefix('-') {
                meaning.removes.push(effect(word)?);
            } else if let Some(roles) = word.strip_prefix('=') {
                let roles = roles.split(',').filter(|role| !role.is_empty());
                meaning.operands = Some(roles.map(Role::read).collect::<Result<_, _>>()?);
            } else {
                let word = word.strip_prefix('?').inspect(|_| meaning.attached = true).unwrap_or(word);
                meaning.takes = Some(Role::read(word)?.kind);
            }
        }
        Ok(meaning)
    }

    /// Whether it could make the program do something that its operands do not say.
    pub(in super::super) fn is_sharp(&self) -> bool {
        !self.adds.is_empty()
            || self.operands.is_some()
            || self.backs_up
            || self.takes.is_some_and(|kind| kind != Kind::Text)
    }
}

impl Meaning {
    /// Whether it makes the program run another.
    pub(in super::super) fn runs(&self) -> bool {
        self.adds.contains(&Effect::Executes)
            || self.takes.is_some_and(|kind| {
                matches!(kind, Kind::Shell | Kind::Code | Kind::Script | Kind::Argv | Kind::EnvArgv | Kind::ShellArgv)
            })
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Meaning {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
