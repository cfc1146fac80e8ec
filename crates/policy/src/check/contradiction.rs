//! Conditions whose parts exclude each other, where that can be decided for sure: one thing that must equal
//! two constants, or lie in an empty range.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, UnaryOp};

use crate::finding::{Finding, Rule};
use crate::policies::Policy;

pub(super) fn run(policy: &Policy, findings: &mut Vec<Finding>) {
    let mut limits: BTreeMap<String, Limits> = BTreeMap::new();
    for clause in &policy.parsed.clauses {
        match clause {
            Clause::When(expr) => collect(expr, true, &mut limits),
            Clause::Unless(expr) => collect(expr, false, &mut limits),
        }
    }
    for (subject, limits) in limits {
        if limits.contradict() {
            let subject: String = subject.chars().take(80).collect();
            findings.push(policy.finding(Rule::Impossible, format!("no value of `{subject}` meets all conditions")));
        }
    }
}

/// What must hold of one expression.
#[derive(Default)]
struct Limits {
    /// It must be one of these; `None`: anything.
    among: Option<BTreeSet<String>>,
    /// It must be none of these.
    not: BTreeSet<String>,
    /// Least and greatest value, in ten-thousandths for decimals.
    range: Option<(i128, i128)>,
    /// The values of `among` as numbers, where they are.
    numbers: BTreeMap<String, i128>,
}

impl Limits {
    fn one_of(&mut self, values: BTreeSet<String>) {
        self.among = Some(match self.among.take() {
            None => values,
            Some(before) => before.intersection(&values).cloned().collect(),
        });
    }

    fn within(&mut self, least: i128, greatest: i128) {
        let (low, high) = self.range.unwrap_or((i128::MIN, i128::MAX));
        self.range = Some((low.max(least), high.min(greatest)));
    }

    fn contradict(&self) -> bool {
        let (low, high) = self.range.unwrap_or((i128::MIN, i128::MAX));
        let possible = |value: &String| {
            !self.not.contains(value) && self.numbers.get(value).is_none_or(|number| (low..=high).contains(number))
        };
        low > high || self.among.as_ref().is_some_and(|values| !values.iter().any(possible))
    }
}

fn collect(expr: &Arc<Expr>, wanted: bool, limits: &mut BTreeMap<String, Limits>) {
    match (&**expr, wanted) {
        (Expr::BinaryOp { op: BinaryOp::And, left, right }, true)
        | (Expr::BinaryOp { op: BinaryOp::Or, left, right }, false) => {
            collect(left, wanted, limits);
            collect(right, wanted, limits);
        }
        (Expr::UnaryOp { op: UnaryOp::Not, expr }, _) => collect(expr, !wanted, limits),
        (Expr::BinaryOp { op: BinaryOp::Contains, left, right }, true) => {
            if let Expr::Set(items) = &**left
                && let Some(values) = items.iter().map(|item| constant(item)).collect::<Option<Vec<_>>>()
            {
                let limits = limits.entry(right.to_string()).or_default();
                limits.numbers.extend(values.iter().filter_map(|value| Some((value.text.clone(), value.number?))));
                limits.one_of(values.into_iter().map(|value| value.text).collect());
            }
        }
        (Expr::BinaryOp { op, left, right }, _) => {
            let (subject, value, op) = match (constant(right), constant(left)) {
                (Some(value), None) => (left, value, *op),
                (None, Some(value)) => (right, value, mirrored(*op)),
                _ => return,
            };
            let limits = limits.entry(subject.to_string()).or_default();
            relate(limits, op, value, wanted);
        }
        _ => {}
    }
}

fn relate(limits: &mut Limits, op: BinaryOp, value: Constant, wanted: bool) {
    use BinaryOp::{
        DecimalGreater, DecimalGreaterEq, DecimalLessEq, DecimalLessThan, Eq, Greater, GreaterEq, Less, LessEq, NotEq,
    };
    let Constant { text, number } = value;
    if let Some(number) = number {
        limits.numbers.insert(text.clone(), number);
    }
    match (op, wanted, number) {
        (Eq, true, _) | (NotEq, false, _) => limits.one_of(BTreeSet::from([text])),
        (Eq, false, _) | (NotEq, true, _) => drop(limits.not.insert(text)),
        (Less | DecimalLessThan, true, Some(n)) | (GreaterEq | DecimalGreaterEq, false, Some(n)) => {
            limits.within(i128::MIN, n - 1)
        }
        (LessEq | DecimalLessEq, true, Some(n)) | (Greater | DecimalGreater, false, Some(n)) => {
            limits.within(i128::MIN, n)
        }
        (Greater | DecimalGreater, true, Some(n)) | (LessEq | DecimalLessEq, false, Some(n)) => {
            limits.within(n + 1, i128::MAX)
        }
        (GreaterEq | DecimalGreaterEq, true, Some(n)) | (Less | DecimalLessThan, false, Some(n)) => {
            limits.within(n, i128::MAX)
        }
        _ => {}
    }
}

fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEq => BinaryOp::GreaterEq,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEq => BinaryOp::LessEq,
        BinaryOp::DecimalLessThan => BinaryOp::DecimalGreater,
        BinaryOp::DecimalLessEq => BinaryOp::DecimalGreaterEq,
        BinaryOp::DecimalGreater => BinaryOp::DecimalLessThan,
        BinaryOp::DecimalGreaterEq => BinaryOp::DecimalLessEq,
        BinaryOp::Eq | BinaryOp::NotEq => op,
        // Nothing else relates a constant on its left to something on its right.
        _ => BinaryOp::And,
    }
}

/// A constant by a text that is the same exactly if the values are, and its number, if it is one.
struct Constant {
    text: String,
    number: Option<i128>,
}

fn constant(expr: &Expr) -> Option<Constant> {
    match expr {
        Expr::Literal(Literal::Long(long)) => {
            Some(Constant { text: long.to_string(), number: Some(i128::from(*long)) })
        }
        Expr::Literal(Literal::EntityUID(_) | Literal::String(_) | Literal::Bool(_)) => {
            Some(Constant { text: expr.to_string(), number: None })
        }
        Expr::UnaryOp { op: UnaryOp::Neg, expr } => {
            let number = constant(expr)?.number?.checked_neg()?;
            Some(Constant { text: number.to_string(), number: Some(number) })
        }
        Expr::UnaryOp { op: UnaryOp::Decimal, expr } => {
            let Expr::Literal(Literal::String(text)) = &**expr else { return None };
            let number = ten_thousandths(text)?;
            Some(Constant { text: format!("decimal {number}"), number: Some(number) })
        }
        _ => None,
    }
}

/// A decimal literal × 10⁴.
fn ten_thousandths(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.')?;
    let magnitude: i128 = format!("{whole}{fraction:0<4}").parse().ok().filter(|_| fraction.len() <= 4)?;
    Some(if negative { -magnitude } else { magnitude })
}
