//! What a condition asks of each thing that it looks at, where that can be decided for sure: to equal one of
//! some constants, to lie in a range, to be inside of something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::EntityUid;
use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp, Var};

use crate::value::{exclude, holds};

/// What must hold of one expression.
#[derive(Default)]
pub(crate) struct Limits {
    /// It must be one of these; `None`: anything.
    among: Option<BTreeSet<String>>,
    /// It must be none of these.
    not: BTreeSet<String>,
    /// Least and greatest value, in ten-thousandths for decimals.
    range: Option<(i128, i128)>,
    /// The values of `among` as numbers, where they are.
    numbers: BTreeMap<String, i128>,
    /// It must be inside one of each.
    inside: Vec<Vec<EntityUid>>,
    /// It must be inside none of these.
    outside: Vec<EntityUid>,
    /// It stands for all elements of a list. Where there are none it is inside of everything.
    common: bool,
}

impl Limits {
    /// What `conditions`, each with how it must turn out, ask of what they look at, by its text.
    pub(crate) fn collect<'a>(conditions: impl IntoIterator<Item = (&'a Arc<Expr>, bool)>) -> BTreeMap<String, Self> {
        let mut limits = BTreeMap::new();
        for (expr, wanted) in conditions {
            collect(expr, wanted, &mut limits);
        }
        limits
    }

    /// What it must be inside of: in each list, one.
    pub(crate) fn inside(&self) -> Vec<Vec<EntityUid>> {
        let among = self.among.as_ref().map(|values| values.iter().filter_map(|value| value.parse().ok()).collect());
        self.inside.iter().cloned().chain(among).collect()
    }

    /// What it must not be inside of.
    pub(crate) fn outside(&self) -> &[EntityUid] {
        &self.outside
    }

    /// Whether it must be one of some values, or inside of something.
    pub(crate) fn is_bounded(&self) -> bool {
        self.among.is_some() || !self.inside.is_empty()
    }

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

    /// Whether nothing can meet all of it.
    pub(crate) fn contradict(&self) -> bool {
        let (low, high) = self.range.unwrap_or((i128::MIN, i128::MAX));
        let possible = |value: &String| {
            !self.not.contains(value)
                && self.numbers.get(value).is_none_or(|number| (low..=high).contains(number))
                && value.parse().map_or(true, |uid: EntityUid| self.may_be(&uid))
        };
        low > high || self.among.as_ref().is_some_and(|values| !values.iter().any(possible)) || self.is_nowhere()
    }

    /// Whether the value `uid` may be where it must be.
    fn may_be(&self, uid: &EntityUid) -> bool {
        let inside = self.inside.iter().all(|places| places.iter().any(|place| holds(place, uid) != Some(false)));
        inside && !self.outside.iter().any(|place| holds(place, uid) == Some(true))
    }

    /// Whether there is no place where it may be.
    fn is_nowhere(&self) -> bool {
        let closed = |place: &EntityUid| self.outside.iter().any(|outside| holds(outside, place) == Some(true));
        let apart = |a: &[EntityUid], b: &[EntityUid]| a.iter().all(|a| b.iter().all(|b| exclude(a, b)));
        let mut pairs = self
            .inside
            .iter()
            .enumerate()
            .flat_map(|(index, places)| self.inside.iter().skip(index + 1).map(move |others| (places, others)));
        self.inside.iter().any(|places| !places.is_empty() && places.iter().all(closed))
            || (!self.common && pairs.any(|(places, others)| apart(places, others)))
    }
}

fn collect(expr: &Arc<Expr>, wanted: bool, limits: &mut BTreeMap<String, Limits>) {
    match (&**expr, wanted) {
        (Expr::BinaryOp { op: BinaryOp::And, left, right }, true)
        | (Expr::BinaryOp { op: BinaryOp::Or, left, right }, false) => {
            collect(left, wanted, limits);
            collect(right, wanted, limits);
            return;
        }
        (Expr::UnaryOp { op: UnaryOp::Not, expr }, _) => return collect(expr, !wanted, limits),
        (Expr::BinaryOp { op: BinaryOp::Contains, left, right }, true) => {
            if let Expr::Set(items) = &**left
                && let Some(values) = items.iter().map(|item| constant(item)).collect::<Option<Vec<_>>>()
            {
                let limits = limits.entry(right.to_string()).or_default();
                limits.numbers.extend(values.iter().filter_map(|value| Some((value.text.clone(), value.number?))));
                limits.one_of(values.into_iter().map(|value| value.text).collect());
            }
        }
        (Expr::BinaryOp { op: BinaryOp::In, left, right }, _) => place(left, right, wanted, limits),
        (Expr::Is { expr, in_expr: Some(places), .. }, true) => place(expr, places, true, limits),
        (Expr::BinaryOp { op, left, right }, _) => {
            let related = match (constant(right), constant(left)) {
                (Some(value), None) => Some((left, value, *op)),
                (None, Some(value)) => Some((right, value, mirrored(*op))),
                _ => None,
            };
            if let Some((subject, value, op)) = related {
                relate(limits.entry(subject.to_string()).or_default(), op, value, wanted);
            }
        }
        _ => {}
    }
    // Whatever it is, it cannot be true and false.
    limits.entry(expr.to_string()).or_default().one_of(BTreeSet::from([wanted.to_string()]));
}

/// `subject` must be inside one of `places`, or, if not `wanted`, inside none.
fn place(subject: &Expr, places: &Expr, wanted: bool, limits: &mut BTreeMap<String, Limits>) {
    let places: Option<Vec<EntityUid>> = match places {
        Expr::Set(items) => items.iter().map(|item| entity(item)).collect(),
        one => entity(one).map(|uid| vec![uid]),
    };
    let Some(places) = places else { return };
    let limits = limits.entry(subject.to_string()).or_default();
    limits.common = is_common(subject);
    match wanted {
        true => limits.inside.push(places),
        false => limits.outside.extend(places),
    }
}

/// Whether it is `context.common`, or something in it.
fn is_common(subject: &Expr) -> bool {
    match subject {
        Expr::GetAttr { expr, attr } => {
            (attr == "common" && matches!(**expr, Expr::Var(Var::Context))) || is_common(expr)
        }
        _ => false,
    }
}

fn entity(expr: &Expr) -> Option<EntityUid> {
    match expr {
        Expr::Literal(Literal::EntityUID(_)) => expr.to_string().parse().ok(),
        _ => None,
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
