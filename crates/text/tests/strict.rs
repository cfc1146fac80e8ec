//! Promise 2: what is accepted means the same to every parser; what parsers disagree about is refused.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test stops at what it did not expect")]
#![allow(clippy::disallowed_methods, reason = "serde_json is the other parser here")]

#[path = "support/documents.rs"]
mod documents;

use callgate_text::{Digest, Json, JsonFault, MAX_BYTES, MAX_DEPTH};
use documents::{broken_document, document};
use proptest::prelude::*;
use serde_json::Value;

fn refusal(document: impl AsRef<[u8]>) -> Option<JsonFault> {
    Json::parse(document.as_ref()).err().map(|error| error.fault)
}

#[track_caller]
fn refuses(fault: JsonFault, documents: &[&[u8]]) {
    for document in documents {
        assert_eq!(refusal(document), Some(fault), "{:?}", String::from_utf8_lossy(document));
    }
}

#[test]
fn p02_what_is_not_json_is_refused() {
    refuses(
        JsonFault::Syntax,
        &[
            b"\xEF\xBB\xBF{}",
            b"NaN",
            b"Infinity",
            b"-Infinity",
            b"nan",
            b"undefined",
            b"True",
            b"+1",
            b".5",
            b"-.5",
            b"1.e5",
            b"-x",
            b"{'a':1}",
            b"'a'",
            b"{a:1}",
            b"{1:1}",
            b"[1,]",
            b"[,1]",
            b"[1 2]",
            b"{\"a\":1,}",
            b"{\"a\" 1}",
            b"{\"a\":1 \"b\":2}",
            b"/* comment */ {}",
            b"// comment\n{}",
            b"[1, /* two */ 2]",
            b"\"a\x00b\"",
            b"\"a\x1Fb\"",
            b"\"a\nb\"",
            b"\"\\x41\"",
            b"\"\\u12G4\"",
            b"\"\\u+123\"",
            b"\"\\'\"",
            b"\"\\\n\"",
            b"\xC2\xA0{}",
            b"\xE2\x80\xA8{}",
            b"\x0B{}",
            b"\x0C{}",
        ],
    );
    refuses(
        JsonFault::Truncated,
        &[
            b"",
            b" ",
            b"[",
            b"[1",
            b"[1,",
            b"{",
            b"{\"a\"",
            b"{\"a\":",
            b"{\"a\":1",
            b"\"",
            b"\"a",
            b"\"\\",
            b"\"\\u12",
            b"-",
            b"1.",
            b"1e",
            b"1e+",
            b"tru",
            b"n",
        ],
    );
    refuses(
        JsonFault::TrailingBytes,
        &[
            b"{} {}",
            b"{}x",
            b"1 2",
            b"0x10",
            b"01",
            b"00",
            b"1.5.5",
            b"nulll",
            b"{}\0",
            b"{}\n\x0B",
            b"[]//",
            b"{},",
            b"\"a\"\"b\"",
            b"1e5e5",
            b"{}\xEF\xBB\xBF",
        ],
    );
}

#[test]
fn p02_invalid_utf8_is_refused() {
    refuses(
        JsonFault::InvalidUtf8,
        &[
            b"\"\xFF\"",
            b"\"\x80\"",
            b"\"\xC0\xAF\"",         // overlong `/` in two bytes
            b"\"\xE0\x80\xAF\"",     // … in three
            b"\"\xF0\x80\x80\xAF\"", // … in four
            b"\"\xC1\x81\"",         // overlong `A`
            b"\"\xC0\x80\"",         // Java's modified UTF-8 of U+0000
            b"\"\xED\xA0\x80\"",     // a surrogate, as CESU-8 writes it
            b"\"\xED\xA0\xBD\xED\xB8\x80\"",
            b"\"\xF4\x90\x80\x80\"", // beyond U+10FFFF
            b"\"\xE2\x82\"",
            b"\xFE\xFF\x00{\x00}",
            b"\xFF\xFE{\x00}\x00",
        ],
    );
    assert_eq!(Json::parse(b"{\"a\":\"\xFF\"}").map_err(|error| error.offset), Err(6));
}

#[test]
fn p02_lone_surrogates_are_refused() {
    refuses(
        JsonFault::LoneSurrogate,
        &[
            br#""\uD800""#,
            br#""\uDC00""#,
            br#""\uD83D""#,
            br#""\uD83Dx""#,
            br#""\uD83D\n""#,
            br#""\uD83D\u0041""#,
            br#""\uD83D\uD83D""#,
            br#""\uDE00\uD83D""#,
            br#"{"\uD800":1}"#,
        ],
    );
    assert_eq!(Json::parse(br#""\uD83D\uDE00""#), Ok(Json::from("😀")));
    assert_eq!(Json::parse(br#""\ud83d\ude00""#), Ok(Json::from("😀")));
}

#[test]
fn p02_duplicate_and_colliding_keys_are_refused() {
    refuses(
        JsonFault::DuplicateKey,
        &[
            br#"{"a":1,"a":2}"#,
            br#"{"a":1,"a":1}"#,
            br#"{"a":1,"b":2,"a":3}"#,
            br#"{"a":1,"\u0061":2}"#,
            br#"{"":1,"":2}"#,
            br#"[{"x":{"k":1,"k":2}}]"#,
        ],
    );
    for (one, other) in [
        ("recipient", "Recipient"),
        ("recipient", "RECIPIENT"),
        ("kind", "\u{212A}ind"),      // the Kelvin sign
        ("session", "\u{17F}ession"), // the long s
        ("session", "sessioN"),
        ("file", "\u{FB01}le"), // a ligature
        ("straße", "strasse"),
        ("straße", "STRASSE"),
        ("stra\u{1E9E}e", "straße"),
        ("ΣΟΦΟΣ", "σοφος"),
        ("σοφος", "σοφοσ"),
        ("é", "e\u{301}"), // composed and decomposed
        ("É", "e\u{301}"),
        ("Å", "\u{212B}"), // the Ångström sign
        ("to", "ｔｏ"),    // full width
        ("i", "\u{130}"),  // Java's `equalsIgnoreCase` takes these two for one
        ("i", "\u{131}"),
        ("I", "i\u{307}"),
        ("x2", "x²"),
        ("a b", "a\u{A0}b"),
    ] {
        for document in [format!(r#"{{"{one}":1,"{other}":2}}"#), format!(r#"{{"{other}":1,"x":0,"{one}":2}}"#)] {
            assert_eq!(refusal(&document), Some(JsonFault::CollidingKeys), "{document}");
        }
    }
    for document in [r#"{"a":{"a":1},"b":{"a":2}}"#, r#"[{"a":1},{"a":2}]"#, r#"{"a":1,"á":2,"b":3}"#] {
        assert_eq!(refusal(document), None, "{document}");
    }
}

#[test]
fn p02_numbers_that_change_in_a_double_are_refused() {
    refuses(
        JsonFault::InexactNumber,
        &[
            b"-0",
            b"-0.0",
            b"-0e5",
            b"-0E-999",
            b"[1,-0]",
            b"9007199254740993",
            b"-9007199254740993",
            b"18446744073709551615",
            b"9223372036854775807",
            b"0.1000000000000000055511151231257827",
            b"1e309",
            b"-1e309",
            b"1e-325",
            b"123456789012345678901234567890",
            b"4.35000000000000000001",
        ],
    );
    for (literal, canonical) in [
        ("9007199254740992", "9007199254740992"),
        ("9007199254740994", "9007199254740994"),
        ("1.10", "1.1"),
        ("1E2", "100"),
        ("0.1e1", "1"),
        ("0e0", "0"),
        ("10e-1", "1"),
        ("1e23", "1e+23"),
    ] {
        assert_eq!(Json::parse(literal.as_bytes()).expect(literal).canonical(), canonical.as_bytes(), "{literal}");
    }
}

#[test]
fn p02_depth_and_size_have_limits() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let objects = |depth: usize| r#"{"a":"#.repeat(depth) + "1" + &"}".repeat(depth);
    assert_eq!(refusal(nested(MAX_DEPTH)), None);
    assert_eq!(refusal(nested(MAX_DEPTH + 1)), Some(JsonFault::TooDeep));
    assert_eq!(refusal(objects(MAX_DEPTH)), None);
    assert_eq!(refusal(objects(MAX_DEPTH + 1)), Some(JsonFault::TooDeep));
    assert_eq!(refusal("[".repeat(MAX_BYTES)), Some(JsonFault::TooDeep), "no stack is used up");

    let padded = |size: usize| format!("\"{}\"", "x".repeat(size - 2));
    assert_eq!(refusal(padded(MAX_BYTES)), None);
    assert_eq!(refusal(padded(MAX_BYTES + 1)), Some(JsonFault::TooLong));
    assert_eq!(refusal(format!("{}1", " ".repeat(MAX_BYTES))), Some(JsonFault::TooLong));
    assert!(Json::parse_within(padded(MAX_BYTES + 1).as_bytes(), MAX_BYTES + 1).is_ok());
}

#[test]
fn p09_errors_never_repeat_the_input() {
    for document in [r#"{"hunter2":1,"hunter2":2}"#, r#"{"a": hunter2}"#, r#""hunter2"#, "{}hunter2"] {
        let error = Json::parse(document.as_bytes()).expect_err(document);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

/// Every character whose upper or lower case is another one: no key may differ from another only by that.
#[test]
fn p02_no_case_pair_of_unicode_slips_past() {
    for character in ('\0'..=char::MAX).filter(|c| c.is_alphabetic()) {
        let own = character.to_string();
        let cases = [own.to_uppercase(), own.to_lowercase(), own.to_uppercase().to_lowercase()];
        for other in cases.into_iter().filter(|other| *other != own) {
            let document = format!(r#"{{"a{own}":1,"a{other}":2}}"#);
            assert_eq!(refusal(&document), Some(JsonFault::CollidingKeys), "{own} and {other}");
        }
    }
}

/// Whether two parsers' values are the same JSON value: members in any order, numbers by their doubles.
fn same(ours: &Json, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        (Json::Number(ours), Value::Number(theirs)) => theirs.as_f64() == Some(ours.as_f64()),
        (Json::String(ours), Value::String(theirs)) => ours == theirs,
        (Json::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Json::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, ours)| theirs.get(key).is_some_and(|theirs| same(ours, theirs)))
        }
        _ => false,
    }
}

fn agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(ours) = Json::parse(bytes) else { return Ok(()) };
    let theirs: Result<Value, _> = serde_json::from_slice(bytes);
    prop_assert!(theirs.as_ref().is_ok_and(|theirs| same(&ours, theirs)), "{ours:?} and {theirs:?}");

    let canonical = ours.canonical();
    let again = Json::parse_within(&canonical, usize::MAX);
    prop_assert_eq!(again.as_ref().map(Json::canonical), Ok(canonical.clone()), "the canonical form is stable");
    let theirs: Result<Value, _> = serde_json::from_slice(&canonical);
    prop_assert!(theirs.as_ref().is_ok_and(|theirs| same(&ours, theirs)), "{ours:?} and canonical {theirs:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p02_what_is_accepted_another_parser_reads_alike(document in document()) {
        agrees(document.as_bytes())?;
    }

    #[test]
    fn p02_damaged_documents_are_read_alike_or_refused(bytes in broken_document()) {
        agrees(&bytes)?;
    }

    #[test]
    fn p02_any_bytes_are_read_alike_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        agrees(&bytes)?;
        if let Err(error) = Json::parse(&bytes) {
            prop_assert!(error.offset <= bytes.len());
        }
    }

    #[test]
    fn p05_order_white_space_and_spelling_do_not_change_the_digest(
        members in prop::collection::btree_map("[a-z]{1,6}", any::<i32>(), 0..8),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut written: Vec<_> = members.iter().map(|(key, value)| format!(r#""{key}":{value}"#)).collect();
        let plain = format!("{{{}}}", written.join(","));
        if !written.is_empty() {
            let turn = seed.index(written.len());
            written.rotate_left(turn);
            written.reverse();
        }
        let spelled = format!("{{ {} }}", written.join(" ,\n\t")).replace(r#""a"#, r#""\u0061"#);
        let digest = |text: &str| Json::parse(text.as_bytes()).map(|json| Digest::of(&json.canonical()));
        prop_assert_eq!(digest(&plain), digest(&spelled));
    }

    #[test]
    fn a_digest_reads_what_it_writes(bytes in any::<[u8; 32]>()) {
        let digest = Digest::from_bytes(bytes);
        prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        prop_assert!(digest.to_string().to_uppercase().parse::<Digest>().is_err());
    }

    #[test]
    fn scaled_numbers_are_exact(units in -1_000_000_000_000_i64..1_000_000_000_000, digits in 0_u32..5) {
        let power = 10_i64.pow(digits);
        let sign = if units < 0 { "-" } else { "" };
        let width = usize::try_from(digits)?;
        let (whole, rest) = ((units / power).abs(), (units % power).abs());
        let literal = if digits == 0 { units.to_string() } else { format!("{sign}{whole}.{rest:0width$}") };
        let Ok(Json::Number(number)) = Json::parse(literal.as_bytes()) else {
            prop_assert!(false, "{} is a number", literal);
            return Ok(());
        };
        prop_assert_eq!(number.scaled(digits), Some(units), "{}", literal);
        prop_assert_eq!(number.scaled(0).is_some(), units % power == 0, "{}", literal);
    }
}
