//! Other programs, and what the caller's variables make of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::{Try, fail};

pub(crate) fn attack(name: &str, words: &[&str]) -> Option<Try> {
    Some(match name {
        "variable" => variable(words.first().copied().unwrap_or("")),
        "run" => run(words),
        "run-copy" => run_copy(words.first().copied().unwrap_or("")),
        _ => return None,
    })
}

fn variable(name: &str) -> Try {
    match std::env::var(name) {
        Ok(value) => Ok(format!("{name} is {value}")),
        Err(error) => fail(&error.to_string()),
    }
}

/// What the program prints.
fn run(words: &[&str]) -> Try {
    let Some((program, rest)) = words.split_first() else { return fail("no program") };
    let output = Command::new(program).args(rest).stdin(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// This program from another place.
fn run_copy(path: &str) -> Try {
    fs::copy("/proc/self/exe", path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    let output = Command::new(path).arg("who").output()?;
    if output.stdout.starts_with(b"GOT") { Ok("it ran".to_owned()) } else { fail("it did not run") }
}
