//! Conditions that are well-typed and still let calls slip past. Each is an error.

use std::sync::Arc;

use callgate_core::FactType;
use cedar_policy::Effect;
use cedar_policy::pst::{BinaryOp, Expr, Literal, SmolStr, UnaryOp};

use super::sense::Sense;
use super::subject::{Subject, is_literal, names_identity, subject};
use crate::finding::{Finding, Rule};
use crate::policies::Policy;
use crate::snapshot::GateSnapshot;
use crate::truth::{Limits, truth};

pub(super) fn run(snapshot: &GateSnapshot, policy: &Policy, findings: &mut Vec<Finding>) {
    let mut walk = Walk { snapshot, policy, forbids: policy.parsed.effect == Effect::Forbid, findings };
    for (condition, holds) in policy.parsed.conditions() {
        walk.visit(condition, Sense::of(holds));
    }
}

struct Walk<'a> {
    snapshot: &'a GateSnapshot,
    policy: &'a Policy,
    forbids: bool,
    findings: &'a mut Vec<Finding>,
}

impl Walk<'_> {
    fn visit(&mut self, expr: &Arc<Expr>, sense: Sense) {
        // What must be true for a forbid to close: there, what can be dodged is dangerous.
        let closing = self.forbids && sense != Sense::Against;
        match &**expr {
            Expr::UnaryOp { op: UnaryOp::Not, expr } => self.visit(expr, sense.flipped()),
            Expr::UnaryOp { op: UnaryOp::Neg, expr } if !is_literal(expr) => {
                self.report(Rule::Arithmetic, "negation can overflow")
            }
            Expr::UnaryOp { expr, .. } | Expr::GetAttr { expr, .. } => self.visit(expr, Sense::Either),
            Expr::HasAttr { expr: owner, attrs } => {
                let argument = matches!(subject(owner), Some(Subject::Argument(_)));
                // To forbid an argument as such is sound; to forbid some of its values needs it to be there.
                if closing && argument && self.reads(owner, attrs.iter().cloned()) {
                    let name = attrs.iter().map(|attr| attr.as_str()).collect::<Vec<_>>().join(".");
                    self.report(Rule::OptionalInForbid, format!("a call without `{}` is not forbidden", clip(&name)));
                }
            }
            Expr::Like { expr, .. } => self.like(expr),
            Expr::BinaryOp { op, left, right } => self.pair(*op, left, right, sense),
            Expr::Is { expr, in_expr, .. } => {
                self.visit(expr, Sense::Either);
                if let Some(place) = in_expr {
                    if self.lists_closed(sense) {
                        self.equality(expr, place);
                    }
                    self.visit(place, Sense::Either);
                }
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                // Who writes `else true` has said what a call without the argument is.
                if !(matches!(**cond, Expr::HasAttr { .. }) && truth(else_expr) == Some(true)) {
                    self.visit(cond, sense.of_test(then_expr, else_expr));
                }
                self.visit(then_expr, sense);
                self.visit(else_expr, sense);
            }
            Expr::Set(items) => items.iter().for_each(|item| self.visit(item, Sense::Either)),
            Expr::Record(fields) => fields.values().for_each(|field| self.visit(field, Sense::Either)),
            _ => {}
        }
    }

    fn pair(&mut self, op: BinaryOp, left: &Arc<Expr>, right: &Arc<Expr>, sense: Sense) {
        match op {
            BinaryOp::And | BinaryOp::Or => {
                self.visit(left, sense);
                self.visit(right, sense);
                return;
            }
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul => self.report(Rule::Arithmetic, "arithmetic can overflow"),
            BinaryOp::Offset | BinaryOp::DurationSince => {
                self.report(Rule::Arithmetic, "datetime arithmetic can overflow")
            }
            BinaryOp::Eq | BinaryOp::Contains | BinaryOp::ContainsAny | BinaryOp::ContainsAll | BinaryOp::In
                if self.lists_closed(sense) =>
            {
                self.equality(left, right);
                self.equality(right, left);
            }
            BinaryOp::NotEq if self.lists_closed(sense.flipped()) => {
                self.equality(left, right);
                self.equality(right, left);
            }
            _ => {}
        }
        self.visit(left, Sense::Either);
        self.visit(right, Sense::Either);
    }

    /// Whether what an expression of this sense names is closed by that.
    fn lists_closed(&self, sense: Sense) -> bool {
        if self.forbids { sense != Sense::Against } else { sense == Sense::Against }
    }

    /// The policy closes if `about` equals, or is among, `what`.
    fn equality(&mut self, about: &Arc<Expr>, what: &Arc<Expr>) {
        match (&**about, &**what) {
            (Expr::IfThenElse { then_expr, else_expr, .. }, _) => {
                self.equality(then_expr, what);
                self.equality(else_expr, what);
            }
            (_, Expr::IfThenElse { then_expr, else_expr, .. }) => {
                self.equality(about, then_expr);
                self.equality(about, else_expr);
            }
            (Expr::Set(items), _) => items.iter().for_each(|item| self.equality(item, what)),
            (Expr::Record(fields), Expr::Record(others)) => {
                for (name, field) in fields {
                    others.get(name).into_iter().for_each(|other| self.equality(field, other));
                }
            }
            (_, Expr::Record(fields)) => {
                for (name, field) in fields {
                    let part = Expr::GetAttr { expr: Arc::clone(about), attr: name.as_str().into() };
                    self.equality(&Arc::new(part), field);
                }
            }
            _ => self.compared(about, what),
        }
    }

    /// As [`Walk::equality`], of one thing with one value or list.
    fn compared(&mut self, about: &Expr, what: &Expr) {
        match subject(about) {
            Some(Subject::Fact(section, field)) if self.forbids => {
                let kind = self.snapshot.facts.kind(section, field);
                if matches!(kind, Some(FactType::Long | FactType::Text)) {
                    let message =
                        format!("the fact {section}.{field} may be unknown, and is then not equal to anything");
                    self.report(Rule::UnknownFact, message);
                }
            }
            Some(Subject::Argument(path)) if is_literal(what) && !self.is_listed(about) => {
                let Some(name) = path.iter().rev().find(|name| !name.is_empty()) else { return };
                match literal_kind(what) {
                    Some(Kind::Text) if self.is_identity(&path, name) && self.forbids => {
                        let message = format!("forbidding single spellings of `{}` leaves all others open", clip(name));
                        self.report(Rule::DenyList, message);
                    }
                    Some(kind) if kind == Kind::Destination || self.is_identity(&path, name) => {
                        let message = format!("only the named values of `{}` are closed", clip(name));
                        self.report(Rule::NamedDestination, message);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Whether the policy is a permit that says what `about` may be; then it may except some of that.
    fn is_listed(&self, about: &Expr) -> bool {
        let limits = || Limits::collect(self.policy.parsed.conditions());
        !self.forbids && limits().get(&about.to_string()).is_some_and(Limits::is_bounded)
    }

    fn like(&mut self, about: &Expr) {
        let message = match subject(about) {
            Some(Subject::Attribute) => "`like` on an attribute of an entity".to_owned(),
            Some(Subject::Argument(path)) => match path.iter().rev().find(|name| !name.is_empty()) {
                Some(name) if self.is_identity(&path, name) => format!("`like` on `{}`", clip(name)),
                _ => return,
            },
            _ => return,
        };
        self.report(Rule::LikeOnIdentity, message);
    }

    /// Whether a condition of the policy looks at the value of `owner.attrs`.
    fn reads(&self, owner: &Arc<Expr>, attrs: impl Iterator<Item = SmolStr>) -> bool {
        let value = attrs.fold(Arc::clone(owner), |expr, attr| Arc::new(Expr::GetAttr { expr, attr }));
        let found = |expr: &Expr| if *expr == *value { Some(true) } else { None };
        self.policy.parsed.conditions().any(|(condition, _)| condition.reduce(&found, &|a, b| a || b, false))
    }

    /// By its name, or because an overlay gives it a kind.
    fn is_identity(&self, path: &[&str], name: &str) -> bool {
        let pointer = path.join("/");
        let actions = super::covered(self.snapshot, self.policy);
        let kind = |place: &usize| {
            self.snapshot.catalogue.actions().get(*place).is_some_and(|action| action.kinds.contains(&pointer))
        };
        names_identity(name) || actions.iter().any(kind)
    }

    fn report(&mut self, rule: Rule, message: impl Into<String>) {
        self.findings.push(self.policy.finding(rule, message));
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    Text,
    Destination,
}

/// What a literal, or the first of a list, names.
fn literal_kind(expr: &Expr) -> Option<Kind> {
    match expr {
        Expr::Literal(Literal::String(_)) => Some(Kind::Text),
        Expr::Literal(Literal::EntityUID(uid)) => {
            let kind = uid.ty.to_string();
            matches!(kind.as_str(), "Domain" | "Host" | "Mailbox" | "Url").then_some(Kind::Destination)
        }
        Expr::Set(items) => items.iter().find_map(|item| literal_kind(item)),
        _ => None,
    }
}

fn clip(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}
