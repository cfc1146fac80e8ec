//! Shell lines, and the same text as code of other languages: whatever they are, they are judged or refused, and twice
//! alike.
#![no_main]

use std::sync::LazyLock;

use callgate_guard::shell::{Dynamic, Line, Refusal, Setting, Table, analyse};
use libfuzzer_sys::fuzz_target;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::builtin().expect("the table"));

fn judge(text: &str) -> Result<Line, Refusal> {
    let setting = Setting { cwd: Some("/workspace".to_owned()), home: Some("/home/agent".to_owned()) };
    analyse(text, &setting, &TABLE)
}

/// What runs code of another language.
const PROGRAMS: [&str; 7] = ["python3 -c", "node -e", "perl -e", "ruby -e", "php -r", "lua -e", "awk"];

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(program) = PROGRAMS.get(text.len() % PROGRAMS.len()) {
        let code = format!("{program} '{}'", text.replace('\'', "'\\''"));
        assert_eq!(judge(&code), judge(&code));
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
