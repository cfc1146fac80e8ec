//! `callgate mcp`: a door in front of an MCP server that speaks over standard input and output.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use callgate_doors::mcp::{self, Limits, Relay};
use callgate_doors::socket::{Client, Greeting};
use callgate_identity::Token;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Place;
use crate::output::complain;
use crate::place;

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
    let token = credential.map(|path| Token::read(path).with_context(|| path.display().to_string())).transpose()?;
    let token = token.map(|token| token.secret().to_owned());
    let greeting = Greeting { token, door: Some("mcp".parse()?), session: None };
    let gate = Client::new(place::socket(place)?, greeting);
    if let Err(error) = gate.connect().await {
        // The door opens all the same: every call is denied with this reason until a gate runs.
        complain(&format!("callgate: {error}"));
    }
    let default = Limits::default();
    let limits = Limits { call: timeout.map(Duration::from_secs).or(default.call), ..default };
    let relay = Relay { server, session: None, command, limits };
    let (input, output) = mcp::stdio();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let ended = mcp::relay(relay, Arc::new(gate), input, output, stop).await?;
    Ok(ExitCode::from(ended.code()))
}
