//! JSON-RPC framing: the same messages however the bytes arrive, and no message that parsers could read
//! in two ways. The first byte says how long a line may be, the second in which pieces the rest arrives.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "serde_json is the other parser here")]

use callgate_doors::frames::{Frame, Skimmer, Splitter};
use callgate_doors::mcp::{Message, Shape};
use callgate_text::Json;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn frames<'a>(limit: usize, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Frame> {
    let mut splitter = Splitter::new(limit);
    let mut frames = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            frames.extend(splitter.take(&mut piece));
            assert!(splitter.held() <= limit);
        }
    }
    frames.extend(splitter.rest());
    frames
}

fuzz_target!(|input: &[u8]| {
    let [limit, piece, bytes @ ..] = input else { return };
    let limit = 8 * usize::from(*limit) + 1;
    let whole = frames(limit, std::iter::once(bytes));
    assert_eq!(whole, frames(limit, bytes.chunks(usize::from(*piece) + 1)));
    assert_eq!(whole, frames(limit, bytes.chunks(1)));

    for frame in whole {
        let Frame::Line(line) = frame else { continue };
        assert!(line.len() <= limit && !line.contains(&b'\n'));
        let mut skimmer = Skimmer::default();
        skimmer.feed(&line);
        let skimmed = skimmer.finish();
        assert_eq!(skimmed.bytes, line.len());
        let Ok(message) = Message::read(line.clone(), limit) else { continue };

        // What is passed on is the same message, in one line for every line reader.
        let before: Value = serde_json::from_slice(&line).expect("serde_json reads what we accept");
        let after: Value = serde_json::from_slice(&message.bytes).expect("serde_json reads what we pass on");
        assert_eq!(before, after);
        let text = std::str::from_utf8(&message.bytes).expect("what we pass on is UTF-8");
        let text = text.strip_suffix('\r').unwrap_or(text);
        assert!(!text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']));

        let id = match &message.shape {
            Shape::Request { id, method } => {
                assert_eq!(after["method"], Value::from(method.as_str()));
                Some(id)
            }
            Shape::Notification { method } => {
                assert_eq!(after["method"], Value::from(method.as_str()));
                None
            }
            Shape::Response { id, .. } => id.as_ref(),
        };
        let id =
            id.map_or(Value::Null, |id| serde_json::from_slice(&Json::from(id).canonical()).expect("an id is JSON"));
        assert_eq!(after.get("id").unwrap_or(&Value::Null), &id);
    }
});
