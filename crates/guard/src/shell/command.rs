//! What is found out about a line.

use std::collections::BTreeSet;
use std::rc::Rc;

use callgate_text::Json;

use super::{Argument, Argv, Effect};

/// Why something is only known when the line runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dynamic {
    /// The line, or a script in it, is nothing that the parser reads.
    Unreadable,
    /// Which program runs comes from an expansion.
    Program,
    /// An option, or an argument that decides what happens, comes from an expansion.
    Argument,
    /// A path comes from an expansion, or starts in a directory that is not known.
    Path,
    /// A host comes from an expansion.
    Host,
    /// A script or program text is put together while the line runs.
    Code,
    /// A shell or interpreter runs what another program prints.
    Input,
    /// A file is run in the shell itself, and may change everything after it.
    Sourced,
    /// A function calls itself.
    Recursion,
    /// Where the path leads depends on where a link or a glob leads.
    Link,
    /// It means one thing to bash and another to a plain `sh`.
    Dialect,
    /// The program is one that an earlier command has changed the meaning of.
    Redefined,
}

impl Dynamic {
    /// A short word for explanations and policy tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Program => "program",
            Self::Argument => "argument",
            Self::Path => "path",
            Self::Host => "host",
            Self::Code => "code",
            Self::Input => "input",
            Self::Sourced => "sourced",
            Self::Recursion => "recursion",
            Self::Link => "link",
            Self::Dialect => "dialect",
            Self::Redefined => "redefined",
        }
    }
}

/// One simple command that could run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The program's name (`rm`, also for `/bin/rm`), or the path of one that lies elsewhere; `:` for redirections and
    /// assignments without a program, `?` for what is not known.
    pub program: String,
    /// Whether the table of programs says what it does.
    pub known: bool,
    /// The arguments, the program's own name first.
    pub argv: Argv,
    /// Variables that are set for it, or by it.
    pub assignments: Vec<(String, Argument)>,
    /// What it does.
    pub effects: BTreeSet<Effect>,
    /// Paths that it reads: absolute, or `./` if the working directory is not known; `/~` is the home directory where
    /// that is not known, `/~ann` another user's. The first component with a glob is the last one.
    pub reads: BTreeSet<String>,
    /// Paths that it writes.
    pub writes: BTreeSet<String>,
    /// Paths that it deletes.
    pub deletes: BTreeSet<String>,
    /// Hosts that it talks to.
    pub hosts: BTreeSet<String>,
    /// What cannot be known before it runs.
    pub dynamic: BTreeSet<Dynamic>,
    /// What it is inside of, outermost first: `sudo`, `sh -c`, `$(…)`.
    pub within: Vec<Rc<str>>,
}

/// A whole line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Every simple command that could run, in order; each wrapper before what it runs.
    pub commands: Vec<Command>,
}

impl Line {
    /// Whether something in it is only known when it runs.
    pub fn is_dynamic(&self) -> bool {
        self.commands.iter().any(|command| !command.dynamic.is_empty())
    }

    /// All effects.
    pub fn effects(&self) -> BTreeSet<Effect> {
        self.commands.iter().flat_map(|command| command.effects.iter().copied()).collect()
    }

    /// `{commands: [{program, …}]}`, for `explain`.
    pub fn to_json(&self) -> Json {
        Json::object([("commands", Json::Array(self.commands.iter().map(Command::to_json).collect()))])
    }
}

impl Command {
    fn to_json(&self) -> Json {
        let texts =
            |texts: &BTreeSet<String>| Json::Array(texts.iter().map(|text| Json::from(text.as_str())).collect());
        let words = |words: Vec<&str>| Json::Array(words.into_iter().map(Json::from).collect());
        Json::object([
            ("argv", Json::Array(self.argv.iter().map(|argument| Json::from(argument.to_string())).collect())),
            ("deletes", texts(&self.deletes)),
            ("dynamic", words(self.dynamic.iter().map(|why| why.as_str()).collect())),
            ("effects", words(self.effects.iter().map(|effect| effect.as_str()).collect())),
            ("hosts", texts(&self.hosts)),
            ("known", Json::Bool(self.known)),
            ("program", Json::from(self.program.as_str())),
            ("reads", texts(&self.reads)),
            ("within", words(self.within.iter().map(|wrapper| &**wrapper).collect())),
            ("writes", texts(&self.writes)),
        ])
    }
}
