//! How a rule of the table reads a program's arguments.

use super::super::table::{Kind, Meaning, Role, Rule};
use super::super::{Argument, Dynamic, Refusal, open};
use super::{Act, Walker};

/// What one level of a program's arguments came to.
struct Reading<'t, 'a> {
    roles: &'t [Role],
    operands: Vec<&'a Argument>,
    /// The argument before was the last option.
    ended: bool,
    /// An option has said what its files are called.
    named: bool,
    /// What stands where it writes is kept under another name.
    backs_up: bool,
    /// The directory that an option has it write into.
    into: Option<Argument>,
}

impl<'t> Walker<'t> {
    /// Reads `arguments` as `rule` says. `shell` if the program could be a builtin.
    pub(super) fn interpret(
        &mut self,
        rule: &'t Rule,
        name: &str,
        arguments: &[Argument],
        act: &mut Act,
        shell: bool,
    ) -> Result<(), Refusal> {
        act.effects(&rule.effects);
        act.recursive |= rule.recursive;
        if let Some(opener) = rule.opener
            && open::open(self, opener, name, arguments, act, shell)?
        {
            return Ok(());
        }
        self.read(rule, name, arguments, act)
    }

    /// Reads options and operands.
    pub(in super::super) fn read(
        &mut self,
        rule: &'t Rule,
        name: &str,
        arguments: &[Argument],
        act: &mut Act,
    ) -> Result<(), Refusal> {
        let roles = rule.operands();
        let mut reading =
            Reading { roles, operands: Vec::new(), ended: false, named: false, backs_up: false, into: None };
        let mut at = 0;
        while let Some(argument) = arguments.get(at) {
            at += 1;
            if !reading.ended {
                if argument.known() == Some("--") {
                    reading.ended = true;
                    continue;
                }
                let open = argument.prefix().is_empty();
                if open && argument.is_unknown() && rule.has_sharp_options()
                    || open && argument.is_glob() && rule.has_running_options()
                {
                    act.dynamic(Dynamic::Argument);
                }
                if argument.prefix().starts_with('-') && argument.text().len() > 1 {
                    at += usize::from(self.option(rule, name, argument, arguments.get(at), &mut reading, act));
                    continue;
                }
            }
            if rule.has_subs() && reading.operands.is_empty() {
                let words: Vec<&str> = arguments.iter().skip(at - 1).take(4).map_while(Argument::known).collect();
                match argument.known().map(|_| rule.sub(&words)) {
                    Some(Some((sub, words))) => {
                        for effect in &rule.effects {
                            act.command.effects.remove(effect);
                        }
                        let rest = arguments.get(at + words - 1..).unwrap_or_default();
                        return self.interpret(sub, name, rest, act, false);
                    }
                    Some(None) if rule.open_ended => {}
                    Some(None) => act.command.known = false,
                    None => act.dynamic(Dynamic::Argument),
                }
            }
            let command = reading.roles.iter().position(|role| role.is_command());
            if command == Some(reading.operands.len())
                && let Some(role) = reading.roles.get(reading.operands.len()).copied()
            {
                let rest = arguments.get(at - 1..).unwrap_or_default();
                self.wrap(role.kind, name, rest, act);
                break;
            }
            reading.ended |= rule.strict;
            reading.operands.push(argument);
        }
        if reading.operands.is_empty()
            && act.nested.is_empty()
            && let Some(bare) = rule.bare()
        {
            return self.interpret(bare, name, &[], act, false);
        }
        let Reading { roles, operands, named, backs_up, into, .. } = reading;
        self.assign_roles(roles, &operands, act);
        if backs_up {
            self.back_up(&operands, into.as_ref(), act);
        }
        if let Some(prefix) = &rule.default_prefix {
            let named = named || roles.iter().take(operands.len()).any(|role| role.kind == Kind::Prefix);
            if !named {
                self.role(Kind::Prefix, &Argument::literal(prefix.as_str()), act);
            }
        }
        Ok(())
    }

    /// Gives each operand its role; what a `*` takes stands between those before and those behind it.
    pub(super) fn assign_roles(&mut self, roles: &[Role], operands: &[&Argument], act: &mut Act) {
        let many = roles.iter().position(|role| role.many);
        let before = many.unwrap_or(roles.len());
        let behind = many.map_or(0, |many| roles.len().saturating_sub(many + 1));
        let total = operands.len();
        // Where an argument may be any number of arguments, its neighbours' places are not known either.
        let loose = operands.iter().any(|operand| operand.is_many());
        for (nth, operand) in operands.iter().enumerate() {
            let from_end = total.saturating_sub(nth + 1);
            let role = if nth < before {
                roles.get(nth)
            } else if from_end < behind {
                roles.get(roles.len().saturating_sub(from_end + 1))
            } else {
                many.and_then(|many| roles.get(many))
            };
            if let Some(role) = role {
                self.role(role.kind, operand, act);
            }
            if loose && operand.is_many() {
                // It may be as many as leave their places to those behind it, or, if nothing is known of it, none.
                let first = if operand.is_unknown() { 0 } else { nth.min(before) };
                let behind = if operand.is_unknown() { 0 } else { from_end };
                for role in roles.iter().take(roles.len().saturating_sub(behind)).skip(first) {
                    self.role(role.kind, operand, act);
                }
            }
        }
    }

    /// Reads one option; says whether it took the argument behind it.
    fn option(
        &mut self,
        rule: &'t Rule,
        name: &str,
        argument: &Argument,
        next: Option<&Argument>,
        reading: &mut Reading<'t, '_>,
        act: &mut Act,
    ) -> bool {
        let text = argument.text();
        if argument.known().is_some()
            && let Some(meaning) = rule.option(text)
        {
            return self.meaning(meaning, name, None, next, reading, act);
        }
        if text.starts_with("--") || rule.single {
            let Some(equals) = argument.prefix().find('=') else {
                if argument.known().is_none() && rule.has_sharp_options() {
                    act.dynamic(Dynamic::Argument);
                }
                return false;
            };
            let option = text.get(..equals).unwrap_or_default();
            if let Some(meaning) = rule.option(option) {
                self.meaning(meaning, name, Some(argument.after(equals + 1)), None, reading, act);
            } else if rule.single {
                return false;
            }
            return false;
        }
        for (at, letter) in argument.prefix().char_indices().skip(1) {
            let mut option = [b'-'; 5];
            let length = option.get_mut(1..).map_or(0, |space| letter.encode_utf8(space).len());
            let option = option.get(..=length).and_then(|option| std::str::from_utf8(option).ok());
            let Some(meaning) = option.and_then(|option| rule.option(option)) else { continue };
            let rest = argument.after(at + letter.len_utf8());
            let attached = (!rest.text().is_empty() || rest.is_unknown()).then_some(rest);
            let takes = meaning.takes.is_some();
            let took = self.meaning(meaning, name, attached, next, reading, act);
            if takes {
                return took;
            }
        }
        if argument.is_unknown() && rule.has_sharp_options() {
            act.dynamic(Dynamic::Argument);
        }
        false
    }

    fn meaning(
        &mut self,
        meaning: &'t Meaning,
        name: &str,
        attached: Option<Argument>,
        next: Option<&Argument>,
        reading: &mut Reading<'t, '_>,
        act: &mut Act,
    ) -> bool {
        act.effects(&meaning.adds);
        act.recursive |= meaning.recursive;
        reading.backs_up |= meaning.backs_up;
        for effect in &meaning.removes {
            act.command.effects.remove(effect);
        }
        if let Some(roles) = &meaning.operands {
            reading.roles = roles;
        }
        let Some(kind) = meaning.takes else { return false };
        let (value, took) = match (&attached, next) {
            (Some(value), _) => (value, false),
            (None, _) if meaning.attached => return false,
            (None, Some(value)) => (value, true),
            (None, None) => return false,
        };
        self.option_value(kind, name, value, act);
        reading.named |= kind == Kind::Prefix;
        if kind == Kind::Writes && meaning.operands.is_some() {
            reading.into = Some(value.clone());
        }
        took
    }

    fn option_value(&mut self, kind: Kind, name: &str, value: &Argument, act: &mut Act) {
        match kind {
            Kind::Argv | Kind::EnvArgv | Kind::ShellArgv => {
                self.wrap(Kind::ShellArgv, name, std::slice::from_ref(value), act)
            }
            _ => self.role(kind, value, act),
        }
    }

    /// A command behind a wrapper's own arguments.
    fn wrap(&mut self, kind: Kind, name: &str, rest: &[Argument], act: &mut Act) {
        match kind {
            Kind::ShellArgv => {
                let mut script = Argument::default();
                for (nth, word) in rest.iter().enumerate() {
                    if nth > 0 {
                        script.push(" ");
                    }
                    match word.is_many() && !word.is_unknown() {
                        // A glob here may be matched here, and what it matches read as part of the script.
                        true => {
                            script.push(word.text());
                            act.dynamic(Dynamic::Code);
                        }
                        false => script.push_value(word),
                    }
                }
                act.script(name, script, false);
            }
            Kind::EnvArgv => {
                let mut assignments = Vec::new();
                let mut rest = rest;
                while let Some((first, more)) = rest.split_first() {
                    let Some((variable, _)) = first.prefix().split_once('=') else { break };
                    let value = first.after(variable.len() + 1);
                    assignments.push((variable.to_owned(), value));
                    rest = more;
                }
                if rest.is_empty() {
                    return;
                }
                let (wrapper, argv) = (name.to_owned(), act.command.argv.end(rest));
                act.nested.push(super::Nested::Argv { wrapper, argv, assignments, loose: false });
            }
            _ => act.argv(name, rest),
        }
    }
}
