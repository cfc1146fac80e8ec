//! The rows of the demo: who calls what, and what must become of it.

use serde_json::{Value, json};

/// What must become of a call.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// It runs.
    Allow,
    /// It is denied with this code, and the reason holds these words.
    Deny(&'static str, &'static [&'static str]),
}

/// Which credential the agent's door carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Credential {
    /// The agent's own, by the agent's name.
    Of(&'static str),
    /// None at all.
    None,
    /// One that this gate never made.
    Forged,
}

/// What happens to the gate before a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// The engineers' policy is replaced by one that forbids `git status`, while the door stays open.
    PolicyReplaced,
    /// The agent's door is opened anew on a server that has changed since it was pinned.
    ServerChanged,
}

/// One call of the demo.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) who: &'static str,
    pub(super) credential: Credential,
    pub(super) tool: &'static str,
    pub(super) arguments: Value,
    /// Protocol metadata that the agent sends along.
    pub(super) meta: Option<Value>,
    /// Environment variables that the agent sets for its door.
    pub(super) environment: &'static [(&'static str, &'static str)],
    pub(super) before: Before,
    pub(super) expected: Expected,
    /// What the row shows, in a few words.
    pub(super) what: &'static str,
}

pub(super) fn row(
    who: &'static str,
    tool: &'static str,
    arguments: Value,
    expected: Expected,
    what: &'static str,
) -> Row {
    Row {
        who,
        credential: Credential::Of(who),
        tool,
        arguments,
        meta: None,
        environment: &[],
        before: Before::Nothing,
        expected,
        what,
    }
}

/// One deed in six spellings. None of them is in any list: each is denied for what it does.
const SPELLINGS: [(&str, &str); 6] = [
    ("rm -rf /production-data/*", "deletes outside"),
    ("r''m -r\"f\" /production-data/*", "the same in quotes"),
    ("X=rm; $X -rf /production-data/*", "the same by a variable"),
    ("bash -c 'sh -c \"rm -rf /production-data/*\"'", "the same, two shells deep"),
    ("find /production-data -mindepth 1 -delete", "the same by another program"),
    ("cd /production-data && $(printf rm) -rf ./*", "the same from inside, by what is printed"),
];

pub(super) fn rows() -> Vec<Row> {
    use Expected::{Allow, Deny};
    let mail = |to: &str| json!({"to": to, "subject": "Your order", "body": "It arrives on Friday."});
    let pay = |amount: Value, to: &str| json!({"amount": amount, "recipient": to});
    const INVALID: Expected = Deny("invalid_arguments", &[]);
    let mut rows = vec![
        row("support-1", "desk.read_ticket", json!({"id": "T-1"}), Allow, "its own work"),
        row("support-1", "desk.send_email", mail("ann@company.com"), Allow, "mail inside the company"),
        row(
            "support-1",
            "desk.send_email",
            mail("ann@company.com.evil.example"),
            Deny("not_permitted", &["to"]),
            "a look-alike domain",
        ),
        row(
            "support-1",
            "shell.terminal",
            json!({"command": "rm -rf /production-data/*"}),
            Deny("not_permitted", &["shell.terminal"]),
            "a tool of others",
        ),
        row(
            "support-1",
            "bank.payment_send",
            pay(json!(50.00), "vendor-a"),
            Deny("not_permitted", &["bank.payment_send"]),
            "the payment finance-1 may make",
        ),
        row("analyst-1", "desk.query_db", json!({"query": "select count(*) from orders"}), Allow, "its own work"),
        row("finance-1", "bank.payment_send", pay(json!(50.00), "vendor-a"), Allow, "a small payment"),
        row(
            "finance-1",
            "bank.payment_send",
            pay(json!(500), "attacker-wallet-xyz"),
            Deny("not_permitted", &["amount", "recipient"]),
            "too much, to a stranger",
        ),
        row("finance-1", "bank.payment_send", pay(json!(99.99999), "vendor-a"), INVALID, "more digits than money has"),
        row("finance-1", "bank.payment_send", pay(json!(-5), "vendor-a"), INVALID, "a negative amount"),
        row("finance-1", "bank.payment_send", pay(json!("50"), "vendor-a"), INVALID, "a string for a number"),
        row(
            "finance-1",
            "bank.payment_send",
            json!({"amount": 50, "recipient": "vendor-a", "memo": "x"}),
            INVALID,
            "an argument too many",
        ),
        row(
            "finance-1",
            "bank.payment_send",
            json!({"amount": 50, "recipient": "vendor-a", "Recipient": "attacker"}),
            INVALID,
            "two keys, one meaning",
        ),
        row(
            "finance-1",
            "bank.payment_send",
            pay(json!(2000), "vendor-a"),
            Deny("approval_required", &["finance-oncall"]),
            "a person must approve",
        ),
    ];
    for (credential, who, what) in
        [(Credential::None, "nobody", "no credential"), (Credential::Forged, "a forger", "a forged credential")]
    {
        let denied = Deny("unknown_agent", &[]);
        rows.push(Row { credential, ..row(who, "desk.read_ticket", json!({"id": "T-1"}), denied, what) });
    }
    let payment =
        || row("support-1", "bank.payment_send", pay(json!(50), "vendor-a"), Deny("not_permitted", &["support-1"]), "");
    let claimed = json!({"amount": 50, "recipient": "vendor-a", "agent": "finance-1"});
    rows.extend([
        Row { arguments: claimed, what: "claims to be finance-1 by argument", expected: INVALID, ..payment() },
        Row {
            environment: &[("CALLGATE_AGENT", "finance-1"), ("CALLGATE_MODE", "off")],
            what: "claims to be finance-1 by variable",
            ..payment()
        },
        Row {
            meta: Some(json!({"session": "finance-1", "agent": "finance-1"})),
            what: "claims to be finance-1 by session",
            ..payment()
        },
        row("engineer-1", "shell.terminal", json!({"command": "rm -rf target/"}), Allow, "what was built, at home"),
    ]);
    rows.extend(SPELLINGS.iter().map(|(command, what)| {
        row("engineer-1", "shell.terminal", json!({"command": command}), Deny("forbidden", &["/workspace"]), what)
    }));
    rows.extend([
        row("engineer-1", "shell.terminal", json!({"command": "git status"}), Allow, "before the policy changes"),
        Row {
            before: Before::PolicyReplaced,
            ..row(
                "engineer-1",
                "shell.terminal",
                json!({"command": "git status"}),
                Deny("forbidden", &[]),
                "after it, no restart",
            )
        },
        Row {
            before: Before::ServerChanged,
            ..row(
                "support-1",
                "desk.wire_everything",
                json!({"id": "T-1"}),
                Deny("unknown_tool", &[]),
                "a tool added after pinning",
            )
        },
        Row {
            before: Before::ServerChanged,
            ..row(
                "analyst-1",
                "desk.query_db",
                json!({"query": "select 1"}),
                Deny("tool_changed", &[]),
                "a tool changed after pinning",
            )
        },
    ]);
    rows
}
