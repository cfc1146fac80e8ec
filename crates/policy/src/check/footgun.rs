//! Conditions that are well-typed and still let calls slip past. Each is an error.

use std::sync::Arc;

use callgate_core::FactType;
use cedar_policy::Effect;
use cedar_policy::pst::{BinaryOp, Expr, Literal, SmolStr, UnaryOp, Var};

use super::subject::{Subject, is_literal, names_identity, subject};
use crate::finding::{Finding, Rule};
use crate::policies::Policy;
use crate::snapshot::GateSnapshot;

/// How the truth of an expression bears on whether the policy is satisfied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    /// True makes it more likely.
    With,
    /// True makes it less likely.
    Against,
    /// Either may.
    Either,
}

impl Sense {
    fn flipped(self) -> Self {
        match self {
            Self::With => Self::Against,
            Self::Against => Self::With,
            Self::Either => Self::Either,
        }
    }
}

pub(super) fn run(snapshot: &GateSnapshot, policy: &Policy, findings: &mut Vec<Finding>) {
    let mut walk = Walk { snapshot, policy, forbids: policy.parsed.effect == Effect::Forbid, findings };
    for (condition, holds) in policy.parsed.conditions() {
        let sense = if holds { Sense::With } else { Sense::Against };
        walk.visit(condition, sense);
        walk.common(condition, sense);
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
            Expr::BinaryOp { op, left, right } => self.pair(*op, left, right, sense, closing),
            Expr::Is { expr, in_expr, .. } => {
                self.visit(expr, Sense::Either);
                in_expr.iter().for_each(|parent| self.visit(parent, Sense::Either));
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.visit(cond, Sense::Either);
                self.visit(then_expr, sense);
                self.visit(else_expr, sense);
            }
            Expr::Set(items) => items.iter().for_each(|item| self.visit(item, Sense::Either)),
            Expr::Record(fields) => fields.values().for_each(|field| self.visit(field, Sense::Either)),
            _ => {}
        }
    }

    /// `context.common` says where *all* elements of a list are. Where more truth closes, or less opens, one
    /// element elsewhere is a way around.
    fn common(&mut self, expr: &Arc<Expr>, sense: Sense) {
        match &**expr {
            Expr::UnaryOp { op: UnaryOp::Not, expr } => self.common(expr, sense.flipped()),
            Expr::BinaryOp { op: BinaryOp::And | BinaryOp::Or, left, right } => {
                self.common(left, sense);
                self.common(right, sense);
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.common(cond, Sense::Either);
                self.common(then_expr, sense);
                self.common(else_expr, sense);
            }
            _ => {
                let sound = if self.forbids { Sense::Against } else { Sense::With };
                let is_common = |expr: &Expr| match expr {
                    Expr::GetAttr { expr, attr } if attr == "common" => {
                        matches!(&**expr, Expr::Var(Var::Context)).then_some(true)
                    }
                    _ => None,
                };
                if sense != sound && expr.reduce(&is_common, &|a, b| a || b, false) {
                    self.report(
                        Rule::CommonDodged,
                        "this holds only if all elements do, so one more element dodges it",
                    );
                }
            }
        }
    }

    fn pair(&mut self, op: BinaryOp, left: &Arc<Expr>, right: &Arc<Expr>, sense: Sense, closing: bool) {
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
            BinaryOp::Eq if closing => {
                self.equality(left, right);
                self.equality(right, left);
            }
            BinaryOp::NotEq if self.forbids && sense != Sense::With => {
                self.equality(left, right);
                self.equality(right, left);
            }
            BinaryOp::Contains | BinaryOp::In if closing => self.equality(right, left),
            _ => {}
        }
        if op == BinaryOp::In && closing {
            self.equality(left, right);
        }
        self.visit(left, Sense::Either);
        self.visit(right, Sense::Either);
    }

    /// A forbid closes if `about` equals, or is among, `what`.
    fn equality(&mut self, about: &Expr, what: &Expr) {
        match subject(about) {
            Some(Subject::Fact(section, field)) => {
                let kind = self.snapshot.facts.kind(section, field);
                if matches!(kind, Some(FactType::Long | FactType::Text)) {
                    let message =
                        format!("the fact {section}.{field} may be unknown, and is then not equal to anything");
                    self.report(Rule::UnknownFact, message);
                }
            }
            Some(Subject::Argument(path)) if is_literal(what) => {
                let Some(name) = path.iter().rev().find(|name| !name.is_empty()) else { return };
                match literal_kind(what) {
                    Some(Kind::Text) if self.is_identity(&path, name) => {
                        let message = format!("forbidding single spellings of `{}` leaves all others open", clip(name));
                        self.report(Rule::DenyList, message);
                    }
                    Some(Kind::Destination) => {
                        let message = format!("only the named values of `{}` are forbidden", clip(name));
                        self.report(Rule::NamedDestination, message);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
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
