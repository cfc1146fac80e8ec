//! A gate in front of one server, with a policy that permits everything.

use std::path::PathBuf;

use crate::house::{self, House, Serve, bare, text};

/// Everything is permitted to everyone.
const EVERYTHING: &str = "@id(\"everything\")\npermit (principal in Blueprint::\"everyone\", action, resource);\n";

/// A running gate that permits everything to the agent `peer`, in front of one server that is pinned as it is.
pub(crate) struct Gated {
    house: House,
    _serve: Serve,
    pub(crate) credential: PathBuf,
    server: &'static str,
}

impl Gated {
    /// `forbids` is policy that takes something back.
    pub(crate) fn new(server: &'static str, command: &[String], forbids: &str) -> Self {
        let house = House::quickstart();
        std::fs::remove_dir_all(house.gate()).expect("removable");
        let files = [
            ("callgate.toml", format!("[gate]\norigin = \"callgate.test/peers-{server}\"\n")),
            ("entities.toml", "[blueprint.everyone]\n\n[agent.peer]\nblueprint = \"everyone\"\n".to_owned()),
            ("policies/everything.cedar", format!("{EVERYTHING}{forbids}")),
        ];
        for (file, text) in files {
            let path = house.gate().join(file);
            std::fs::create_dir_all(path.parent().expect("inside")).expect("creatable");
            std::fs::write(path, text).expect("writable");
        }
        let output = bare(&["tool", "pin", "--server", server, "--gate"])
            .arg(house.gate())
            .arg("--")
            .args(command)
            .output()
            .expect("runs");
        assert!(output.status.success(), "tool pin: {}{}", text(&output.stdout), text(&output.stderr));
        let credential = house.token("peer");
        let serve = house.serve();
        Self { house, _serve: serve, credential, server }
    }

    /// The same server, behind the gate.
    pub(crate) fn command(&self, server: &[String]) -> Vec<String> {
        let path = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
        let mut command = vec![house::CALLGATE.to_owned(), "mcp".to_owned()];
        command.extend(["--server".to_owned(), self.server.to_owned()]);
        command.extend(["--credential".to_owned(), path(self.credential.clone())]);
        command.extend(["--socket".to_owned(), path(self.house.socket()), "--".to_owned()]);
        command.extend(server.iter().cloned());
        command
    }
}
