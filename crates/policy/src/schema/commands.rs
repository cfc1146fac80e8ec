//! Which arguments are commands.

use std::collections::BTreeMap;

use callgate_core::CommandForm;
use callgate_text::{Json, Object};

use super::pointer::unescape;

/// The arguments of kind `command`, by pointer, each with the directory in which it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Commands(BTreeMap<String, Option<String>>);

impl Commands {
    pub(super) fn insert(&mut self, pointer: &str, cwd: Option<&String>) {
        self.0.insert(pointer.to_owned(), cwd.cloned());
    }

    pub(super) fn has(&self, pointer: &str) -> bool {
        self.0.contains_key(pointer)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The commands of one call. Where an argument is not given, that it is not is one.
    pub(super) fn of(&self, arguments: Option<&Object>) -> Vec<(CommandForm, Option<&str>)> {
        let mut found = Vec::new();
        for (pointer, cwd) in &self.0 {
            let before = found.len();
            let names: Vec<String> = pointer.split('/').map(unescape).collect();
            if let Some((first, rest)) = names.split_first()
                && let Some(value) = arguments.and_then(|arguments| arguments.get(first))
            {
                collect(value, rest, &mut |form| found.push((form, cwd.as_deref())));
            }
            if found.len() == before {
                found.push((CommandForm::Absent, cwd.as_deref()));
            }
        }
        found
    }
}

fn collect(value: &Json, names: &[String], add: &mut impl FnMut(CommandForm)) {
    match (value, names.split_first()) {
        (Json::Object(object), Some((name, rest))) => {
            if let Some(value) = object.get(name) {
                collect(value, rest, add);
            }
        }
        (Json::Array(items), Some(_)) => items.iter().for_each(|item| collect(item, names, add)),
        (Json::String(line), None) => add(CommandForm::Line(line.clone())),
        (Json::Array(items), None) => {
            let words: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            match words {
                Some(words) if !words.is_empty() => add(CommandForm::Argv(words)),
                Some(_) => {}
                None => items.iter().for_each(|item| collect(item, names, add)),
            }
        }
        _ => {}
    }
}
