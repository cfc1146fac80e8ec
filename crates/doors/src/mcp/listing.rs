//! What a list may show.

use callgate_core::seam::{Offer, OfferKind, Standing};
use callgate_core::{Code, Reason};
use callgate_text::Json;

use super::inspect::inspect;
use super::message::is_variant;
use super::session::Session;

/// The member of a list's result that holds the items.
pub(super) const fn member(kind: OfferKind) -> &'static str {
    match kind {
        OfferKind::Tool => "tools",
        OfferKind::Prompt => "prompts",
        OfferKind::Resource => "resources",
        OfferKind::Template => "resourceTemplates",
        OfferKind::Instructions => "instructions",
    }
}

/// The result of a list with nothing in it but what stands as shown; `None` if it may pass as it is.
///
/// What is pinned was reviewed as it is; all other text goes through `observe`.
///
/// # Errors
/// The reason for which nothing of it may be shown.
pub(super) async fn filtered(session: &Session, kind: OfferKind, result: &Json) -> Result<Option<Json>, Reason> {
    let member = member(kind);
    let not_a_list = || Reason::new(Code::ResultWithheld, "the server's answer is not a list");
    let object = result.as_object().ok_or_else(not_a_list)?;
    if object.iter().any(|(key, _)| is_variant(key, member)) {
        return Err(not_a_list());
    }
    let items = object.get(member).and_then(Json::as_array).ok_or_else(not_a_list)?;
    session.catalog.saw(kind, items);
    let shown = shown(session, kind, items).await?;
    let changed = shown.len() < items.len();

    let mut rest = object.clone();
    rest.set(member, Json::Array(if kind == OfferKind::Resource { shown.clone() } else { Vec::new() }));
    let rest = match inspect(&*session.gate, &Json::Object(rest.clone())).await? {
        Some(sanitised) => sanitised,
        None if !changed => return Ok(None),
        None => Json::Object(rest),
    };
    let Json::Object(mut rest) = rest else { return Err(not_a_list()) };
    if kind != OfferKind::Resource {
        rest.set(member, Json::Array(shown));
    }
    Ok(Some(Json::Object(rest)))
}

async fn shown(session: &Session, kind: OfferKind, items: &[Json]) -> Result<Vec<Json>, Reason> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let offers = items.iter().map(|item| Offer { kind, definition: item.clone() }).collect();
    let standing = session.gate.standing(session.server.clone(), offers).await?;
    if standing.len() != items.len() {
        return Err(Reason::new(Code::Internal, "the gate did not look at every offer"));
    }
    let shown = items.iter().zip(standing).filter(|(_, standing)| *standing == Standing::Shown);
    Ok(shown.map(|(item, _)| item.clone()).collect())
}
