//! Whatever is said and asked in whatever order: nothing passes that does not belong to a question.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn released(id: u8) -> Released {
    Released { decision: format!("D{id}"), permit: format!("P{id}") }
}

fn target(id: u8) -> Target {
    Target::task(&id.to_string())
}

fn object(text: &str) -> Object {
    match Json::parse(text.as_bytes()) {
        Ok(Json::Object(object)) => object,
        other => panic!("{other:?}"),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Asks { target: u8, state: Option<u8>, names: BTreeSet<u8> },
    Says { target: u8, state: Option<u8>, names: BTreeSet<u8> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let part = || (0..3_u8, proptest::option::of(0..3_u8), proptest::collection::btree_set(0..4_u8, 0..4));
    let step = prop_oneof![
        part().prop_map(|(target, state, names)| Step::Asks { target, state, names }),
        part().prop_map(|(target, state, names)| Step::Says { target, state, names }),
    ];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    #[test]
    fn only_answers_to_questions_pass(steps in steps()) {
        let questions = Questions::default();
        // The model: what was asked last, by target and state.
        let mut asked: BTreeMap<(u8, Option<u8>), BTreeSet<u8>> = BTreeMap::new();
        let mut permits = 0_u8;
        let (mut handed, mut reported) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Asks { target: to, state, names } => {
                    let round = names.iter().map(|name| {
                        let name_text = name.to_string();
                        let before = questions.known(target(to), state.map(|s| s.to_string()).as_deref(), &name_text, Digest::of(b""));
                        let question = before.unwrap_or_else(|| {
                            permits += 1;
                            handed.push(released(permits));
                            Question { kind: Action::Elicit, asked: Digest::of(b""), released: Some(released(permits)) }
                        });
                        (name_text, question)
                    });
                    let round: Asked = round.collect();
                    reported.extend(questions.learn(target(to), state.map(|s| s.to_string()).as_deref(), round));
                    asked.insert((to, state), names);
                }
                Step::Says { target: to, state, names } => {
                    let mut params = Object::default();
                    let said: Object =
                        names.iter().map(|name| (name.to_string(), Json::object([("action", "accept")]))).collect();
                    params.set("inputResponses", said);
                    if let Some(state) = state {
                        params.set("requestState", state.to_string());
                    }
                    let known = asked.get(&(to, state));
                    match questions.fit(target(to), &mut params) {
                        Err(_) => prop_assert!(state.is_some() && known.is_none()),
                        Ok(answers) => {
                            prop_assert!(state.is_none() || known.is_some());
                            let kept = params.get("inputResponses").and_then(Json::as_object).cloned().unwrap_or_default();
                            for (name, _) in kept.iter().filter(|_| known.is_some()) {
                                prop_assert!(known.is_some_and(|known| known.iter().any(|one| one.to_string() == name)));
                            }
                            // What was not asked for here is decided, all of it.
                            prop_assert_eq!(answers.unseen.len(), if known.is_some() { 0 } else { kept.len() });
                            for name in known.into_iter().flatten().filter(|name| names.contains(name)) {
                                prop_assert!(kept.contains(&name.to_string()));
                            }
                            reported.extend(questions.answered(&answers).into_iter().map(|(released, ..)| released));
                        }
                    }
                }
            }
        }
        // Each permit is reported exactly once.
        reported.extend(questions.abandon());
        let key = |released: &Released| released.decision.clone();
        handed.sort_by_key(key);
        reported.sort_by_key(key);
        prop_assert_eq!(handed, reported);
    }
}

#[test]
fn an_answer_is_of_the_kind_that_was_asked_for() {
    let right = [
        (Action::Elicit, r#"{"action":"accept","content":{"name":"Ann"}}"#),
        (Action::Elicit, r#"{"action":"decline"}"#),
        (Action::ListRoots, r#"{"roots":[]}"#),
        (Action::Sample, r#"{"role":"assistant","model":"m","content":{"type":"text","text":"t"}}"#),
    ];
    for (kind, answer) in right {
        for (other, _) in right {
            assert_eq!(is_answer(other, &Json::Object(object(answer))), kind == other, "{answer} for {other:?}");
        }
    }
    for wrong in
        [r#"{}"#, r#"{"action":"yes"}"#, r#"{"action":"accept","content":"x"}"#, r#"{"roots":{}}"#, r#"{"role":"x"}"#]
    {
        for (kind, _) in right {
            assert!(!is_answer(kind, &Json::Object(object(wrong))), "{wrong} for {kind:?}");
        }
    }
    assert!(!is_answer(Action::Elicit, &Json::from("accept")));
}

#[test]
fn the_oldest_questions_are_forgotten_first() {
    let questions = Questions::default();
    for round in 0..=MOST_ROUNDS {
        let question = Question { kind: Action::Elicit, asked: Digest::of(b""), released: Some(released(0)) };
        let asked: Asked = [("a".to_owned(), question)].into();
        let forgotten = questions.learn(target(0), Some(&round.to_string()), asked);
        assert_eq!(forgotten.len(), usize::from(round == MOST_ROUNDS));
    }
    assert!(questions.fit(target(0), &mut object(r#"{"requestState":"0"}"#)).is_err());
    assert!(questions.fit(target(0), &mut object(r#"{"requestState":"1"}"#)).is_ok());
    assert!(questions.fit(target(1), &mut object(r#"{"requestState":"1"}"#)).is_err());
}

/// The same request with other arguments, another name or another method is another request.
#[test]
fn a_target_is_all_that_a_request_says() {
    let of = |action, text: &str| Target::of(action, Some(&object(text)));
    let one = of(Action::Call, r#"{"name":"a","arguments":{"x":1},"_meta":{"y":1}}"#);
    assert_eq!(one, of(Action::Call, r#"{"arguments":{"x":1},"name":"a","requestState":"s","inputResponses":{}}"#));
    for other in [
        of(Action::Call, r#"{"name":"a","arguments":{"x":2}}"#),
        of(Action::Call, r#"{"name":"b","arguments":{"x":1}}"#),
        of(Action::Call, r#"{"name":"a"}"#),
        of(Action::GetPrompt, r#"{"name":"a","arguments":{"x":1}}"#),
    ] {
        assert_ne!(one, other);
    }
}
