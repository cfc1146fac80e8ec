//! Why a permit did not open, in plain words: its conditions taken apart when the policy is loaded, and the
//! parts that failed put into sentences when a call is denied.

mod words;

use std::sync::Arc;

use callgate_core::Near;
use cedar_policy::pst::{BinaryOp, Clause, Expr, UnaryOp, Var};
use cedar_policy::{Entities, EvalResult, Expression, Request, eval_expression};

use crate::policies::Policy;
use words::{Phrase, Words};

/// A sentence is at most this long, in characters.
const LONGEST: usize = 300;
/// So many permits are looked at, so that no denial costs much more than an allowed call.
const MOST: usize = 64;

/// One part of what must hold.
#[derive(Debug)]
pub(crate) struct Conjunct {
    /// In Cedar, for `explain`.
    pub(crate) text: String,
    /// What is evaluated; `None` if the text of an expression is not one, then nothing is said about it.
    check: Option<Expression>,
    /// Whether it must be true (`when`) or false (`unless`).
    wanted: bool,
    /// Whether it asks who calls, and not what the call is.
    asks_who: bool,
    words: Words,
}

/// How a conjunct turned out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Holds,
    Fails,
    Error(String),
}

impl Conjunct {
    /// The parts of all clauses together.
    pub(crate) fn all(clauses: &[Clause]) -> Vec<Self> {
        let mut parts = Vec::new();
        for clause in clauses {
            match clause {
                Clause::When(expr) => flatten(expr, true, &mut parts),
                Clause::Unless(expr) => flatten(expr, false, &mut parts),
            }
        }
        parts.into_iter().map(|(expr, wanted)| Self::new(&expr, wanted)).collect()
    }

    fn new(expr: &Arc<Expr>, wanted: bool) -> Self {
        let cedar = expr.to_string();
        let text = if wanted { cedar.clone() } else { format!("!({cedar})") };
        Self { text, check: cedar.parse().ok(), wanted, asks_who: asks_who(expr), words: Words::of(expr, wanted) }
    }

    /// Whether the part holds for this request.
    pub(crate) fn evaluate(&self, request: &Request, entities: &Entities) -> Outcome {
        let Some(check) = &self.check else { return Outcome::Error("cannot be evaluated alone".to_owned()) };
        match eval_expression(request, entities, check) {
            Ok(EvalResult::Bool(truth)) if truth == self.wanted => Outcome::Holds,
            Ok(EvalResult::Bool(_)) => Outcome::Fails,
            Ok(_) => Outcome::Error("is not a truth value".to_owned()),
            Err(error) => Outcome::Error(error.to_string()),
        }
    }

    /// What failed: `amount 500 is above 100.00`.
    pub(crate) fn failure(&self, request: &Request, entities: &Entities) -> String {
        self.words.failed.say(request, entities)
    }

    /// What would hold: `amount ≤ 100.00`.
    pub(crate) fn wish(&self, request: &Request, entities: &Entities) -> String {
        self.words.wanted.say(request, entities)
    }
}

/// Whether the expression compares the caller itself, or looks at nothing but the caller.
fn asks_who(expr: &Arc<Expr>) -> bool {
    let is_principal = |expr: &Expr| matches!(expr, Expr::Var(Var::Principal));
    let bare = |expr: &Expr| match expr {
        Expr::BinaryOp { left, right, .. } if is_principal(left) || is_principal(right) => Some(true),
        Expr::Is { expr, .. } if is_principal(expr) => Some(true),
        _ => None,
    };
    let mentions = |wanted: Var| {
        let found = move |expr: &Expr| matches!(expr, Expr::Var(var) if *var == wanted).then_some(true);
        expr.reduce(&found, &|a, b| a || b, false)
    };
    expr.reduce(&bare, &|a, b| a || b, false) || (mentions(Var::Principal) && !mentions(Var::Context))
}

/// Takes `&&` apart where it must hold, and `||` where it must not.
fn flatten(expr: &Arc<Expr>, wanted: bool, parts: &mut Vec<(Arc<Expr>, bool)>) {
    match (&**expr, wanted) {
        (Expr::BinaryOp { op: BinaryOp::And, left, right }, true)
        | (Expr::BinaryOp { op: BinaryOp::Or, left, right }, false) => {
            flatten(left, wanted, parts);
            flatten(right, wanted, parts);
        }
        (Expr::UnaryOp { op: UnaryOp::Not, expr }, _) => flatten(expr, !wanted, parts),
        _ => parts.push((Arc::clone(expr), wanted)),
    }
}

/// The permit among `permits` (in order of file and place, all of whose heads admit the call) that came
/// closest. Permits that open by themselves come before those that ask a person, then fewest failed parts.
pub(crate) fn nearest<'a>(
    permits: impl Iterator<Item = &'a Policy>,
    request: &Request,
    entities: &Entities,
) -> Option<Near> {
    let weighed = permits.take(MOST).map(|permit| {
        let conjuncts = &permit.parsed.conjuncts;
        let failed: Vec<_> =
            conjuncts.iter().filter(|part| part.evaluate(request, entities) == Outcome::Fails).collect();
        (permit, failed)
    });
    // A permit that fails on who calls is somebody else's: what it allows is not this caller's to know.
    let own = weighed.filter(|(_, failed)| !failed.iter().any(|part| part.asks_who));
    let (permit, failed) =
        own.min_by_key(|(permit, failed)| (permit.parsed.annotations.approval.is_some(), failed.len()))?;
    let sentences: Vec<_> = failed.iter().map(|part| part.failure(request, entities)).collect();
    let message = match sentences.is_empty() {
        true => "its conditions do not hold".to_owned(),
        false => sentences.join("; "),
    };
    let wishes: Vec<_> = permit.parsed.conjuncts.iter().map(|part| part.wish(request, entities)).collect();
    let hint = format!("Allowed when {}.", wishes.join(" and "));
    let hint = match &permit.parsed.annotations.approval {
        Some(approval) => format!("{} {} must then approve it.", bounded(hint), approval.group),
        None => bounded(hint),
    };
    Some(Near {
        policy: permit.at.clone(),
        message: bounded(message),
        hint: Some(hint),
        disclose: permit.parsed.annotations.disclose,
    })
}

/// At most [`LONGEST`] characters.
fn bounded(text: String) -> String {
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// An error of Cedar's, short and without what hides or controls.
pub(crate) fn tidied(error: &str) -> String {
    bounded(words::visible(error, LONGEST))
}

/// Says nothing about a value but what policy compares; see [`words`].
impl Phrase {
    fn say(&self, request: &Request, entities: &Entities) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                words::Piece::Text(piece) => text.push_str(piece),
                words::Piece::Value(expression) => match expression {
                    Some(expression) => match eval_expression(request, entities, expression) {
                        Ok(value) => text.push_str(&words::shown(&value)),
                        Err(_) => text.push('?'),
                    },
                    None => text.push('?'),
                },
            }
        }
        text
    }
}
