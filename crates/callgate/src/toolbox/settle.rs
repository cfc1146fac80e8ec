//! What a run changed: committed as a whole if policy decides so, otherwise discarded.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use callgate_core::{Completion, Gate, Outcome, Request};
use callgate_policy::COMMIT;
use callgate_sandbox::{Class, Journals, WriteSet, shown};
use callgate_text::{Digest, Json, Object};
use tokio::sync::Mutex;

use super::Allowed;

/// The most changes that are named in a reason.
const MOST_NAMED: usize = 10;

/// What became of the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// There were none.
    Nothing,
    /// So many are on the host now.
    Committed(usize),
    /// So many are gone, and why.
    Discarded(usize, String),
}

/// One commit at a time: each compares with what it finds.
#[derive(Debug)]
pub(super) struct Settling {
    turn: Arc<Mutex<()>>,
    journals: Journals,
}

impl Settling {
    /// Commits that keep their journals there.
    pub(super) fn new(journals: Journals) -> Self {
        Self { turn: Arc::default(), journals }
    }

    /// Takes back what an interrupted commit to `workspace` has left, before anything works on it.
    pub(super) async fn recover(&self, workspace: &Path) -> Result<(), String> {
        let (journals, workspace) = (self.journals.clone(), workspace.to_owned());
        match tokio::task::spawn_blocking(move || journals.recover(&workspace)).await {
            Ok(Ok(false)) => Ok(()),
            Ok(Ok(true)) => {
                tracing::warn!("a commit that was interrupted has been taken back");
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the workspace could not be looked at".to_owned()),
        }
    }

    /// Settles all changes of a run; those of a run that was cut short are discarded.
    pub(super) async fn settle(
        &self,
        gate: &Gate,
        allowed: &Allowed<'_>,
        sets: Vec<WriteSet>,
        may_commit: bool,
    ) -> Settled {
        let mut settled = Settled::Nothing;
        for set in sets {
            let count = set.changes().len();
            let one = match count {
                0 => Settled::Nothing,
                _ if !may_commit => Settled::Discarded(count, "it did not end by itself, or failed".to_owned()),
                _ => match self.commit(gate, allowed, set).await {
                    Ok(count) => Settled::Committed(count),
                    Err(why) => Settled::Discarded(count, why),
                },
            };
            settled = settled.and(one);
        }
        settled
    }

    async fn commit(&self, gate: &Gate, allowed: &Allowed<'_>, set: WriteSet) -> Result<usize, String> {
        let named = named(&set);
        let request = request(allowed, &set).ok_or("the workspace's path is no text")?;
        let changes = set.to_changes().map_err(|error| error.to_string())?;
        let answer = gate.decide_changes(allowed.door, allowed.caller, request, &changes).await;
        let Some(permit) = &answer.permit else {
            return Err(format!("{} {named}", answer.for_model()));
        };
        let (turn, journals) = (self.turn.clone().lock_owned().await, self.journals.clone());
        let committed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            // Policy has seen all classes.
            set.commit(&Class::ALL.into_iter().collect::<BTreeSet<_>>(), &journals)
        });
        let committed = match committed.await {
            Ok(committed) => committed.map_err(|error| format!("{error}")),
            Err(_) => Err("the commit failed".to_owned()),
        };
        let outcome = if committed.is_ok() { Outcome::Ok } else { Outcome::Error };
        let (id, permit) = (answer.id.clone(), permit.token().to_owned());
        let told = gate.complete(allowed.caller, Completion { id, permit, outcome, result: None, run: None }).await;
        if let Err(reason) = told {
            tracing::error!("the outcome of a commit was not recorded: {}", reason.message);
        }
        committed
    }
}

impl Settled {
    /// Of two folders: what went wrong goes before what went well.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, one) | (one, Self::Nothing) => one,
            (Self::Committed(a), Self::Committed(b)) => Self::Committed(a.saturating_add(b)),
            (Self::Discarded(a, why), Self::Discarded(b, _)) => Self::Discarded(a.saturating_add(b), why),
            (discarded @ Self::Discarded(..), Self::Committed(_)) => discarded,
            (Self::Committed(_), discarded @ Self::Discarded(..)) => discarded,
        }
    }
}

/// The changes that need a permit of their own, for the model.
fn named(set: &WriteSet) -> String {
    let special: Vec<String> = set
        .changes()
        .iter()
        .filter(|change| !change.classes.is_empty())
        .map(|change| {
            let classes: Vec<&str> = change.classes.iter().map(|class| class.as_str()).collect();
            format!("{} ({})", shown(&change.path), classes.join(", "))
        })
        .collect();
    let more = special.len().saturating_sub(MOST_NAMED);
    let mut text = special.into_iter().take(MOST_NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn request(allowed: &Allowed<'_>, set: &WriteSet) -> Option<Request> {
    let mut arguments = Object::default();
    arguments.set("folder", set.folder().to_str()?);
    arguments.set("write_set", set.digest());
    Some(Request {
        tool: COMMIT.parse().ok()?,
        session: allowed.request.session.clone(),
        original: Digest::of(&Json::Object(arguments.clone()).canonical()),
        arguments: Some(arguments),
        members: Object::default(),
        cwd: None,
        offered: None,
        host_call: None,
    })
}
