//! Programs that put what they read into other programs' arguments.

use super::super::walk::{Act, Nested, Walker};
use super::super::{Argument, Dynamic};

/// Options of `xargs` that take a value.
const VALUED: &[&str] = &["-I", "-i", "-n", "-P", "-L", "-l", "-s", "-d", "-E", "-a", "-J", "-R", "-S"];

pub(super) fn xargs(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    let mut rest = arguments;
    let mut replace: Option<String> = None;
    let mut whole_lines = false;
    while let Some((first, more)) = rest.split_first() {
        let Some(text) = first.known().filter(|text| text.starts_with('-')) else { break };
        rest = more;
        if text == "--" {
            break;
        }
        if matches!(text, "-0" | "--null") || text.starts_with("-d") || text.starts_with("--delimiter") {
            whole_lines = true;
        }
        if let Some(mark) = text.strip_prefix("--replace") {
            replace = Some(mark.strip_prefix('=').unwrap_or("{}").to_owned());
        }
        let short = text.get(..2).unwrap_or(text);
        let cluster_end = text.get(text.len().saturating_sub(1)..).unwrap_or_default();
        if VALUED.contains(&short) {
            let attached = text.get(2..).unwrap_or_default();
            let optional = matches!(short, "-i" | "-l");
            let value = if attached.is_empty() && !optional {
                let (value, behind) =
                    rest.split_first().map_or((None, rest), |(value, behind)| (value.known(), behind));
                rest = behind;
                value.unwrap_or_default().to_owned()
            } else {
                attached.to_owned()
            };
            if matches!(short, "-I" | "-i" | "-J") {
                replace = Some(if value.is_empty() { "{}".to_owned() } else { value });
                whole_lines = true;
            } else if short == "-a" {
                walker.role(super::super::table::Kind::Reads, &Argument::literal(value), act);
            }
        } else if !text.starts_with("--") && VALUED.contains(&format!("-{cluster_end}").as_str()) {
            // `-0n1`, `-0I {}`.
            let value = rest.first().and_then(Argument::known).unwrap_or_default().to_owned();
            rest = rest.get(1..).unwrap_or_default();
            if cluster_end == "I" {
                replace = Some(value);
                whole_lines = true;
            }
            whole_lines |= text.contains('0');
        } else if !text.starts_with("--") && text.contains('0') {
            whole_lines = true;
        }
    }
    let input = act.input.clone().unwrap_or_else(|| walker.input().clone());
    let items: Vec<Argument> = match (&input.text, input.names.as_slice()) {
        (Some(text), _) if !text.contains(['\'', '"', '\\']) => {
            let split: Vec<&str> =
                if whole_lines { text.lines().collect() } else { text.split_ascii_whitespace().collect() };
            split.into_iter().filter(|item| !item.is_empty()).map(Argument::literal).collect()
        }
        // A name with a blank in it is two arguments, of which nothing is known.
        (_, []) => vec![Argument::unknowns()],
        (_, names) => names.to_vec(),
    };
    let split_names = !whole_lines && input.text.is_none() && !input.names.is_empty();
    let argv = if rest.is_empty() { vec![Argument::literal("echo")] } else { rest.to_vec() };
    match replace {
        None => {
            let argv = argv.into_iter().chain(items).collect();
            act.nested.push(Nested::Argv {
                wrapper: "xargs".to_owned(),
                argv,
                assignments: Vec::new(),
                loose: split_names,
            });
        }
        Some(mark) if mark.is_empty() => act.dynamic(Dynamic::Argument),
        Some(mark) => {
            for item in items {
                let argv = argv.iter().map(|argument| replaced(argument, &mark, &item)).collect();
                act.nested.push(Nested::Argv {
                    wrapper: "xargs".to_owned(),
                    argv,
                    assignments: Vec::new(),
                    loose: false,
                });
            }
        }
    }
}

/// `argument` with `mark` replaced by `item`.
pub(super) fn replaced(argument: &Argument, mark: &str, item: &Argument) -> Argument {
    let Some(text) = argument.known().filter(|text| text.contains(mark)) else { return argument.clone() };
    let mut replaced = Argument::default();
    for (nth, piece) in text.split(mark).enumerate() {
        if nth > 0 {
            if item.is_glob() {
                replaced.push_pattern(item.text());
            } else {
                replaced.push_value(item);
            }
        }
        replaced.push(piece);
    }
    if text == mark { item.clone() } else { replaced }
}

/// `parallel command ::: arguments`: the command line is put together by rules of its own.
pub(super) fn parallel(arguments: &[Argument], act: &mut Act) {
    act.dynamic(Dynamic::Code);
    let command: Vec<Argument> = arguments
        .iter()
        .skip_while(|argument| argument.text().starts_with('-'))
        .take_while(|argument| !argument.text().starts_with(":::"))
        .cloned()
        .chain([Argument::unknowns()])
        .collect();
    if command.len() > 1 {
        act.argv("parallel", &command);
    }
}
