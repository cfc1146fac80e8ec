//! What the server offers now, as the door itself saw it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use callgate_core::Offered;
use callgate_core::seam::OfferKind;
use callgate_text::{Digest, Json};

use super::Limits;
use super::listing::member;
use super::own::Own;
use crate::outbox::Outbox;

/// The definitions of tools and prompts, the latest seen of each name.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    tools: Shelf,
    prompts: Shelf,
}

/// Names that are remembered; beyond them the list is read anew.
const MOST_SEEN: usize = 40_000;

/// What is offered by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// One definition.
    Once {
        /// The digest of its canonical form.
        digest: Digest,
        /// The definition itself, kept for prompts.
        definition: Option<Json>,
    },
    /// One list holds two different definitions of this name.
    Twice,
}

#[derive(Debug, Default)]
struct Shelf {
    state: Mutex<State>,
    refresh: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The server said that its list changed, or was never listed.
    stale: bool,
    /// Somebody reads the list: what is known is of before.
    listing: bool,
    items: BTreeMap<String, Seen>,
    failures: u64,
}

impl Catalog {
    /// Learns what the server can list, from its answer to `initialize`.
    pub(super) fn declare(&self, capabilities: Option<&Json>) {
        for (kind, name) in [(OfferKind::Tool, "tools"), (OfferKind::Prompt, "prompts")] {
            if capabilities.is_some_and(|capabilities| capabilities.get(name).is_some()) {
                self.expire(kind);
            }
        }
    }

    /// The server says that its list changed: the next question lists anew.
    pub(super) fn expire(&self, kind: OfferKind) {
        if let Some(shelf) = self.shelf(kind) {
            shelf.state().stale = true;
        }
    }

    /// Learns from a list that the server gave to the client.
    pub(super) fn saw(&self, kind: OfferKind, items: &[Json]) {
        if let Some(shelf) = self.shelf(kind) {
            let seen = read(kind, items);
            let mut state = shelf.state();
            state.items.extend(seen);
            if state.items.len() > MOST_SEEN {
                state.items.clear();
                state.stale = true;
            }
        }
    }

    /// Lists anew if that is due. Whatever goes wrong leaves nothing known, and the list due.
    ///
    /// `meta` is what the door's request says about itself, in the stateless era.
    pub(super) async fn refresh(
        &self,
        kind: OfferKind,
        (own, to_server): (&Own, &Outbox),
        limits: &Limits,
        meta: Option<&Json>,
    ) {
        let Some(shelf) = self.shelf(kind) else { return };
        let patience = limits.call.map_or(limits.listing, |call| call.min(limits.listing));
        let failures = shelf.state().failures;
        // First the lock, then the look: while somebody lists, what is known is not what is offered.
        let _one_at_a_time = shelf.refresh.lock().await;
        {
            let mut state = shelf.state();
            // Whoever waited for an attempt that failed does not try once more.
            if !state.stale || state.failures != failures {
                return;
            }
            // What changes from now on makes the list due again.
            state.stale = false;
            state.listing = true;
        }
        let mut attempt = Attempt { shelf, listed: None };
        let (method, member) = (method(kind), member(kind));
        match own.list(to_server, (method, member), meta, patience).await {
            Ok(items) => attempt.listed = Some(read(kind, &items)),
            Err(why) => tracing::warn!(method, why, "the server's list cannot be had; its calls are denied"),
        }
    }

    /// What is offered by this name, as far as is known.
    pub(super) fn offered(&self, kind: OfferKind, name: &str) -> Option<Seen> {
        self.shelf(kind)?.state().items.get(name).cloned()
    }

    /// What to bind a call of this tool to.
    pub(super) fn tool(&self, name: &str) -> Offered {
        let state = self.tools.state();
        match state.items.get(name) {
            Some(Seen::Once { digest, .. }) => Offered::Definition(*digest),
            Some(Seen::Twice) => Offered::Unsettled,
            None if state.stale => Offered::Unlisted,
            None => Offered::Nothing,
        }
    }

    /// Whether a decision about a tool that was offered like this still holds: nothing known contradicts it, and
    /// no change was announced. One that was made although the list could not be had stands on no definition.
    pub(super) fn stands(&self, name: &str, offered: Offered) -> bool {
        let due = {
            let state = self.tools.state();
            state.stale || state.listing
        };
        offered == Offered::Unlisted || !due && self.tool(name) == offered
    }

    fn shelf(&self, kind: OfferKind) -> Option<&Shelf> {
        match kind {
            OfferKind::Tool => Some(&self.tools),
            OfferKind::Prompt => Some(&self.prompts),
            OfferKind::Resource | OfferKind::Template | OfferKind::Instructions => None,
        }
    }
}

/// An attempt to list; one that is abandoned counts as failed.
struct Attempt<'a> {
    shelf: &'a Shelf,
    listed: Option<BTreeMap<String, Seen>>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut state = self.shelf.state();
        state.listing = false;
        match self.listed.take() {
            Some(items) => state.items = items,
            None => {
                state.items.clear();
                state.stale = true;
                state.failures = state.failures.wrapping_add(1);
            }
        }
    }
}

impl Shelf {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(kind: OfferKind, items: &[Json]) -> BTreeMap<String, Seen> {
    let mut read = BTreeMap::new();
    for item in items {
        let Some(name) = item.get("name").and_then(Json::as_str) else { continue };
        let digest = Digest::of(&item.canonical());
        let definition = (kind == OfferKind::Prompt).then(|| item.clone());
        let seen = Seen::Once { digest, definition };
        match read.get(name) {
            Some(before) if *before != seen => read.insert(name.to_owned(), Seen::Twice),
            _ => read.insert(name.to_owned(), seen),
        };
    }
    read
}

const fn method(kind: OfferKind) -> &'static str {
    match kind {
        OfferKind::Prompt => "prompts/list",
        _ => "tools/list",
    }
}
