//! Pagers and editors, which take commands of their own behind a `+`.

use super::super::walk::Act;
use super::super::{Argument, Dynamic, Effect};

/// `less +G file`: a place to go to, or a command: `!`, `|`, `v` and others run programs.
pub(super) fn pager(arguments: &[Argument], act: &mut Act) -> bool {
    act.filters = true;
    for argument in arguments {
        let text = argument.prefix();
        let Some(command) = text.strip_prefix('+') else {
            // Keys of one's own can run programs, too.
            if text.starts_with("--lesskey") || text.starts_with("-k") {
                runs(act);
            }
            continue;
        };
        let command = command.trim_start_matches('+');
        let goes =
            command.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'G' | b'g' | b'F' | b'p' | b'%'));
        let searches = command.starts_with(['/', '?']) && !command.contains(['\n', '\r']);
        if !(goes || searches) || argument.is_unknown() {
            runs(act);
        }
    }
    false
}

/// `vim +12 file`, `vim +/word file`: a place to go to, or a command.
pub(super) fn editor(arguments: &[Argument], act: &mut Act) -> bool {
    for argument in arguments {
        let Some(command) = argument.prefix().strip_prefix('+') else { continue };
        // Behind a bar stands another command.
        let goes = command.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b':'));
        let searches = command.starts_with('/') && !command.contains(['|', '\n']);
        if !(goes || searches) || argument.is_unknown() {
            runs(act);
        }
    }
    false
}

fn runs(act: &mut Act) {
    act.effect(Effect::Executes);
    act.dynamic(Dynamic::Code);
}
