//! `context.common` says where *all* elements of a list are. Where that they are there closes, or opens less,
//! one more element elsewhere is a way around.

use std::sync::Arc;

use cedar_policy::Effect;
use cedar_policy::pst::{BinaryOp, Expr, UnaryOp, Var};

use super::sense::Sense;
use crate::finding::{Finding, Rule};
use crate::policies::Policy;
use crate::truth::truth;

pub(super) fn run(policy: &Policy, findings: &mut Vec<Finding>) {
    let sound = if policy.parsed.effect == Effect::Forbid { Sense::Against } else { Sense::With };
    if policy.parsed.conditions().any(|(condition, holds)| dodged(condition, Sense::of(holds), sound)) {
        let message = "this holds only if all elements do, so one more element dodges it";
        findings.push(policy.finding(Rule::CommonDodged, message));
    }
}

/// Whether something in `expr` speaks of all elements where only `sound` would be.
fn dodged(expr: &Arc<Expr>, sense: Sense, sound: Sense) -> bool {
    let visit = |expr: &Arc<Expr>, sense: Sense| dodged(expr, sense, sound);
    match &**expr {
        Expr::UnaryOp { op: UnaryOp::Not, expr } => visit(expr, sense.flipped()),
        Expr::BinaryOp { op: BinaryOp::And | BinaryOp::Or, left, right } => visit(left, sense) || visit(right, sense),
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            visit(cond, sense.of_test(then_expr, else_expr)) || visit(then_expr, sense) || visit(else_expr, sense)
        }
        Expr::BinaryOp { op: op @ (BinaryOp::Eq | BinaryOp::NotEq), left, right } => {
            let sense = if *op == BinaryOp::Eq { sense } else { sense.flipped() };
            let beside = |truth: bool| if truth { sense } else { sense.flipped() };
            match (truth(left), truth(right)) {
                (Some(truth), _) => visit(right, beside(truth)),
                (_, Some(truth)) => visit(left, beside(truth)),
                _ => compares(expr, sense, sound),
            }
        }
        // Several ports have none in common, which is 0, and below everything.
        Expr::BinaryOp { op: BinaryOp::Less | BinaryOp::LessEq, left, .. } if mentions_common(left) => {
            compares(expr, sense.flipped(), sound)
        }
        Expr::BinaryOp { op: BinaryOp::Greater | BinaryOp::GreaterEq, right, .. } if mentions_common(right) => {
            compares(expr, sense.flipped(), sound)
        }
        _ => compares(expr, sense, sound),
    }
}

/// As [`dodged`], of what is no `&&`, `||`, `!` or `if`.
fn compares(expr: &Expr, sense: Sense, sound: Sense) -> bool {
    // What becomes of a truth inside of something else cannot be told.
    let inside = |part: &Expr| match part {
        part if std::ptr::eq(part, expr) => None,
        Expr::IfThenElse { cond, .. } if mentions_common(cond) => Some(true),
        part if is_test(part) && mentions_common(part) => Some(true),
        _ => None,
    };
    mentions_common(expr) && (sense != sound || expr.reduce(&inside, &|a, b| a || b, false))
}

/// Whether the expression is put together to be true or false.
fn is_test(expr: &Expr) -> bool {
    use BinaryOp::{Add, DurationSince, GetTag, Mul, Offset, Sub};
    match expr {
        Expr::UnaryOp { op, .. } => matches!(op, UnaryOp::Not | UnaryOp::IsEmpty),
        Expr::BinaryOp { op, .. } => !matches!(op, Add | Sub | Mul | GetTag | Offset | DurationSince),
        Expr::HasAttr { .. } | Expr::Like { .. } | Expr::Is { .. } => true,
        _ => false,
    }
}

/// Whether it looks at what all elements have in common. That an argument itself is given is no such thing.
fn mentions_common(expr: &Expr) -> bool {
    let is_context = |expr: &Expr| matches!(expr, Expr::Var(Var::Context));
    let is_common = |expr: &Expr| match expr {
        Expr::GetAttr { expr, attr } => attr == "common" && is_context(expr) || attr.ends_with(crate::facts::WITHIN),
        _ => false,
    };
    let found = |expr: &Expr| match expr {
        Expr::HasAttr { expr: owner, attrs } if is_common(owner) && attrs.len() == 1 => Some(false),
        Expr::HasAttr { expr: owner, attrs } if is_context(owner) => Some(attrs.len() > 2 && attrs.first() == "common"),
        expr if is_common(expr) => Some(true),
        _ => None,
    };
    expr.reduce(&found, &|a, b| a || b, false)
}
