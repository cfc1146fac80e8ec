//! The words of the command line.

mod audit;
mod contained;
mod hosts;
mod operator;
mod tools;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use audit::{Audit, LogPlace};
pub(crate) use contained::{RunAt, Sandbox};
pub(crate) use hosts::{DoctorAt, HookAt, Host, InstallAt, Pack, UninstallAt};
pub(crate) use operator::Operator;
pub(crate) use tools::ToolsAt;

/// The gate that every tool call of an AI agent passes.
///
/// Callgate knows who calls, decides by policy whether this exact call may run, and leaves signed
/// proof. Nothing runs that policy does not permit, and nothing runs before its record is durable.
#[derive(Debug, Parser)]
#[command(name = "callgate", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// How to print: text for people, JSON for programs.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Start here:
  callgate demo                     two minutes: real calls, real denials, a verified log
  callgate init gate                write a gate directory to start from
  callgate policy check gate        find what is wrong with a policy before an agent does
  callgate serve gate               start the gate
  callgate agent token support-1    make a credential for an agent
  callgate mcp --server fs --credential support-1.token -- npx …    put the gate in front of a server

Exit codes: 0 allowed or fine, 1 a check failed, 2 denied, 3 a person must approve, 64 wrong use,
70 the gate itself failed (treat it as a denial).";

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs: one JSON document on standard output.
    Json,
}

/// Where a gate's configuration and state are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// The gate directory: callgate.toml, policies, tools, entities.toml.
    #[arg(long, value_name = "DIR", env = "CALLGATE_GATE", default_value = "gate")]
    pub(crate) gate: PathBuf,

    /// Where keys, log and socket are kept. The default is made from the gate directory's path, below
    /// the system's or the user's state directory.
    #[arg(long, value_name = "DIR", env = "CALLGATE_STATE")]
    pub(crate) state: Option<PathBuf>,

    /// The socket of the running gate, if it is not the one in the state directory.
    #[arg(long, value_name = "PATH", env = "CALLGATE_SOCKET")]
    pub(crate) socket: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a gate directory to start from.
    ///
    /// The directory passes `callgate policy check` and its own tests as it is written.
    Init {
        /// Where to write it. Existing files are never overwritten.
        #[arg(value_name = "DIR", default_value = "gate")]
        dir: PathBuf,
        /// A pack to start from, in place of the small example: what a host's or the gate's own tools are and may do.
        #[arg(long, value_enum, value_name = "PACK")]
        pack: Option<Pack>,
        /// With --pack, where files may be written; the current directory unless told.
        #[arg(long, value_name = "DIR", requires = "pack")]
        workspace: Option<PathBuf>,
    },
    /// Start the gate: the only process that opens its state.
    Serve {
        /// The gate directory.
        #[arg(value_name = "DIR", env = "CALLGATE_GATE", default_value = "gate")]
        dir: PathBuf,
        /// See `callgate decide --help`.
        #[arg(long, value_name = "DIR", env = "CALLGATE_STATE")]
        state: Option<PathBuf>,
        /// Where to listen, if not in the state directory.
        #[arg(long, value_name = "PATH", env = "CALLGATE_SOCKET")]
        socket: Option<PathBuf>,
        /// Listen for HTTP here, too, whatever `[http]` in callgate.toml says: a loopback address, like
        /// 127.0.0.1:7465. With port 0, one that is free; the answer at the start names it.
        #[arg(long, value_name = "ADDRESS")]
        http: Option<std::net::SocketAddr>,
    },
    /// Put the gate in front of an MCP server that speaks over standard input and output.
    ///
    /// Use it as the command of an MCP client's configuration, with the server's own command behind
    /// `--`. What policy permits passes unchanged; everything else is answered with the reason.
    Mcp {
        /// What policy calls this server; its tools are `<server>.<tool>`.
        #[arg(long, value_name = "NAME")]
        server: String,
        /// A file made by `callgate agent token`. Without it, the user's uid must be mapped to an agent.
        #[arg(long, value_name = "FILE")]
        credential: Option<PathBuf>,
        /// How long the server may leave a request without an answer and without progress, in seconds; then it is
        /// answered as timed out, and cancelled. 600 unless told.
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
        #[command(flatten)]
        place: Place,
        /// The server's command.
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
    /// Serve the gate's own tools to an MCP client: a terminal, files, a memory.
    ///
    /// Use it as the command of an MCP client's configuration. Nothing runs here: the running gate decides each call,
    /// and runs what it allows in the sandbox that policy chose.
    Tools(ToolsAt),
    /// What a coding agent's host starts before and after each tool call; `callgate install` sets it up.
    ///
    /// Reads the host's document from standard input and answers in the host's own words. Whatever goes wrong
    /// before a call is a denial: exit code 2, with the reason.
    Hook(HookAt),
    /// Put the gate into a coding agent's host: its hook, for every tool call.
    ///
    /// In the machine's settings, which only root can change, or with --user in this user's own. What was there is
    /// kept, and backed up once. Nothing is denied before you say `--mode enforce`.
    Install(InstallAt),
    /// Take the hook out of a host's settings again.
    Uninstall(UninstallAt),
    /// Prove that a host's door denies: the host itself makes calls that must not run.
    ///
    /// Exits 0 only if every one was denied by the gate, through the host's own hook, whatever switch was tried. The
    /// host's model is a stand-in on this machine; nothing leaves it.
    Doctor(DoctorAt),
    /// Decide one call, read from standard input, and record it.
    ///
    /// The call is `{"agent", "session"?, "tool", "arguments"?}`. Names given here are the operator's
    /// own: a door would take them from a credential. Exits 0 for allow, 2 for deny, 3 for escalate.
    Decide {
        #[command(flatten)]
        place: Place,
    },
    /// Show how a call would be decided, step by step, without recording anything.
    ///
    /// With --command: what a shell command would do, as policy sees it. Nothing is run, and no gate is needed; the
    /// gate directory's programs.toml counts, if there is one.
    Explain {
        #[command(flatten)]
        place: Place,
        /// A shell command, in place of a call on standard input.
        #[arg(long, value_name = "LINE")]
        command: Option<String>,
        /// With --command, where it starts; the current directory unless told.
        #[arg(long, value_name = "DIR", requires = "command")]
        cwd: Option<PathBuf>,
    },
    /// Check and test policies.
    #[command(subcommand)]
    Policy(Policy),
    /// Pin and compare what servers offer.
    #[command(subcommand)]
    Tool(Tool),
    /// Manage agents' credentials.
    #[command(subcommand)]
    Agent(Agent),
    /// Manage the operator's credentials, for previews, status and metrics over HTTP.
    #[command(subcommand)]
    Operator(Operator),
    /// Read, verify and export the signed log.
    #[command(subcommand)]
    Audit(Audit),
    /// Show what the running gate enforces; exits 1 if its policy, log or disk is not well.
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// Make the running gate take the policy that is on disk now, all of it or nothing.
    Reload {
        #[command(flatten)]
        place: Place,
    },
    /// Run anything contained: a tool, a build, a whole coding agent.
    ///
    /// It works on a copy of the workspace, without a network, with nothing else of the host in sight. At the end its
    /// changes are committed as a whole, unless one of them needs a permit. Exits as the program did; 124 if its time
    /// ran out, 125 if a limit ended it, 2 if it was denied or its changes were not committed, 70 if it could not be
    /// contained. With --format json, the last line on standard error says which.
    Run(RunAt),
    /// What this machine offers to contain a tool, and the profiles.
    #[command(subcommand)]
    Sandbox(Sandbox),
    /// Show the gate at work: real servers, real clients, real denials, and the log verified.
    Demo {
        /// A gate directory to use in place of the built-in quickstart.
        #[arg(long, value_name = "DIR")]
        gate: Option<PathBuf>,
    },
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// The demo's small MCP server.
    #[command(hide = true)]
    DemoServer(DemoServer),
}

#[derive(Debug, Args)]
pub(crate) struct DemoServer {
    /// Which of the demo's servers.
    pub(crate) server: String,
    /// Where to note every call that really ran.
    #[arg(long)]
    pub(crate) journal: PathBuf,
    /// Offer one tool more and another one changed.
    #[arg(long)]
    pub(crate) changed: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Validate a gate directory and look for what cannot be meant.
    Check {
        /// The gate directory.
        #[arg(value_name = "DIR", env = "CALLGATE_GATE", default_value = "gate")]
        dir: PathBuf,
        /// Write gate.lock: from then on only these very files are loaded.
        #[arg(long)]
        lock: bool,
    },
    /// Run the tables in tests/*.toml.
    Test {
        /// The gate directory.
        #[arg(value_name = "DIR", env = "CALLGATE_GATE", default_value = "gate")]
        dir: PathBuf,
        /// Run again whenever a file changes.
        #[arg(long)]
        watch: bool,
        /// Write a JUnit report here.
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Start a server, show what is new or changed in what it offers, and pin it.
    Pin {
        /// What policy calls this server.
        #[arg(long, value_name = "NAME")]
        server: String,
        /// The gate directory.
        #[arg(long, value_name = "DIR", env = "CALLGATE_GATE", default_value = "gate")]
        gate: PathBuf,
        /// Only show the difference.
        #[arg(long)]
        dry_run: bool,
        /// The server's command.
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
    /// List what is pinned.
    List {
        /// The gate directory.
        #[arg(long, value_name = "DIR", env = "CALLGATE_GATE", default_value = "gate")]
        gate: PathBuf,
    },
    /// Compare what a server offers now with what is pinned; exits 1 if they differ.
    Diff {
        /// What policy calls this server.
        #[arg(long, value_name = "NAME")]
        server: String,
        /// The gate directory.
        #[arg(long, value_name = "DIR", env = "CALLGATE_GATE", default_value = "gate")]
        gate: PathBuf,
        /// The server's command.
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// Make a credential for an agent and write it to a file that only you can read.
    Token {
        /// The agent, as entities.toml names it.
        name: String,
        /// The file to write; the default is NAME.token. Never overwritten.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// List the credentials that exist.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Revoke a credential; acts on the next call.
    Revoke {
        /// The credential's id, as `agent list` shows it.
        id: String,
        #[command(flatten)]
        place: Place,
    },
}
