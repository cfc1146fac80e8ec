//! Reads lines from standard input and prints what each does, one JSON document per line.

use std::io::BufRead;

use callgate_guard::shell::{Setting, Table, analyse};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = Table::builtin()?;
    let setting = Setting { cwd: Some("/workspace".to_owned()), home: Some("/home/agent".to_owned()) };
    for line in std::io::stdin().lock().lines() {
        match analyse(&line?.replace("\\n", "\n"), &setting, &table) {
            Ok(line) => println!("{}", String::from_utf8_lossy(&line.to_json().canonical())),
            Err(refusal) => println!("refused: {refusal}"),
        }
    }
    Ok(())
}
