use proptest::prelude::*;

use super::*;

fn split(input: &[u8], limit: usize, sizes: &[usize]) -> Vec<Frame> {
    let mut splitter = Splitter::new(limit);
    let mut frames = Vec::new();
    let (mut at, mut turn) = (0, 0);
    while at < input.len() {
        let size = sizes[turn % sizes.len()].clamp(1, input.len() - at);
        let mut chunk = &input[at..at + size];
        while !chunk.is_empty() {
            frames.extend(splitter.take(&mut chunk));
        }
        (at, turn) = (at + size, turn + 1);
    }
    frames.extend(splitter.rest());
    frames
}

#[test]
fn skims_id_and_method_wherever_they_stand() {
    for (message, id, method) in [
        (r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"id":1}}"#, Some("7"), Some("\"tools/call\"")),
        (r#"{"result":{"id":3,"x":"}\"{"},"jsonrpc":"2.0","id":"a\"b"}"#, Some("\"a\\\"b\""), None),
        (r#"{"id":1,"id":2}"#, None, None),
        (r#"{"id":{"x":1},"method":[1]}"#, None, None),
        (r#"[{"id":1}]"#, None, None),
        (r#"{"id" : 4 ,"x":[[[1,{"id":9}]]]}"#, Some("4"), None),
        ("{\"id\":12", None, None),
    ] {
        let mut skimmer = Skimmer::default();
        skimmer.feed(message.as_bytes());
        let seen = skimmer.finish();
        assert_eq!(seen.id.as_deref(), id.map(str::as_bytes), "{message}");
        assert_eq!(seen.method.as_deref(), method.map(str::as_bytes), "{message}");
    }
}

#[test]
fn values_are_counted_outside_strings() {
    let many = format!("[{}]", vec!["1"; MAX_VALUES + 1].join(","));
    assert!(too_many_values(many.as_bytes()));
    let text = format!("[\"{}\"]", ",".repeat(2 * MAX_VALUES));
    assert!(!too_many_values(text.as_bytes()));
}

proptest! {
    #[test]
    fn chunking_changes_nothing(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
        sizes in prop::collection::vec(1usize..17, 1..5),
        limit in 1usize..48,
    ) {
        let input = lines.join(&b'\n');
        let whole = split(&input, limit, &[usize::MAX]);
        prop_assert_eq!(&split(&input, limit, &sizes), &whole);
        let mut rebuilt: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
        if rebuilt.last().is_some_and(|last| last.is_empty()) {
            rebuilt.pop();
        }
        prop_assert_eq!(whole.len(), rebuilt.len());
        for (frame, line) in whole.iter().zip(rebuilt) {
            match frame {
                Frame::Line(kept) => prop_assert!(kept == line && line.len() <= limit),
                Frame::TooLong(skimmed) => prop_assert!(line.len() > limit && skimmed.bytes == line.len()),
            }
        }
    }

    #[test]
    fn skimming_never_panics_and_agrees_with_a_parser(
        id in any::<u32>(), noise in "[\\PC]{0,40}", first in any::<bool>(),
    ) {
        let noise = callgate_text::Json::from(noise);
        let noise = String::from_utf8(noise.canonical()).unwrap();
        let message = if first { format!("{{\"id\":{id},\"x\":[{noise}]}}") } else { format!("{{\"x\":{{\"id\":{noise}}},\"id\":{id}}}") };
        let mut skimmer = Skimmer::default();
        skimmer.feed(message.as_bytes());
        prop_assert_eq!(skimmer.finish().id, Some(id.to_string().into_bytes()));
    }
}
