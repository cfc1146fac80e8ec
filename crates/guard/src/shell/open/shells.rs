//! `sh`, `bash` and their kin.

use super::super::walk::{Act, Nested, Walker};
use super::super::{Argument, Dynamic, Effect};

/// Options that take a value.
const VALUED: &[&str] = &["-o", "+o", "-O", "+O", "--rcfile", "--init-file"];

pub(super) fn shell(walker: &mut Walker<'_>, name: &str, arguments: &[Argument], act: &mut Act) {
    act.effect(Effect::Executes);
    let bash = name == "bash";
    let mut rest = arguments;
    let mut command = false;
    let mut standard = false;
    while let Some((first, more)) = rest.split_first() {
        let Some(text) = first.known() else {
            if first.prefix().is_empty() || first.prefix().starts_with('-') {
                act.dynamic(Dynamic::Argument);
            }
            break;
        };
        if text == "--" || text == "-" {
            rest = more;
            break;
        }
        if !text.starts_with(['-', '+']) {
            break;
        }
        rest = more;
        if VALUED.contains(&text) {
            if matches!(text, "--rcfile" | "--init-file")
                && let Some(file) = rest.first()
            {
                walker.run_file(file, act);
            }
            rest = rest.get(1..).unwrap_or_default();
        } else if !text.starts_with("--") {
            command |= text.contains('c') && text.starts_with('-');
            standard |= text.contains('s') && text.starts_with('-');
            // `-l` and `-i` read start files, which are the person's own; `-o` inside a cluster takes a value.
            if text.len() > 2 && text.ends_with(['o', 'O']) {
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    if command {
        let Some((script, more)) = rest.split_first() else { return };
        let positional = more.to_vec();
        let wrapper = format!("{name} -c");
        // Any shell but bash may read it otherwise.
        let text = script.clone();
        act.nested.push(Nested::Script { wrapper, text, bash, positional: Some(positional) });
        return;
    }
    match rest.first() {
        Some(file) if !standard => {
            if matches!(file.text(), "/dev/stdin" | "/proc/self/fd/0" | "/dev/fd/0") {
                act.nested.push(Nested::Standard { wrapper: name.to_owned(), bash });
            } else if file.text().starts_with("/dev/fd/") {
                // `bash <(…)`: what is printed is the script.
                act.dynamic(Dynamic::Input);
                walker.note_substituted_download(act);
            } else {
                walker.run_file(file, act);
                if file.is_unknown() {
                    act.dynamic(Dynamic::Code);
                }
            }
        }
        _ => act.nested.push(Nested::Standard { wrapper: name.to_owned(), bash }),
    }
}
