//! Profiles as they are written, and what is refused.

use proptest::prelude::*;

use super::*;

fn one(text: &str) -> Result<Profile, ProfileError> {
    Profiles::parse(&format!("[profile.x]\n{text}")).map(|profiles| profiles.get("x").unwrap().clone())
}

#[test]
fn a_profile_that_extends_another_only_tightens() {
    for clauses in [
        "wall = \"1m\"",
        "memory = \"64MiB\"",
        "network = \"none\"",
        "[profile.x.files]\n\"@workspace\" = \"ro\"",
        "[profile.x.files]\n\"@workspace/.env\" = \"hidden\"",
        "[profile.x.files]\n\"/usr/local\" = \"hidden\"",
        "[profile.x.env]\npass = [\"LANG\"]",
        "[profile.x.env]\nset = { HOME = \"/tmp\" }",
    ] {
        let profile = one(&format!("extends = \"workspace\"\n{clauses}")).unwrap();
        assert_ne!(profile.digest(), Profiles::default().get("workspace").unwrap().digest());
    }
    for clauses in [
        "tier = 1",
        "wall = \"2h\"",
        "memory = \"64GiB\"",
        "memory_by = \"watched\"",
        "unix_sockets = true",
        "processes = 100000",
        "[profile.x.files]\n\"@workspace\" = \"rw\"",
        "[profile.x.files]\n\"/root\" = \"ro\"",
        "[profile.x.files]\n\"/usr\" = \"cow\"",
        "[profile.x.files]\n\"/opt\" = \"tmpfs\"",
        "[profile.x.env]\npass = [\"AWS_PROFILE\"]",
        "[profile.x.env]\nset = { LD_PRELOAD = \"/tmp/x.so\" }",
        "secrets = { TOKEN = \"npm\" }",
    ] {
        let loosened = one(&format!("extends = \"workspace\"\n{clauses}"));
        assert!(matches!(loosened, Err(ProfileError::Loosened(_))), "{clauses}: {loosened:?}");
        // As a base of its own, on the operator's word, it may.
        assert!(one(clauses).is_ok() || clauses == "tier = 1", "{clauses}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for clauses in [
        "extends = \"nothing\"",
        "extends = \"x\"",
        "wall = \"0s\"",
        "wall = \"10\"",
        "wall = \"-1s\"",
        "wall = \"99999999999999999999h\"",
        "memory = \"1GB\"",
        "processes = 0",
        "tier = 9",
        "networks = \"none\"",
        "network = \"open\"",
        "[profile.x.files]\n\"relative\" = \"ro\"",
        "[profile.x.files]\n\"/a/../b\" = \"ro\"",
        "[profile.x.files]\n\"/usr\" = \"write\"",
        "[profile.x.env]\npass = [\"LD_PRELOAD\"]",
        "[profile.x.env]\npass = [\"GIT_SSH_COMMAND\"]",
        "[profile.x.env]\npass = [\"NODE_OPTIONS\"]",
        "[profile.x.env]\nset = { \"A=B\" = \"c\" }",
        "[profile.x.env]\nset = { A = \"\\u0000\" }",
    ] {
        assert!(one(clauses).is_err(), "{clauses}");
    }
    assert!(Profiles::parse("[profile.workspace]\nwall = \"1s\"").is_err(), "built-in names are taken");
    assert!(Profiles::parse("[profile.\"../x\"]").is_err());
    assert!(Profiles::parse("[profile.a]\nextends=\"b\"\n[profile.b]\nextends=\"a\"").is_err());
}

#[test]
fn chains_are_followed_whatever_their_order() {
    let text = "[profile.a]\nextends = \"b\"\nwall = \"5s\"\n[profile.b]\nextends = \"workspace\"\nwall = \"9s\"\nnetwork = \"none\"";
    let profiles = Profiles::parse(text).unwrap();
    let a = profiles.get("a").unwrap();
    assert_eq!((a.limits.wall, a.network), (5, Network::None));
}

proptest! {
    /// Whatever a profile that extends another says: it is refused, or it grants nothing more.
    #[test]
    fn p10_inheritance_never_grants_more(
        entries in prop::collection::btree_map(
            prop_oneof!["@workspace(/[ab]){0,2}", "/(usr|opt|etc)(/[ab]){0,2}"],
            prop_oneof!["hidden", "tmpfs", "ro", "cow", "rw"], 0..6),
        wall in 1..10_000_u64, processes in 1..2000_u64, sockets: bool,
        probe in prop_oneof!["@workspace(/[ab]){0,3}", "/(usr|opt|etc|root)(/[ab]){0,3}"],
    ) {
        let mut text = format!("extends = \"workspace\"\nwall = \"{wall}s\"\nprocesses = {processes}\nunix_sockets = {sockets}\n[profile.x.files]\n");
        for (place, word) in &entries {
            text.push_str(&format!("\"{place}\" = \"{word}\"\n"));
        }
        if let Ok(profile) = one(&text) {
            let defaults = Profiles::default();
            let base = defaults.get("workspace").unwrap();
            let probe: crate::Place = probe.parse().unwrap();
            prop_assert!(profile.access(&probe) <= base.access(&probe));
            prop_assert!(profile.limits.wall <= base.limits.wall && profile.limits.processes <= base.limits.processes);
            prop_assert!(!profile.unix_sockets);
            prop_assert_eq!(profile.digest(), one(&text).unwrap().digest());
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,200}") {
        let _ = Profiles::parse(&text);
        let _ = Profiles::of_gate(&text);
    }
}

#[test]
fn sandboxes_stand_by_only_if_asked_for_and_within_bounds() {
    assert_eq!(Profiles::parse("").map(|profiles| profiles.warm()), Ok(0));
    assert_eq!(Profiles::parse("warm = 4").map(|profiles| profiles.warm()), Ok(4));
    assert_eq!(Profiles::of_gate("[sandbox]\nwarm = 1\n").map(|profiles| profiles.warm()), Ok(1));
    assert_eq!(Profiles::parse("warm = 5").map(|profiles| profiles.warm()), Err(ProfileError::Warm(5)));
    assert!(matches!(Profiles::parse("warm = -1"), Err(ProfileError::Form(_))));
}
