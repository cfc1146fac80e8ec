//! What runs only if something before it succeeded or failed, or any number of times.

use super::super::Refusal;
use super::super::ast::{AndOr, Join, List, Node, Part, Pipeline, Simple, Value, Word};
use super::super::cwd::Cwd;
use super::super::scope::{Changes, Variable};
use super::{Flow, Walker};

/// Loops over at most this many words are followed turn by turn.
const TURNS: usize = 64;
/// How often a loop is followed until nothing new is learnt.
const ROUNDS: usize = 4;

impl Walker<'_> {
    /// `a && b || c`. A `cd` that failed leaves the directory as it was, which matters to what comes behind.
    pub(super) fn chain(&mut self, item: &AndOr) -> Result<Flow, Refusal> {
        let mut flow = self.pipeline(&item.first)?;
        if item.rest.is_empty() {
            self.settle_cd(None);
            return Ok(flow);
        }
        let mut certain = always_succeeds(&item.first);
        let mark = self.scope.mark();
        // Behind the last `||`: what was before it is either way already.
        let mut recent = mark;
        let mut failed: Option<Cwd> = None;
        for (join, pipeline) in &item.rest {
            let here = self.cd_failed.take().unwrap_or_else(|| self.scope.cwd().clone());
            let start = match failed.take() {
                Some(failed) => failed.or(here),
                None => here,
            };
            match join {
                Join::And => {
                    if !certain {
                        failed = Some(start);
                    }
                    let next = self.pipeline(pipeline)?;
                    flow = Flow {
                        download: flow.download || next.download,
                        diverges: certain && next.diverges,
                        ..Flow::default()
                    };
                    certain = certain && always_succeeds(pipeline);
                }
                Join::Or => {
                    let done = self.scope.take_back(recent);
                    self.scope.merge(&[&done, &Changes::default()]);
                    self.scope.set_cwd(start);
                    let other = self.pipeline(pipeline)?;
                    self.settle_cd(None);
                    let otherwise = self.scope.take_back(recent);
                    if other.diverges {
                        self.scope.apply(done);
                    } else {
                        self.scope.merge(&[&done, &otherwise]);
                    }
                    recent = self.scope.mark();
                    flow = Flow { download: flow.download || other.download, ..Flow::default() };
                    certain = false;
                }
            }
        }
        let done = self.scope.take_back(mark);
        if certain {
            self.scope.apply(done);
        } else {
            self.scope.merge(&[&done, &Changes::default()]);
        }
        self.settle_cd(failed);
        Ok(flow)
    }

    /// Behind a command that may have failed to change the directory, it may be either.
    fn settle_cd(&mut self, failed: Option<Cwd>) {
        for other in self.cd_failed.take().into_iter().chain(failed) {
            let either = self.scope.cwd().clone().or(other);
            if either != *self.scope.cwd() {
                self.scope.set_cwd(either);
            }
        }
    }

    pub(super) fn conditional(&mut self, arms: &[(List, List)], otherwise: Option<&List>) -> Result<Flow, Refusal> {
        let mut branches = Vec::new();
        let mut download = false;
        let mut all_diverge = true;
        for (condition, body) in arms {
            self.list(condition)?;
            let (flow, changes) = self.apart(|walker| walker.list(body))?;
            download |= flow.download;
            all_diverge &= flow.diverges;
            if !flow.diverges {
                branches.push(changes);
            }
        }
        let (flow, changes) = match otherwise {
            Some(list) => self.apart(|walker| walker.list(list))?,
            None => (Flow::default(), Changes::default()),
        };
        all_diverge &= flow.diverges;
        if !flow.diverges {
            branches.push(changes);
        }
        self.scope.merge(&branches.iter().collect::<Vec<_>>());
        Ok(Flow { download: download || flow.download, diverges: all_diverge, ..Flow::default() })
    }

    /// Follows a body that may run any number of times, until another time would say nothing new.
    pub(super) fn repeat(&mut self, body: impl Fn(&mut Self) -> Result<Flow, Refusal>) -> Result<Flow, Refusal> {
        let mut download = false;
        for _ in 0..ROUNDS {
            let (flow, changes) = self.apart(&body)?;
            download |= flow.download;
            if changes.is_empty() || !self.scope.merge(&[&changes, &Changes::default()]) {
                break;
            }
        }
        Ok(Flow { download, ..Flow::default() })
    }

    pub(super) fn for_each(&mut self, name: &str, words: Option<&[Word]>, body: &List) -> Result<Flow, Refusal> {
        let values = match words {
            Some(words) => Some(self.arguments(words)?),
            None => self.scope.positional().map(|all| all.as_ref().clone()),
        };
        self.flush_notes()?;
        let each = values.filter(|values| {
            values.len() <= TURNS
                && values.len() * 4 <= self.limits.commands_left()
                && values.iter().all(|value| !value.is_unknown())
        });
        let Some(each) = each else {
            return self.repeat(|walker| {
                walker.scope.set(name, Variable::Unknown);
                walker.list(body)
            });
        };
        let before = std::mem::replace(&mut self.left, false);
        let mut ends = vec![Changes::default()];
        let mut download = false;
        let mark = self.scope.mark();
        for value in each {
            self.scope.set(name, Variable::Scalar(value));
            let flow = self.list(body)?;
            download |= flow.download;
            if self.left {
                let end = self.scope.take_back(mark);
                ends.push(end.clone());
                self.scope.apply(end);
            }
        }
        if self.left {
            let end = self.scope.take_back(mark);
            ends.push(end);
            self.scope.merge(&ends.iter().collect::<Vec<_>>());
        }
        self.left = before;
        Ok(Flow { download, ..Flow::default() })
    }
}

/// Whether a pipeline is one that cannot fail.
fn always_succeeds(pipeline: &Pipeline) -> bool {
    match pipeline.commands.as_slice() {
        [only] if !pipeline.negated => match &**only {
            Node::Simple(Simple { assignments, words, redirects }) => {
                let plain = |word: &Word| word.0.iter().all(|part| matches!(part, Part::Bare(_) | Part::Quoted(_)));
                redirects.is_empty()
                    && match words.as_slice() {
                        [] => assignments.iter().all(|assignment| match &assignment.value {
                            Value::Scalar(word) => plain(word),
                            Value::Array(words) => words.iter().all(plain),
                        }),
                        [word] => matches!(word.bare(), Some(":" | "true")),
                        _ => false,
                    }
            }
            _ => false,
        },
        _ => false,
    }
}
