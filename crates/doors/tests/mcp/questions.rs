//! What a server asks for in its answers, and what is said to it in return.

use callgate_core::Outcome;
use callgate_doors::mcp::DENIED;
use callgate_text::{Digest, Json};

use crate::harness::*;

pub(crate) const ELICIT: &str =
    r#"{"method":"elicitation/create","params":{"message":"Name?","mode":"form","requestedSchema":{"type":"object"}}}"#;
const SAMPLE: &str = r#"{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":5}}"#;
pub(crate) const ROOTS: &str = r#"{"method":"roots/list"}"#;
pub(crate) const NAME: &str = r#"{"action":"accept","content":{"name":"Ann"}}"#;
pub(crate) const REPLY: &str = r#"{"role":"assistant","model":"m","content":{"type":"text","text":"t"}}"#;
const FOLDERS: &str = r#"{"roots":[]}"#;

pub(crate) fn result(id: u64, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn asks(questions: &str, state: &str) -> String {
    let state = if state.is_empty() { String::new() } else { format!(r#","requestState":"{state}""#) };
    format!(r#"{{"inputRequests":{{{questions}}}{state},"resultType":"input_required"}}"#)
}

/// A call of `echo` under way, as request 1.
async fn asked(rig: &mut Rig, answer: &str) {
    rig.client.passes(&mut rig.server, &request("1", "tools/call", r#""name":"echo","arguments":{"n":1}"#)).await;
    rig.server.say(&result(1, answer)).await;
}

fn retry(id: &str, more: &str) -> String {
    request(id, "tools/call", &format!(r#""name":"echo","arguments":{{"n":1}},{more}"#))
}

#[tokio::test]
async fn questions_are_decided_and_a_retry_is_decided_anew() {
    let mut rig = Rig::stateless(TOOLS).await;
    let questions = format!(r#""a":{ELICIT},"b":{SAMPLE},"c":{ROOTS}"#);
    let answer = result(1, &asks(&questions, "opaque"));
    rig.client.passes(&mut rig.server, &request("1", "tools/call", r#""name":"echo","arguments":{"n":1}"#)).await;
    rig.server.passes(&mut rig.client, &answer).await;
    let decided = rig.gate.decided();
    let shown: Vec<String> = decided
        .iter()
        .map(|call| {
            format!(
                "{} {}",
                call.tool,
                String::from_utf8(Json::Object(call.arguments.clone().unwrap_or_default()).canonical()).unwrap()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"srv.echo {"n":1}"#,
            r#"srv.elicitation/create {"message":"Name?","mode":"form","requestedSchema":{"type":"object"}}"#,
            r#"srv.sampling/createMessage {"maxTokens":5,"messages":[]}"#,
            "srv.roots/list {}",
        ]
    );
    assert_eq!(decided[1].original, Digest::of(&Json::parse(ELICIT.as_bytes()).unwrap().canonical()));
    assert_eq!(rig.events(5).await.len(), 5, "the call is done, the questions are not");

    let again =
        retry("2", &format!(r#""inputResponses":{{"a":{NAME},"b":{REPLY},"c":{FOLDERS}}},"requestState":"opaque""#));
    rig.client.passes(&mut rig.server, &again).await;
    let call = rig.gate.decided().pop().unwrap();
    assert_eq!(call.original, Digest::of(again.as_bytes()));
    assert_eq!(call.members.get("requestState").and_then(Json::as_str), Some("opaque"));
    assert_eq!(at(call.members.get("inputResponses").unwrap(), &["a", "action"]).as_str(), Some("accept"));
    rig.events(9).await;
    assert_eq!(rig.gate.completed(), [Outcome::Ok; 4], "the answers end the questions");
    // The next round, and the end.
    rig.server.say(&result(2, &asks("", "more").replace(r#""inputRequests":{},"#, ""))).await;
    rig.client.hear().await;
    rig.client.passes(&mut rig.server, &retry("3", r#""requestState":"more""#)).await;
    rig.server.passes(&mut rig.client, &result(3, r#"{"content":[],"resultType":"complete"}"#)).await;
    rig.events(12).await;
    assert_eq!(rig.gate.completed(), [Outcome::Ok; 6]);
}

#[tokio::test]
async fn a_retry_that_policy_forbids_by_then_does_not_run() {
    let mut rig = Rig::stateless(TOOLS).await;
    asked(&mut rig, &asks(&format!(r#""a":{ELICIT}"#), "s")).await;
    rig.client.hear().await;
    rig.gate.forbid("srv.echo");
    rig.client.say(&retry("2", &format!(r#""inputResponses":{{"a":{NAME}}},"requestState":"s""#))).await;
    assert_eq!(at(&rig.client.hear_json().await, &["result", "isError"]).as_bool(), Some(true));
    rig.no_more_at_the_server().await;
    // The question stays open until the session ends.
    rig.events(4).await;
    assert_eq!(rig.gate.completed(), [Outcome::Ok]);
    let gate = rig.gate.clone();
    rig.client.hang_up().await;
    rig.server.hang_up().await;
    rig.ended().await;
    assert_eq!(gate.completed(), [Outcome::Ok, Outcome::Timeout]);
}

#[tokio::test]
async fn a_question_that_policy_forbids_is_not_asked() {
    for (method, params) in [("tools/call", r#""name":"echo""#), ("resources/read", r#""uri":"a:b""#)] {
        let mut rig = Rig::stateless(TOOLS).await;
        rig.gate.forbid("srv.sampling/createMessage");
        rig.client.passes(&mut rig.server, &request("1", method, params)).await;
        rig.server.say(&result(1, &asks(&format!(r#""a":{ELICIT},"b":{SAMPLE},"c":{ROOTS}"#), "s"))).await;
        let answer = rig.client.hear_json().await;
        let shown = format!("{answer:?}");
        assert!(!shown.contains("Name?") && !shown.contains("inputRequests"), "{shown}");
        if method == "tools/call" {
            assert_eq!(at(&answer, &["result", "isError"]).as_bool(), Some(true));
            assert_eq!(text(&answer, &["result", "resultType"]), "complete");
            let told = text(&answer, &["result", "content", "0", "text"]);
            assert!(told.contains("sampling/createMessage") && told.contains("not_permitted"), "{told}");
            assert_eq!(text(&answer, &["result", "_meta", "dev.callgate/decision", "decision"]), "deny");
        } else {
            assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(DENIED));
        }
        // What was let through before it was not asked either; what was asked in vain may not be answered.
        rig.events(5).await;
        assert_eq!(rig.gate.completed(), [Outcome::NotRun, Outcome::Ok], "{method}");
        rig.client.say(&request("2", method, &format!(r#"{params},"requestState":"s""#))).await;
        assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(DENIED));
        rig.no_more_at_the_server().await;
    }
}

/// What a server can put into an answer that asks: all of it is looked at, or nothing passes.
#[tokio::test]
async fn an_answer_that_asks_hides_nothing() {
    let hidden = format!("\"a\":{}", ELICIT.replace("Name?", "Na\u{200b}me?"));
    let mut rig = Rig::stateless(TOOLS).await;
    asked(&mut rig, &asks(&hidden, "s")).await;
    assert_eq!(text(&rig.client.hear_json().await, &["result", "inputRequests", "a", "params", "message"]), "Name?");
    assert_eq!(rig.gate.decided().pop().unwrap().arguments.unwrap().get("message").unwrap().as_str(), Some("Name?"));
    let many: Vec<String> = (0..33).map(|n| format!(r#""q{n}":{ROOTS}"#)).collect();
    for answer in [
        asks(&format!(r#""a":{}"#, ELICIT.replace("Name?", "unfit")), "s"),
        asks(&format!(r#""a":{ELICIT}"#), "s\u{200b}"),
        asks(&format!(r#""a":{ELICIT}"#), "unfit"),
        asks(&format!("\"a\u{200b}\":{ELICIT}"), "s"),
        asks(&format!(r#""{}":{ELICIT}"#, "n".repeat(257)), "s"),
        asks(&many.join(","), "s"),
        asks(r#""a":{"method":"tools/call","params":{"name":"echo"}}"#, "s"),
        asks(r#""a":{"method":"Roots/list"}"#, "s"),
        asks(r#""a":{"method":"ping"}"#, "s"),
        asks(r#""a":{"method":"roots/list","params":[]}"#, "s"),
        asks(r#""a":{"method":"roots/list","beside":{}}"#, "s"),
        asks(r#""a":{"params":{}}"#, "s"),
        asks(r#""a":"roots/list""#, "s"),
        asks("", "s"),
        r#"{"resultType":"input_required"}"#.to_owned(),
        r#"{"resultType":"input_required","inputRequests":[],"requestState":"s"}"#.to_owned(),
        r#"{"resultType":"input_required","inputRequests":null,"requestState":"s"}"#.to_owned(),
        r#"{"resultType":"input_required","requestState":7}"#.to_owned(),
        format!(r#"{{"resultType":"input_required","requestState":"s","InputRequests":{{"a":{ELICIT}}}}}"#),
    ] {
        let mut rig = Rig::stateless(TOOLS).await;
        asked(&mut rig, &answer).await;
        let told = rig.client.hear().await;
        assert!(told.contains("result_withheld") || told.contains("injection_suspected"), "{answer}: {told}");
        assert_eq!(rig.gate.decided().len(), 1, "{answer}");
        // Nothing of it was learnt.
        rig.client.say(&retry("2", r#""requestState":"s""#)).await;
        assert!(rig.client.hear().await.contains("error"), "{answer}");
        rig.no_more_at_the_server().await;
    }
    // A question that is none is refused by the gate, which knows what belongs to it.
    let mut rig = Rig::stateless(TOOLS).await;
    asked(&mut rig, &asks(r#""a":{"method":"roots/list","params":{"secret":1}}"#, "s")).await;
    assert!(rig.client.hear().await.contains("roots/list"));
}

/// Answers and states are free in form: what belongs to no question is a message past policy.
#[tokio::test]
async fn nothing_is_said_that_was_not_asked_for() {
    let once = || async {
        let mut rig = Rig::stateless(TOOLS).await;
        asked(&mut rig, &asks(&format!(r#""a":{ELICIT},"b":{SAMPLE}"#), "state")).await;
        rig.client.hear().await;
        rig
    };
    for said in [
        // A state that was never given, was given otherwise, or is no text.
        r#""requestState":"secret""#.to_owned(),
        r#""requestState":"State""#.to_owned(),
        r#""requestState":"state-TAMPERED""#.to_owned(),
        r#""requestState":"""#.to_owned(),
        r#""requestState":{"s":"state"}"#.to_owned(),
        r#""requestState":null"#.to_owned(),
        // Answers of another kind, or none.
        format!(r#""requestState":"state","inputResponses":{{"a":{REPLY}}}"#),
        format!(r#""requestState":"state","inputResponses":{{"b":{NAME}}}"#),
        r#""requestState":"state","inputResponses":{"a":"secret"}"#.to_owned(),
        r#""requestState":"state","inputResponses":{"a":{"action":"secret"}}"#.to_owned(),
        r#""requestState":"state","inputResponses":["secret"]"#.to_owned(),
        r#""requestState":"state","inputResponses":null"#.to_owned(),
    ] {
        let mut rig = once().await;
        rig.client.say(&retry("2", &said)).await;
        let answer = rig.client.hear_json().await;
        assert_eq!(at(&answer, &["error", "code"]).as_i64(), Some(DENIED), "{said}: {answer:?}");
        rig.no_more_at_the_server().await;
        assert!(matches!(rig.gate.events().last(), Some(Event::Faulty(_))), "a denial on record: {said}");
    }
    // The state belongs to the request for which it was given.
    for other in [
        request("2", "tools/call", r#""name":"echo","arguments":{"n":2},"requestState":"state""#),
        request("2", "tools/call", r#""name":"echo","requestState":"state""#),
        request("2", "tools/call", r#""name":"other","arguments":{"n":1},"requestState":"state""#),
        request("2", "prompts/get", r#""name":"echo","arguments":{"n":1},"requestState":"state""#),
        request("2", "resources/read", r#""uri":"a:b","requestState":"state""#),
    ] {
        let mut rig = once().await;
        rig.client.say(&other).await;
        assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(DENIED), "{other}");
        rig.no_more_at_the_server().await;
    }
    // It is no part of anything else.
    for (method, params) in [
        ("completion/complete", r#""ref":{},"argument":{},"requestState":"state""#),
        ("tools/list", r#""requestState":"state""#),
        ("server/discover", r#""inputResponses":{}"#),
    ] {
        let mut rig = once().await;
        rig.client.say(&request("2", method, params)).await;
        assert!(rig.client.hear_json().await.get("error").is_some(), "{method}");
        rig.no_more_at_the_server().await;
    }
    // What answers nothing is taken out: a server overlooks it, and one that would not does not get it.
    let mut rig = once().await;
    rig.client
        .say(&retry(
            "2",
            &format!(r#""requestState":"state","inputResponses":{{"a":{NAME},"x":"secret","A":"secret"}}"#),
        ))
        .await;
    assert!(rig.client.hear().await.contains("invalid_arguments"), "keys that differ in case alone");
    rig.client
        .say(&retry("3", &format!(r#""requestState":"state","inputResponses":{{"a":{NAME},"x":"secret"}}"#)))
        .await;
    let heard = rig.server.hear().await;
    assert!(!heard.contains("secret"), "{heard}");
    assert_eq!(
        rig.gate.decided().pop().unwrap().original,
        Digest::of(heard.as_bytes()),
        "what is decided is what runs"
    );
}

/// The protocol knows no session: an answer may come to a server that was started anew, and to its new door.
/// Whether the server may be told such a thing is then a matter of policy, as whether it may ask for it.
#[tokio::test]
async fn an_answer_to_a_question_of_another_session_is_decided_as_that_question() {
    let all = retry("2", &format!(r#""inputResponses":{{"a":{NAME},"b":{REPLY},"c":{FOLDERS}}}"#));
    let mut rig = Rig::stateless(TOOLS).await;
    rig.client.passes(&mut rig.server, &all).await;
    let decided: Vec<String> = rig
        .gate
        .decided()
        .iter()
        .map(|call| {
            format!(
                "{} {:?}",
                call.tool,
                String::from_utf8(Json::Object(call.arguments.clone().unwrap_or_default()).canonical()).unwrap()
            )
        })
        .collect();
    assert_eq!(
        decided,
        [
            r#"srv.elicitation/create "{\"message\":\"\"}""#,
            r#"srv.sampling/createMessage "{\"maxTokens\":0,\"messages\":[]}""#,
            r#"srv.roots/list "{}""#,
            r#"srv.echo "{\"n\":1}""#,
        ]
    );
    rig.events(7).await;
    assert_eq!(rig.gate.completed(), [Outcome::Ok; 3]);

    let mut rig = Rig::stateless(TOOLS).await;
    rig.gate.forbid("srv.sampling/createMessage");
    rig.client.say(&all).await;
    let answer = rig.client.hear_json().await;
    assert_eq!(at(&answer, &["result", "isError"]).as_bool(), Some(true));
    rig.no_more_at_the_server().await;
    rig.events(3).await;
    assert_eq!(rig.gate.completed(), [Outcome::NotRun]);
    assert_eq!(rig.gate.decided().len(), 2, "the call itself is not decided");
    // Nor does a call that is denied say anything.
    let mut rig = Rig::stateless(TOOLS).await;
    rig.gate.forbid("srv.echo");
    rig.client.say(&retry("2", &format!(r#""inputResponses":{{"a":{NAME}}}"#))).await;
    assert_eq!(at(&rig.client.hear_json().await, &["result", "isError"]).as_bool(), Some(true));
    rig.no_more_at_the_server().await;
    rig.events(3).await;
    assert_eq!(rig.gate.completed(), [Outcome::NotRun]);
    // What is no answer to anything is none.
    for wrong in [r#""secret""#, "12345", "null", r#"{"action":"secret"}"#, r#"{"secret":"x"}"#] {
        rig.client.say(&retry("3", &format!(r#""inputResponses":{{"a":{wrong}}}"#))).await;
        assert_eq!(at(&rig.client.hear_json().await, &["error", "code"]).as_i64(), Some(DENIED), "{wrong}");
    }
    rig.no_more_at_the_server().await;
}

/// A revision of the older era lets a server refuse until the user has been to an address: an elicitation, too.
#[tokio::test]
async fn an_error_that_sends_the_user_elsewhere_is_decided() {
    let error =
        |more: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32042,"message":"first",{more}}}}}"#);
    let asks = error(
        r#""data":{"elicitations":[{"mode":"url","message":"Log in","url":"https://a.test/","elicitationId":"e"}]}"#,
    );
    let mut rig = Rig::ready(TOOLS).await;
    rig.client.passes(&mut rig.server, &call("1", "echo")).await;
    rig.server.passes(&mut rig.client, &asks).await;
    let asked = rig.gate.decided().pop().unwrap();
    assert_eq!(asked.tool.as_str(), "srv.elicitation/create");
    assert_eq!(asked.arguments.unwrap().get("url").and_then(Json::as_str), Some("https://a.test/"));
    rig.gate.forbid("srv.elicitation/create");
    for said in [
        asks.clone(),
        error(r#""data":{"elicitations":[]}"#),
        error(r#""data":{"elicitations":["x"]}"#),
        error(r#""data":{}"#),
        asks.replace(r#""data""#, r#""Data""#),
        asks.replace(r#""code":-32042"#, r#""Code":-32042"#),
        asks.replace("-32042", "-32042.5"),
    ] {
        rig.client.passes(&mut rig.server, &call("1", "echo")).await;
        rig.server.say(&said).await;
        let told = rig.client.hear().await;
        assert!(!told.contains("a.test") && told.contains("isError"), "{said}: {told}");
    }
    let mut rig = Rig::stateless(TOOLS).await;
    rig.client.passes(&mut rig.server, &request("1", "tools/call", r#""name":"echo""#)).await;
    rig.server.say(&asks).await;
    assert!(rig.client.hear().await.contains("result_withheld"));
}
