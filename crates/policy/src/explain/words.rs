//! Cedar expressions in plain words.

use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp, Var};
use cedar_policy::{EvalResult, Expression};

/// Values in sentences are at most this long, in characters.
const LONGEST: usize = 64;
/// So many alternatives are named.
const MOST: usize = 8;

/// What to say if an expression turns out wrong, and what was wanted.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) failed: Phrase,
    pub(super) wanted: Phrase,
}

/// Text with gaps for values that are known only when a call comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Phrase(pub(super) Vec<Piece>);

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(String),
    /// Evaluated when it is said.
    Value(Option<Expression>),
}

impl Phrase {
    fn text(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    fn and(mut self, text: &str) -> Self {
        self.0.push(Piece::Text(text.to_owned()));
        self
    }

    fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl Words {
    /// The words of `expr`, which must turn out as `wanted`.
    pub(super) fn of(expr: &Expr, wanted: bool) -> Self {
        match expr {
            Expr::UnaryOp { op: UnaryOp::Not, expr } => Self::of(expr, !wanted),
            Expr::UnaryOp { op: UnaryOp::IsEmpty, expr } => Self::state(name(expr), "is not empty", "is empty", wanted),
            Expr::UnaryOp { .. } | Expr::GetAttr { .. } => Self::state(name(expr), "is false", "is true", wanted),
            Expr::HasAttr { expr, attrs } => {
                let path: Vec<&str> = attrs.iter().map(|attr| attr.as_str()).collect();
                let owner = match &**expr {
                    Expr::GetAttr { expr, .. } if matches!(**expr, Expr::Var(_)) => String::new(),
                    Expr::Var(_) => String::new(),
                    _ => format!("{}.", name(expr)),
                };
                Self::state(clip(&format!("{owner}{}", path.join("."))), "is missing", "is given", wanted)
            }
            Expr::Like { expr, pattern } => {
                let pattern: String = pattern
                    .iter()
                    .map(|element| match element {
                        cedar_policy::pst::PatternElem::Char(character) => *character,
                        cedar_policy::pst::PatternElem::Wildcard => '*',
                    })
                    .collect();
                let pattern = clip(&pattern);
                Self::state(name(expr), &format!("does not match {pattern}"), &format!("matches {pattern}"), wanted)
            }
            Expr::Is { expr, entity_type, .. } => {
                Self::state(name(expr), &format!("is not a {entity_type}"), &format!("is a {entity_type}"), wanted)
            }
            Expr::BinaryOp { op, left, right } => Self::of_pair(*op, left, right, wanted, expr),
            _ => Self::verbatim(expr, wanted),
        }
    }

    fn of_pair(op: BinaryOp, left: &Arc<Expr>, right: &Arc<Expr>, wanted: bool, whole: &Expr) -> Self {
        match op {
            // `a || b` fails only if both do; `!(a && b)` only if both hold.
            BinaryOp::Or if wanted => Self::of(left, true).join(Self::of(right, true)),
            BinaryOp::And if !wanted => Self::of(left, false).join(Self::of(right, false)),
            BinaryOp::In => Self::state(
                name(left),
                &format!("is not in {}", places(right)),
                &format!("is in {}", places(right)),
                wanted,
            ),
            BinaryOp::Contains if is_constant(left) => Self::membership(right, left, wanted),
            BinaryOp::Contains => match constant(right) {
                Some(item) => {
                    Self::state(name(left), &format!("does not hold {item}"), &format!("holds {item}"), wanted)
                }
                None => {
                    let set = name(left);
                    Self::state(name(right), &format!("is not among {set}"), &format!("is among {set}"), wanted)
                }
            },
            BinaryOp::ContainsAll | BinaryOp::ContainsAny => {
                let amount = if op == BinaryOp::ContainsAll { "all" } else { "any" };
                let (one, other) = (name(left), described(right));
                Self::state(
                    one,
                    &format!("does not hold {amount} of {other}"),
                    &format!("holds {amount} of {other}"),
                    wanted,
                )
            }
            BinaryOp::HasTag => {
                let tag = described(right);
                Self::state(name(left), &format!("has no tag {tag}"), &format!("has the tag {tag}"), wanted)
            }
            BinaryOp::Eq | BinaryOp::NotEq => {
                let (subject, other) = if is_constant(left) { (right, left) } else { (left, right) };
                let equal = (op == BinaryOp::Eq) == wanted;
                let other = bound(other);
                let subject = Phrase::text(name(subject));
                let (is, is_not) =
                    (subject.clone().and(" is ").then(other.clone()), subject.and(" is not ").then(other));
                if equal { Self { failed: is_not, wanted: is } } else { Self { failed: is, wanted: is_not } }
            }
            _ => match order(op) {
                Some(order) => Self::comparison(order, left, right, wanted),
                None => Self::verbatim(whole, wanted),
            },
        }
    }

    /// `[…].contains(subject)`
    fn membership(subject: &Expr, set: &Expr, wanted: bool) -> Self {
        let set = described(set);
        Self::state(name(subject), &format!("is not {set}"), &format!("is {set}"), wanted)
    }

    fn comparison(order: Order, left: &Arc<Expr>, right: &Arc<Expr>, wanted: bool) -> Self {
        let order = if wanted { order } else { order.negated() };
        let (order, subject, limit) =
            if is_constant(left) { (order.mirrored(), right, left) } else { (order, left, right) };
        let (fails, sign) = match order {
            Order::Less => (" is not below ", " < "),
            Order::LessEqual => (" is above ", " ≤ "),
            Order::Greater => (" is not above ", " > "),
            Order::GreaterEqual => (" is below ", " ≥ "),
        };
        let (who, limit) = (name(subject), bound(limit));
        let value = Phrase(vec![Piece::Value(compiled(subject))]);
        Self {
            failed: Phrase::text(format!("{who} ")).then(value).and(fails).then(limit.clone()),
            wanted: Phrase::text(who).and(sign).then(limit),
        }
    }

    fn state(subject: String, not: &str, is: &str, wanted: bool) -> Self {
        let (failed, hoped) = if wanted { (not, is) } else { (is, not) };
        Self { failed: Phrase::text(format!("{subject} {failed}")), wanted: Phrase::text(format!("{subject} {hoped}")) }
    }

    fn verbatim(expr: &Expr, wanted: bool) -> Self {
        let text = clip(&expr.to_string());
        let (failed, hoped) = if wanted { ("does not hold", "holds") } else { ("holds", "does not hold") };
        Self { failed: Phrase::text(format!("`{text}` {failed}")), wanted: Phrase::text(format!("`{text}` {hoped}")) }
    }

    /// Either would have done.
    fn join(self, other: Self) -> Self {
        Self {
            failed: self.failed.and(" and ").then(other.failed),
            wanted: Phrase::text("(").then(self.wanted).and(" or ").then(other.wanted).and(")"),
        }
    }
}

#[derive(Clone, Copy)]
enum Order {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Order {
    fn negated(self) -> Self {
        match self {
            Self::Less => Self::GreaterEqual,
            Self::LessEqual => Self::Greater,
            Self::Greater => Self::LessEqual,
            Self::GreaterEqual => Self::Less,
        }
    }

    fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
        }
    }
}

fn order(op: BinaryOp) -> Option<Order> {
    match op {
        BinaryOp::Less | BinaryOp::DecimalLessThan => Some(Order::Less),
        BinaryOp::LessEq | BinaryOp::DecimalLessEq => Some(Order::LessEqual),
        BinaryOp::Greater | BinaryOp::DecimalGreater => Some(Order::Greater),
        BinaryOp::GreaterEq | BinaryOp::DecimalGreaterEq => Some(Order::GreaterEqual),
        _ => None,
    }
}

/// What a person calls what an expression stands for: `context.input.amount` is `amount`.
fn name(expr: &Expr) -> String {
    match expr {
        Expr::Var(Var::Principal) => "the agent".to_owned(),
        Expr::Var(Var::Action) => "the tool".to_owned(),
        Expr::Var(Var::Resource) => "the server".to_owned(),
        Expr::Var(Var::Context) => "the call".to_owned(),
        Expr::GetAttr { expr: owner, attr } => match &**owner {
            Expr::Var(_) => clip(attr),
            Expr::GetAttr { expr: inner, .. } if matches!(**inner, Expr::Var(_)) => clip(attr),
            Expr::GetAttr { .. } => clip(&format!("{}.{attr}", name(owner))),
            _ => clip(attr),
        },
        Expr::BinaryOp { op: BinaryOp::GetTag, left, right } => clip(&format!("{}.{}", name(left), described(right))),
        other => constant(other).unwrap_or_else(|| format!("`{}`", clip(&other.to_string()))),
    }
}

/// A literal, or a set or extension value made of literals.
fn is_constant(expr: &Expr) -> bool {
    constant(expr).is_some()
}

fn constant(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(Literal::Bool(flag)) => Some(flag.to_string()),
        Expr::Literal(Literal::Long(long)) => Some(long.to_string()),
        Expr::Literal(Literal::String(text)) => Some(clip(text)),
        Expr::Literal(Literal::EntityUID(uid)) => Some(clip(&uid.eid)),
        Expr::UnaryOp { op: UnaryOp::Decimal | UnaryOp::Datetime | UnaryOp::Duration | UnaryOp::Ip, expr } => {
            constant(expr)
        }
        Expr::UnaryOp { op: UnaryOp::Neg, expr } => constant(expr).map(|text| format!("-{text}")),
        Expr::Set(items) => {
            let items: Vec<_> = items.iter().map(|item| constant(item)).collect::<Option<_>>()?;
            Some(alternatives(&items))
        }
        _ => None,
    }
}

/// `a`, `a or b`, `a, b or c`
fn alternatives(items: &[String]) -> String {
    let shown = items.get(..items.len().min(MOST)).unwrap_or(items);
    match shown {
        _ if items.len() > MOST => format!("{} or {} others", shown.join(", "), items.len() - MOST),
        [] => "anything of an empty list".to_owned(),
        [only] => only.clone(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}

fn described(expr: &Expr) -> String {
    constant(expr).unwrap_or_else(|| name(expr))
}

/// What something is in, each with its type: `Domain company.com`.
fn places(expr: &Expr) -> String {
    let place = |expr: &Expr| match expr {
        Expr::Literal(Literal::EntityUID(uid)) => format!("{} {}", uid.ty, clip(&uid.eid)),
        other => described(other),
    };
    match expr {
        Expr::Set(items) => alternatives(&items.iter().map(|item| place(item)).collect::<Vec<_>>()),
        other => place(other),
    }
}

/// What something is compared with: a constant as it was written, otherwise its value.
fn bound(expr: &Expr) -> Phrase {
    match constant(expr) {
        Some(text) => Phrase::text(text),
        None => Phrase::text(format!("{} ", name(expr))).then(Phrase(vec![Piece::Value(compiled(expr))])),
    }
}

fn compiled(expr: &Expr) -> Option<Expression> {
    expr.to_string().parse().ok()
}

/// A value as a person reads it.
pub(super) fn shown(value: &EvalResult) -> String {
    match value {
        EvalResult::Bool(flag) => flag.to_string(),
        EvalResult::Long(long) => long.to_string(),
        EvalResult::String(text) => clip(text),
        EvalResult::EntityUid(uid) => clip(uid.id().unescaped()),
        EvalResult::Set(items) => alternatives(&items.iter().map(shown).collect::<Vec<_>>()),
        EvalResult::Record(_) => "a record".to_owned(),
        EvalResult::ExtensionValue(text) => {
            let inner = text.split('"').nth(1).unwrap_or(text);
            let short = inner.trim_end_matches('0');
            clip(match text.starts_with("decimal(") {
                true => short.strip_suffix('.').unwrap_or(short),
                false => inner,
            })
        }
    }
}

/// At most [`LONGEST`] characters, none of which hides or controls.
fn clip(text: &str) -> String {
    visible(text, LONGEST)
}

/// At most `longest` characters, none of which hides or controls.
pub(super) fn visible(text: &str, longest: usize) -> String {
    let mut clipped = String::new();
    let mut count = 0;
    for character in text.chars() {
        if count >= longest {
            clipped.push('…');
            break;
        }
        let mut buffer = [0; 4];
        let alone: &str = character.encode_utf8(&mut buffer);
        if character.is_control() || callgate_text::reveal(alone).is_some() {
            clipped.extend(character.escape_unicode());
            count += 8;
        } else {
            clipped.push(character);
            count += 1;
        }
    }
    clipped
}
