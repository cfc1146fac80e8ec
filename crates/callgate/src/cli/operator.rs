//! `callgate operator …`.

use std::path::PathBuf;

use clap::Subcommand;

use super::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// Make a credential for whoever operates this gate over HTTP, and write it to a file that only you can read.
    ///
    /// It opens previews, status and metrics, which tell all of policy, and no call. Never give it to an agent.
    Token {
        /// The file to write. Never overwritten.
        #[arg(long, value_name = "FILE", default_value = "operator.token")]
        out: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// List the credentials that exist.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Revoke a credential; acts on the next request.
    Revoke {
        /// The credential's id, as `operator list` shows it.
        id: String,
        #[command(flatten)]
        place: Place,
    },
}
