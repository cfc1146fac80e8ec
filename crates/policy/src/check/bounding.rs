//! Whether a condition bounds what a call may do. One that always holds does not; nor does one that asks only
//! who calls or when, or whether an argument is there: with any of those, every value still passes.

use std::sync::Arc;

use callgate_core::FactType;
use cedar_policy::pst::{BinaryOp, Expr, UnaryOp};

use super::subject::{Subject, subject};
use crate::policies::Policy;
use crate::snapshot::GateSnapshot;
use crate::truth::truth;

/// Whether some condition of the policy bounds the calls in its scope.
pub(super) fn bounds(snapshot: &GateSnapshot, policy: &Policy) -> bool {
    let parsed = &policy.parsed;
    let bounds = |(expr, holds)| {
        let bounded = Bounded::of(snapshot, expr);
        if holds { bounded.if_true } else { bounded.if_false }
    };
    !parsed.is_unconditional() && parsed.conditions().any(bounds)
}

/// Whether the call is bounded where an expression turns out true, and where false.
#[derive(Clone, Copy)]
struct Bounded {
    if_true: bool,
    if_false: bool,
}

impl Bounded {
    fn of(snapshot: &GateSnapshot, expr: &Arc<Expr>) -> Self {
        let of = |expr| Self::of(snapshot, expr);
        if let Some(truth) = truth(expr) {
            // As what it never is it lets nothing pass.
            return Self { if_true: !truth, if_false: truth };
        }
        match &**expr {
            Expr::UnaryOp { op: UnaryOp::Not, expr } => of(expr).negated(),
            Expr::BinaryOp { op: BinaryOp::And, left, right } => of(left).and(of(right)),
            Expr::BinaryOp { op: BinaryOp::Or, left, right } => of(left).negated().and(of(right).negated()).negated(),
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                let (test, then, otherwise) = (of(cond), of(then_expr), of(else_expr));
                Self {
                    if_true: (test.if_true || then.if_true) && (test.if_false || otherwise.if_true),
                    if_false: (test.if_true || then.if_false) && (test.if_false || otherwise.if_false),
                }
            }
            _ => {
                let looks = looks(snapshot, expr);
                Self { if_true: looks, if_false: looks }
            }
        }
    }

    fn negated(self) -> Self {
        Self { if_true: self.if_false, if_false: self.if_true }
    }

    fn and(self, other: Self) -> Self {
        Self { if_true: self.if_true || other.if_true, if_false: self.if_false && other.if_false }
    }
}

/// Whether the expression looks at the value of an argument, or at a fact other than the time.
fn looks(snapshot: &GateSnapshot, expr: &Expr) -> bool {
    let look = |expr: &Expr| match expr {
        Expr::HasAttr { .. } | Expr::Is { in_expr: None, .. } => Some(false),
        _ => match subject(expr)? {
            Subject::Argument(_) => Some(true),
            Subject::Fact(section, field) => {
                Some(!matches!(snapshot.facts.kind(section, field), Some(FactType::Datetime)))
            }
            Subject::Attribute => None,
        },
    };
    expr.reduce(&look, &|a, b| a || b, false)
}
