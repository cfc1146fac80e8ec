//! What an auditor does with what the gate leaves.

use std::fs;

use crate::house::{House, bare, finish, text};

const DENIED: &[u8] =
    br#"{"agent":"finance-1","tool":"bank.payment_send","arguments":{"amount":500,"recipient":"attacker-wallet-xyz"}}"#;

/// Denies a payment and waits until a checkpoint covers it; its index.
fn denied(house: &House) -> String {
    let (code, answer) = house.json(&["decide"], DENIED);
    assert_eq!(code, 2);
    let index = answer["receipt"]["index"].as_u64().expect("an index").to_string();
    for _ in 0..200 {
        if house.run(&["audit", "prove", &index], b"").status.success() {
            return index;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no checkpoint covers the record");
}

#[test]
fn a_record_is_proven_to_somebody_who_has_nothing_but_the_key() {
    let house = House::quickstart();
    let serve = house.serve();
    let index = denied(&house);
    let key = house.json(&["audit", "key"], b"").1["vkey"].as_str().expect("a key").to_owned();
    let shown = house.json(&["audit", "show", &index], b"").1;
    let disclosed = shown["disclosed"].as_object().expect("values");
    let name =
        disclosed.iter().find(|(_, value)| value["value"] == "attacker-wallet-xyz").expect("the recipient").0.clone();
    let file = house.path().join("evidence.json");
    let path = file.to_str().expect("utf-8");
    assert!(house.run(&["audit", "prove", &index, "--open", &name, "--out", path], b"").status.success());

    let check = |arguments: &[&str]| finish(bare(&["audit", "check"]).args(arguments), b"");
    let good = check(&[path, "--key", &key, "--format", "json"]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    let found: serde_json::Value = serde_json::from_slice(&good.stdout).expect("JSON");
    assert_eq!(found["opened"][&name]["value"], "attacker-wallet-xyz");
    assert_eq!(found["record"]["decision"], "deny");
    assert!(!text(&good.stdout).contains("amount"), "what was not opened stays closed");

    // Nothing in it can be changed, and no other key vouches for it.
    let evidence = fs::read_to_string(&file).expect("reads");
    for (from, to) in [("attacker-wallet-xyz", "vendor-a"), ("\\\"deny\\\"", "\\\"allow\\\"")] {
        assert!(evidence.contains(from), "{evidence}");
        fs::write(&file, evidence.replace(from, to)).expect("writes");
        let forged = check(&[path, "--key", &key]);
        assert_eq!(forged.status.code(), Some(1), "{}", text(&forged.stdout));
    }
    fs::write(&file, &evidence).expect("writes");
    let other = House::quickstart();
    let _other = other.serve();
    denied(&other);
    let foreign = other.json(&["audit", "key"], b"").1["vkey"].as_str().expect("a key").to_owned();
    assert_eq!(check(&[path, "--key", &foreign]).status.code(), Some(1));

    // A bare proof, with the record beside it.
    let (proof, leaf) = (house.path().join("proof"), house.path().join("leaf"));
    assert!(house.run(&["audit", "prove", &index, "--out", proof.to_str().expect("utf-8")], b"").status.success());
    let record = house.json(&["audit", "prove", &index], b"").1["leaf"].as_str().expect("a record").to_owned();
    fs::write(&leaf, &record).expect("writes");
    let bare_proof = [proof.to_str().expect("utf-8"), "--leaf", leaf.to_str().expect("utf-8"), "--key", &key];
    assert_eq!(check(&bare_proof).status.code(), Some(0));
    fs::write(&leaf, record.replace("deny", "allow")).expect("writes");
    assert_eq!(check(&bare_proof).status.code(), Some(1));
    serve.terminate();
}

#[test]
fn a_key_is_rotated_and_retired_and_both_are_recorded() {
    let house = House::quickstart();
    let serve = house.serve();
    denied(&house);
    let old = house.json(&["audit", "key"], b"").1["vkey"].clone();
    assert!(!house.run(&["audit", "key", "--retire"], b"").status.success(), "there is no old key yet");
    let new = house.json(&["audit", "key", "--rotate"], b"").1["vkey"].clone();
    assert_ne!(old, new);
    let verify = |key: &serde_json::Value| house.run(&["audit", "verify", "--key", key.as_str().expect("a key")], b"");
    assert!(verify(&old).status.success() && verify(&new).status.success(), "both sign");
    let retired = house.json(&["audit", "key", "--retire"], b"").1;
    assert_eq!(retired["retired"], old);
    assert!(verify(&new).status.success());
    assert!(!verify(&old).status.success(), "the old one signs no more");
    let export = text(&house.run(&["audit", "export"], b"").stdout);
    assert_eq!(export.matches("\"key_change\"").count(), 2, "{export}");
    serve.terminate();
}

#[test]
fn a_disclosure_that_somebody_deleted_is_no_erasure() {
    let house = House::quickstart();
    let serve = house.serve();
    let index = denied(&house);
    denied(&house);
    assert!(house.run(&["audit", "erase", "--index", &index], b"").status.success());
    serve.terminate();
    let (code, verified) = house.json(&["audit", "verify"], b"");
    assert_eq!((code, &verified["disclosures"]["unexplained"]), (0, &0.into()), "{verified}");
    for entry in fs::read_dir(house.state().join("log/disclosures")).expect("reads") {
        fs::remove_file(entry.expect("reads").path()).expect("removes");
    }
    let (code, verified) = house.json(&["audit", "verify"], b"");
    assert_eq!(code, 1);
    assert_ne!(verified["disclosures"]["unexplained"], 0, "{verified}");
}
