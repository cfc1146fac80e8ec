//! Heads put together at random: a call is allowed exactly where every part of its head is as it must be.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::harness::*;

/// One field of a head, and what it means for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Host(&'static str),
    Origin(&'static str),
    Credential(&'static str),
    Type(&'static str),
    Length(isize),
    Coding(&'static str),
    Other(&'static str),
}

const FIELDS: &[Field] = &[
    Field::Host("own"),
    Field::Host("localhost:own"),
    Field::Host("evil.example:own"),
    Field::Host("127.0.0.1"),
    Field::Origin("http://localhost:3000"),
    Field::Origin("http://evil.example"),
    Field::Credential("Authorization: Bearer agent-1"),
    Field::Credential("authorization:  bearer agent-1 "),
    Field::Credential("Authorization: Bearer no!agent"),
    Field::Credential("Authorization: Bearer operator-token"),
    Field::Credential("Authorization: Basic agent-1"),
    Field::Type("application/json"),
    Field::Type("application/json; charset=utf-8"),
    Field::Type("text/json"),
    Field::Length(0),
    Field::Length(-1),
    Field::Length(1),
    Field::Coding("chunked"),
    Field::Coding("identity"),
    Field::Other("X-Authorization: Bearer agent-1"),
    Field::Other("X: y"),
    Field::Other("Connection: close"),
    Field::Other("Content-Encoding: gzip"),
    Field::Other("X-Forwarded-Host: evil.example"),
];

/// Whether the whole may be allowed, by a reading of the rules that shares nothing with the gate's.
fn is_right(fields: &[Field]) -> bool {
    let of = |kind: fn(&Field) -> bool| fields.iter().copied().filter(kind).collect::<Vec<_>>();
    let hosts = of(|field| matches!(field, Field::Host(_)));
    let origins = of(|field| matches!(field, Field::Origin(_)));
    let credentials = of(|field| matches!(field, Field::Credential(_)));
    let types = of(|field| matches!(field, Field::Type(_)));
    let lengths = of(|field| matches!(field, Field::Length(_)));
    let good = [Field::Host("own"), Field::Host("localhost:own")];
    matches!(hosts[..], [host] if good.contains(&host))
        && matches!(origins[..], [] | [Field::Origin("http://localhost:3000")])
        && matches!(credentials[..], [Field::Credential(line)] if line.to_ascii_lowercase().contains("bearer agent-1"))
        && matches!(types[..], [Field::Type(json)] if json.starts_with("application/json"))
        && !lengths.is_empty()
        && lengths.iter().all(|length| *length == Field::Length(0))
        && !fields.iter().any(|field| matches!(field, Field::Coding(_)))
        && !fields.contains(&Field::Other("Content-Encoding: gzip"))
}

fn written(fields: &[Field], own: std::net::SocketAddr, body: &str) -> String {
    let mut head = "POST /v1/decide HTTP/1.1\r\n".to_owned();
    for field in fields {
        let line = match field {
            Field::Host("own") => format!("Host: {own}"),
            Field::Host(host) => format!("Host: {}", host.replace("own", &own.port().to_string())),
            Field::Origin(origin) => format!("Origin: {origin}"),
            Field::Credential(line) | Field::Other(line) => (*line).to_owned(),
            Field::Type(media_type) => format!("Content-Type: {media_type}"),
            Field::Length(off) => format!("Content-Length: {}", body.len().strict_add_signed(*off)),
            Field::Coding(coding) => format!("Transfer-Encoding: {coding}"),
        };
        head.push_str(&line);
        head.push_str("\r\n");
    }
    format!("{head}\r\n{body}")
}

/// A head that is right, with a few fields more or less.
fn heads() -> impl Strategy<Value = Vec<Field>> {
    let right = [FIELDS[0], FIELDS[6], FIELDS[11], FIELDS[14]];
    let kept = prop::collection::vec(prop::bool::weighted(0.93), right.len());
    let more = prop::collection::vec(prop::sample::select(FIELDS), 0..3);
    (kept, more)
        .prop_map(move |(kept, more)| {
            let kept = right.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(field, _)| field);
            kept.chain(more).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

#[test]
fn p03_a_call_is_allowed_exactly_where_its_whole_head_is_right() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limits = callgate_doors::http::Limits { body: std::time::Duration::from_millis(50), ..Default::default() };
    let rig = runtime.block_on(async { Rig::with(limits) });
    let counts = std::cell::RefCell::new((0, 0));
    let mut runner = TestRunner::default();
    let result = runner.run(&heads(), |fields| {
        let (allowed, other) = runtime.block_on(async {
            let mut wire = rig.connect().await;
            wire.say(&written(&fields, rig.address, &echo())).await;
            let Some(reply) = wire.hear().await else { return (false, 0) };
            // No body, or a denial: what is not allowed says so.
            let word = if reply.body.is_empty() { "deny".to_owned() } else { reply.said().1 };
            assert!(word == "deny" || (word == "allow" && reply.status == 200), "{reply:?}");
            (word == "allow", reply.status)
        });
        prop_assert_eq!(allowed, is_right(&fields), "{:?}: {}", fields, other);
        let mut counts = counts.borrow_mut();
        if allowed {
            counts.0 += 1
        } else {
            counts.1 += 1
        }
        Ok(())
    });
    result.unwrap();
    let (allowed, denied) = counts.into_inner();
    assert!(allowed > 10 && denied > 10, "{allowed} allowed, {denied} denied");
}
