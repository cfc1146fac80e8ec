//! `git`: settings and addresses that run programs.

use super::super::table::Kind;
use super::super::walk::{Act, Walker};
use super::super::{Argument, Dynamic, Effect};

/// Settings whose value git runs, by the first part of their name, or by the last after a name of one's own.
const RUN: &[&str] = &[
    "core.pager",
    "core.editor",
    "sequence.editor",
    "core.sshcommand",
    "core.gitproxy",
    "core.fsmonitor",
    "core.askpass",
    "diff.external",
    "credential.helper",
    "gpg.program",
    "interactive.difffilter",
    "uploadpack.packobjectshook",
    "core.alternaterefscommand",
    "gpg.ssh.program",
    "gpg.x509.program",
    "sendemail.smtpserver",
    "pager",
    "man.viewer",
    "web.browser",
    "help.browser",
];
const RUN_IN: &[(&str, &str)] = &[
    ("pager.", ""),
    ("diff.", ".command"),
    ("diff.", ".textconv"),
    ("filter.", ".clean"),
    ("filter.", ".smudge"),
    ("filter.", ".process"),
    ("merge.", ".driver"),
    ("mergetool.", ".cmd"),
    ("difftool.", ".cmd"),
    ("browser.", ".cmd"),
    ("man.", ".cmd"),
    ("credential.", ".helper"),
    ("remote.", ".uploadpack"),
    ("remote.", ".receivepack"),
    ("guitool.", ".cmd"),
    ("trailer.", ".command"),
    ("trailer.", ".cmd"),
    ("gpg.", ".program"),
    ("tar.", ".command"),
    ("submodule.", ".update"),
];
/// Settings that lead git to other programs, files or hosts.
const TURN: &[&str] = &[
    "core.hookspath",
    "core.worktree",
    "init.templatedir",
    "include.path",
    "core.attributesfile",
    "http.proxy",
    "http.sslverify",
    "protocol.allow",
    "core.gitdir",
    "safe.directory",
    "http.sslcainfo",
    "core.repositoryformatversion",
];
const TURN_IN: &[(&str, &str)] = &[
    ("url.", ".insteadof"),
    ("url.", ".pushinsteadof"),
    ("includeif.", ".path"),
    ("protocol.", ".allow"),
    ("remote.", ".vcs"),
    ("remote.", ".proxy"),
    ("http.", ".proxy"),
    ("http.", ".sslverify"),
];

fn is_in(name: &str, listed: &[(&str, &str)]) -> bool {
    listed
        .iter()
        .any(|(head, tail)| name.len() > head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail))
}

/// A setting, given on the command line or written to a file.
fn setting(name: &str, value: &Argument, act: &mut Act) {
    let name = name.to_ascii_lowercase();
    if let Some(alias) = name.strip_prefix("alias.") {
        match value.known() {
            Some(text) => match text.strip_prefix('!') {
                Some(script) => act.script("git alias", Argument::literal(script), false),
                None => act.script("git alias", Argument::literal(format!("git {text}")), false),
            },
            None => act.dynamic(Dynamic::Code),
        }
        let _ = alias;
    } else if RUN.contains(&name.as_str()) || is_in(&name, RUN_IN) {
        match value.known() {
            Some("") => {}
            // A monitor of git's own, or none.
            Some("true" | "false" | "yes" | "no" | "on" | "off" | "0" | "1") if name == "core.fsmonitor" => {}
            Some(script) => {
                act.script("git", Argument::literal(script.trim_start_matches('!')), false);
                if name == "core.fsmonitor" {
                    // It runs with every command, and not where one looks for it.
                    act.effects(&[Effect::Hijacks, Effect::Executes]);
                }
            }
            None => act.dynamic(Dynamic::Code),
        }
    } else if TURN.contains(&name.as_str()) || is_in(&name, TURN_IN) {
        let harmless = name == "protocol.file.allow" || name == "core.hookspath" && value.known() == Some("/dev/null");
        if !harmless {
            act.effects(&[Effect::Hijacks, Effect::Executes]);
        }
    }
}

/// Reads git's own options; the rule reads what follows.
pub(super) fn git(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) -> bool {
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        let text = argument.prefix();
        match text {
            "-c" | "--config-env" if argument.known().is_some() => {
                let value = arguments.get(at);
                at += 1;
                match value.and_then(|value| value.prefix().split_once('=').map(|(name, _)| (name, value))) {
                    Some((name, value)) if text == "-c" => setting(name, &value.after(name.len() + 1), act),
                    Some((name, _)) => setting(name, &Argument::unknown(), act),
                    None => {
                        if value.is_some_and(Argument::is_unknown) {
                            act.dynamic(Dynamic::Code);
                        }
                    }
                }
            }
            "-C" => {
                if let Some(directory) = arguments.get(at) {
                    walker.enter_for_one(directory, act);
                }
                at += 1;
            }
            "--git-dir" | "--work-tree" | "--namespace" | "--super-prefix" => {
                if let Some(directory) = arguments.get(at) {
                    walker.role(Kind::Reads, directory, act);
                }
                at += 1;
            }
            _ if text.starts_with("--exec-path=") => act.effects(&[Effect::Hijacks, Effect::Executes]),
            _ if text.starts_with("--git-dir=") || text.starts_with("--work-tree=") => {
                let start = text.find('=').map_or(0, |at| at + 1);
                walker.role(Kind::Reads, &argument.after(start), act);
            }
            _ if text.starts_with('-') && argument.known().is_some() => {}
            _ => {
                at -= 1;
                break;
            }
        }
    }
    let rest = arguments.get(at..).unwrap_or_default();
    for argument in rest {
        let text = argument.text();
        // It then writes where the patch says.
        if text.starts_with("--uns") {
            act.dynamic(Dynamic::Path);
        }
        // `ext::sh -c …` is an address that runs a program.
        if let Some(script) = text.strip_prefix("ext::") {
            // With escapes of its own for blanks.
            act.script("git ext::", Argument::literal(script.replace("% ", " ")), false);
            act.dynamic(Dynamic::Code);
        } else if text.starts_with("fd::") {
            act.dynamic(Dynamic::Code);
        }
    }
    if rest.first().is_some_and(|first| first.known() == Some("clone"))
        && let Some(name) = rest.last().and_then(|last| cloned_into(last.known()?))
    {
        walker.role(Kind::Writes, &Argument::literal(name), act);
    }
    if rest.first().is_some_and(|first| first.known() == Some("clone")) {
        // `git clone -c core.hooksPath=…`: a setting of the new repository.
        for (nth, argument) in rest.iter().enumerate() {
            let value = match argument.prefix() {
                "-c" | "--config" => rest.get(nth + 1).cloned(),
                text if text.starts_with("--config=") => Some(argument.after("--config=".len())),
                text if text.starts_with("-c") => Some(argument.after(2)),
                _ => None,
            };
            if let Some((name, value)) =
                value.as_ref().and_then(|value| Some((value.prefix().split_once('=')?.0, value)))
            {
                setting(name, &value.after(name.len() + 1), act);
            }
        }
    }
    if let Some(rule) = walker.table.rule("git") {
        // What is before the subcommand has been read.
        let known = rest.first().is_none_or(|first| first.known().is_some());
        if !known {
            act.dynamic(Dynamic::Argument);
        }
        return walker.read(rule, "git", rest, act).is_ok();
    }
    true
}

/// The directory that a clone of `address` makes, if nobody says another.
fn cloned_into(address: &str) -> Option<&str> {
    if !address.contains(':') {
        return None;
    }
    let name = address.trim_end_matches('/').rsplit(['/', ':']).next()?;
    Some(name.strip_suffix(".git").unwrap_or(name)).filter(|name| !name.is_empty())
}

/// `git config name value`.
pub(super) fn config(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    let mut operands = Vec::new();
    let mut place = ".git/config";
    let mut reads = false;
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        match argument.known() {
            Some("--global") => place = "~",
            Some("--system") => place = "/etc/gitconfig",
            Some("-f" | "--file") => {
                if let Some(file) = arguments.get(at) {
                    walker.role(Kind::Changes, file, act);
                }
                place = "";
                at += 1;
            }
            Some(
                "--get" | "--get-all" | "--list" | "-l" | "--get-regexp" | "--get-urlmatch" | "--show-origin"
                | "--name-only",
            ) => {
                reads = true;
            }
            Some("--type" | "--default" | "--blob") => at += 1,
            Some("-e" | "--edit") => act.effect(Effect::Persists),
            Some(text) if text.starts_with('-') => {}
            Some("get" | "list") if operands.is_empty() => reads = true,
            Some("set" | "unset") if operands.is_empty() => {}
            _ => operands.push(argument),
        }
    }
    if reads || operands.len() < 2 {
        if operands.first().is_some_and(|name| name.text().starts_with("credential") || name.text().contains("token"))
            && reads
        {
            act.effect(Effect::ReadsCredentials);
        }
        return;
    }
    match place {
        "~" => {
            let file = Argument::literal(format!("{}/.gitconfig", walker.home));
            walker.role(Kind::Writes, &file, act);
        }
        "" => {}
        other => act.command.writes.extend(walker.scope.cwd().resolve(&Argument::literal(other)).0),
    }
    if let [name, value, ..] = operands.as_slice() {
        match name.known() {
            Some(name) => {
                let before = act.nested.len() + act.command.effects.len();
                setting(name, value, act);
                if act.nested.len() + act.command.effects.len() > before {
                    act.effect(Effect::Persists);
                }
            }
            None => act.dynamic(Dynamic::Argument),
        }
    }
}
