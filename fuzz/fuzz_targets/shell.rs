//! Shell lines: whatever they are, they are judged or refused, twice alike, and what is written behind a line takes
//! nothing away from what is known of it. The same text as code of another language, too.
#![no_main]

use std::sync::LazyLock;

use callgate_guard::shell::{Dynamic, Line, Refusal, Setting, Table, analyse};
use libfuzzer_sys::fuzz_target;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::builtin().expect("the table"));

fn judge(text: &str) -> Result<Line, Refusal> {
    let setting = Setting { cwd: Some("/workspace".to_owned()), home: Some("/home/agent".to_owned()) };
    analyse(text, &setting, &TABLE)
}

/// What runs code of another language, and how a comment begins there.
const PROGRAMS: [(&str, &str); 7] = [
    ("python3 -c", "#"),
    ("node -e", "//"),
    ("perl -e", "#"),
    ("ruby -e", "#"),
    ("php -r", "//"),
    ("lua -e", "--"),
    ("awk", "#"),
];

/// Whether code is not understood; what is refused is not, either.
fn is_dynamic(program: &str, code: &str) -> bool {
    let line = format!("{program} '{}'", code.replace('\'', "'\\''"));
    judge(&line).map_or(true, |line| line.commands.iter().any(|command| !command.dynamic.is_empty()))
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some((program, comment)) = PROGRAMS.get(text.len() % PROGRAMS.len())
        && !text.ends_with('\\')
        && is_dynamic(program, text)
    {
        assert!(is_dynamic(program, &format!("{text}\n{comment} x")), "{program} {text}");
    }
    let Ok(line) = judge(text) else { return };
    assert_eq!(judge(text).as_ref(), Ok(&line));
    for command in &line.commands {
        let paths = command.reads.iter().chain(&command.writes).chain(&command.deletes);
        // A path that starts where nobody knows is in no place that a policy names, and is said to be so.
        let lost = command.dynamic.contains(&Dynamic::Path);
        assert!(paths.into_iter().all(|path| path.starts_with('/') || lost && path.starts_with("./")), "{command:?}");
    }
});
