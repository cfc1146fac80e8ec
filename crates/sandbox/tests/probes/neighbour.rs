//! What a run has beside it: the same user's, over the same workspace, with something to take.

use std::process::{Child, Stdio};

use callgate_sandbox::{Canceller, Plan, Running, Sink, Streams};

use crate::fixture::{Fixture, as_user, token};
use crate::table::Probe;
use crate::watch;

pub(crate) struct Neighbour<'a> {
    fixture: &'a Fixture,
    token: String,
    name: String,
    port: u16,
    what: What,
}

enum What {
    Outside(Child),
    Inside(Option<Box<(Running, Canceller)>>),
}

impl<'a> Neighbour<'a> {
    pub(crate) fn outside(fixture: &'a Fixture) -> Self {
        let (token, name, port) = words();
        let mut command = as_user(fixture.bench.who);
        command.arg(fixture.bench.attacker()).args(attack(fixture, &token, &name, port)).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        await_ready(child.stdout.take().unwrap());
        Self { fixture, token, name, port, what: What::Outside(child) }
    }

    pub(crate) fn inside(fixture: &'a Fixture, probe: &Probe, weaken: &dyn Fn(Plan) -> Plan) -> Self {
        let (token, name, port) = words();
        let plan = weaken(fixture.plan_of("workspace", probe, &attack(fixture, &token, &name, port), Vec::new()));
        let streams = Streams { stdin: None, stdout: Sink::Pipe, stderr: Sink::Nowhere };
        let mut running = fixture.bench.launcher.launch(&plan, streams).unwrap();
        await_ready(running.stdout().unwrap());
        let canceller = running.canceller().unwrap();
        Self { fixture, token, name, port, what: What::Inside(Some(Box::new((running, canceller)))) }
    }

    /// What `template` says of it, filled in.
    pub(crate) fn fill(&self, template: &str) -> String {
        let id = watch::processes(&self.token).first().copied().unwrap_or(0);
        template
            .replace("{neighbour}", &id.to_string())
            .replace("{neighbour-token}", &self.token)
            .replace("{neighbour-name}", &self.name)
            .replace("{neighbour-key}", &u32::from(self.port).to_string())
            .replace("{neighbour-port}", &self.port.to_string())
            .replace("{neighbour-port-hex}", &format!("{:04X}", self.port))
    }

    pub(crate) fn is_dead(&self) -> bool {
        std::thread::sleep(std::time::Duration::from_millis(20));
        // One that nobody has waited for has no command line any more.
        watch::processes(&self.token).is_empty()
    }
}

impl Drop for Neighbour<'_> {
    fn drop(&mut self) {
        match &mut self.what {
            What::Outside(child) => {
                let _ = child.kill();
                let _ = child.wait();
                let mut command = as_user(self.fixture.bench.who);
                command.arg(self.fixture.bench.attacker()).args(["forget", &self.name, &self.port.to_string()]);
                let _ = command.stdout(Stdio::null()).status();
            }
            What::Inside(running) => {
                if let Some((running, canceller)) = running.take().map(|both| *both) {
                    canceller.cancel();
                    let _ = running.wait();
                }
            }
        }
    }
}

fn words() -> (String, String, u16) {
    let token = token("neighbour-");
    // A port that nobody has now: it was given out and let go.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    (token, crate::fixture::token("n-"), port)
}

fn attack(fixture: &Fixture, token: &str, name: &str, port: u16) -> Vec<String> {
    let work = fixture.bench.workspace.display().to_string();
    ["neighbour", token, name, &port.to_string(), &work].map(str::to_owned).into()
}

fn await_ready(mut from: impl std::io::Read) {
    let mut ready = [0; 5];
    from.read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"READY");
}
