//! `callgate tools`: the gate's own tools as an MCP server, and the hidden word by which this program becomes what runs
//! contained.

use std::process::ExitCode;

use anyhow::Result;
use callgate_doors::mcp::{self, Limits, Serving};

use super::door;
use crate::cli::ToolsAt;
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
    let gate = door::opened("tools", at.credential.as_deref(), &at.place).await?;
    let serving = Serving {
        server: callgate_tools::SERVER.parse()?,
        version: env!("CARGO_PKG_VERSION"),
        session: at.session.clone(),
        definitions: callgate_tools::definitions(),
        limits: Limits::default(),
    };
    let (input, output) = mcp::stdio();
    mcp::serve(serving, gate, input, output, door::stop()?).await;
    Ok(ExitCode::SUCCESS)
}
