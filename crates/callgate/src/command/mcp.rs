//! `callgate mcp`: a door in front of an MCP server that speaks over standard input and output.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use callgate_doors::mcp::{self, Limits, Relay};

use super::door;
use crate::cli::Place;

pub(crate) async fn run(
    server: &str,
    credential: Option<&Path>,
    timeout: Option<u64>,
    place: &Place,
    command: Vec<OsString>,
) -> Result<ExitCode> {
    if server == callgate_policy::SERVER {
        bail!("`{server}` is what policy calls the gate itself, its tools and what it runs; choose another --server");
    }
    let server = server.parse().context("--server")?;
    let gate = door::opened("mcp", credential, place).await?;
    let default = Limits::default();
    let limits = Limits { call: timeout.map(Duration::from_secs).or(default.call), ..default };
    let relay = Relay { server, session: None, command, limits };
    let (input, output) = mcp::stdio();
    let ended = mcp::relay(relay, gate, input, output, door::stop()?).await?;
    Ok(ExitCode::from(ended.code()))
}
