//! Functions, and their own variables, which have their former values again when the function is left.

use std::rc::Rc;

use super::super::ast::Node;
use super::super::scope::{Function, Variable};
use super::super::{Argument, Argv, Dynamic, Refusal};
use super::{Act, Flow, Walker};

/// What one call of a function has made its own.
#[derive(Debug)]
pub(super) struct Locals {
    /// Where it was called.
    aparts: usize,
    /// What each was before; `None` if that depends on the way through the function.
    before: Vec<(String, Option<Option<Variable>>)>,
}

impl Walker<'_> {
    /// Calls a function, whichever of its bodies it has here, or starts a program if it is perhaps none.
    pub(super) fn called_perhaps(
        &mut self,
        name: &str,
        function: &Function,
        argv: &Argv,
        act: Act,
    ) -> Result<Flow, Refusal> {
        let certain = act.nested.is_empty() && !function.perhaps;
        if let ([body], true) = (function.bodies.as_slice(), certain) {
            return self.call(name, body, argv, act);
        }
        let mut branches = Vec::new();
        for body in &function.bodies {
            let given = Act { input: act.input.clone(), ..Act::default() };
            let (_, changes) = self.apart(|walker| walker.call(name, body, argv, given))?;
            branches.push(changes);
        }
        let (flow, changes) = self.apart(|walker| match certain {
            true => walker.record(act, Argument::literal(":")),
            false => walker.start(name, argv, act, true),
        })?;
        if !certain {
            branches.push(changes);
        }
        self.scope.merge(&branches.iter().collect::<Vec<_>>());
        Ok(Flow { text: None, diverges: false, ..flow })
    }

    fn call(&mut self, name: &str, body: &Rc<Node>, argv: &[Argument], act: Act) -> Result<Flow, Refusal> {
        self.called.insert(name.to_owned());
        self.limits.command()?;
        if self.calls.iter().any(|call| call == name) {
            let mut act = act;
            act.dynamic(Dynamic::Recursion);
            act.command.known = true;
            return self.record(act, Argument::literal(name));
        }
        let arguments: Vec<_> = argv.iter().skip(1).cloned().collect();
        let before = self.scope.positional().cloned();
        self.scope.set_positional(Some(Rc::new(arguments)));
        self.calls.push(name.to_owned());
        let outer = self.input.clone();
        if let Some(input) = act.input.clone() {
            self.input = input;
        }
        let redirected = act.redirected;
        let does = !act.command.reads.is_empty()
            || !act.command.writes.is_empty()
            || !act.command.effects.is_empty()
            || !act.command.dynamic.is_empty()
            || !act.nested.is_empty();
        if redirected || does {
            self.record(act, Argument::literal(":"))?;
        }
        self.enter_function();
        let flow = self.inside(name, |walker| walker.node(body));
        self.leave_function();
        self.input = outer;
        self.calls.pop();
        self.scope.set_positional(before);
        let flow = flow?;
        Ok(if redirected { Flow::default() } else { Flow { diverges: false, ..flow } })
    }

    fn enter_function(&mut self) {
        self.locals.push(Locals { aparts: self.aparts, before: Vec::new() });
    }

    fn leave_function(&mut self) {
        let Some(locals) = self.locals.pop() else { return };
        for (name, before) in locals.before {
            self.scope.restore(&name, before.unwrap_or(Some(Variable::Unknown)));
        }
    }

    /// `local name`: its value comes back when the function is left.
    pub(in super::super) fn make_local(&mut self, name: &str) {
        let before = self.scope.variable(name).cloned();
        let Some(locals) = self.locals.last_mut() else { return };
        if locals.before.iter().any(|(known, _)| known == name) {
            return;
        }
        // On a branch, or in a subshell, it may not have happened.
        let certain = locals.aparts == self.aparts;
        locals.before.push((name.to_owned(), certain.then_some(before)));
    }
}
