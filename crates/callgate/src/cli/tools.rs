//! `callgate tools`.

use std::path::PathBuf;

use callgate_core::SessionId;
use clap::Args;

use super::Place;

#[derive(Debug, Args)]
pub(crate) struct ToolsAt {
    /// A file made by `callgate agent token`. Without it, the user's uid must be mapped to an agent.
    #[arg(long, value_name = "FILE")]
    pub(crate) credential: Option<PathBuf>,
    /// The host's session, if policy is to tell sessions apart.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<SessionId>,
    /// Print what the tools are, as tools/callgate.json of a gate directory pins them, and nothing else.
    #[arg(long)]
    pub(crate) definitions: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}
