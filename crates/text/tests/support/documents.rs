//! Documents as a careless or hostile client would write them: valid and almost valid JSON text.

use proptest::prelude::*;

/// Number literals: of JSON's grammar, of doubles in several spellings, and of the kind that no double keeps.
fn number() -> impl Strategy<Value = String> {
    let doubles = any::<f64>().prop_filter("finite", |value| value.is_finite());
    prop_oneof![
        any::<i32>().prop_map(|integer| integer.to_string()),
        any::<i64>().prop_map(|integer| integer.to_string()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        "[0-9]{1,4}\\.[0-9]{1,2}",
        doubles.clone().prop_map(|value| format!("{value}")),
        doubles.prop_map(|value| format!("{value:e}")),
    ]
}

fn escape() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"]).prop_map(str::to_owned),
        any::<char>().prop_map(|character| {
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units);
            units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }),
        "\\\\u[0-9A-Fa-f]{4}",
    ]
}

fn string() -> impl Strategy<Value = String> {
    let plain =
        any::<char>().prop_filter("needs no escape", |c| *c >= ' ' && *c != '"' && *c != '\\').prop_map(String::from);
    let piece = prop_oneof![6 => "[a-zA-Z0-9 ]{1,6}", 3 => plain, 2 => escape()];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn white() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\r\n]{1,2}"]
}

/// One document of any shape. Most are valid; some hold what a strict parser refuses.
pub(crate) fn document() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned);
    let leaf = prop_oneof![1 => word, 3 => number(), 3 => string()];
    leaf.prop_recursive(6, 48, 6, |inner| {
        let item = (white(), inner, white()).prop_map(|(before, item, after)| before + &item + &after).boxed();
        let member = (white(), string(), white(), item.clone())
            .prop_map(|(before, key, after, value)| before + &key + &after + ":" + &value);
        prop_oneof![
            prop::collection::vec(item, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// A document with up to three bytes changed, put in or left out.
#[allow(dead_code, reason = "not every test that shares this module breaks documents")]
pub(crate) fn broken_document() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4);
    (document(), damage).prop_map(|(document, damage)| {
        let mut bytes = document.into_bytes();
        for (place, byte, kind) in damage {
            let at = place.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                1 => drop(bytes.splice(at..(at + 1).min(bytes.len()), [byte])),
                _ => drop(bytes.drain(at..(at + 1).min(bytes.len()))),
            }
        }
        bytes
    })
}
