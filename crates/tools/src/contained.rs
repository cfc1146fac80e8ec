//! The program inside the sandbox: one request from standard input, one answer to standard output.
//!
//! ```json
//! {"workspace": "/home/me/project", "tool": "read_file", "arguments": {"path": "src/main.rs"}}
//! {"ok": {"text": "fn main() {}\n", "details": {"more": false, …}}}
//! {"error": {"kind": "not_found", "message": "`src/main.rs` is not there"}}
//! ```

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use callgate_text::{Json, Object};

use crate::done::{self, Kind};
use crate::{Done, Fault, Work};

/// The longest request: a call of 1 MiB, and what its escapes may add.
const MOST_IN: usize = 8 << 20;

/// The longest answer that is believed.
pub const MOST_OUT: usize = 8 << 20;

/// The whole life of the contained program.
pub fn main() -> ExitCode {
    let mut bytes = Vec::new();
    let most = u64::try_from(MOST_IN).unwrap_or(u64::MAX).saturating_add(1);
    let result = match std::io::stdin().lock().take(most).read_to_end(&mut bytes) {
        Ok(_) => run(&bytes),
        Err(error) => Err(Fault::new(Kind::Failed, format!("the request cannot be read: {error}"))),
    };
    match std::io::stdout().lock().write_all(&done::to_json(&result).canonical()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// What the contained program makes of its standard input.
///
/// # Errors
/// Why nothing was done.
pub fn run(request: &[u8]) -> Result<Done, Fault> {
    let (workspace, work) = read(request)?;
    work.run(&workspace)
}

/// The request for [`main`].
pub fn request(workspace: &Path, tool: &str, arguments: Option<&Object>) -> Option<Vec<u8>> {
    let request = Json::object([
        ("workspace", Json::from(workspace.to_str()?)),
        ("tool", Json::from(tool)),
        ("arguments", Json::Object(arguments.cloned().unwrap_or_default())),
    ]);
    Some(request.canonical())
}

/// Reads what [`main`] wrote; nothing if it is anything else.
pub fn answer(bytes: &[u8]) -> Option<Result<Done, Fault>> {
    done::from_json(Json::parse_within(bytes, MOST_OUT).ok()?)
}

fn read(bytes: &[u8]) -> Result<(PathBuf, Work), Fault> {
    let malformed = || Fault::invalid("the request is not one");
    let Ok(Json::Object(mut request)) = Json::parse_within(bytes, MOST_IN) else { return Err(malformed()) };
    let (Some(Json::String(workspace)), Some(Json::String(tool)), Some(Json::Object(arguments))) =
        (request.remove("workspace"), request.remove("tool"), request.remove("arguments"))
    else {
        return Err(malformed());
    };
    if !request.is_empty() || !workspace.starts_with('/') {
        return Err(malformed());
    }
    let work = Work::of(&tool, Some(&arguments)).ok_or_else(malformed)??;
    Ok((workspace.into(), work))
}
