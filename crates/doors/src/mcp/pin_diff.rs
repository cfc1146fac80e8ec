//! What changed between two pin documents.

use std::collections::BTreeMap;
use std::fmt;

use callgate_text::{Json, reveal};

/// The differences between two pin documents, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinDiff {
    /// One for each offer that differs.
    pub changes: Vec<Change>,
}

/// How one offer differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Added {
        /// `tool`, `prompt`, `template`, `instructions` or `server`.
        kind: &'static str,
        /// Its name; for a template its URI.
        name: String,
    },
    /// It is no longer there.
    Removed {
        /// As in [`Change::Added`].
        kind: &'static str,
        /// As in [`Change::Added`].
        name: String,
    },
    /// Its definition changed.
    Changed {
        /// As in [`Change::Added`].
        kind: &'static str,
        /// As in [`Change::Added`].
        name: String,
        /// Each place that differs, as a JSON pointer, with what was there and what is.
        fields: Vec<(String, Option<Json>, Option<Json>)>,
    },
}

/// Compares two pin documents. An offer that occurs several times is compared occurrence by occurrence.
pub fn diff(before: &Json, after: &Json) -> PinDiff {
    let mut changes = Vec::new();
    for (kind, member) in [("server", "server"), ("instructions", "instructions")] {
        let one = |document: &Json| -> Named {
            document.get(member).map(|value| ((member.to_owned(), 0), value.clone())).into_iter().collect()
        };
        compare(kind, &one(before), &one(after), &mut changes);
    }
    for (kind, member, name) in
        [("tool", "tools", "name"), ("prompt", "prompts", "name"), ("template", "templates", "uriTemplate")]
    {
        compare(kind, &named(before, member, name), &named(after, member, name), &mut changes);
    }
    PinDiff { changes }
}

/// Offers by name and occurrence.
type Named = BTreeMap<(String, usize), Json>;

fn named(document: &Json, member: &str, name: &str) -> Named {
    let mut seen = BTreeMap::new();
    let items = document.get(member).and_then(Json::as_array).unwrap_or_default();
    let key = |item: &Json| {
        let name = item.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let occurrence: &mut usize = seen.entry(name.clone()).or_default();
        *occurrence += 1;
        (name, *occurrence - 1)
    };
    let keys: Vec<_> = items.iter().map(key).collect();
    keys.into_iter().zip(items.iter().cloned()).collect()
}

fn compare(kind: &'static str, before: &Named, after: &Named, changes: &mut Vec<Change>) {
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    for key in names {
        let name = key.0.clone();
        match (before.get(key), after.get(key)) {
            (None, Some(_)) => changes.push(Change::Added { kind, name }),
            (Some(_), None) => changes.push(Change::Removed { kind, name }),
            (Some(old), Some(new)) => {
                let mut fields = Vec::new();
                differ(Some(old), Some(new), &mut String::new(), &mut fields);
                if !fields.is_empty() {
                    changes.push(Change::Changed { kind, name, fields });
                }
            }
            (None, None) => {}
        }
    }
}

type Fields = Vec<(String, Option<Json>, Option<Json>)>;

fn differ(old: Option<&Json>, new: Option<&Json>, at: &mut String, fields: &mut Fields) {
    match (old, new) {
        (Some(Json::Object(old)), Some(Json::Object(new))) => {
            let mut keys: Vec<&str> = old.iter().chain(new.iter()).map(|(key, _)| key).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let length = at.len();
                at.push('/');
                at.push_str(&key.replace('~', "~0").replace('/', "~1"));
                differ(old.get(key), new.get(key), at, fields);
                at.truncate(length);
            }
        }
        (Some(Json::Array(old)), Some(Json::Array(new))) => {
            for index in 0..old.len().max(new.len()) {
                let length = at.len();
                at.push_str(&format!("/{index}"));
                differ(old.get(index), new.get(index), at, fields);
                at.truncate(length);
            }
        }
        (old, new) if old == new => {}
        (old, new) => fields.push((at.clone(), old.cloned(), new.cloned())),
    }
}

impl PinDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// `[{change, kind, name, fields?: [{at, before?, after?}]}]`.
    pub fn to_json(&self) -> Json {
        let change = |change: &Change| {
            let (word, kind, name, fields) = match change {
                Change::Added { kind, name } => ("added", kind, name, None),
                Change::Removed { kind, name } => ("removed", kind, name, None),
                Change::Changed { kind, name, fields } => ("changed", kind, name, Some(fields)),
            };
            let mut members =
                vec![("change", Json::from(word)), ("kind", Json::from(*kind)), ("name", Json::from(name.as_str()))];
            members.extend(fields.map(|fields| ("fields", Json::Array(fields.iter().map(field).collect()))));
            Json::object(members)
        };
        Json::Array(self.changes.iter().map(change).collect())
    }
}

fn field((at, before, after): &(String, Option<Json>, Option<Json>)) -> Json {
    let mut members = vec![("at", Json::from(at.as_str()))];
    members.extend(before.clone().map(|before| ("before", before)));
    members.extend(after.clone().map(|after| ("after", after)));
    Json::object(members)
}

impl fmt::Display for PinDiff {
    /// For a person at a terminal: hidden characters are counted, not printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing changed");
        }
        for change in &self.changes {
            match change {
                Change::Added { kind, name } => writeln!(f, "+ {kind} {}", plain(name))?,
                Change::Removed { kind, name } => writeln!(f, "- {kind} {}", plain(name))?,
                Change::Changed { kind, name, fields } => {
                    writeln!(f, "~ {kind} {}", plain(name))?;
                    for (at, before, after) in fields {
                        let at = if at.is_empty() { "(all)".to_owned() } else { plain(at) };
                        writeln!(f, "    {at}")?;
                        for (sign, value) in [('-', before), ('+', after)] {
                            if let Some(value) = value {
                                let text = value.canonical();
                                writeln!(f, "      {sign} {}", plain(&String::from_utf8_lossy(&text)))?;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// One line without what hides, and a mark where something did.
fn plain(text: &str) -> String {
    let text = text.replace(['\n', '\r', '\t'], " ");
    match reveal(&text) {
        None => text,
        Some(revealed) => format!("{} [{} hidden characters]", revealed.text, revealed.removed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Json {
        Json::parse(text.as_bytes()).expect("strict")
    }

    #[test]
    fn names_every_field_that_differs() {
        let before = document(
            r#"{"server":"s","instructions":"be nice","tools":[{"name":"a","inputSchema":{"properties":{"x/y":{"type":"string"}}}},{"name":"gone"}],"prompts":[],"templates":[]}"#,
        );
        let after = document(
            r#"{"server":"s","instructions":"be bad","tools":[{"name":"new\u200b"},{"inputSchema":{"properties":{"x/y":{"type":"integer"}}},"name":"a","description":"now\u001b[2J"}],"prompts":[],"templates":[]}"#,
        );
        let diff = diff(&before, &after);
        let text = diff.to_string();
        for line in [
            "~ instructions instructions",
            "      - \"be nice\"",
            "+ tool new [1 hidden characters]",
            "- tool gone",
            "~ tool a",
            "    /inputSchema/properties/x~1y/type",
            "      + \"integer\"",
            "    /description",
        ] {
            assert!(text.lines().any(|found| found == line), "{line:?} in\n{text}");
        }
        assert!(!text.contains('\u{1b}') && !text.contains('\u{200b}'), "{text}");
        assert_eq!(diff.to_json().as_array().map(<[Json]>::len), Some(4));
    }

    #[test]
    fn order_of_members_and_of_offers_is_no_change() {
        let one = document(r#"{"server":"s","tools":[{"name":"a","d":1.0},{"name":"b"}],"prompts":[],"templates":[]}"#);
        let two = document(r#"{"prompts":[],"templates":[],"tools":[{"name":"b"},{"d":1,"name":"a"}],"server":"s"}"#);
        assert!(diff(&one, &two).is_empty());
        assert_eq!(diff(&one, &two).to_string(), "nothing changed\n");
    }

    #[test]
    fn a_second_tool_of_the_same_name_is_an_addition() {
        let one = document(r#"{"tools":[{"name":"a"}]}"#);
        let two = document(r#"{"tools":[{"name":"a"},{"name":"a","evil":true}]}"#);
        assert_eq!(diff(&one, &two).changes, [Change::Added { kind: "tool", name: "a".to_owned() }]);
    }
}
