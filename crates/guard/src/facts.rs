//! What policy sees of commands: `context.command`, of each program that could run, and `context.line`, of the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use callgate_core::seam::FactSource;
use callgate_core::{Call, Code, CommandForm, CommandLine, Fact, FactSpec, FactType, Facts, Reason, Timestamp};

use crate::shell::{Command, Effect, Line, Setting, Table, TableError, analyse, analyse_argv};

const EFFECTS: FactType = FactType::Labels { entity: "Effect", ids: Effect::WORDS };

/// The facts of commands. Each has a value for every command: what is not known stands at the unsafe end.
pub const FACTS: &[FactSpec] = &[
    FactSpec { path: "command.deletes", kind: FactType::Paths },
    FactSpec { path: "command.dynamic", kind: FactType::Bool },
    FactSpec { path: "command.effects", kind: EFFECTS },
    FactSpec { path: "command.hosts", kind: FactType::Hosts },
    FactSpec { path: "command.known", kind: FactType::Bool },
    FactSpec { path: "command.program", kind: FactType::Text },
    FactSpec { path: "command.reads", kind: FactType::Paths },
    FactSpec { path: "command.shell", kind: FactType::Text },
    FactSpec { path: "command.writes", kind: FactType::Paths },
    FactSpec { path: "line.commands", kind: FactType::Long },
    FactSpec { path: "line.dynamic", kind: FactType::Bool },
    FactSpec { path: "line.effects", kind: EFFECTS },
];

/// How many different commands of one call policy is asked about.
const MOST: usize = 512;

/// Takes commands apart.
#[derive(Debug)]
pub struct ShellFacts {
    table: Arc<Table>,
    /// The table with the operator's own programs, by their text.
    extended: Mutex<Option<(Arc<str>, Arc<Table>)>>,
}

impl ShellFacts {
    /// With the table that comes with the gate.
    ///
    /// # Errors
    /// As [`Table::builtin`].
    pub fn new() -> Result<Self, TableError> {
        Ok(Self { table: Arc::new(Table::builtin()?), extended: Mutex::new(None) })
    }

    /// The table for the operator's `programs.toml`.
    ///
    /// # Errors
    /// [`TableError`] says what is wrong with it.
    pub fn table(&self, programs: Option<&Arc<str>>) -> Result<Arc<Table>, TableError> {
        let Some(programs) = programs else { return Ok(Arc::clone(&self.table)) };
        let mut extended = self.extended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((text, table)) = &*extended
            && text == programs
        {
            return Ok(Arc::clone(table));
        }
        let mut table = Table::clone(&self.table);
        table.extend("programs.toml", programs)?;
        let table = Arc::new(table);
        *extended = Some((Arc::clone(programs), Arc::clone(&table)));
        Ok(table)
    }

    fn analyse(&self, command: &CommandLine) -> Result<Line, Reason> {
        let denied = |message: String| Reason::new(Code::InvalidArguments, message);
        let table =
            self.table(command.programs.as_ref()).map_err(|error| Reason::new(Code::Internal, error.to_string()))?;
        let text = |place: &Option<Arc<str>>| place.as_deref().map(str::to_owned);
        let setting = Setting { cwd: text(&command.cwd), home: text(&command.home) };
        match &command.form {
            CommandForm::Line(line) => analyse(line, &setting, &table).map_err(|refusal| denied(refusal.to_string())),
            CommandForm::Argv(argv) => {
                let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
                analyse_argv(&argv, &setting, &table).map_err(|refusal| denied(refusal.to_string()))
            }
            CommandForm::Absent => Ok(Line::default()),
        }
    }
}

impl FactSource for ShellFacts {
    fn establish(&self, _call: &Call, _now: Timestamp) -> Result<Vec<(&'static str, Fact)>, String> {
        Ok(Vec::new())
    }

    fn take_apart(&self, commands: &[CommandLine], facts: &mut Facts) -> Result<(), Reason> {
        let mut acts: Vec<BTreeMap<&'static str, Fact>> = Vec::new();
        let (mut count, mut dynamic, mut effects) = (0_i64, false, BTreeSet::new());
        for command in commands {
            let line = self.analyse(command)?;
            dynamic |= line.is_dynamic();
            effects.extend(line.effects());
            count = count.saturating_add(i64::try_from(line.commands.len()).unwrap_or(i64::MAX));
            let shell = command.shell.as_str();
            if line.commands.is_empty() {
                // No command is nothing to be sure of; a line of nothing but comments and assignments does nothing.
                let absent = command.form == CommandForm::Absent;
                dynamic |= absent;
                acts.push(nothing(absent, shell));
            }
            for command in &line.commands {
                let act = act(command, shell);
                if !acts.contains(&act) {
                    acts.push(act);
                }
                if acts.len() > MOST {
                    let message = format!("the command runs more than {MOST} different programs");
                    return Err(Reason::new(Code::InvalidArguments, message));
                }
            }
        }
        facts.insert("line.commands", Fact::Long(count));
        facts.insert("line.dynamic", Fact::Bool(dynamic));
        facts.insert("line.effects", labels(&effects));
        for act in acts {
            facts.insert_act(act);
        }
        Ok(())
    }
}

fn act(command: &Command, shell: &'static str) -> BTreeMap<&'static str, Fact> {
    let names = |names: &BTreeSet<String>| Fact::Names(names.iter().map(|name| Arc::from(name.as_str())).collect());
    BTreeMap::from([
        ("command.deletes", names(&command.deletes)),
        ("command.dynamic", Fact::Bool(!command.dynamic.is_empty())),
        ("command.effects", labels(&command.effects)),
        ("command.hosts", names(&command.hosts)),
        ("command.known", Fact::Bool(command.known)),
        ("command.program", Fact::Text(Arc::from(command.program.as_str()))),
        ("command.reads", names(&command.reads)),
        ("command.shell", Fact::Text(Arc::from(shell))),
        ("command.writes", names(&command.writes)),
    ])
}

fn nothing(absent: bool, shell: &'static str) -> BTreeMap<&'static str, Fact> {
    let mut command = Command { program: ":".to_owned(), known: !absent, ..Command::default() };
    if absent {
        command.program.clear();
        command.dynamic.insert(crate::shell::Dynamic::Program);
    }
    act(&command, shell)
}

fn labels(effects: &BTreeSet<Effect>) -> Fact {
    Fact::Labels(effects.iter().map(|effect| Arc::from(effect.as_str())).collect())
}
