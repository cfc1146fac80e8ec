//! The canonical form against the published vectors of RFC 8785.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::fmt::Write;

use callgate_text::{Digest, Json, JsonFault};

fn canonical(document: &str) -> String {
    let json = Json::parse(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"));
    String::from_utf8(json.canonical()).expect("canonical JSON is UTF-8")
}

/// The double as most languages print it. Rust may print the other of two equally short decimals.
fn shortest(value: f64) -> String {
    ryu_js::Buffer::new().format_finite(value).to_owned()
}

fn refusal(document: &str) -> Option<JsonFault> {
    Json::parse(document.as_bytes()).err().map(|error| error.fault)
}

#[test]
fn serialises_the_numbers_of_appendix_b() {
    for (bits, expected) in [
        (0x0000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        assert_eq!(expected.parse().map(f64::to_bits), Ok(bits), "{expected}");
        assert_eq!(canonical(expected), expected, "the canonical form of {expected} is itself");
    }
    // Minus zero, NaN and infinity: the RFC writes the first as `0`; we refuse all three.
    assert_eq!(refusal("-0"), Some(JsonFault::InexactNumber));
    assert_eq!(refusal("NaN"), Some(JsonFault::Syntax));
    assert_eq!(refusal("Infinity"), Some(JsonFault::Syntax));
    assert_eq!(refusal("-Infinity"), Some(JsonFault::Syntax));
    assert_eq!(refusal("1e999"), Some(JsonFault::InexactNumber));
}

/// § 3.2.2 and § 3.2.4. The RFC's own text holds 333333333.33333329, which no double holds: we refuse that.
#[test]
fn serialises_the_example_of_section_3_2() {
    let example = |number| {
        format!(
            r#"{{
  "numbers": [{number}, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}}"#
        )
    };
    assert_eq!(refusal(&example("333333333.33333329")), Some(JsonFault::InexactNumber));
    let expected = "7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b\
        3333333333333333332e333333333333332c31652b33302c342e352c302e3030322c31652d32375d2c\
        22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d";
    let mut hex = String::new();
    for byte in canonical(&example("333333333.3333333")).bytes() {
        write!(hex, "{byte:02x}").expect("a string takes everything");
    }
    assert_eq!(hex, expected);
}

/// § 3.2.3: keys are sorted by their UTF-16 code units, not by code points.
#[test]
fn sorts_the_keys_of_section_3_2_3() {
    let document = r#"{
  "\u20ac": "Euro Sign",
  "\r": "Carriage Return",
  "\ufb33": "Hebrew Letter Dalet With Dagesh",
  "1": "One",
  "\ud83d\ude00": "Emoji: Grinning Face",
  "\u0080": "Control",
  "\u00f6": "Latin Small Letter O With Diaeresis"
}"#;
    let expected = "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
        \"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\
        \"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}";
    assert_eq!(canonical(document), expected);
}

/// The deterministic sequence of doubles that the RFC's authors publish, and the checksums of its
/// canonical form: edge cases, the smallest normal numbers, then a chain of SHA-256 blocks read as doubles.
#[test]
fn agrees_with_the_published_sequence_of_doubles() {
    let edge_cases = include_str!("vectors/es6-numbers.txt")
        .split_ascii_whitespace()
        .map(|hex| u64::from_str_radix(hex, 16).expect("hexadecimal"));
    let serial = (0..2000).map(|step| 0x0010_0000_0000_0000 + step);
    let chain = std::iter::successors(Some(Digest::of(&[0; 32])), |block| Some(Digest::of(block.as_bytes())))
        .flat_map(|block| *block.as_bytes().as_chunks::<8>().0.first_chunk::<4>().expect("32 bytes"))
        .map(u64::from_le_bytes)
        .filter(|bits| f64::from_bits(*bits).is_finite() && f64::from_bits(*bits) != 0.0);
    let long = std::env::var_os("CALLGATE_LONG").is_some();
    let checksums: &[(usize, &str)] = &[
        (1_000, "be18b62b6f69cdab33a7e0dae0d9cfa869fda80ddc712221570f9f40a5878687"),
        (10_000, "b9f7a8e75ef22a835685a52ccba7f7d6bdc99e34b010992cbc5864cd12be6892"),
        (100_000, "22776e6d4b49fa294a0d0f349268e5c28808fe7e0cb2bcbe28f63894e494d4c7"),
        (1_000_000, "49415fee2c56c77864931bd3624faad425c3c577d6d74e89a83bc725506dad16"),
    ];
    let checksums = if long { checksums } else { &checksums[..3] };
    let mut file = String::new();
    let mut checksums = checksums.iter();
    let mut next = checksums.next();
    for (index, bits) in edge_cases.chain(serial).chain(chain).enumerate() {
        let value = f64::from_bits(bits);
        // The sequence holds −0 once, which we refuse.
        let text = if bits == 1 << 63 { "0".to_owned() } else { canonical(&shortest(value)) };
        writeln!(file, "{bits:x},{text}").expect("a string takes everything");
        let Some((lines, checksum)) = next else { return };
        if index + 1 == *lines {
            assert_eq!(Digest::of(file.as_bytes()).to_string(), format!("sha256:{checksum}"), "{lines} lines");
            next = checksums.next();
        }
    }
}
