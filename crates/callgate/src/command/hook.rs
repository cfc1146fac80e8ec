//! `callgate hook`: what a host starts for each event. Says one thing, whatever happens.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use callgate_doors::hook::claude_code::{self, Words};
use callgate_doors::hook::{Hook, MAX_BYTES, Reply};
use callgate_identity::Token;
use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command, HookAt};
use crate::place;

/// How long the gate may take; its own deadlines are shorter, and say more about what went wrong.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long everything may take, standard input included: well below the minute that the host waits. A host whose
/// timer fires may let the call run.
const LIMIT: Duration = Duration::from_secs(8);

/// Whether this process is a hook, however wrong the rest of its command line is.
pub(crate) fn is_asked() -> bool {
    std::env::args_os().nth(1).is_some_and(|word| word == "hook")
}

/// The whole process. Nothing in here ends it early: a panic, a hang and a wrong command line are denials.
pub(crate) fn main() -> ExitCode {
    // A panic is told by the denial that it becomes.
    std::panic::set_hook(Box::new(|_| {}));
    let words = within(LIMIT, run);
    // The host reads the exit code even if it does not read this.
    let _ = std::io::stdout().write_all(words.document.as_bytes());
    let _ = std::io::stdout().flush();
    if let Some(line) = &words.line {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    end(words.code)
}

/// Ends without waiting for whatever still runs.
#[expect(clippy::disallowed_methods, reason = "what hangs would hold up an orderly end; this process keeps no records")]
fn end(code: u8) -> ! {
    std::process::exit(code.into())
}

/// What `work` says, or that it said nothing in time or panicked.
fn within(limit: Duration, work: impl FnOnce() -> Words + Send + 'static) -> Words {
    let (said, heard) = mpsc::channel();
    let worker = std::thread::Builder::new().name("hook".to_owned()).spawn(move || {
        let _ = said.send(work());
    });
    let failed = |why: &str| {
        let why =
            format!("Callgate's hook {why}, so this call does not run. Tell the user; `callgate doctor` says more.");
        claude_code::words(&Reply::Deny(why))
    };
    match worker {
        Err(_) => failed("could not start"),
        Ok(_) => heard.recv_timeout(limit).unwrap_or_else(|error| match error {
            mpsc::RecvTimeoutError::Timeout => failed("got no answer in time"),
            mpsc::RecvTimeoutError::Disconnected => failed("failed"),
        }),
    }
}

fn run() -> Words {
    let at = match Cli::try_parse().map(|cli| cli.command) {
        Ok(Command::Hook(at)) => at,
        Ok(_) => return denied(&anyhow!("this is no hook")),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            return Words { document: error.render().to_string(), line: None, code: 0 };
        }
        Err(error) => {
            let text = error.render().to_string();
            return denied(&anyhow!("its command line is wrong: {}", text.lines().next().unwrap_or_default()));
        }
    };
    let reply = ask(&at).unwrap_or_else(|error| refusal(&error));
    claude_code::words(&if at.observe { watched(reply) } else { reply })
}

fn ask(at: &HookAt) -> Result<Reply> {
    let mut document = Vec::new();
    let most = u64::try_from(MAX_BYTES)? + 1;
    std::io::stdin().lock().take(most).read_to_end(&mut document).context("standard input")?;
    let heard = claude_code::read(&document).map_err(|why| anyhow!(why))?;
    let token = at.credential.as_deref().map(Token::read).transpose().context("--credential")?;
    let hook = Hook {
        host: claude_code::NAME.parse()?,
        socket: place::socket(&at.place)?,
        token: token.map(|token| token.secret().to_owned()),
        patience: PATIENCE,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(hook.reply(heard)))
}

fn denied(error: &anyhow::Error) -> Words {
    claude_code::words(&refusal(error))
}

fn refusal(error: &anyhow::Error) -> Reply {
    Reply::Deny(format!("Callgate's hook could not ask the gate: {error:#}. So this call does not run; tell the user."))
}

/// The operator lets this hook only watch: it denies nothing and ends nothing.
fn watched(reply: Reply) -> Reply {
    match reply {
        Reply::Deny(_) => Reply::Pass,
        Reply::Stop(why) | Reply::Unkept(why) => Reply::Tell(why),
        Reply::Pass | Reply::Tell(_) | Reply::Remark(_) => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_denial(words: &Words) -> bool {
        words.code == 2 && words.line.is_some() && words.document.contains(r#""permissionDecision":"deny""#)
    }

    #[test]
    fn a_panic_and_a_hang_are_denials() {
        std::panic::set_hook(Box::new(|_| {}));
        assert!(is_denial(&within(Duration::from_secs(60), || panic!("as asked"))));
        let hangs = || {
            std::thread::park();
            claude_code::words(&Reply::Pass)
        };
        assert!(is_denial(&within(Duration::from_millis(50), hangs)));
        let passes = within(Duration::from_secs(60), || claude_code::words(&Reply::Pass));
        assert_eq!(passes, Words { document: "{}".to_owned(), line: None, code: 0 });
    }

    #[test]
    fn watching_denies_and_ends_nothing() {
        let text = || "why".to_owned();
        for reply in [Reply::Deny(text()), Reply::Stop(text()), Reply::Unkept(text()), Reply::Tell(text())] {
            let words = claude_code::words(&watched(reply));
            assert_eq!((words.code, words.line), (0, None));
            assert!(!words.document.contains("deny") && !words.document.contains("continue"), "{}", words.document);
        }
    }
}
