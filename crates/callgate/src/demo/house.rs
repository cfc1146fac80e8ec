//! Runs the demo: starts the gate, opens one door per agent and server, makes every call, and holds
//! what the servers' journals say against what was decided.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rmcp::RoleClient;
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, RequestMetaObject};
use rmcp::service::RunningService;
use rmcp::transport::TokioChildProcess;
use serde_json::Value;

use super::contained;
use super::row::Outcome;
use super::table::{Before, Credential, Row, rows};
use super::tools;

/// The gate directory that the demo uses unless another one is named.
pub(crate) const QUICKSTART: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/quickstart.rs"));

/// What the demo showed.
#[derive(Debug)]
pub(crate) struct Report {
    /// Every row, and what became of it.
    pub(crate) outcomes: Vec<Outcome>,
    /// Why nothing was run contained, if that cannot be had on this machine.
    pub(crate) uncontained: Option<String>,
    /// Everything that is not as it must be; empty when the demo succeeded.
    pub(crate) failures: Vec<String>,
    /// What `audit verify` said of each gate's log.
    pub(crate) verified: Vec<Value>,
}

/// Runs every row against a gate on a copy of `gate`, or of the quickstart; those with the gate's own tools against one
/// on their pack.
pub(crate) async fn run(gate: Option<&Path>) -> Result<Report> {
    let house = House::build(gate)?;
    let mut serve = house.serve()?;
    let result = house.run_rows().await;
    let stopped = serve.stop();
    let (mut outcomes, mut failures) = result?;
    stopped?;
    failures.extend(house.compare_journals(&outcomes)?);
    let uncontained = contained::can_be_had().err();
    let mut verified = Vec::new();
    if uncontained.is_none() {
        let runs = house.run_contained()?;
        failures.extend(runs.iter().filter_map(Outcome::failure));
        outcomes.extend(runs);
        let shown = tools::show().await?;
        failures.extend(shown.failures);
        outcomes.extend(shown.outcomes);
        verified.push(shown.verified);
    }
    verified.insert(0, house.verify(&mut failures)?);
    Ok(Report { outcomes, uncontained, failures, verified })
}

/// The folders of one demo, removed at its end.
pub(super) struct House {
    root: tempfile::TempDir,
    callgate: PathBuf,
}

/// One agent's client, connected to one server through the gate.
pub(super) type Door = RunningService<RoleClient, ()>;

/// What makes one door differ from another.
type DoorKey = (Credential, String, bool, bool);

impl House {
    /// Without a gate directory yet.
    pub(super) fn empty() -> Result<Self> {
        let root = tempfile::Builder::new().prefix("callgate-demo-").tempdir()?;
        Ok(Self { root, callgate: std::env::current_exe().context("the path of callgate itself")? })
    }

    fn build(gate: Option<&Path>) -> Result<Self> {
        let house = Self::empty()?;
        fs::create_dir(house.path().join("journals"))?;
        match gate {
            Some(gate) => copy(gate, &house.gate()).with_context(|| format!("cannot copy {}", gate.display()))?,
            None => {
                for (path, text) in QUICKSTART {
                    write(&house.gate().join(path), text)?;
                }
            }
        }
        Ok(house)
    }

    pub(super) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn gate(&self) -> PathBuf {
        self.root.path().join("gate")
    }

    fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    fn journal(&self, server: &str) -> PathBuf {
        self.root.path().join("journals").join(server)
    }

    /// This program, with nothing in its environment that could point it elsewhere.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.callgate);
        for variable in ["CALLGATE_GATE", "CALLGATE_STATE", "CALLGATE_SOCKET"] {
            command.env_remove(variable);
        }
        command
    }

    pub(super) fn place(&self, command: &mut Command) {
        command.arg("--gate").arg(self.gate()).arg("--state").arg(self.state());
    }

    /// Starts the gate and waits until it answers.
    pub(super) fn serve(&self) -> Result<Serve> {
        let mut command = self.command();
        command.arg("serve").arg(self.gate()).arg("--state").arg(self.state());
        let mut serve = Serve(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
        let limit = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(self.state().join("run/gate.sock")).is_err() {
            if let Some(status) = serve.0.try_wait()? {
                bail!("the gate did not start ({status})");
            }
            if Instant::now() > limit {
                bail!("the gate did not start within 20 seconds");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(serve)
    }

    async fn run_rows(&self) -> Result<(Vec<Outcome>, Vec<String>)> {
        let credentials = self.credentials()?;
        let mut doors: BTreeMap<DoorKey, Door> = BTreeMap::new();
        let mut outcomes = Vec::new();
        let mut failures = Vec::new();
        for row in rows() {
            if row.before == Before::PolicyReplaced {
                self.replace_policy()?;
            }
            let changed = row.before == Before::ServerChanged;
            let (server, tool) = row.tool.split_once('.').context("a tool without a server")?;
            let key = (row.credential, server.to_owned(), changed, !row.environment.is_empty());
            if !doors.contains_key(&key) {
                doors.insert(key.clone(), self.door(&row, server, changed, &credentials).await?);
            }
            let door = doors.get(&key).context("the door that was just opened")?;
            if changed {
                let listed = door.list_all_tools().await?;
                if listed.iter().any(|listed| listed.name == tool) {
                    failures.push(format!("{}: {} is listed", row.what, row.tool));
                }
            }
            outcomes.push(call(door, row, tool).await?);
        }
        for (_, door) in doors {
            door.cancel().await?;
        }
        failures.extend(outcomes.iter().filter_map(Outcome::failure));
        Ok((outcomes, failures))
    }

    /// Runs what an engineer's agent runs contained, under the gate as it was before the policy changed.
    fn run_contained(&self) -> Result<Vec<Outcome>> {
        let mut serve = self.serve()?;
        let runs = contained::rows().into_iter().map(|(row, written)| {
            let workspace = tempfile::Builder::new().prefix("workspace-").tempdir_in(self.root.path())?;
            let mut command = self.command();
            command.arg("run");
            self.place(&mut command);
            command.arg("--credential").arg(self.root.path().join(format!("{}.token", row.who)));
            contained::run(command, row, written, workspace.path())
        });
        let runs = runs.collect::<Result<Vec<_>>>();
        serve.stop()?;
        runs
    }

    /// A credential for each agent of the table, and a forged one.
    fn credentials(&self) -> Result<BTreeMap<Credential, PathBuf>> {
        let mut files = BTreeMap::new();
        for row in rows() {
            let path = self.root.path().join(format!("{}.token", row.who));
            match row.credential {
                Credential::Of(name) if !files.contains_key(&row.credential) => {
                    let mut command = self.command();
                    command.args(["agent", "token", name, "--out"]).arg(&path);
                    self.place(&mut command);
                    let output = command.output()?;
                    if !output.status.success() {
                        bail!("no credential for {name}: {}", String::from_utf8_lossy(&output.stderr).trim());
                    }
                    files.insert(row.credential, path);
                }
                Credential::Forged => {
                    write(&path, &format!("cgt_{}\n", "A".repeat(43)))?;
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
                    files.insert(row.credential, path);
                }
                Credential::Of(_) | Credential::None => {}
            }
        }
        Ok(files)
    }

    async fn door(
        &self,
        row: &Row,
        server: &str,
        changed: bool,
        credentials: &BTreeMap<Credential, PathBuf>,
    ) -> Result<Door> {
        let mut command = self.command();
        command.args(["mcp", "--server", server]);
        self.place(&mut command);
        if let Some(credential) = credentials.get(&row.credential) {
            command.arg("--credential").arg(credential);
        }
        command.arg("--").arg(&self.callgate).args(["demo-server", server, "--journal"]).arg(self.journal(server));
        command.args(changed.then_some("--changed")).envs(row.environment.iter().copied());
        connect(command, row.what).await
    }

    /// Forbids what the engineers' policy permitted, and tells the running gate.
    fn replace_policy(&self) -> Result<()> {
        let forbid = "@id(\"engineers-stay-out\")\nforbid (principal in Blueprint::\"engineer\", \
                      action == Action::\"shell.terminal\", resource);\n";
        write(&self.gate().join("policies/engineer-stop.cedar"), forbid)?;
        let mut command = self.command();
        command.arg("reload");
        self.place(&mut command);
        let output = command.output()?;
        if !output.status.success() {
            bail!("the policy was not taken: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Every allowed call is in its server's journal, in order, and nothing else is.
    fn compare_journals(&self, outcomes: &[Outcome]) -> Result<Vec<String>> {
        let mut failures = Vec::new();
        let servers: BTreeSet<_> = outcomes.iter().map(|outcome| outcome.server().to_owned()).collect();
        for server in servers {
            let text = match fs::read_to_string(self.journal(&server)) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                Err(error) => return Err(error).context("a journal"),
            };
            let ran: Vec<Value> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
            let allowed: Vec<Value> = outcomes
                .iter()
                .filter(|outcome| outcome.server() == server && outcome.ran_by_its_answer())
                .map(Outcome::journal_line)
                .collect();
            if ran != allowed {
                failures.push(format!(
                    "{server}: the journal shows {} calls, {} were allowed",
                    ran.len(),
                    allowed.len()
                ));
            }
        }
        Ok(failures)
    }

    /// The log is verified by the same command that an auditor runs, with the key given explicitly.
    pub(super) fn verify(&self, failures: &mut Vec<String>) -> Result<Value> {
        let mut key = self.command();
        key.args(["audit", "key", "--format", "json"]);
        self.place(&mut key);
        let key: Value = String::from_utf8(key.output()?.stdout)?.parse().context("audit key")?;
        let key = key.get("vkey").and_then(Value::as_str).unwrap_or_default();
        let mut verify = self.command();
        verify.args(["audit", "verify", "--format", "json", "--key", key]);
        self.place(&mut verify);
        let output = verify.output()?;
        if !output.status.success() {
            failures.push(format!("the log does not verify: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).parse().unwrap_or(Value::Null))
    }
}

/// Starts a door, and says hello to it as a client does.
pub(super) async fn connect(command: Command, what: &str) -> Result<Door> {
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    let transport = TokioChildProcess::new(command)?;
    ().serve(transport).await.map_err(|error| anyhow!("{what}: cannot open the door: {error}"))
}

pub(super) async fn call(door: &Door, row: Row, tool: &str) -> Result<Outcome> {
    let mut params = CallToolRequestParams::new(tool.to_owned());
    if let Value::Object(arguments) = &row.arguments {
        params = params.with_arguments(arguments.clone());
    }
    if let Some(Value::Object(meta)) = &row.meta {
        params.meta = Some(RequestMetaObject::from(meta.clone()));
    }
    let start = Instant::now();
    let result = door.call_tool(params).await;
    let took = start.elapsed();
    let result = result.with_context(|| format!("{}: {} got no result", row.who, row.tool))?;
    let text = result.content.iter().filter_map(|block| block.as_text()).map(|block| block.text.as_str()).collect();
    Ok(Outcome { row, text, is_error: result.is_error == Some(true), took })
}

/// The running gate; killed if the demo fails before it is stopped.
pub(super) struct Serve(Child);

impl Serve {
    /// Asks the gate to stop and waits for it.
    pub(super) fn stop(&mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let status = self.0.wait()?;
        if !status.success() {
            bail!("the gate did not stop in order ({status})");
        }
        Ok(())
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // Already stopped and waited for, on the way that succeeds.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
