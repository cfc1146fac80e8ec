use super::*;

fn read(line: &str) -> Result<Message, Box<Refused>> {
    Message::read(line.as_bytes().to_vec(), 1 << 20)
}

#[test]
fn ids_are_told_apart_by_type_and_literal() {
    for (literal, id) in [
        ("0", Some(Id::Number(0))),
        ("-7", Some(Id::Number(-7))),
        ("9007199254740992", Some(Id::Number(9_007_199_254_740_992))),
        ("\"1\"", Some(Id::Text("1".to_owned()))),
        (r#""\u0031""#, Some(Id::Text("1".to_owned()))),
        ("\"\"", Some(Id::Text(String::new()))),
        ("1.0", None),
        ("1e0", None),
        ("10e-1", None),
        ("-0", None),
        ("9007199254740993", None),
        ("{}", None),
        ("true", None),
    ] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{literal},"method":"m"}}"#);
        let found = read(&line).ok().map(|message| message.shape);
        assert_eq!(found, id.map(|id| Shape::Request { id, method: "m".to_owned() }), "{literal}");
    }
}

#[test]
fn a_refused_line_still_names_whom_to_answer_unless_that_is_in_doubt() {
    for (line, id, method) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1,"A":2}}"#, Some(Id::Number(1)), Some("m")),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}"#, None, None),
        (r#"{"jsonrpc":"2.0","id":1.0,"method":"m"}"#, None, Some("m")),
        (r#"[{"id":1,"method":"m"}]"#, None, None),
        (r#"[1,"m"]"#, None, None),
        (r#"{"id":1,"#, None, None),
    ] {
        let refused = read(line).expect_err(line);
        assert_eq!((refused.id, refused.method.as_deref()), (id, method), "{line}");
    }
}

#[test]
fn the_digest_is_of_the_literal_of_the_result() {
    let message = read(r#"{"result" : {"b":1.0, "a":2} ,"jsonrpc":"2.0","id":1}"#).expect("valid");
    let digest = Digest::of(br#"{"b":1.0, "a":2}"#);
    assert_eq!(message.shape, Shape::Response { id: Some(Id::Number(1)), digest });
}

#[test]
fn other_spellings_are_variants() {
    for (key, member, variant) in [
        ("id", "id", false),
        ("ID", "id", true),
        ("param\u{17f}", "params", true),
        ("to\u{212a}en", "token", true),
        ("identity", "id", false),
    ] {
        assert_eq!(is_variant(key, member), variant, "{key}");
    }
}
