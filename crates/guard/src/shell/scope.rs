//! What a script has said so far: variables, functions, the working directory.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Argument;
use super::ast::Node;
use super::cwd::Cwd;

/// The value of a variable that the script has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    Scalar(Argument),
    List(Rc<Vec<Argument>>),
    /// Set, to something that is only known when the line runs.
    Unknown,
    Unset,
}

/// A function, or that a name may be one.
#[derive(Clone, Debug)]
pub(super) struct Function {
    /// One for each way to get here that defines it otherwise.
    pub(super) bodies: Vec<Rc<Node>>,
    /// On some paths only.
    pub(super) perhaps: bool,
}

impl Function {
    /// Either of the two.
    fn or(mut self, other: Self) -> Self {
        for body in other.bodies {
            if !self.bodies.iter().any(|known| Rc::ptr_eq(known, &body)) {
                self.bodies.push(body);
            }
        }
        Self { perhaps: self.perhaps || other.perhaps, ..self }
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.perhaps == other.perhaps
            && self.bodies.len() == other.bodies.len()
            && self.bodies.iter().zip(&other.bodies).all(|(one, other)| Rc::ptr_eq(one, other))
    }
}

/// Something that a script can set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Variable(String),
    Function(String),
    Alias(String),
    Exported(String),
    Cwd,
    Positional,
    Hijacked,
}

#[derive(Clone, Debug, PartialEq)]
enum Slot {
    Variable(Option<Variable>),
    Function(Option<Function>),
    Alias(Option<String>),
    Exported(bool),
    Cwd(Cwd),
    Positional(Option<Rc<Vec<Argument>>>),
    Hijacked(bool),
}

/// What a part of a script has changed, and to what.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Changes(BTreeMap<Key, Slot>);

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The state, with a trail by which it is taken back: a subshell costs what it changes, not what there is.
#[derive(Debug, Default)]
pub(super) struct Scope {
    variables: BTreeMap<String, Variable>,
    functions: BTreeMap<String, Function>,
    aliases: BTreeMap<String, String>,
    exported: BTreeSet<String>,
    cwd: Cwd,
    /// `$1`, …; `None` if they are not known.
    positional: Option<Rc<Vec<Argument>>>,
    /// Programs may no longer be what their names say.
    hijacked: bool,
    trail: Vec<(Key, Slot)>,
}

impl Scope {
    pub(super) fn new(cwd: Cwd) -> Self {
        Self { cwd, ..Self::default() }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.get(name)
    }

    pub(super) fn set(&mut self, name: &str, value: Variable) {
        self.put(Key::Variable(name.to_owned()), Slot::Variable(Some(value)));
    }

    /// Gives back what a variable was; nothing if nothing was known of it.
    pub(super) fn restore(&mut self, name: &str, value: Option<Variable>) {
        self.put(Key::Variable(name.to_owned()), Slot::Variable(value));
    }

    /// Programs that are started from now on see the variable.
    pub(super) fn export(&mut self, name: &str) {
        if !self.exported.contains(name) {
            self.put(Key::Exported(name.to_owned()), Slot::Exported(true));
        }
    }

    /// What a shell that is started here knows: what was exported, and nothing else. A variable that was set and not
    /// exported may still be in the environment, so that nothing is known of it.
    pub(super) fn of_process(&self) -> Self {
        let exported = self.exported.iter().filter_map(|name| Some((name.clone(), self.variables.get(name)?.clone())));
        let variables: BTreeMap<String, Variable> = exported.collect();
        Self {
            exported: variables.keys().cloned().collect(),
            variables,
            cwd: self.cwd.clone(),
            hijacked: self.hijacked,
            ..Self::default()
        }
    }

    /// How many variables a program that is started here sees.
    pub(super) fn exports(&self) -> usize {
        self.exported.len()
    }

    pub(super) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }

    pub(super) fn define(&mut self, name: &str, body: Rc<Node>) {
        self.put(Key::Function(name.to_owned()), Slot::Function(Some(Function { bodies: vec![body], perhaps: false })));
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.put(Key::Function(name.to_owned()), Slot::Function(None));
    }

    pub(super) fn alias(&self, name: &str) -> Option<&str> {
        self.aliases.get(name).map(String::as_str)
    }

    pub(super) fn set_alias(&mut self, name: &str, text: &str) {
        self.put(Key::Alias(name.to_owned()), Slot::Alias(Some(text.to_owned())));
    }

    pub(super) fn cwd(&self) -> &Cwd {
        &self.cwd
    }

    pub(super) fn set_cwd(&mut self, cwd: Cwd) {
        self.put(Key::Cwd, Slot::Cwd(cwd));
    }

    pub(super) fn positional(&self) -> Option<&Rc<Vec<Argument>>> {
        self.positional.as_ref()
    }

    pub(super) fn set_positional(&mut self, arguments: Option<Rc<Vec<Argument>>>) {
        self.put(Key::Positional, Slot::Positional(arguments));
    }

    pub(super) fn is_hijacked(&self) -> bool {
        self.hijacked
    }

    pub(super) fn hijack(&mut self) {
        if !self.hijacked {
            self.put(Key::Hijacked, Slot::Hijacked(true));
        }
    }

    /// A point to come back to.
    pub(super) fn mark(&self) -> usize {
        self.trail.len()
    }

    /// Takes back everything since `mark`, and says what it was.
    pub(super) fn take_back(&mut self, mark: usize) -> Changes {
        let mut changes = BTreeMap::new();
        while self.trail.len() > mark {
            let Some((key, before)) = self.trail.pop() else { break };
            let after = self.exchange(&key, before);
            changes.entry(key).or_insert(after);
        }
        Changes(changes)
    }

    pub(super) fn apply(&mut self, changes: Changes) {
        for (key, slot) in changes.0 {
            self.put(key, slot);
        }
    }

    /// Either of `branches` has happened; says whether that changes anything that was known before.
    pub(super) fn merge(&mut self, branches: &[&Changes]) -> bool {
        // Each key with what it is in the branches that change it: a branch costs what it changes, not what others do.
        let mut changed: BTreeMap<&Key, Vec<&Slot>> = BTreeMap::new();
        for (key, slot) in branches.iter().flat_map(|changes| &changes.0) {
            changed.entry(key).or_default().push(slot);
        }
        let mut merged = Vec::new();
        for (key, slots) in changed {
            let now = self.slot(key);
            let unchanged = (slots.len() < branches.len()).then(|| now.clone());
            let Some(joined) = slots.into_iter().cloned().chain(unchanged).reduce(join) else { continue };
            if joined != now {
                merged.push((key.clone(), joined));
            }
        }
        let changed = !merged.is_empty();
        for (key, slot) in merged {
            self.put(key, slot);
        }
        changed
    }

    fn slot(&self, key: &Key) -> Slot {
        match key {
            Key::Variable(name) => Slot::Variable(self.variables.get(name).cloned()),
            Key::Function(name) => Slot::Function(self.functions.get(name).cloned()),
            Key::Alias(name) => Slot::Alias(self.aliases.get(name).cloned()),
            Key::Exported(name) => Slot::Exported(self.exported.contains(name)),
            Key::Cwd => Slot::Cwd(self.cwd.clone()),
            Key::Positional => Slot::Positional(self.positional.clone()),
            Key::Hijacked => Slot::Hijacked(self.hijacked),
        }
    }

    fn put(&mut self, key: Key, slot: Slot) {
        let before = self.exchange(&key, slot);
        self.trail.push((key, before));
    }

    /// Puts `slot` in place and gives back what was there.
    fn exchange(&mut self, key: &Key, slot: Slot) -> Slot {
        fn swap<T>(map: &mut BTreeMap<String, T>, name: &str, value: Option<T>) -> Option<T> {
            match value {
                Some(value) => map.insert(name.to_owned(), value),
                None => map.remove(name),
            }
        }
        match (key, slot) {
            (Key::Variable(name), Slot::Variable(value)) => Slot::Variable(swap(&mut self.variables, name, value)),
            (Key::Function(name), Slot::Function(value)) => Slot::Function(swap(&mut self.functions, name, value)),
            (Key::Alias(name), Slot::Alias(value)) => Slot::Alias(swap(&mut self.aliases, name, value)),
            (Key::Exported(name), Slot::Exported(value)) => Slot::Exported(match value {
                true => !self.exported.insert(name.clone()),
                false => self.exported.remove(name),
            }),
            (_, Slot::Cwd(value)) => Slot::Cwd(std::mem::replace(&mut self.cwd, value)),
            (_, Slot::Positional(value)) => Slot::Positional(std::mem::replace(&mut self.positional, value)),
            (_, Slot::Hijacked(value)) => Slot::Hijacked(std::mem::replace(&mut self.hijacked, value)),
            // A key always comes with a slot of its kind.
            (_, slot) => slot,
        }
    }
}

fn join(one: Slot, other: Slot) -> Slot {
    if one == other {
        return one;
    }
    match (one, other) {
        (Slot::Cwd(one), Slot::Cwd(other)) => Slot::Cwd(one.or(other)),
        (Slot::Function(Some(one)), Slot::Function(Some(other))) => Slot::Function(Some(one.or(other))),
        (Slot::Function(one), Slot::Function(other)) => {
            Slot::Function(one.or(other).map(|function| Function { perhaps: true, ..function }))
        }
        (Slot::Alias(one), Slot::Alias(other)) => Slot::Alias(one.or(other)),
        (Slot::Positional(_), Slot::Positional(_)) => Slot::Positional(None),
        (Slot::Exported(_), Slot::Exported(_)) => Slot::Exported(false),
        (Slot::Hijacked(_), Slot::Hijacked(_)) => Slot::Hijacked(true),
        _ => Slot::Variable(Some(Variable::Unknown)),
    }
}
