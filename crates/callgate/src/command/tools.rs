//! `callgate tools`: the gate's own tools as an MCP server, and the hidden word by which this program becomes what runs
//! contained.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use callgate_doors::mcp::{self, Limits, Serving};
use callgate_doors::socket::{Client, Greeting};
use callgate_identity::Token;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::ToolsAt;
use crate::output::complain;
use crate::place;
use crate::toolbox::WORK;

/// Whether this process was started to be the contained program.
pub(crate) fn is_contained() -> bool {
    std::env::args_os().nth(1).is_some_and(|word| word == WORK)
}

pub(crate) async fn run(at: &ToolsAt) -> Result<ExitCode> {
    if at.definitions {
        print!("{}", callgate_tools::pin());
        return Ok(ExitCode::SUCCESS);
    }
    let token = at.credential.as_deref().map(|path| Token::read(path).with_context(|| path.display().to_string()));
    let token = token.transpose()?.map(|token| token.secret().to_owned());
    let greeting = Greeting { token, door: Some("tools".parse()?), session: None };
    let gate = Client::new(place::socket(&at.place)?, greeting);
    if let Err(error) = gate.connect().await {
        // The door opens all the same: every call is denied with this reason until a gate runs.
        complain(&format!("callgate: {error}"));
    }
    let serving = Serving {
        server: callgate_tools::SERVER.parse()?,
        version: env!("CARGO_PKG_VERSION"),
        session: at.session.clone(),
        definitions: callgate_tools::definitions(),
        limits: Limits::default(),
    };
    let (input, output) = mcp::stdio();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    mcp::serve(serving, Arc::new(gate), input, output, stop).await;
    Ok(ExitCode::SUCCESS)
}
