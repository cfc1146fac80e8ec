//! Variables of functions, which have their former values again when the function is left.

use super::super::scope::Variable;
use super::Walker;

/// What one call of a function has made its own.
#[derive(Debug)]
pub(super) struct Locals {
    /// Where it was called.
    aparts: usize,
    /// What each was before; `None` if that depends on the way through the function.
    before: Vec<(String, Option<Option<Variable>>)>,
}

impl Walker<'_> {
    pub(super) fn enter_function(&mut self) {
        self.locals.push(Locals { aparts: self.aparts, before: Vec::new() });
    }

    pub(super) fn leave_function(&mut self) {
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
