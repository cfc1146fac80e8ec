//! The memory: bounded, of each agent's own, and never lost.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use callgate_text::Json;
use callgate_tools::{Kind, Memory, Operation};
use proptest::prelude::*;

fn set(key: &str, value: &str) -> Operation {
    Operation::Set(key.to_owned(), value.to_owned())
}

fn get(memory: &Memory, agent: &str, key: &str) -> Result<Option<String>, Kind> {
    let done = memory.run(agent, &Operation::Get(key.to_owned())).map_err(|fault| fault.kind)?;
    Ok((done.details.get("found").unwrap().as_bool() == Some(true)).then_some(done.text))
}

#[test]
fn what_is_remembered_outlives_the_store_and_is_the_agents_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memory");
    Memory::at(&path).run("a", &set("Key", "one")).unwrap();
    Memory::at(&path).run("a", &set("key", "two\n\u{0}ü")).unwrap();
    Memory::at(&path).run("b", &set("Key", "three")).unwrap();
    let memory = Memory::at(&path);
    assert_eq!(get(&memory, "a", "Key"), Ok(Some("one".to_owned())));
    assert_eq!(get(&memory, "a", "key"), Ok(Some("two\n\u{0}ü".to_owned())));
    assert_eq!(get(&memory, "b", "Key"), Ok(Some("three".to_owned())));
    assert_eq!(get(&memory, "b", "key"), Ok(None));
    assert_eq!(memory.run("a", &Operation::List).unwrap().text, "Key\nkey\n");
    memory.run("a", &Operation::Delete("Key".to_owned())).unwrap();
    assert_eq!(get(&memory, "a", "Key"), Ok(None));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&path).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn the_memory_is_bounded_and_what_is_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::at(folder.path());
    let long = "x".repeat(64 << 10);
    for number in 0..15 {
        memory.run("a", &set(&number.to_string(), &long)).unwrap();
    }
    // The sixteenth and the keys are more than 1 MiB.
    assert_eq!(memory.run("a", &set("15", &long)).unwrap_err().kind, Kind::TooLarge);
    assert_eq!(get(&memory, "a", "14"), Ok(Some(long)));
    for number in 0..256 {
        memory.run("b", &set(&number.to_string(), "")).unwrap();
    }
    assert_eq!(memory.run("b", &set("one more", "")).unwrap_err().kind, Kind::TooLarge);
    memory.run("b", &set("7", "changed")).unwrap();
    assert_eq!(get(&memory, "b", "7"), Ok(Some("changed".to_owned())));
}

/// Every single byte counts: damage is refused and stays as it is, and the others' memories go on.
#[test]
fn a_damaged_memory_is_refused_and_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::at(folder.path());
    memory.run("a", &set("k", "v")).unwrap();
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&file, &damaged).unwrap();
        assert_eq!(get(&memory, "a", "k"), Err(Kind::Corrupt), "byte {at}");
        assert_eq!(memory.run("a", &set("k", "w")).unwrap_err().kind, Kind::Corrupt);
        assert_eq!(fs::read(&file).unwrap(), damaged);
    }
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(get(&memory, "a", "k"), Err(Kind::Corrupt), "the first {length} bytes");
    }
    memory.run("b", &set("k", "v")).unwrap();
    // One agent's file in another's place is no memory of that one.
    fs::write(&file, &whole).unwrap();
    let other = Memory::at(folder.path());
    let name = format!("{}.json", callgate_text::Digest::of(b"b").to_string().trim_start_matches("sha256:"));
    fs::write(folder.path().join(name), &whole).unwrap();
    assert_eq!(get(&other, "b", "k"), Err(Kind::Corrupt));
    assert_eq!(get(&other, "a", "k"), Ok(Some("v".to_owned())));
}

/// A crash between the two steps of a change leaves a file that is in nobody's way.
#[test]
fn what_a_crash_left_is_no_hindrance() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::at(folder.path());
    memory.run("a", &set("k", "v")).unwrap();
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    fs::write(file.with_extension("new"), "half").unwrap();
    assert_eq!(get(&memory, "a", "k"), Ok(Some("v".to_owned())));
    memory.run("a", &set("k", "w")).unwrap();
    assert_eq!(get(&memory, "a", "k"), Ok(Some("w".to_owned())));
}

#[test]
fn operations_are_read_strictly() {
    let of = |text: &str| Operation::of(Json::parse(text.as_bytes()).unwrap().as_object());
    assert_eq!(of(r#"{"operation":"get","key":"a"}"#).unwrap(), Operation::Get("a".to_owned()));
    assert_eq!(of(r#"{"operation":"set","key":"a","value":""}"#).unwrap(), set("a", ""));
    assert_eq!(of(r#"{"operation":"list"}"#).unwrap(), Operation::List);
    for bad in [
        "{}",
        r#"{"operation":"get"}"#,
        r#"{"operation":"get","key":""}"#,
        r#"{"operation":"get","key":"a\nb"}"#,
        r#"{"operation":"get","key":"a","value":"b"}"#,
        r#"{"operation":"list","key":"a"}"#,
        r#"{"operation":"set","key":"a"}"#,
        r#"{"operation":"drop","key":"a"}"#,
        r#"{"operation":"list","x":1}"#,
    ] {
        assert_eq!(of(bad).unwrap_err().kind, Kind::Invalid, "{bad}");
    }
    let long = format!(r#"{{"operation":"set","key":"a","value":"{}"}}"#, "x".repeat((64 << 10) + 1));
    assert_eq!(of(&long).unwrap_err().kind, Kind::TooLarge);
    let key = format!(r#"{{"operation":"get","key":"{}"}}"#, "x".repeat(129));
    assert_eq!(of(&key).unwrap_err().kind, Kind::Invalid);
}

proptest! {
    #[test]
    fn what_was_set_is_got(pairs in prop::collection::btree_map("[a-zA-Z0-9 ü-]{1,12}", ".{0,60}", 0..12)) {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::at(folder.path());
        for (key, value) in &pairs {
            memory.run("a", &set(key, value)).unwrap();
        }
        let memory = Memory::at(folder.path());
        for (key, value) in &pairs {
            prop_assert_eq!(get(&memory, "a", key), Ok(Some(value.clone())));
        }
    }
}
