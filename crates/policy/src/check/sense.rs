//! How the truth of an expression bears on whether the policy is satisfied.

use cedar_policy::pst::Expr;

use crate::truth::truth;

/// What more truth does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    /// True makes it more likely.
    With,
    /// True makes it less likely.
    Against,
    /// Either may.
    Either,
}

impl Sense {
    /// Of a condition that must hold (`when`) or must not (`unless`).
    pub(super) fn of(holds: bool) -> Self {
        if holds { Self::With } else { Self::Against }
    }

    pub(super) fn flipped(self) -> Self {
        match self {
            Self::With => Self::Against,
            Self::Against => Self::With,
            Self::Either => Self::Either,
        }
    }

    /// Of the test in `if … then … else …`, which has this sense: with a constant branch it is an `&&` or `||`.
    pub(super) fn of_test(self, then: &Expr, otherwise: &Expr) -> Self {
        match (truth(then), truth(otherwise)) {
            (Some(true), _) | (_, Some(false)) => self,
            (Some(false), _) | (_, Some(true)) => self.flipped(),
            _ => Self::Either,
        }
    }
}
