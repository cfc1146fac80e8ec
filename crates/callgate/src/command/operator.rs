//! `callgate operator token|list|revoke`.

use std::process::ExitCode;

use anyhow::Result;
use callgate_text::Json;

use crate::cli::Operator;
use crate::output::Output;

use super::agent::{listed, made, revoked};

pub(crate) async fn run(output: &Output, operator: Operator) -> Result<ExitCode> {
    match operator {
        Operator::Token { out, place } => {
            let id = made(&place, "operator", Json::Null, &out).await?;
            let json = Json::object([("id", id.as_str()), ("file", &out.display().to_string())]);
            output.print(&json, |_| format!("{} is an operator's credential; only you can read it", out.display()));
        }
        Operator::List { place } => listed(output, &place, "operator", ["id", "created"]).await?,
        Operator::Revoke { id, place } => revoked(output, &place, "operator", &id).await?,
    }
    Ok(ExitCode::SUCCESS)
}
