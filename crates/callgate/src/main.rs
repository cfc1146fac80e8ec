//! The `callgate` binary: one small file per command.

mod assembly;
mod cli;
mod command;
mod demo;
mod desk;
mod exit;
mod host;
mod layers;
mod metrics;
mod output;
mod place;
mod proofs;
mod replaced;
mod system;
mod toolbox;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command};
use crate::output::Output;

fn main() -> ExitCode {
    // Before anything else: a launcher has one thread.
    if command::sandbox::is_launcher() {
        return callgate_sandbox::launcher::main();
    }
    if command::tools::is_contained() {
        return callgate_tools::contained::main();
    }
    if command::hook::is_asked() {
        return command::hook::main();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are what was asked for; everything else is wrong use.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => exit::USAGE.into(),
            };
        }
    };
    let output = Output::new(cli.format);
    // The gate serves many at once; every other command is one conversation, and faster on one thread.
    let mut builder = match cli.command {
        Command::Serve { .. } => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::from(error)),
    };
    let code = runtime.block_on(run(cli.command, &output)).unwrap_or_else(|error| failed(&error));
    // A command has ended; what still reads standard input in the background must not hold it up.
    runtime.shutdown_background();
    code
}

async fn run(command: Command, output: &Output) -> Result<ExitCode> {
    match command {
        Command::Init { dir, pack, workspace } => command::init::run(output, &dir, pack, workspace),
        Command::Serve { dir, state, socket, http } => command::serve::run(output, dir, state, socket, http).await,
        Command::Mcp { server, credential, timeout, place, command } => {
            command::mcp::run(&server, credential.as_deref(), timeout, &place, command).await
        }
        Command::Tools(at) => command::tools::run(&at).await,
        Command::Hook(_) => anyhow::bail!("`hook` must be the first word: callgate hook …"),
        Command::Install(at) => command::install::install(output, &at).await,
        Command::Uninstall(at) => command::install::uninstall(output, &at),
        Command::Doctor(at) => command::doctor::run(output, &at).await,
        Command::Decide { place } => command::decide::decide(output, &place).await,
        Command::Explain { place, command: Some(line), cwd } => command::shell::explain(output, &place, &line, cwd),
        Command::Explain { place, command: None, .. } => command::decide::explain(output, &place).await,
        Command::Policy(policy) => command::policy::run(output, policy).await,
        Command::Tool(tool) => command::tool::run(output, tool).await,
        Command::Agent(agent) => command::agent::run(output, agent).await,
        Command::Operator(operator) => command::operator::run(output, operator).await,
        Command::Audit(audit) => command::audit::run(output, audit).await,
        Command::Status { place } => command::status::run(output, &place).await,
        Command::Reload { place } => command::reload::run(output, &place).await,
        Command::Run(at) => Ok(command::run::run(output, &at).await),
        Command::Sandbox(sandbox) => command::sandbox::run(output, sandbox),
        Command::Demo { gate } => command::demo::run(output, gate.as_deref()).await,
        Command::Completions { shell } => {
            command::completions::run(shell);
            Ok(ExitCode::SUCCESS)
        }
        Command::DemoServer(server) => {
            demo::serve(&server.server, &server.journal, server.changed).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Prints the chain of causes. What went wrong here is never an allow.
fn failed(error: &anyhow::Error) -> ExitCode {
    output::complain(&format!("callgate: {error:#}"));
    exit::INTERNAL.into()
}
