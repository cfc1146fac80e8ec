//! Follows a script in the order in which a shell would run it, down every branch.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::ast::{AndOr, Compound, List, Node, Part, Pipeline, Word};
use super::command::{Command, Dynamic, Line};
use super::cwd::Cwd;
use super::limits::{DEPTH, Limits};
use super::parse::{self, Fault};
use super::scope::{Changes, Scope, Variable};
use super::table::Table;
use super::{Argument, Effect, Refusal, Setting};

mod act;
mod backup;
mod chain;
mod functions;
mod interpret;
mod marked;
mod notes;
mod redirects;
mod roles;
mod simple;

pub(super) use act::{Act, Nested, Way};
use functions::Locals;
use marked::Marked;

/// What comes into a command.
#[derive(Clone, Debug, Default)]
pub(super) struct Input {
    /// Something does: a pipe or a redirection.
    pub(super) given: bool,
    /// What it is, where the line says it.
    pub(super) text: Option<Rc<str>>,
    /// It comes from the network.
    pub(super) download: bool,
    /// It is names of files that these patterns match.
    pub(super) names: Vec<Argument>,
}

/// What a part of a script leaves behind.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// What it prints, if the line says it.
    pub(super) text: Option<String>,
    /// What it prints comes from the network.
    pub(super) download: bool,
    /// What it prints are names that these patterns match.
    pub(super) names: Vec<Argument>,
    /// Nothing comes after it: `exit`, `return`, `break`.
    pub(super) diverges: bool,
}

pub(super) struct Walker<'t> {
    pub(super) table: &'t Table,
    pub(super) scope: Scope,
    pub(super) limits: Limits,
    pub(super) home: String,
    out: Vec<Command>,
    depth: usize,
    within: Vec<Rc<str>>,
    input: Input,
    /// Found out while words were expanded, about the command that they are of.
    notes: BTreeSet<Dynamic>,
    /// A variable that holds a secret was expanded.
    secrets: bool,
    /// The functions that are being followed.
    calls: Vec<String>,
    /// What has been called so far: functions that never are may be called later.
    called: BTreeSet<String>,
    defined: Vec<(String, Rc<Node>)>,
    /// Files that hold what was downloaded.
    downloads: Marked,
    /// Links that the line has made: what lies behind them is somewhere else.
    links: Marked,
    /// The directory before a `cd` that may have failed.
    cd_failed: Option<Cwd>,
    /// The script may be read by a shell that is not bash.
    any_shell: bool,
    /// A loop was left before its end.
    left: bool,
    /// What the functions that are being followed have made their own.
    locals: Vec<Locals>,
    /// How many things that change nothing outside of themselves are being followed.
    aparts: usize,
}

/// Analyses a line.
pub(super) fn line(text: &str, setting: &Setting, table: &Table) -> Result<Line, Refusal> {
    let mut walker = Walker::new(setting, table);
    walker.script(text, false)?;
    walker.finish()
}

/// Analyses a program's start without a shell.
pub(super) fn argv(argv: &[&str], setting: &Setting, table: &Table) -> Result<Line, Refusal> {
    let mut walker = Walker::new(setting, table);
    let argv: Vec<_> = argv.iter().map(|argument| Argument::literal(*argument)).collect();
    walker.run(argv.into(), Act::default(), false)?;
    walker.finish()
}

impl<'t> Walker<'t> {
    fn new(setting: &Setting, table: &'t Table) -> Self {
        let home = setting.home.as_deref().filter(|home| home.starts_with('/'));
        Self {
            table,
            scope: Scope::new(Cwd::new(setting)),
            limits: Limits::default(),
            home: home.map_or_else(|| "/~".to_owned(), |home| super::cwd::normal(home, "/")),
            out: Vec::new(),
            depth: DEPTH,
            within: Vec::new(),
            input: Input::default(),
            notes: BTreeSet::new(),
            secrets: false,
            calls: Vec::new(),
            called: BTreeSet::new(),
            defined: Vec::new(),
            downloads: Marked::default(),
            links: Marked::default(),
            cd_failed: None,
            any_shell: false,
            left: false,
            locals: Vec::new(),
            aparts: 0,
        }
    }

    fn finish(mut self) -> Result<Line, Refusal> {
        // A function that the line defines and does not call is there for a later one.
        let defined = std::mem::take(&mut self.defined);
        for (name, body) in defined {
            if !self.called.contains(&name) {
                self.scope.set_positional(None);
                self.calls.push(name);
                self.inside("function", |walker| walker.node(&body))?;
                self.calls.pop();
            }
        }
        self.flush_notes()?;
        Ok(Line { commands: self.out })
    }

    /// Runs `walk` one level deeper.
    pub(super) fn deeper<T>(&mut self, walk: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.depth = self.depth.checked_sub(1).ok_or(Refusal::TooDeep)?;
        let walked = walk(self);
        self.depth += 1;
        walked
    }

    /// Runs `walk` inside of something that the commands are told to be within.
    pub(super) fn inside<T>(
        &mut self,
        wrapper: &str,
        walk: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.within.push(Rc::from(wrapper));
        let notes = std::mem::take(&mut self.notes);
        let walked = self.deeper(walk);
        self.notes = notes;
        self.within.pop();
        walked
    }

    /// Records a command.
    pub(super) fn push(&mut self, mut command: Command) -> Result<(), Refusal> {
        self.limits.command()?;
        command.within.clone_from(&self.within);
        self.out.push(command);
        Ok(())
    }

    /// Follows a script; `any_shell` if it is not known to be bash that reads it.
    pub(super) fn script(&mut self, text: &str, any_shell: bool) -> Result<Flow, Refusal> {
        match parse::script(text, self.depth) {
            Err(Fault::TooDeep) => Err(Refusal::TooDeep),
            Err(Fault::FalseSpace) => Err(Refusal::Hidden("white space that a shell takes for letters")),
            Err(Fault::Syntax(_)) => {
                let mut command = Command { program: "?".to_owned(), ..Command::default() };
                command.argv = vec![Argument::literal(text)].into();
                command.dynamic.insert(Dynamic::Unreadable);
                self.push(command)?;
                Ok(Flow::default())
            }
            Ok(script) => {
                let before = std::mem::replace(&mut self.any_shell, any_shell);
                let first = self.out.len();
                let flow = self.deeper(|walker| walker.list(&script.list));
                self.any_shell = before;
                if any_shell && script.bashism {
                    match self.out.get_mut(first) {
                        Some(command) => {
                            command.dynamic.insert(Dynamic::Dialect);
                        }
                        None => self.note(Dynamic::Dialect),
                    }
                }
                flow
            }
        }
    }

    pub(super) fn list(&mut self, list: &List) -> Result<Flow, Refusal> {
        let mut whole = Flow { text: Some(String::new()), ..Flow::default() };
        for item in &list.0 {
            let flow = self.and_or(item)?;
            whole.download |= flow.download;
            whole.diverges |= flow.diverges;
            whole.text = match (whole.text, flow.text) {
                (Some(before), Some(text)) if before.is_empty() => Some(text),
                (Some(before), Some(text)) => Some(before + &text),
                _ => None,
            };
            whole.names = if list.0.len() == 1 { flow.names } else { Vec::new() };
        }
        Ok(whole)
    }

    /// Follows what cannot change anything outside of itself.
    pub(super) fn apart<T>(
        &mut self,
        walk: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<(T, Changes), Refusal> {
        let mark = self.scope.mark();
        self.aparts += 1;
        let walked = walk(self)?;
        self.aparts -= 1;
        self.cd_failed = None;
        Ok((walked, self.scope.take_back(mark)))
    }

    pub(super) fn subshell(&mut self, list: &List) -> Result<Flow, Refusal> {
        let (flow, _) = self.apart(|walker| walker.list(list))?;
        Ok(Flow { diverges: false, ..flow })
    }

    fn and_or(&mut self, item: &AndOr) -> Result<Flow, Refusal> {
        if item.background {
            let (_, _) = self.apart(|walker| walker.chain(item))?;
            return Ok(Flow { text: None, ..Flow::default() });
        }
        self.chain(item)
    }

    pub(super) fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Flow, Refusal> {
        let [commands @ .., last] = pipeline.commands.as_slice() else { return Ok(Flow::default()) };
        if commands.is_empty() {
            return self.node(last);
        }
        let outer = self.input.clone();
        for command in commands {
            let (flow, _) = self.apart(|walker| walker.node(command))?;
            self.input =
                Input { given: true, text: flow.text.map(Rc::from), download: flow.download, names: flow.names };
        }
        let flow = self.apart(|walker| walker.node(last));
        self.input = outer;
        Ok(Flow { diverges: false, ..flow?.0 })
    }

    pub(super) fn node(&mut self, node: &Rc<Node>) -> Result<Flow, Refusal> {
        match &**node {
            Node::Simple(simple) => self.simple(simple),
            Node::Function { name, body } => {
                self.scope.define(name, Rc::clone(body));
                self.defined.push((name.clone(), Rc::clone(body)));
                self.limits.command()?;
                Ok(Flow { text: Some(String::new()), ..Flow::default() })
            }
            Node::Compound(compound, redirects) => self.deeper(|walker| {
                if redirects.is_empty() {
                    return walker.compound(compound);
                }
                let mut act = Act::default();
                let before = walker.input.clone();
                walker.redirect(redirects, &mut act)?;
                walker.input = act.input.clone().unwrap_or_else(|| before.clone());
                let silent = act.redirected;
                walker.record(act, Argument::literal(":"))?;
                let flow = walker.compound(compound);
                walker.input = before;
                let flow = flow?;
                Ok(if silent { Flow { diverges: flow.diverges, ..Flow::default() } } else { flow })
            }),
        }
    }

    fn compound(&mut self, compound: &Compound) -> Result<Flow, Refusal> {
        match compound {
            Compound::Brace(list) => self.list(list),
            Compound::Subshell(list) => self.subshell(list),
            Compound::If { arms, otherwise } => self.conditional(arms, otherwise.as_ref()),
            Compound::While { condition, body } => self.repeat(|walker| {
                walker.list(condition)?;
                walker.list(body)
            }),
            Compound::For { name, words, body } => self.for_each(name, words.as_deref(), body),
            Compound::ArithmeticFor { header, body } => self.repeat(|walker| {
                walker.evaluate(header)?;
                walker.list(body)
            }),
            Compound::Case { subject, arms } => {
                self.value(subject)?;
                let mut branches = vec![Changes::default()];
                for (patterns, body) in arms {
                    for pattern in patterns {
                        self.value(pattern)?;
                    }
                    let (flow, changes) = self.apart(|walker| walker.list(body))?;
                    if !flow.diverges {
                        branches.push(changes);
                    }
                }
                self.flush_notes()?;
                self.scope.merge(&branches.iter().collect::<Vec<_>>());
                Ok(Flow::default())
            }
            Compound::Arithmetic(expression) => {
                self.evaluate(expression)?;
                Ok(Flow { text: Some(String::new()), ..Flow::default() })
            }
            Compound::Test(words) => {
                let secrets = self.secrets;
                for word in words {
                    let value = self.value(word)?;
                    if super::open::runs_in_an_index(&value) {
                        self.note(Dynamic::Code);
                    }
                }
                // `[[ -n $TOKEN ]]` asks whether it is there.
                self.secrets = secrets;
                self.flush_notes()?;
                Ok(Flow { text: Some(String::new()), ..Flow::default() })
            }
            Compound::Coprocess(body) => {
                self.apart(|walker| walker.node(body))?;
                Ok(Flow::default())
            }
        }
    }

    /// Evaluates arithmetic, which may set variables.
    fn evaluate(&mut self, expression: &Word) -> Result<(), Refusal> {
        let mut text = String::new();
        for part in &expression.0 {
            if let Part::Quoted(letters) | Part::Bare(letters) = part {
                text.push_str(letters);
            }
        }
        self.arithmetic(&expression.0)?;
        for (name, sets) in assigned(&text) {
            if sets {
                self.scope.set(name, Variable::Unknown);
            }
        }
        self.flush_notes()
    }

    /// What comes in at this point.
    pub(super) fn input(&self) -> &Input {
        &self.input
    }

    /// Lets something else come in; gives back what did.
    pub(super) fn replace_input(&mut self, input: Input) -> Input {
        std::mem::replace(&mut self.input, input)
    }

    /// Before `bash <(…)`: whether what was just followed came from the network.
    pub(super) fn note_substituted_download(&self, act: &mut Act) {
        let substituted = self.out.iter().rev().take_while(|command| command.within.len() > self.within.len());
        if substituted.into_iter().any(|command| command.effects.contains(&Effect::Fetches)) {
            act.effect(Effect::ExecutesDownload);
        }
    }

    /// `git -C directory`: relative paths start there, for this command alone.
    pub(super) fn enter_for_one(&mut self, directory: &Argument, act: &mut Act) {
        act.elsewhere.get_or_insert_with(|| self.scope.cwd().clone());
        let there = match directory.known() {
            Some(path) => self.scope.cwd().enter(path),
            None => Cwd::unknown(),
        };
        self.scope.set_cwd(there);
    }

    /// Changes the directory, if that does not fail.
    pub(super) fn enter(&mut self, before: Cwd, after: Cwd) {
        self.cd_failed = Some(before);
        self.scope.set_cwd(after);
    }

    /// Nothing comes after this.
    pub(super) fn diverge(&mut self, name: &str, act: &mut Act) {
        act.diverges = true;
        self.left |= matches!(name, "break" | "continue" | "return" | "exit");
    }

    /// The body of a here-document.
    pub(super) fn document(&mut self, body: &OnceCell<Word>) -> Result<Argument, Refusal> {
        match body.get() {
            Some(word) => self.value(word),
            None => Ok(Argument::unknown()),
        }
    }
}

/// Names in an arithmetic expression, and whether it sets them.
fn assigned(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let sets = text.contains('=') || text.contains("++") || text.contains("--");
    text.split(|letter: char| !(letter == '_' || letter.is_ascii_alphanumeric()))
        .filter(|name| name.starts_with(|letter: char| letter == '_' || letter.is_ascii_alphabetic()))
        .map(move |name| (name, sets))
}
