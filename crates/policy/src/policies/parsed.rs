//! One policy's text, understood without regard to what surrounds it; so it can be kept over reloads.

use std::ops::Range;
use std::sync::Arc;

use cedar_policy::pst::{self, Clause, Expr};
use cedar_policy::{Effect, EntityUid, Policy, Template};
use miette::Diagnostic;

use super::{Annotations, Scope, split};
use crate::explain::Conjunct;
use crate::finding::Rule;
use crate::truth;

/// No policy may be longer.
const MAX_BYTES: usize = 64 << 10;

/// A policy without a place.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) cedar: Policy,
    pub(crate) effect: Effect,
    pub(crate) annotations: Annotations,
    pub(crate) scope: Scope,
    pub(crate) clauses: Vec<Clause>,
    always: bool,
    /// What must hold for the policy to be satisfied, part by part.
    pub(crate) conjuncts: Vec<Conjunct>,
    /// The text without comments and layout.
    pub(crate) canonical: String,
    /// Every entity that it names.
    pub(crate) literals: Vec<EntityUid>,
}

/// What is wrong with a policy's text.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) rule: Rule,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// Where, within the policy's text.
    pub(crate) part: Option<Range<usize>>,
    mark: Option<String>,
}

impl Fault {
    pub(crate) fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into(), help: None, part: None, mark: None }
    }

    pub(super) fn help(self, help: &str) -> Self {
        Self { help: Some(help.to_owned()), ..self }
    }

    /// It is about the first place of `mark` in the text.
    pub(super) fn marking(self, mark: &str) -> Self {
        Self { mark: Some(mark.to_owned()), ..self }
    }

    fn placed(self, text: &str) -> Self {
        let part = self.mark.as_ref().and_then(|mark| text.find(mark).map(|start| start..start + mark.len()));
        Self { part: self.part.or(part), ..self }
    }

    /// A diagnostic of Cedar's, with its place and advice.
    pub(crate) fn of(rule: Rule, diagnostic: &dyn Diagnostic) -> Self {
        let labels = diagnostic.labels().and_then(|mut labels| labels.next());
        let part = labels.as_ref().map(|label| label.offset()..label.offset().saturating_add(label.len()));
        let detail = labels.as_ref().and_then(|label| label.label()).map(|label| format!(": {label}"));
        Self {
            rule,
            message: format!("{diagnostic}{}", detail.unwrap_or_default()),
            help: diagnostic.help().map(|help| help.to_string()),
            part,
            mark: None,
        }
    }
}

impl Parsed {
    pub(crate) fn read(text: &str) -> Result<Self, Vec<Fault>> {
        if text.len() > MAX_BYTES || split::depth(text) > split::TOO_DEEP {
            let message = "the policy is too long or nests too deeply";
            let help = "split it, or move lists into attributes of entities";
            return Err(vec![Fault::new(Rule::TooLarge, message).help(help)]);
        }
        let cedar = Policy::parse(None, text).map_err(|errors| match Template::parse(None, text) {
            Ok(template) if template.slots().next().is_some() => {
                vec![Fault::new(Rule::Template, "the policy is a template").marking("?").placed(text)]
            }
            _ => {
                let faults = errors.iter().map(|error| Fault::of(Rule::Syntax, error));
                faults.collect()
            }
        })?;
        let internal = |error: pst::PstConstructionError| vec![Fault::new(Rule::Syntax, error.to_string())];
        let tree = cedar.to_pst().map_err(internal)?;
        let body = tree.body();
        let effect = cedar.effect();
        let placed = |faults: Vec<Fault>| faults.into_iter().map(|fault| fault.placed(text)).collect::<Vec<_>>();
        let annotations = Annotations::read(effect, body.annotations.iter()).map_err(placed)?;
        let clauses = body.clauses().clone();
        let conjuncts = Conjunct::all(&clauses);
        Ok(Self {
            effect,
            annotations,
            scope: Scope::of(&cedar),
            conjuncts,
            canonical: tree.to_string(),
            literals: cedar.entity_literals(),
            always: truth::always(&clauses),
            clauses,
            cedar,
        })
    }

    /// Whether it applies to everything in its scope: it has no conditions, or none that could fail.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.always
    }

    /// Its conditions, each with whether it must hold (`when`) or must not (`unless`).
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (&Arc<Expr>, bool)> {
        self.clauses.iter().map(|clause| match clause {
            Clause::When(expr) => (expr, true),
            Clause::Unless(expr) => (expr, false),
        })
    }
}
