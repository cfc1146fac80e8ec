//! What runs inside, and attacks. `callgate-attacker NAME [WORD…]` tries one thing and prints `GOT` and what it got, or
//! `NO` and the error. Whether it is to be believed is for the test outside to say.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "an attacker that stops has failed")]
#![allow(unsafe_code, reason = "attacks are raw system calls")]

mod bombs;
mod cost;
mod facts;
mod files;
mod kernel;
mod neighbours;
mod network;
mod processes;
mod programs;
mod workspace;

use std::io;
use std::process::ExitCode;

/// What an attack yields: evidence, or what stopped it.
type Try = io::Result<String>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let name = words.get(1).map_or("", |name| name.as_str());
    let rest: Vec<&str> = words.iter().skip(2).map(|word| word.as_str()).collect();
    let known = files::attack(name, &rest)
        .or_else(|| processes::attack(name, &rest))
        .or_else(|| network::attack(name, &rest))
        .or_else(|| kernel::attack(name, &rest))
        .or_else(|| bombs::attack(name, &rest))
        .or_else(|| workspace::attack(name, &rest))
        .or_else(|| programs::attack(name, &rest))
        .or_else(|| neighbours::attack(name, &rest))
        .or_else(|| facts::attack(name, &rest))
        .or_else(|| cost::attack(name, &rest));
    match known {
        Some(Ok(evidence)) => {
            println!("GOT {evidence}");
            ExitCode::SUCCESS
        }
        Some(Err(error)) => {
            println!("NO {error}");
            ExitCode::from(1)
        }
        None => {
            println!("UNKNOWN {name}");
            ExitCode::from(64)
        }
    }
}

/// A raw system call.
fn call(number: i64, arguments: &[u64]) -> io::Result<i64> {
    let word = |index: usize| arguments.get(index).copied().unwrap_or(0);
    // SAFETY: the arguments are numbers, or addresses of things that the caller keeps alive over the call.
    let result = unsafe { libc::syscall(number, word(0), word(1), word(2), word(3), word(4), word(5)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The call went past whatever might filter it, to the kernel's own checks: any answer but the two of a filter.
fn reached(result: io::Result<i64>) -> Try {
    match result {
        Ok(value) => Ok(value.to_string()),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS | libc::EACCES)) => Err(error),
        Err(error) => Ok(format!("past the filter: {error}")),
    }
}

/// Just the number.
fn got(result: io::Result<i64>) -> Try {
    result.map(|value| value.to_string())
}

fn address<T: ?Sized>(of: *const T) -> u64 {
    of.cast::<u8>() as u64
}

fn fail<T>(why: &str) -> io::Result<T> {
    Err(io::Error::other(why))
}
