//! `callgate agent token|list|revoke`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use callgate_identity::Token;
use callgate_text::Json;

use crate::cli::Agent;
use crate::desk;
use crate::output::{Output, columns};

pub(crate) async fn run(output: &Output, agent: Agent) -> Result<ExitCode> {
    match agent {
        Agent::Token { name, out, place } => {
            let out = out.unwrap_or_else(|| PathBuf::from(format!("{name}.token")));
            if out.exists() {
                bail!("{} exists already; choose another file with --out", out.display());
            }
            let made = desk::ask(&place, "agent_token", Json::object([("agent", name.as_str())])).await?;
            let word = |key| made.get(key).and_then(Json::as_str).context("a credential without its parts");
            let (id, token) = (word("id")?, word("token")?);
            if let Err(error) = Token::parse(token)?.write_new(&out) {
                // A credential that nobody holds is not left behind.
                desk::ask(&place, "agent_revoke", Json::object([("id", id)])).await?;
                return Err(error.into());
            }
            let json = Json::object([("agent", name.as_str()), ("id", id), ("file", &out.display().to_string())]);
            output.print(&json, |_| format!("{} is a credential of {name}; only you can read it", out.display()));
        }
        Agent::List { place } => {
            let listed = desk::ask(&place, "agent_list", Json::Null).await?;
            output.print(&listed, |_| {
                let rows = listed.get("credentials").and_then(Json::as_array).unwrap_or_default();
                let word = |row: &Json, key| row.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
                let rows: Vec<_> =
                    rows.iter().map(|row| ["id", "agent", "created"].map(|key| word(row, key))).collect();
                if rows.is_empty() { "no credentials".to_owned() } else { columns(&rows, |_, _, cell| cell.to_owned()) }
            });
        }
        Agent::Revoke { id, place } => {
            let revoked = desk::ask(&place, "agent_revoke", Json::object([("id", id.as_str())])).await?;
            output.print(&revoked, |_| format!("{id} is revoked; its next call is denied"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
