//! `callgate agent token|list|revoke`, and what credentials of every kind have in common.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use callgate_identity::Token;
use callgate_text::Json;

use crate::cli::{Agent, Place};
use crate::desk;
use crate::output::{Output, columns};

pub(crate) async fn run(output: &Output, agent: Agent) -> Result<ExitCode> {
    match agent {
        Agent::Token { name, out, place } => {
            let out = out.unwrap_or_else(|| PathBuf::from(format!("{name}.token")));
            let id = made(&place, "agent", Json::object([("agent", name.as_str())]), &out).await?;
            let json = Json::object([("agent", name.as_str()), ("id", &id), ("file", &out.display().to_string())]);
            output.print(&json, |_| format!("{} is a credential of {name}; only you can read it", out.display()));
        }
        Agent::List { place } => listed(output, &place, "agent", ["id", "agent", "created"]).await?,
        Agent::Revoke { id, place } => revoked(output, &place, "agent", &id).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a credential of this kind and writes it to `out`; its id.
pub(super) async fn made(place: &Place, kind: &str, body: Json, out: &Path) -> Result<String> {
    if out.exists() {
        bail!("{} exists already; choose another file with --out", out.display());
    }
    let made = desk::ask(place, &format!("{kind}_token"), body).await?;
    let word = |key| made.get(key).and_then(Json::as_str).context("a credential without its parts");
    let (id, token) = (word("id")?, word("token")?);
    if let Err(error) = Token::parse(token)?.write_new(out) {
        // A credential that nobody holds is not left behind.
        desk::ask(place, &format!("{kind}_revoke"), Json::object([("id", id)])).await?;
        return Err(error.into());
    }
    Ok(id.to_owned())
}

/// Lists the credentials of this kind.
pub(super) async fn listed<const N: usize>(output: &Output, place: &Place, kind: &str, shown: [&str; N]) -> Result<()> {
    let listed = desk::ask(place, &format!("{kind}_list"), Json::Null).await?;
    output.print(&listed, |_| {
        let rows = listed.get("credentials").and_then(Json::as_array).unwrap_or_default();
        let word = |row: &Json, key| row.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let rows: Vec<_> = rows.iter().map(|row| shown.map(|key| word(row, key))).collect();
        if rows.is_empty() { "no credentials".to_owned() } else { columns(&rows, |_, _, cell| cell.to_owned()) }
    });
    Ok(())
}

/// Revokes a credential of this kind.
pub(super) async fn revoked(output: &Output, place: &Place, kind: &str, id: &str) -> Result<()> {
    let revoked = desk::ask(place, &format!("{kind}_revoke"), Json::object([("id", id)])).await?;
    output.print(&revoked, |_| format!("{id} is revoked; its next use is denied"));
    Ok(())
}
