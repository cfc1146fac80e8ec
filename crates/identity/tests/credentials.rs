//! Tokens and uids lead to one agent or to nobody.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use callgate_core::{AgentId, Caller, Posture, Timestamp};
use callgate_identity::{Holder, Peer, StoreError, Token, TokenError, TokenStore, identify, is_operator};

const NOW: Timestamp = Timestamp::from_millis(1_795_386_614_000);

fn agent(name: &str) -> AgentId {
    name.parse().expect("an agent name")
}

#[test]
fn a_token_proves_its_agent_until_it_is_revoked() {
    let state = tempfile::tempdir().expect("a folder");
    let store = TokenStore::open(state.path()).expect("opens");
    let (token, credential) = store.mint(Holder::Agent(agent("support-1")), NOW).expect("mints");
    let who = |store: &TokenStore, text| identify(store, 1000, Peer { uid: 2000, mapped: None, observed: false }, text);

    let expected = Caller::Agent { id: agent("support-1"), posture: Posture::Enforced };
    assert_eq!(who(&store, Some(token.secret())), expected);
    assert_eq!(who(&TokenStore::open(state.path()).expect("opens again"), Some(token.secret())), expected);

    assert_eq!(store.revoke(&credential.id).expect("revokes"), Some(credential.clone()));
    assert_eq!(store.revoke(&credential.id).expect("is idempotent"), None);
    assert!(matches!(who(&store, Some(token.secret())), Caller::Unrecognised { .. }));
    assert!(matches!(
        who(&TokenStore::open(state.path()).expect("opens again"), Some(token.secret())),
        Caller::Unrecognised { .. }
    ));
}

#[test]
fn p07_an_operators_token_is_no_agents_and_an_agents_is_no_operators() {
    let state = tempfile::tempdir().expect("a folder");
    let store = TokenStore::open(state.path()).expect("opens");
    let (operators, credential) = store.mint(Holder::Operator, NOW).expect("mints");
    let (agents, _) = store.mint(Holder::Agent(agent("support-1")), NOW).expect("mints");
    let who = |store: &TokenStore, token: &Token| {
        let peer = Peer { uid: 2000, mapped: Some(agent("finance-1")), observed: false };
        identify(store, 1000, peer, Some(token.secret()))
    };
    for store in [&store, &TokenStore::open(state.path()).expect("opens again")] {
        assert!(is_operator(store, operators.secret()));
        assert!(matches!(who(store, &operators), Caller::Unrecognised { .. }));
        assert!(!is_operator(store, agents.secret()));
        assert_eq!(who(store, &agents), Caller::Agent { id: agent("support-1"), posture: Posture::Enforced });
        assert!(!is_operator(store, "") && !is_operator(store, Token::mint().expect("mints").secret()));
    }
    store.revoke(&credential.id).expect("revokes");
    assert!(!is_operator(&store, operators.secret()));
}

#[test]
fn p07_a_refused_token_never_falls_back_to_the_uid() {
    let state = tempfile::tempdir().expect("a folder");
    let store = TokenStore::open(state.path()).expect("opens");
    let who =
        |text| identify(&store, 1000, Peer { uid: 2000, mapped: Some(agent("finance-1")), observed: false }, text);
    assert_eq!(who(None), Caller::Agent { id: agent("finance-1"), posture: Posture::Enforced });
    let forged = Token::mint().expect("mints");
    for text in ["", "cgt_", "finance-1", forged.secret()] {
        assert!(matches!(who(Some(text)), Caller::Unrecognised { .. }), "{text:?}");
    }
    assert!(matches!(
        identify(&store, 1000, Peer { uid: 3000, mapped: None, observed: false }, None),
        Caller::Unrecognised { .. }
    ));
}

#[test]
fn p07_an_agent_under_the_gates_own_user_is_advisory() {
    let state = tempfile::tempdir().expect("a folder");
    let store = TokenStore::open(state.path()).expect("opens");
    for (uid, posture) in [(1000, Posture::Advisory), (0, Posture::Advisory), (2000, Posture::Enforced)] {
        let who = identify(&store, 1000, Peer { uid, mapped: Some(agent("a")), observed: false }, None);
        assert_eq!(who, Caller::Agent { id: agent("a"), posture });
    }
}

#[test]
fn the_store_keeps_no_token_and_refuses_damage() {
    let state = tempfile::tempdir().expect("a folder");
    let store = TokenStore::open(state.path()).expect("opens");
    let (token, _) = store.mint(Holder::Agent(agent("support-1")), NOW).expect("mints");
    let path = state.path().join("credentials.json");
    let kept = fs::read_to_string(&path).expect("reads");
    assert!(!kept.contains(token.secret()));
    assert_eq!(fs::metadata(&path).expect("stats").permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("chmods");
    assert!(matches!(TokenStore::open(state.path()), Err(StoreError::Exposed { .. })));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmods");
    for damage in [
        &kept[..kept.len() - 1],
        "{}",
        "",
        "{\"version\":2,\"credentials\":[]}",
        "{\"version\":1,\"credentials\":[{}]}",
        &kept.replace("\"agent\":\"support-1\"", "\"operator\":false"),
        &kept.replace("\"agent\":\"support-1\"", "\"agent\":\"support-1\",\"operator\":true"),
    ] {
        fs::write(&path, damage).expect("writes");
        assert!(matches!(TokenStore::open(state.path()), Err(StoreError::Damaged { .. })), "{damage:?}");
    }
}

#[test]
fn a_credential_that_others_can_read_is_refused() {
    let state = tempfile::tempdir().expect("a folder");
    let path = state.path().join("support-1.token");
    let token = Token::mint().expect("mints");
    token.write_new(&path).expect("writes");
    assert_eq!(Token::read(&path).expect("reads"), token);
    assert!(matches!(token.write_new(&path), Err(TokenError::File(_))), "never overwrites");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmods");
    assert!(matches!(Token::read(&path), Err(TokenError::Exposed)));
    assert_eq!(format!("{token:?}"), "Token(…)");
}
