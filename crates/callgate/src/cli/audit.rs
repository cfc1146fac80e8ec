//! The words of `callgate audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Place;

/// Where a log is, for commands that only read it.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogPlace {
    #[command(flatten)]
    pub(crate) place: Place,
    /// A log directory to read in place of the gate's own: a copy, or what an auditor was given.
    #[arg(long, value_name = "DIR")]
    pub(crate) log: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show the newest records.
    Tail {
        /// How many.
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: u64,
        #[command(flatten)]
        log: LogPlace,
    },
    /// Show one record, with what is disclosed about it.
    Show {
        /// The record's index.
        index: u64,
        #[command(flatten)]
        log: LogPlace,
    },
    /// Verify the whole log, offline: every record, the tree, the signatures.
    Verify {
        /// The log's public key (`audit key`). Without it the key beside the log is used, which proves
        /// nothing to somebody who did not make the log.
        #[arg(long, value_name = "VKEY")]
        key: Vec<String>,
        /// A checkpoint that was saved earlier: shows truncation and rollback.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        #[command(flatten)]
        log: LogPlace,
    },
    /// Write a C2SP tlog-proof of one record, which anybody can verify without the log.
    ///
    /// With --evidence, one file with the record, its proof and the values that you choose to open; everything
    /// else stays closed. Whoever gets it runs `callgate audit check`.
    Prove {
        /// The record's index.
        index: u64,
        /// The record and its proof in one file.
        #[arg(long)]
        evidence: bool,
        /// Open this value, as `audit show` names it (`argument:0`, `call`, …). Implies --evidence.
        #[arg(long, value_name = "NAME")]
        open: Vec<String>,
        /// Where to write it; standard output by default.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        log: LogPlace,
    },
    /// Check a proof or evidence that you were given: no log, no gate, no network.
    Check {
        /// What `audit prove` wrote.
        file: PathBuf,
        /// The record's exact bytes, for a bare tlog-proof; evidence holds them.
        #[arg(long, value_name = "FILE")]
        leaf: Option<PathBuf>,
        /// The log's public key, from whoever you trust to know it.
        #[arg(long, value_name = "VKEY", required = true)]
        key: Vec<String>,
    },
    /// Print all records as JSON lines, each with its origin and index.
    Export {
        /// The first index.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Disclosed values, too.
        #[arg(long)]
        disclose: bool,
        #[command(flatten)]
        log: LogPlace,
    },
    /// Erase what is disclosed about records: salts and values. The log still verifies.
    Erase {
        /// Of this agent.
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Of this session.
        #[arg(long, value_name = "ID")]
        session: Option<String>,
        /// Of this record.
        #[arg(long, value_name = "INDEX")]
        index: Option<u64>,
        #[command(flatten)]
        place: Place,
    },
    /// Summarise agents, tools, denials, policy changes and gaps; each line cites an index.
    Report {
        #[command(flatten)]
        log: LogPlace,
    },
    /// Print the log's public key, as C2SP verifiers take it.
    Key {
        /// Make a new key and sign with both, so that verifiers have time to learn it. Recorded.
        #[arg(long)]
        rotate: bool,
        /// Delete the key from before the last rotation. Recorded.
        #[arg(long, conflicts_with = "rotate")]
        retire: bool,
        #[command(flatten)]
        place: Place,
    },
}
