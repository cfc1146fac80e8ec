//! Simple commands: assignments, functions, programs.

use std::rc::Rc;

use super::super::ast::{Assignment, Part, Simple, Value, Word};
use super::super::parse::assignment;
use super::super::scope::Variable;
use super::super::{Argument, Argv, Dynamic, Effect, Refusal, open};
use super::act::appended;
use super::{Act, Flow, Input, Nested, Walker};

/// Where the system's own programs lie.
const SYSTEM: &[&str] = &[
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/opt/homebrew/bin",
    "/opt/homebrew/sbin",
    "/usr/games",
    "/usr/libexec",
    "/run/current-system/sw/bin",
];

impl<'t> Walker<'t> {
    pub(super) fn simple(&mut self, simple: &Simple) -> Result<Flow, Refusal> {
        let outer = std::mem::take(&mut self.notes);
        let outer_secrets = self.take_secrets();
        let mut act = Act::default();
        // `declare NAME=(…)` assigns as it stands; it never becomes an argument.
        let is_array = |word: &&Word| matches!(word.0.last(), Some(Part::Array(_)));
        let argv = self.arguments(simple.words.iter().filter(|word| !is_array(word)))?;
        for array in simple.words.iter().filter(is_array) {
            if let Ok(assignment) = assignment(array.clone()) {
                self.assign(&assignment, true, &mut act)?;
            }
        }
        self.redirect(&simple.redirects, &mut act)?;
        let alone = argv.is_empty();
        for assignment in &simple.assignments {
            self.assign(assignment, alone, &mut act)?;
        }
        let notes = std::mem::replace(&mut self.notes, outer);
        act.command.dynamic.extend(notes);
        // `[ -n "$TOKEN" ]` and `: "${TOKEN:?}"` ask whether it is there.
        let asks =
            argv.first().and_then(Argument::known).is_some_and(|name| matches!(name, "[" | "test" | ":" | "true"));
        if std::mem::replace(&mut self.secrets, outer_secrets) && !(asks && simple.redirects.is_empty()) {
            act.effect(Effect::ReadsCredentials);
        }
        if alone {
            self.limits.command()?;
            let flow = Flow { text: Some(String::new()), ..Flow::default() };
            let silent = act.command.dynamic.is_empty()
                && act.command.effects.is_empty()
                && simple.redirects.is_empty()
                && act.nested.is_empty();
            if !silent {
                self.record(act, Argument::literal(":"))?;
            }
            return Ok(flow);
        }
        self.run(argv.into(), act, true)
    }

    /// One assignment: of the shell, if the command is nothing else, otherwise for the program.
    fn assign(&mut self, assignment: &Assignment, alone: bool, act: &mut Act) -> Result<(), Refusal> {
        if let Some(index) = &assignment.index {
            let index = self.value(index)?;
            if index.known().is_none_or(|index| index.contains(['$', '`'])) {
                act.dynamic(Dynamic::Code);
            }
        }
        let name = &assignment.name;
        let value = match &assignment.value {
            Value::Array(words) => {
                let items = self.arguments(words)?;
                if items.iter().any(Argument::is_many) { Variable::Unknown } else { Variable::List(Rc::new(items)) }
            }
            Value::Scalar(word) => {
                let value = self.value(word)?;
                self.environment(name, &value, assignment.append, act);
                act.command.assignments.push((name.clone(), value.clone()));
                match assignment.append {
                    true => appended(self.scope.variable(name), &value),
                    false => Variable::Scalar(value),
                }
            }
        };
        let value = match (value, assignment.index.is_some(), assignment.append) {
            (_, true, _) => Variable::Unknown,
            (Variable::List(more), _, true) => match self.scope.variable(name) {
                Some(Variable::List(items)) => {
                    self.limits.bytes(items.len())?;
                    Variable::List(Rc::new(items.iter().chain(more.iter()).cloned().collect()))
                }
                _ => Variable::Unknown,
            },
            (value, ..) => value,
        };
        if alone {
            self.scope.set(name, value);
        }
        Ok(())
    }

    /// Runs words that have been expanded. `shell` if functions and builtins count.
    pub(in super::super) fn run(&mut self, argv: Argv, mut act: Act, shell: bool) -> Result<Flow, Refusal> {
        let Some(first) = argv.first() else { return Ok(Flow::default()) };
        act.command.argv = argv.clone();
        let Some(name) = first.known().filter(|name| !name.is_empty()) else {
            act.dynamic(Dynamic::Program);
            for argument in argv.iter().skip(1) {
                // What it is given matters whatever it is.
                if argument.text().contains('/') {
                    self.mention(argument, &mut act);
                }
            }
            return self.record(act, Argument::literal("?"));
        };
        if shell {
            if let Some(text) = self.scope.alias(name).map(str::to_owned) {
                // Only some shells expand it, and only from the next line on: both ways are followed.
                act.nested.push(aliased(text, &argv));
            }
            if let Some(function) = self.scope.function(name).cloned() {
                return self.called_perhaps(name, &function, &argv, act);
            }
        }
        self.start(name, &argv, act, shell)
    }

    /// Starts the program called `name`.
    pub(super) fn start(&mut self, name: &str, argv: &[Argument], mut act: Act, shell: bool) -> Result<Flow, Refusal> {
        let arguments = argv.get(1..).unwrap_or_default();
        let mut known_as = name;
        let mut program = name.to_owned();
        let (directory, base) = name.rsplit_once('/').map_or((None, name), |(directory, base)| (Some(directory), base));
        if let Some(directory) = directory {
            known_as = base;
            program = base.to_owned();
            let plain = super::super::cwd::normal(directory, "/");
            let system = name.starts_with('/') && SYSTEM.contains(&plain.as_str());
            if !system {
                // A program of one's own: what it does is what its file says.
                let (paths, dynamic) = self.scope.cwd().resolve(&Argument::literal(name));
                act.command.dynamic.extend(dynamic);
                program = paths.first().cloned().unwrap_or_else(|| name.to_owned());
                act.command.reads.extend(paths);
                act.effect(Effect::Executes);
                act.command.known = true;
                if self.is_download(&Argument::literal(name)) {
                    act.effect(Effect::ExecutesDownload);
                }
            }
        } else if self.scope.is_hijacked() && !open::is_builtin(name) {
            act.dynamic(Dynamic::Redefined);
        }
        act.command.program = program;
        let table = self.table;
        if let Some(rule) = table.rule(known_as) {
            act.command.known = true;
            self.interpret(rule, known_as, arguments, &mut act, shell)?;
        } else {
            for argument in arguments {
                self.mention(argument, &mut act);
            }
        }
        self.finish_act(act)
    }

    /// Records a command that is no program of the table.
    pub(super) fn record(&mut self, mut act: Act, program: Argument) -> Result<Flow, Refusal> {
        act.command.program = program.text().to_owned();
        act.command.known |= act.command.program == ":";
        self.finish_act(act)
    }

    /// Records the command, and then follows what it runs.
    pub(super) fn finish_act(&mut self, mut act: Act) -> Result<Flow, Refusal> {
        self.classify(&mut act);
        if let Some(cwd) = act.elsewhere.take() {
            self.scope.set_cwd(cwd);
        }
        let input = act.input.take().unwrap_or_else(|| self.input.clone());
        let fetches = act.command.effects.contains(&Effect::Fetches);
        if matches!(act.command.program.as_str(), "ln" | "mount") {
            self.links.add(&act.command.writes);
        }
        if fetches {
            self.downloads.add(&act.command.writes);
        }
        let mut flow = Flow {
            download: fetches || input.download,
            diverges: act.diverges,
            text: if act.redirected { Some(String::new()) } else { act.text.take() },
            names: std::mem::take(&mut act.names),
        };
        if act.filters && flow.names.is_empty() {
            flow.names.clone_from(&input.names);
        }
        let nested = std::mem::take(&mut act.nested);
        let assigned = if nested.is_empty() { Vec::new() } else { act.command.assignments.clone() };
        let place = self.out.len();
        let quiet = act.command.program == ":"
            && act.command.effects.is_empty()
            && act.command.dynamic.is_empty()
            && act.command.reads.is_empty()
            && act.command.writes.is_empty()
            && act.command.argv.is_empty();
        if !quiet {
            self.push(act.command)?;
        }
        if nested.is_empty() {
            return Ok(flow);
        }
        let outer = std::mem::replace(&mut self.input, input);
        let followed = self.follow(nested, place, assigned);
        self.input = outer;
        let inner = followed?;
        flow.download |= inner.download;
        flow.text = if act.redirected { flow.text } else { inner.text };
        flow.diverges |= inner.diverges;
        Ok(flow)
    }

    fn follow(
        &mut self,
        nested: Vec<Nested>,
        place: usize,
        assigned: Vec<(String, Argument)>,
    ) -> Result<Flow, Refusal> {
        let mut whole = Flow::default();
        for (nth, nested) in nested.into_iter().enumerate() {
            let flow = match nested {
                Nested::Argv { wrapper, argv, assignments, loose } => {
                    let first = self.out.len();
                    let mut act = Act::default();
                    for (name, value) in &assignments {
                        self.environment(name, value, false, &mut act);
                    }
                    // What `find` and `xargs` hand on are files at any depth.
                    act.recursive = wrapper.starts_with("find") || wrapper == "xargs";
                    act.command.assignments = assigned.iter().cloned().chain(assignments).collect();
                    // What `command` and `builtin` start is the shell's own; what the others start is a program.
                    let own = matches!(wrapper.as_str(), "command" | "builtin" | "exec");
                    let flow = self.inside(&wrapper, |walker| {
                        if own {
                            walker.run_own(argv, act)
                        } else {
                            Ok(walker.apart(|walker| walker.run(argv, act, false))?.0)
                        }
                    })?;
                    if loose {
                        for command in self.out.iter_mut().skip(first) {
                            let acts = !command.writes.is_empty()
                                || !command.deletes.is_empty()
                                || command.effects.contains(&Effect::Executes);
                            if acts {
                                command.dynamic.insert(Dynamic::Path);
                            }
                        }
                    }
                    flow
                }
                Nested::Script { wrapper, text, bash, positional } => match text.known() {
                    Some(script) => {
                        self.inside(&wrapper, |walker| walker.nested_script(script, bash, positional, &assigned))?
                    }
                    None => {
                        self.mark(place, Dynamic::Code);
                        // What is known of it is followed, too: it says at least what is meant.
                        Flow::default()
                    }
                },
                Nested::Standard { wrapper, bash } => self.standard(&wrapper, bash, place, &assigned)?,
            };
            whole.download |= flow.download;
            if nth == 0 {
                whole.text = flow.text;
                whole.diverges = flow.diverges;
            }
        }
        Ok(whole)
    }

    fn run_own(&mut self, argv: Argv, act: Act) -> Result<Flow, Refusal> {
        let Some(name) = argv.first().and_then(Argument::known).map(str::to_owned) else {
            return self.run(argv, act, false);
        };
        let mut act = act;
        act.command.argv = argv.clone();
        if name.is_empty() {
            return self.run(argv, act, false);
        }
        self.start(&name, &argv, act, true)
    }

    fn nested_script(
        &mut self,
        script: &str,
        bash: bool,
        positional: Option<Vec<Argument>>,
        assignments: &[(String, Argument)],
    ) -> Result<Flow, Refusal> {
        super::super::refusal::inspect(script)?;
        let Some(positional) = positional else { return self.script(script, self.any_shell) };
        let mut positional = positional;
        let zero = if positional.is_empty() { Argument::unknown() } else { positional.remove(0) };
        self.limits.bytes(self.scope.exports())?;
        let mut process = self.scope.of_process();
        process.set("0", Variable::Scalar(zero));
        process.set_positional(Some(Rc::new(positional)));
        for (name, value) in assignments {
            process.export(name);
            process.set(name, Variable::Scalar(value.clone()));
        }
        let outer = std::mem::replace(&mut self.scope, process);
        let flow = self.script(script, !bash);
        self.scope = outer;
        self.cd_failed = None;
        Ok(Flow { diverges: false, ..flow? })
    }

    /// A shell reads its script from what comes in.
    fn standard(
        &mut self,
        wrapper: &str,
        bash: bool,
        place: usize,
        assigned: &[(String, Argument)],
    ) -> Result<Flow, Refusal> {
        let input = std::mem::take(&mut self.input);
        let Input { given, text, download, .. } = input;
        if download && let Some(command) = self.out.get_mut(place) {
            command.effects.insert(Effect::ExecutesDownload);
        }
        match text {
            Some(text) => self.inside(wrapper, |walker| walker.nested_script(&text, bash, Some(Vec::new()), assigned)),
            None => {
                if given {
                    self.mark(place, Dynamic::Input);
                }
                Ok(Flow::default())
            }
        }
    }

    /// Marks a command that has been recorded.
    fn mark(&mut self, place: usize, dynamic: Dynamic) {
        if let Some(command) = self.out.get_mut(place) {
            command.dynamic.insert(dynamic);
        }
    }
}

fn aliased(text: String, argv: &[Argument]) -> Nested {
    let mut script = Argument::literal(text);
    for argument in argv.iter().skip(1) {
        script.push(" ");
        match argument.known() {
            Some(known) => script.push(&quoted(known)),
            None => script.push_unknown(true),
        }
    }
    Nested::Script { wrapper: "alias".to_owned(), text: script, bash: true, positional: None }
}

/// `text` in quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
