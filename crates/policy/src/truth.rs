//! What can be said of a condition before any call comes: that it always holds, or never.
//!
//! Whatever is said is certain. Of most conditions nothing can be said.

mod limits;

use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, PatternElem, UnaryOp, Var};
use cedar_policy::{Context, Entities, EntityUid, EvalResult, Expression, Request, eval_expression};

pub(crate) use limits::Limits;

/// Whether all of the clauses hold for every call in scope.
pub(crate) fn always(clauses: &[Clause]) -> bool {
    clauses.iter().all(|clause| match clause {
        Clause::When(expr) => truth(expr) == Some(true) || never(expr, false),
        Clause::Unless(expr) => truth(expr) == Some(false) || never(expr, true),
    })
}

/// Whether `expr` can never turn out as `wanted`, because its parts exclude each other.
fn never(expr: &Arc<Expr>, wanted: bool) -> bool {
    Limits::collect([(expr, wanted)]).values().any(Limits::contradict)
}

/// What the expression is for every call in scope, if that is certain.
pub(crate) fn truth(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::UnaryOp { op: UnaryOp::Not, expr } => truth(expr).map(|truth| !truth),
        Expr::BinaryOp { op: op @ (BinaryOp::And | BinaryOp::Or), left, right } => {
            // What decides the whole, on whichever side.
            let decisive = *op == BinaryOp::Or;
            match (truth(left), truth(right)) {
                (Some(left), Some(right)) if left == right => Some(left),
                (Some(truth), _) | (_, Some(truth)) if truth == decisive => Some(truth),
                (Some(_), Some(_)) => Some(decisive),
                _ => None,
            }
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => match truth(cond) {
            Some(true) => truth(then_expr),
            Some(false) => truth(else_expr),
            None => truth(then_expr).filter(|then| truth(else_expr) == Some(*then)),
        },
        Expr::BinaryOp { op, left, right } => related(*op, left, right).or_else(|| closed(expr)),
        Expr::Like { pattern, .. } if is_anything(pattern) => Some(true),
        Expr::Is { expr: about, entity_type, in_expr: None } => {
            let kind = match &**about {
                Expr::Var(Var::Principal) => "Agent".to_owned(),
                Expr::Var(Var::Action) => "Action".to_owned(),
                Expr::Var(Var::Resource) => "Server".to_owned(),
                Expr::Literal(Literal::EntityUID(uid)) => uid.ty.to_string(),
                _ => return None,
            };
            Some(entity_type.to_string() == kind)
        }
        // Every section of the context is always there.
        Expr::HasAttr { expr, attrs } if attrs.len() == 1 && matches!(**expr, Expr::Var(Var::Context)) => Some(true),
        _ => closed(expr),
    }
}

/// What follows from both sides being the same, or one standing in the other.
fn related(op: BinaryOp, left: &Expr, right: &Expr) -> Option<bool> {
    use BinaryOp::{
        Contains, ContainsAll, DecimalGreater, DecimalGreaterEq, DecimalLessEq, DecimalLessThan, Eq, Greater,
        GreaterEq, In, Less, LessEq, NotEq,
    };
    let lists = |list: &Expr, item: &Expr| match list {
        Expr::Set(items) => items.iter().any(|other| **other == *item),
        _ => false,
    };
    let same = left == right;
    match op {
        Eq | LessEq | GreaterEq | DecimalLessEq | DecimalGreaterEq | ContainsAll if same => Some(true),
        NotEq | Less | Greater | DecimalLessThan | DecimalGreater if same => Some(false),
        In if same || lists(right, left) => Some(true),
        Contains if lists(left, right) => Some(true),
        _ => None,
    }
}

fn is_anything(pattern: &[PatternElem]) -> bool {
    !pattern.is_empty() && pattern.iter().all(|element| matches!(element, PatternElem::Wildcard))
}

/// The truth of an expression that looks at neither the call nor the declared entities, as Cedar finds it.
fn closed(expr: &Expr) -> Option<bool> {
    let looks = |expr: &Expr| match expr {
        Expr::Var(_) | Expr::Slot(_) | Expr::Unknown { .. } => Some(true),
        Expr::GetAttr { .. } | Expr::HasAttr { .. } | Expr::Is { in_expr: Some(_), .. } => Some(true),
        Expr::BinaryOp { op: BinaryOp::In | BinaryOp::GetTag | BinaryOp::HasTag, .. } => Some(true),
        _ => None,
    };
    if expr.reduce(&looks, &|a, b| a || b, false) {
        return None;
    }
    let expression: Expression = expr.to_string().parse().ok()?;
    let nobody: EntityUid = "Agent::\"\"".parse().ok()?;
    let request = Request::new(nobody.clone(), nobody.clone(), nobody, Context::empty(), None).ok()?;
    match eval_expression(&request, &Entities::empty(), &expression) {
        Ok(EvalResult::Bool(truth)) => Some(truth),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::always;
    use crate::policies::Parsed;

    fn holds(clauses: &str) -> bool {
        let policy = format!("permit (principal, action, resource) {clauses};");
        always(&Parsed::read(&policy).unwrap_or_else(|faults| panic!("{clauses}: {faults:?}")).clauses)
    }

    #[test]
    fn what_always_holds_is_known() {
        for clauses in [
            "",
            "when { true }",
            "unless { false }",
            "when { 1 == 1 }",
            "when { 1 < 2 } unless { 2 < 1 }",
            "when { 1 + 1 == 2 }",
            "when { !false }",
            "when { principal == principal }",
            "when { principal in principal }",
            "unless { principal != principal }",
            "when { context.env.risk < 5 || true }",
            "when { true || context.env.risk < 5 }",
            "when { \"a\" like \"*\" }",
            "when { context.input.a like \"**\" }",
            "when { \"abc\" like \"a*c\" }",
            "when { context.env.risk <= context.env.risk }",
            "when { [context.input.a, \"x\"].contains(context.input.a) }",
            "when { principal in [Blueprint::\"b\", principal] }",
            "when { if context.env.night then true else true }",
            "when { if true then 1 == 1 else context.env.night }",
            "when { principal is Agent && resource is Server }",
            "unless { principal is Server }",
            "when { context has input }",
            "when { context.env.risk < 5 || context.env.risk >= 5 }",
            "when { context.env.night || !context.env.night }",
            "unless { context.env.night && !context.env.night }",
            "when { [1, 2].containsAll([2]) }",
            "when { decimal(\"1.0\").lessThan(decimal(\"2.0\")) }",
            "when { ip(\"127.0.0.1\").isLoopback() }",
            "when { Path::\"/a\" == Path::\"/a\" }",
            "when { {a: 1} == {a: 1} }",
        ] {
            assert!(holds(clauses), "{clauses}");
        }
    }

    #[test]
    fn what_may_fail_is_not() {
        for clauses in [
            "when { false }",
            "when { context.env.night }",
            "unless { context.env.night }",
            "when { true } when { context.env.night }",
            "when { context.env.night && true }",
            "when { if context.env.night then true else false }",
            "when { context.env.risk < 5 || context.env.risk > 5 }",
            "when { context.input.a like \"a*\" }",
            "when { context.input.a like \"\" }",
            "when { principal in Blueprint::\"b\" }",
            "when { Agent::\"a\" in Blueprint::\"b\" }",
            "when { Agent::\"a\" has level }",
            "when { context.input has a }",
            "when { context.input.a is Path }",
            "when { principal is Agent in Blueprint::\"b\" }",
            "when { [context.input.b].contains(context.input.a) }",
            "when { context.input.a == context.input.b }",
        ] {
            assert!(!holds(clauses), "{clauses}");
        }
    }
}
