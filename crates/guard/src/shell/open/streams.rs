//! Programs that put what they read into other programs' arguments.

use super::super::walk::{Act, Input, Nested, Walker};
use super::super::{Argument, Dynamic};

/// Options of `xargs` that take a value.
const VALUED: &[&str] = &["-I", "-i", "-n", "-P", "-L", "-l", "-s", "-d", "-E", "-a", "-J", "-R", "-S"];

pub(super) fn xargs(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    let mut rest = arguments;
    let mut replace: Option<String> = None;
    let mut whole_lines = false;
    // How many arguments, or lines of them, each command is given; all of them without an option that says so.
    let mut each: Option<usize> = None;
    let mut from_file = false;
    while let Some((first, more)) = rest.split_first() {
        let Some(text) = first.known().filter(|text| text.starts_with('-')) else { break };
        rest = more;
        if text == "--" {
            break;
        }
        if matches!(text, "-0" | "--null") || text.starts_with("-d") || text.starts_with("--delimiter") {
            whole_lines = true;
        }
        for (long, counts) in [("--max-args", true), ("--max-lines", true), ("--arg-file", false)] {
            let Some(value) = text.strip_prefix(long) else { continue };
            let value = match value.strip_prefix('=') {
                Some(value) => value.to_owned(),
                // The number of lines is only ever attached.
                None if long == "--max-lines" => String::new(),
                None => {
                    let (value, behind) =
                        rest.split_first().map_or((None, rest), |(value, behind)| (value.known(), behind));
                    rest = behind;
                    value.unwrap_or_default().to_owned()
                }
            };
            if counts {
                each = Some(value.parse().unwrap_or(1));
            } else {
                from_file = true;
                walker.role(super::super::table::Kind::Reads, &Argument::literal(value), act);
            }
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
            } else if matches!(short, "-n" | "-L" | "-l") {
                each = Some(value.parse().unwrap_or(1));
            } else if short == "-a" {
                from_file = true;
                walker.role(super::super::table::Kind::Reads, &Argument::literal(value), act);
            }
        } else if !text.starts_with("--") && VALUED.contains(&format!("-{cluster_end}").as_str()) {
            // `-0n1`, `-0I {}`.
            let value = rest.first().and_then(Argument::known).unwrap_or_default().to_owned();
            rest = rest.get(1..).unwrap_or_default();
            match cluster_end {
                "I" => {
                    replace = Some(value);
                    whole_lines = true;
                }
                "n" | "L" => each = Some(value.parse().unwrap_or(1)),
                "a" => {
                    from_file = true;
                    walker.role(super::super::table::Kind::Reads, &Argument::literal(value), act);
                }
                _ => {}
            }
            whole_lines |= text.contains('0');
        } else if !text.starts_with("--") && text.contains('0') {
            whole_lines = true;
        }
    }
    let input = match from_file {
        true => Input::default(),
        false => act.input.clone().unwrap_or_else(|| walker.input().clone()),
    };
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
            // Where lines are counted, blanks in them are not: the least that a command may be given.
            let nothing: &[Argument] = &[];
            let chunks = items.chunks(each.unwrap_or(items.len()).max(1));
            // Without anything it runs once.
            for items in chunks.chain(items.is_empty().then_some(nothing)) {
                act.nested.push(Nested::Argv {
                    wrapper: "xargs".to_owned(),
                    argv: argv.iter().chain(items).cloned().collect(),
                    assignments: Vec::new(),
                    loose: split_names,
                });
            }
        }
        Some(mark) if mark.is_empty() => act.dynamic(Dynamic::Argument),
        Some(mark) => {
            // Of a blank line nothing is run by some, and once by others.
            let items = if items.is_empty() { vec![Argument::literal("")] } else { items };
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
    // What stands behind `:::`, put in as a shell would read it.
    let words = || arguments.iter().skip_while(|argument| argument.text().starts_with('-'));
    let template: Vec<&str> = words().map_while(Argument::known).take_while(|word| !word.starts_with(":::")).collect();
    let template = template.join(" ");
    let items = words().skip_while(|word| !word.text().starts_with(":::")).filter_map(Argument::known);
    for item in items.filter(|item| !item.starts_with(":::")) {
        let script = match template.contains("{}") {
            true => template.replace("{}", item),
            false => format!("{template} {item}"),
        };
        act.script("parallel", Argument::literal(script), false);
    }
}
