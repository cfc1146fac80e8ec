//! The host as attacks find it: secrets, links, listeners, a victim.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use callgate_sandbox::{Plan, Profiles};

use crate::bench::{As, Bench, SOMEBODY, copy_program};
use crate::listening::{hear_udp, name_server, open_to_all, own_address, serve_tcp, serve_unix};
use crate::neighbour::Neighbour;
use crate::table::{Probe, ROUTE, Resource, Shows};
use crate::trial::Outcome;
use crate::watch;

pub(crate) struct Fixture {
    pub(crate) bench: Bench,
    heard: Arc<Mutex<String>>,
    words: BTreeMap<&'static str, String>,
    victim: Mutex<Child>,
    /// Open without close-on-exec, as a careless library would leave it.
    _inherited: std::os::fd::OwnedFd,
    /// A file of the host that is locked.
    _locked: fs::File,
}

/// A probe's words.
pub(crate) struct Words {
    /// Of the environment.
    pub(crate) variables: Vec<(String, String)>,
    /// The attack's name, and what it is told.
    pub(crate) attack: Vec<String>,
}

/// Random enough not to be met by accident, and new in each process.
pub(crate) fn token(of: &str) -> String {
    let mut random = [0_u8; 8];

    fs::File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
    format!("{of}{:016x}", u64::from_le_bytes(random))
}

impl Fixture {
    pub(crate) fn new(who: As) -> Self {
        let mut bench = Bench::new(who);
        let heard = Arc::new(Mutex::new(String::new()));
        let mut words = BTreeMap::new();
        let net_token = token("net-");
        words.insert("outside", bench.outside.display().to_string());
        words.insert("work", bench.workspace.display().to_string());
        words.insert("token", token("secret-"));
        words.insert("victim-token", token("victim-"));
        words.insert("net-token", net_token.clone());
        words.insert("abstract", token("abstract-"));
        words.insert("host", fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned());
        words.insert("cmdline", fs::read_to_string("/proc/cmdline").unwrap().trim().to_owned());
        words.extend(facts(who));
        words.insert("deep", "d".repeat(200));

        let v4 = serve_tcp(TcpListener::bind("0.0.0.0:0").unwrap(), net_token.clone());
        let v6 = serve_tcp(TcpListener::bind("[::1]:0").unwrap(), net_token.clone());
        words.insert("tcp4", format!("127.0.0.1:{v4}"));
        words.insert("tcp6", format!("[::1]:{v6}"));
        words.insert("tcp46", format!("[::ffff:127.0.0.1]:{v4}"));
        words.insert("lan", format!("{}:{v4}", own_address()));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        words.insert("udp", udp.local_addr().unwrap().to_string());
        hear_udp(udp, &heard);
        let dns = name_server();
        words.insert("dns", dns.local_addr().unwrap().to_string());
        hear_udp(dns, &heard);
        let datagram = UnixDatagram::bind(bench.outside.join("datagram")).unwrap();
        open_to_all(&bench.outside.join("datagram"));
        let hears = Arc::clone(&heard);
        thread::spawn(move || {
            loop {
                let mut bytes = [0; 512];
                let Ok(count) = datagram.recv(&mut bytes) else { return };
                hears.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        let name = SocketAddr::from_abstract_name(&words["abstract"]).unwrap();
        serve_unix(UnixListener::bind_addr(&name).unwrap(), net_token.clone());
        serve_unix(UnixListener::bind(bench.outside.join("socket")).unwrap(), net_token);
        open_to_all(&bench.outside.join("socket"));

        let folder = fs::File::open(&bench.outside).unwrap();
        let inherited = rustix::io::dup(folder.as_fd()).unwrap();
        bench.renew_launcher();
        let victim = Mutex::new(victim(who, &words["victim-token"]));
        let locked = fs::File::create(bench.outside.join("locked")).unwrap();
        rustix::fs::flock(&locked, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let fixture = Self { bench, heard, words, victim, _inherited: inherited, _locked: locked };
        fixture.reset();
        fixture
    }

    /// Everything as it was, and a victim that lives.
    pub(crate) fn reset(&self) {
        let Bench { workspace, outside, who, .. } = &self.bench;
        let owned = |path: &Path| {
            if *who == As::Unprivileged && rustix::process::getuid().is_root() {
                chown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
            }
        };
        for entry in fs::read_dir(workspace).unwrap().flatten() {
            let path = entry.path();
            if path.symlink_metadata().unwrap().is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
                .unwrap();
        }
        let write = |path: PathBuf, text: &str| {
            fs::write(&path, text).unwrap();
            owned(&path);
            path
        };
        let token = &self.words["token"];
        write(outside.join("secret"), token);
        // By a name that no other fixture has, whose descriptors a child may inherit, too.
        write(outside.join(&self.words["victim-token"]), token);
        write(outside.join("target"), "untouched\n");
        let private = write(outside.join("private"), token);
        fs::set_permissions(private, fs::Permissions::from_mode(0o600)).unwrap();
        let _ = fs::remove_file(outside.join("planted"));
        for folder in
            [".git", ".git/hooks", "kept", "half", "half/objects", "half/refs", "locked", "locked/inner", "locked/deep"]
        {
            fs::create_dir(workspace.join(folder)).unwrap();
            owned(&workspace.join(folder));
        }
        // What lies here would be a repository, had it a configuration.
        write(workspace.join("half/HEAD"), "ref: refs/heads/main\n");
        write(workspace.join("locked/inner/file"), "kept\n");
        write(workspace.join(".env"), token);
        let inject = write(workspace.join("inject.sh"), &format!("#!/bin/sh\necho {token}\n"));
        fs::set_permissions(inject, fs::Permissions::from_mode(0o755)).unwrap();
        write(workspace.join("inject.js"), &format!("console.log('{token}')\n"));
        write(workspace.join("inject.py"), &format!("print('{token}')\n"));
        let many = "import multiprocessing as m\nif __name__ == '__main__':\n  with m.Pool(2) as pool: print(pool.map((2).__mul__, range(3)))\n";
        write(workspace.join("many.py"), many);
        write(workspace.join("kept/sitecustomize.py"), &format!("print('{token}')\n"));
        write(workspace.join("kept/Inject.pm"), &format!("print '{token}'; 1;\n"));
        write(workspace.join(".git/config"), "[core]\n");
        write(workspace.join("kept/file"), "kept\n");
        write(workspace.join("AGENTS.md"), "be good\n");
        symlink(outside.join("secret"), workspace.join("link-to-secret")).unwrap();
        symlink(outside.join("target"), workspace.join("link-to-target")).unwrap();
        symlink(outside, workspace.join("link-to-folder")).unwrap();
        // Another name for the one listener, so that no reset leaves one behind.
        fs::hard_link(outside.join("socket"), workspace.join("socket")).unwrap();
        if rustix::process::getuid().is_root() {
            let program = workspace.join("set-id-root");
            copy_program(&self.bench.attacker(), &program);
            chown(&program, Some(0), Some(0)).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
        }
        let mut now = self.victim.lock().unwrap();
        let _ = now.kill();
        let _ = now.wait();
        *now = victim(*who, &self.words["victim-token"]);
    }

    /// A template filled in. `unique` differs between uses.
    pub(crate) fn fill(&self, template: &str, unique: &str) -> String {
        let mut text = template.replace("{unique}", unique).replace("{key}", &key(unique).to_string());
        text = text.replace("{victim}", &self.victim.lock().unwrap().id().to_string());
        for (name, word) in &self.words {
            text = text.replace(&format!("{{{name}}}"), word);
        }
        text
    }

    /// The words of a probe, filled in, variables apart.
    pub(crate) fn words(&self, probe: &Probe, unique: &str, neighbour: Option<&Neighbour<'_>>) -> Words {
        let filled = probe.words.split(' ').map(|word| self.fill_beside(word, unique, neighbour));
        let mut words = Words { variables: Vec::new(), attack: Vec::new() };
        for word in filled {
            match word.split_once('=') {
                Some((name, value)) if words.attack.is_empty() => {
                    words.variables.push((name.to_owned(), value.to_owned()));
                }
                _ => words.attack.push(word),
            }
        }
        words
    }

    fn fill_beside(&self, template: &str, unique: &str, neighbour: Option<&Neighbour<'_>>) -> String {
        let text = self.fill(template, unique);
        neighbour.map_or_else(|| text.clone(), |neighbour| neighbour.fill(&text))
    }

    /// Names one trial: no other has this, of any process that runs these tests.
    pub(crate) fn unique(&self, of: &str) -> String {
        format!("{of}{:?}{}", self.bench.who, std::process::id())
    }

    /// The plan by which a probe runs in the built-in profile `profile` and under its own clauses.
    pub(crate) fn plan(&self, profile: &str, probe: &Probe, words: &Words) -> Plan {
        let words = Words { variables: words.variables.clone(), attack: words.attack.clone() };
        self.plan_of(profile, probe, &words.attack, words.variables)
    }

    pub(crate) fn plan_of(
        &self,
        profile: &str,
        probe: &Probe,
        attack: &[String],
        variables: Vec<(String, String)>,
    ) -> Plan {
        let Bench { workspace, host, .. } = &self.bench;
        // The attacking program is shown to the sandbox as part of the workspace.
        let attacker = workspace.join("attacker");
        if !attacker.exists() {
            copy_program(&self.bench.attacker(), &attacker);
        }
        let command: Vec<PathBuf> = std::iter::once(attacker).chain(attack.iter().map(PathBuf::from)).collect();
        let mut request = self.bench.request(&command);
        request.environment.insert("PROBE_SECRET".into(), self.token().into());
        request.environment.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        let profile = match (profile, probe.under) {
            ("read-only", _) => self.bench.tighter("workspace", "[profile.tighter.files]\n\"@workspace\" = \"ro\""),
            (name, "") => self.bench.profile(name),
            // What loosens cannot extend.
            (_, clauses) if clauses.starts_with("unix_sockets") || clauses.starts_with("[profile.own") => {
                let watched = !host.has(callgate_sandbox::Part::MemoryGroup);
                let memory = if watched { "memory_by = \"watched\"\n" } else { "" };
                let text = format!("[profile.own]\n{memory}{clauses}\n");
                Profiles::parse(&text).unwrap().get("own").unwrap().clone()
            }
            (name, clauses) => self.bench.tighter(name, clauses),
        };
        callgate_sandbox::compile(&profile, &request, host).unwrap()
    }

    /// What of a probe this machine lacks; in CI nothing may be.
    pub(crate) fn lacks(&self, probe: &Probe) -> Option<&'static str> {
        let needs = probe.needs?;
        let there = match needs {
            ROUTE => UdpSocket::bind("0.0.0.0:0").unwrap().connect("192.0.2.1:9").is_ok(),
            program => {
                ["", "/usr/bin", "/usr/local/bin", "/bin"].iter().any(|at| Path::new(at).join(program).is_file())
            }
        };
        (!there).then_some(needs)
    }

    /// Whether the attack succeeded, seen from out here.
    pub(crate) fn succeeded(
        &self,
        probe: &Probe,
        unique: &str,
        outcome: &Outcome,
        neighbour: Option<&Neighbour<'_>>,
    ) -> bool {
        let got = outcome.stdout.starts_with("GOT ");
        let fill = |text: &str| self.fill_beside(text, unique, neighbour);
        match probe.shows {
            Shows::Says(text) => got && outcome.stdout.contains(&fill(text)),
            Shows::Claims => got,
            Shows::File(path) => {
                let path = fill(path);
                match path.split_once('!') {
                    // Success is that it is gone.
                    Some((folder, name)) => !Path::new(folder).join(name).exists(),
                    None => fs::read_to_string(path).is_ok_and(|text| text.contains("planted")),
                }
            }
            Shows::There(path) => fs::symlink_metadata(fill(path)).is_ok(),
            Shows::Mode(path, mode) => {
                fs::symlink_metadata(fill(path)).is_ok_and(|there| there.permissions().mode() & 0o7777 == mode)
            }
            Shows::Attribute(path, name) => {
                rustix::fs::lgetxattr(fill(path), name, &mut [0_u8; 256]).is_ok_and(|length| length > 0)
            }
            Shows::Grown(mib) => watch::size(&self.bench.workspace) >= mib << 20,
            Shows::Heard(text) => {
                thread::sleep(std::time::Duration::from_millis(if got { 100 } else { 10 }));
                self.heard.lock().unwrap().contains(&fill(text))
            }
            Shows::Death => {
                thread::sleep(std::time::Duration::from_millis(20));
                self.victim.lock().unwrap().try_wait().unwrap().is_some()
            }
            Shows::NeighbourDeath => neighbour.is_some_and(Neighbour::is_dead),
            Shows::VictimLimit => {
                let id = self.victim.lock().unwrap().id();
                let limits = fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
                limits.lines().any(|line| line.starts_with("Max open files            7 "))
            }
            Shows::VictimPriority => {
                let id = self.victim.lock().unwrap().id();
                let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
                stat.rsplit(") ").next().unwrap().split(' ').nth(16) == Some("15")
            }
            Shows::Segment => {
                let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
                table.lines().any(|line| line.split_whitespace().next() == Some(&key(unique).to_string()))
            }
            Shows::Peak(Resource::Time, tenths) => outcome.most >= tenths,
            Shows::Peak(_, most) => outcome.most >= most,
            Shows::Output(bytes) => outcome.output >= bytes,
            Shows::Starves(_) => outcome.most > 0,
            Shows::Survives => {
                thread::sleep(std::time::Duration::from_millis(300));
                !watch::processes(unique).is_empty()
            }
        }
    }

    /// Removes what an attack that succeeded has left on the host.
    pub(crate) fn clean(&self, probe: &Probe, unique: &str) {
        if let Shows::File(path) = probe.shows
            && (path.starts_with("/usr/") || path.starts_with("/etc/"))
        {
            let _ = fs::remove_file(self.fill(path, unique));
        }
        watch::end(unique);
        for place in ["/tmp", "/dev/shm"] {
            let path = Path::new(place).join(unique);
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
        if let Shows::Segment = probe.shows {
            let _ = Command::new("ipcrm").arg("-M").arg(key(unique).to_string()).stderr(Stdio::null()).status();
        }
    }

    /// The caller's environment, with the secret in it.
    pub(crate) fn token(&self) -> &str {
        &self.words["token"]
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let mut victim = self.victim.lock().unwrap();
        let _ = victim.kill();
        let _ = victim.wait();
    }
}

fn key(unique: &str) -> u32 {
    unique.bytes().fold(17_u32, |key, byte| key.wrapping_mul(31).wrapping_add(byte.into())) & 0x7fff_ffff
}

/// The program that runs its arguments as the user of `who`.
pub(crate) fn as_user(who: As) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    if who == As::Unprivileged && rustix::process::getuid().is_root() {
        let id = SOMEBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    command
}

fn victim(who: As, token: &str) -> Child {
    let mut command = as_user(who);
    // A shell holds the token on its command line, and a variable of its environment, too.
    command.args(["/bin/sh", "-c", "echo ready; read line", token]).env("VICTIM", token);
    let mut child = command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut ready).unwrap();
    child
}

/// What stands on this machine alone.
fn facts(who: As) -> [(&'static str, String); 9] {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    // At least a word that no file holds, so that nothing is found everywhere.
    let line = |path: &str, head: &str| {
        let text = read(path);
        let line = text.lines().find(|line| line.starts_with(head)).unwrap_or("no such line");
        line.rsplit([':', '\t']).next().unwrap_or_default().trim().to_owned()
    };
    let disk = rustix::fs::statvfs("/usr").unwrap();
    let mounts = read("/proc/self/mountinfo");
    let source = |line: &&str| line.split(" - ").nth(1).and_then(|rest| rest.split(' ').nth(1)).map(str::to_owned);
    let usr = mounts.lines().filter(|line| matches!(line.split(' ').nth(4), Some("/" | "/usr"))).max();
    let user = match who {
        // Of the numbers that runs of root get.
        As::Root => "18790".to_owned(),
        As::Unprivileged if rustix::process::getuid().is_root() => SOMEBODY.to_string(),
        As::Unprivileged => rustix::process::getuid().as_raw().to_string(),
    };
    [
        ("boot", read("/proc/sys/kernel/random/boot_id").trim().to_owned()),
        ("machine", read("/etc/machine-id").trim().to_owned()),
        ("release", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("processor", line("/proc/cpuinfo", "model name")),
        ("memory", line("/proc/meminfo", "MemTotal")),
        ("booted", read("/proc/stat").lines().find(|line| line.starts_with("btime")).unwrap_or("no btime").to_owned()),
        ("disk-size", format!("blocks {}", disk.f_blocks)),
        ("disk", usr.as_ref().and_then(source).unwrap_or_else(|| "no such disk".to_owned())),
        ("user", user),
    ]
}
