//! The gate over HTTP, as its users start it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::house::{House, finish, missing, text};
use crate::wire::{Wire, secret, serve_http};

const ANY: [&str; 2] = ["--http", "127.0.0.1:0"];

fn call() -> String {
    json!({"tool": "desk.read_ticket", "arguments": {"id": "T-1"}}).to_string()
}

/// Requests, each on a connection of its own.
struct Client(SocketAddr, tokio::runtime::Runtime);

impl Client {
    fn new(address: SocketAddr) -> Self {
        Self(address, tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"))
    }

    fn post(&self, token: &str, path: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.1.block_on(async {
            Wire::open(self.0).await.expect("connects").post(token, path, body).await.expect("answers")
        });
        (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
    }

    fn get(&self, token: &str, path: &str) -> (u16, String) {
        self.1.block_on(async { Wire::open(self.0).await.expect("connects").get(token, path).await.expect("answers") })
    }

    fn decide(&self, token: &str, call: &str) -> (u16, String, String) {
        let (status, answer) = self.post(token, "/v1/decide", call);
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (status, word(&answer["decision"]), word(&answer["reasons"][0]["code"]))
    }
}

fn operator(house: &House) -> String {
    let path = house.path().join("operator.token");
    let made = house.run(&["operator", "token", "--out", path.to_str().expect("utf-8")], b"");
    assert!(made.status.success(), "{}", text(&made.stderr));
    secret(path)
}

fn refused(status: u16, code: &str) -> (u16, String, String) {
    (status, "deny".to_owned(), code.to_owned())
}

fn allowed() -> (u16, String, String) {
    (200, "allow".to_owned(), "permitted".to_owned())
}

#[test]
fn a_call_is_decided_completed_and_in_the_log() {
    let house = House::quickstart();
    let (serve, address) = serve_http(&house, &ANY);
    let (client, token) = (Client::new(address), secret(house.token("support-1")));
    let (status, answer) = client.post(&token, "/v1/decide", &call());
    assert_eq!((status, &answer["decision"]), (200, &json!("allow")), "{answer}");
    let outcome = json!({"id": answer["id"], "permit": answer["permit"], "status": "ok", "result": {"ticket": 1}});
    let (status, kept) = client.post(&token, "/v1/complete", &outcome.to_string());
    assert_eq!((status, &kept["receipt"]["log"]), (200, &answer["receipt"]["log"]), "{kept}");
    let payment = json!({"agent": "finance-1", "tool": "bank.payment_send", "arguments": {"amount": 50, "recipient": "vendor-a"}});
    assert_eq!(client.decide(&token, &payment.to_string()), refused(200, "invalid_arguments"));
    let payment = json!({"tool": "bank.payment_send", "arguments": {"amount": 50, "recipient": "vendor-a"}});
    assert_eq!(client.decide(&token, &payment.to_string()), refused(200, "not_permitted"));
    assert_eq!(client.decide("cgt_forged", &call()), refused(401, "unknown_agent"));
    serve.terminate();

    let tail = house.run(&["audit", "export"], b"");
    let kinds: Vec<(String, String)> = text(&tail.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|mut line| line["record"].take())
        .map(|record| {
            (record["kind"].as_str().unwrap_or_default().into(), record["decision"].as_str().unwrap_or("-").into())
        })
        .filter(|(kind, _): &(String, String)| ["decision", "outcome", "credential_refused"].contains(&kind.as_str()))
        .collect();
    let expected = [
        ("decision", "allow"),
        ("outcome", "-"),
        ("decision", "deny"),
        ("decision", "deny"),
        ("credential_refused", "deny"),
    ];
    assert_eq!(kinds, expected.map(|(kind, decision)| (kind.to_owned(), decision.to_owned())));
    assert!(house.run(&["audit", "verify"], b"").status.success());
}

#[test]
fn p07_credentials_of_one_kind_open_nothing_of_the_other_and_end_with_their_revocation() {
    let house = House::quickstart();
    let (_serve, address) = serve_http(&house, &ANY);
    let (client, agents, operators) = (Client::new(address), secret(house.token("support-1")), operator(&house));
    let preview = json!({"agent": "support-1", "tool": "desk.read_ticket", "arguments": {"id": "T-1"}}).to_string();
    assert_eq!(client.decide(&agents, &call()), allowed());
    assert_eq!(client.decide(&operators, &call()), refused(401, "unknown_agent"));
    let (status, seen) = client.post(&operators, "/v1/preview", &preview);
    assert_eq!((status, &seen["verdict"]["decision"]), (200, &json!("allow")));
    assert!(seen["trace"].is_object());
    assert_eq!(client.post(&agents, "/v1/preview", &preview).0, 403);
    for path in ["/v1/status", "/metrics"] {
        assert_eq!(client.get(&operators, path).0, 200);
        assert_eq!(client.get(&agents, path).0, 403);
        assert_eq!(client.get("cgt_forged", path).0, 401);
    }
    // What HTTP says of the gate is what the command says.
    let (_, status) = client.get(&operators, "/v1/status");
    let mut told: Value = serde_json::from_str(&status).expect("JSON");
    let (_, mut own) = house.json(&["status"], b"");
    for status in [&mut told, &mut own] {
        status["log"] = Value::Null;
    }
    assert_eq!(told, own);

    // An operator's token is nobody's at the socket, too.
    let socket = callgate_doors::socket::Client::new(
        house.socket(),
        callgate_doors::socket::Greeting { token: Some(operators.clone()), ..Default::default() },
    );
    let (_, request) = callgate_core::Request::parse(call().as_bytes()).expect("a call");
    let ruling = client.1.block_on(callgate_doors::Operations::decide(&socket, Ok(request)));
    assert_eq!(ruling.code, callgate_core::Code::UnknownAgent);
    assert!(client.1.block_on(socket.ask("status", callgate_text::Json::Null)).is_err());

    let listed = |kind: &str| {
        let (_, listed) = house.json(&[kind, "list"], b"");
        let all = listed["credentials"].as_array().expect("a list").clone();
        assert_eq!(all.len(), 1, "{listed}");
        all[0]["id"].as_str().expect("an id").to_owned()
    };
    let (agents_id, operators_id) = (listed("agent"), listed("operator"));
    assert!(!house.run(&["agent", "revoke", &operators_id], b"").status.success());
    assert!(!house.run(&["operator", "revoke", &agents_id], b"").status.success());
    assert_eq!(client.get(&operators, "/metrics").0, 200);
    assert!(house.run(&["operator", "revoke", &operators_id], b"").status.success());
    assert_eq!(client.get(&operators, "/metrics").0, 401);
    assert_eq!(client.decide(&agents, &call()), allowed());
    assert!(house.run(&["agent", "revoke", &agents_id], b"").status.success());
    assert_eq!(client.decide(&agents, &call()), refused(401, "unknown_agent"));
}

/// The value of one metric, by the whole of its name and labels.
fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn every_door_is_counted_where_calls_are_decided() {
    let house = House::quickstart();
    let (_serve, address) = serve_http(&house, &ANY);
    let (client, token, operators) = (Client::new(address), secret(house.token("support-1")), operator(&house));
    for _ in 0..3 {
        assert_eq!(client.decide(&token, &call()), allowed());
    }
    client.decide(&token, r#"{"tool":"shell.terminal","arguments":{"command":"id"}}"#);
    client.decide("cgt_forged", &call());
    let over_socket = house.client("support-1");
    let (_, request) = callgate_core::Request::parse(call().as_bytes()).expect("a call");
    let _ = client.1.block_on(callgate_doors::Operations::decide(&over_socket, Ok(request)));
    let own = br#"{"agent":"support-1","tool":"desk.read_ticket","arguments":{"id":"T-1"}}"#;
    assert_eq!(house.json(&["decide"], own).0, 0);
    // A name that its caller chose is in no metric.
    client.decide(&token, r#"{"tool":"desk.made_up_by_the_agent"}"#);

    let (status, metrics) = client.get(&operators, "/metrics");
    assert_eq!(status, 200);
    assert!(metrics.ends_with("# EOF\n") && !metrics.contains("made_up") && !metrics.contains("support-1"));
    let decisions = |decision: &str, code: &str, door: &str| {
        let name = format!("callgate_decisions_total{{decision=\"{decision}\",code=\"{code}\",door=\"{door}\"}}");
        metric(&metrics, &name)
    };
    assert_eq!(decisions("allow", "permitted", "http"), Some(3.0), "{metrics}");
    assert_eq!(decisions("deny", "not_permitted", "http"), Some(1.0));
    assert_eq!(decisions("deny", "unknown_agent", "http"), Some(1.0));
    assert_eq!(decisions("allow", "permitted", "socket"), Some(1.0));
    assert_eq!(decisions("allow", "permitted", "in_process"), Some(1.0));
    assert_eq!(metric(&metrics, "callgate_refused_credentials_total{door=\"http\"}"), Some(1.0));
    assert_eq!(metric(&metrics, "callgate_decide_duration_seconds_count{door=\"http\"}"), Some(6.0));
    assert_eq!(metric(&metrics, "callgate_ready"), Some(1.0));
    assert_eq!(metric(&metrics, "callgate_policy_stale"), Some(0.0));
    let known = metric(&metrics, "callgate_connections{door=\"http\",caller=\"known\"}");
    assert!(known.is_some_and(|count| count >= 1.0), "{metrics}");
    let records = metric(&metrics, "callgate_log_records").expect("a count");
    let appended = metric(&metrics, "callgate_log_append_duration_seconds_count").expect("a count");
    // The log's own first record goes past the gate.
    assert!((records - appended).abs() <= 1.0, "{records} durable, {appended} appended");
}

/// Policy that cannot be taken for too long, and then a log that cannot be written.
#[test]
fn p03_a_gate_that_can_allow_nothing_says_so() {
    let house = House::quickstart();
    let config = house.gate().join("callgate.toml");
    let settings = fs::read_to_string(&config).expect("reads");
    let brief: String = settings
        .lines()
        .map(|line| if line.starts_with("stale_limit") { "stale_limit = \"1s\"" } else { line }.to_owned() + "\n")
        .collect();
    assert!(brief.contains("\"1s\""), "{settings}");
    fs::write(&config, &brief).expect("writes");
    let (_serve, address) = serve_http(&house, &ANY);
    let (client, token, operators) = (Client::new(address), secret(house.token("support-1")), operator(&house));
    assert_eq!(client.get("", "/readyz"), (200, "{\"status\":\"ok\"}".to_owned()));
    fs::write(house.gate().join("policies/zz.cedar"), "permit (").expect("writes");
    assert!(!house.run(&["reload"], b"").status.success());
    let limit = Instant::now() + Duration::from_secs(20);
    while client.get("", "/readyz").0 == 200 {
        assert!(Instant::now() < limit, "never stale");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(client.get("", "/readyz"), (503, "{\"status\":\"not_ready\"}".to_owned()));
    assert_eq!(client.get("", "/healthz").0, 200);
    assert_eq!(client.decide(&token, &call()), refused(503, "policy_stale"));
    assert_eq!(client.post(&operators, "/v1/preview", r#"{"agent":"support-1","tool":"a.b"}"#).0, 503);
    let metrics = client.get(&operators, "/metrics").1;
    assert_eq!(metric(&metrics, "callgate_policy_stale"), Some(1.0));
    assert_eq!(metric(&metrics, "callgate_ready"), Some(0.0));
    fs::remove_file(house.gate().join("policies/zz.cedar")).expect("removes");
    assert!(house.run(&["reload"], b"").status.success());
    assert_eq!(client.decide(&token, &call()), allowed());
    assert_eq!(client.get("", "/readyz").0, 200);
}

#[test]
fn a_budget_that_is_used_up_has_its_own_status() {
    let house = House::quickstart();
    let config = house.gate().join("callgate.toml");
    let mut settings = fs::read_to_string(&config).expect("reads");
    settings.push_str("\n[log]\nagent_bytes_per_minute = 1\n");
    fs::write(&config, settings).expect("writes");
    let (_serve, address) = serve_http(&house, &ANY);
    let (client, token, operators) = (Client::new(address), secret(house.token("support-1")), operator(&house));
    let mut last = allowed();
    for _ in 0..200 {
        last = client.decide(&token, &call());
        if last.0 != 200 {
            break;
        }
    }
    assert_eq!(last, refused(429, "rate_exceeded"));
    let metrics = client.get(&operators, "/metrics").1;
    let refusals = "callgate_log_append_failures_total{why=\"over_budget\",whose=\"agent\"}";
    assert!(metric(&metrics, refusals).is_some_and(|count| count >= 1.0), "{metrics}");
    // Whoever has no credential has a budget of its own, and is told nothing but that.
    assert_eq!(client.decide("cgt_forged", &call()), refused(401, "unknown_agent"));
}

#[test]
fn where_to_listen_is_the_operators_word_and_this_machine_alone() {
    let house = House::quickstart();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let output = finish(house.serve_command().args(["--http", address]), b"");
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains("loopback"), "{}", text(&output.stderr));
    }
    assert_eq!(finish(house.serve_command().args(["--http", "localhost"]), b"").status.code(), Some(64));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    let output = finish(house.serve_command().args(["--http", &address.to_string()]), b"");
    assert!(!output.status.success() && text(&output.stderr).contains("listens on"), "{}", text(&output.stderr));
    drop(taken);

    let config = house.gate().join("callgate.toml");
    let settings = fs::read_to_string(&config).expect("reads");
    fs::write(&config, format!("{settings}\n[http]\nlisten = \"0.0.0.0:7465\"\n")).expect("writes");
    let checked = finish(crate::house::bare(&["policy", "check"]).arg(house.gate()), b"");
    let told = text(&checked.stdout) + &text(&checked.stderr);
    assert!(!checked.status.success() && told.contains("127.0.0.1"), "{told}");
    fs::write(&config, format!("{settings}\n[http]\nlisten = \"{address}\"\norigins = [\"http://localhost:3000\"]\n"))
        .expect("writes");
    let (_serve, listening) = serve_http(&house, &[]);
    assert_eq!(listening, address);
    assert_eq!(Client::new(address).get("", "/healthz").0, 200);
}

#[test]
fn p11_a_door_that_only_watches_is_told_of_everywhere() {
    let house = House::quickstart();
    let config = house.gate().join("callgate.toml");
    let settings = fs::read_to_string(&config).expect("reads");
    fs::write(&config, format!("{settings}\n[doors]\nhttp = \"observe\"\n")).expect("writes");
    let (_serve, address) = serve_http(&house, &ANY);
    let (client, token) = (Client::new(address), secret(house.token("support-1")));
    let (status, decision, code) = client.decide(&token, r#"{"tool":"shell.terminal","arguments":{"command":"id"}}"#);
    assert_eq!((status, decision.as_str(), code.as_str()), (200, "would_deny", "not_permitted"));
    assert_eq!(client.decide("cgt_forged", &call()), refused(401, "unknown_agent"));
    let (code, status) = house.json(&["status"], b"");
    assert_eq!((code, &status["doors"]["http"]), (1, &json!("observe")), "{status}");
}

/// The kernel knows whose the other end of a connection is.
#[test]
fn p07_only_another_users_agent_is_enforced() {
    let root = rustix::process::geteuid().is_root();
    if missing("root, to become another user,", root) {
        return;
    }
    let house = House::quickstart();
    let (_serve, address) = serve_http(&house, &ANY);
    let (client, token, body) = (Client::new(address), secret(house.token("support-1")), call());
    // The posture of the decision that this answer tells of, once its record can be read.
    let posture = |answer: &str| {
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        for _ in 0..200 {
            let tail = house.json(&["audit", "tail", "-n", "10"], b"").1;
            let mut records = tail.as_array().expect("records").iter().map(|line| &line["record"]);
            if let Some(record) = records.find(|record| record["id"] == answer["id"]) {
                return record["state"].as_str().expect("a posture").to_owned();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no record of {answer}")
    };
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{} && printf 'POST /v1/decide HTTP/1.1\\r\\nHost: {address}\\r\\nAuthorization: \
         Bearer {token}\\r\\nContent-Type: application/json\\r\\nContent-Length: {}\\r\\nConnection: close\\r\\n\\r\\n%s' \
         \"$1\" >&3 && cat <&3",
        address.port(),
        body.len()
    );
    for (uid, expected) in [(54321, "enforced"), (0, "advisory")] {
        let mut bash = Command::new("bash");
        let output = finish(bash.args(["-c", &script, "bash", &body]).uid(uid).gid(uid).current_dir("/"), b"");
        let said = text(&output.stdout);
        assert!(said.contains("\"decision\":\"allow\""), "{said} {}", text(&output.stderr));
        let answer = said.split_once("\r\n\r\n").expect("an answer").1;
        assert_eq!(posture(answer), expected, "uid {uid}");
    }
    let (_, answer) = client.post(&token, "/v1/decide", &body);
    assert_eq!(posture(&answer.to_string()), "advisory", "this test runs as the gate's own user");
}
