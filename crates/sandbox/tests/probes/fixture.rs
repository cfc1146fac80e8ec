//! The host as attacks find it: secrets, links, listeners, a victim.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::bench::{As, Bench, SOMEBODY, copy_program};
use crate::table::{Probe, Shows};

pub(crate) struct Fixture {
    pub(crate) bench: Bench,
    heard: Arc<Mutex<String>>,
    words: BTreeMap<&'static str, String>,
    victim: Mutex<Child>,
    /// The socket in the workspace as it is now.
    socket: Mutex<UnixListener>,
    /// Open without close-on-exec, as a careless library would leave it.
    _inherited: std::os::fd::OwnedFd,
}

/// Random enough not to be met by accident, and new in each process.
fn token(of: &str) -> String {
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

        let v4 = serve_tcp(TcpListener::bind("0.0.0.0:0").unwrap(), net_token.clone());
        let v6 = serve_tcp(TcpListener::bind("[::1]:0").unwrap(), net_token.clone());
        words.insert("tcp4", format!("127.0.0.1:{v4}"));
        words.insert("tcp6", format!("[::1]:{v6}"));
        words.insert("tcp46", format!("[::ffff:127.0.0.1]:{v4}"));
        words.insert("lan", format!("{}:{v4}", own_address()));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        words.insert("udp", udp.local_addr().unwrap().to_string());
        let hears = Arc::clone(&heard);
        thread::spawn(move || {
            loop {
                let mut bytes = [0; 512];
                let Ok(count) = udp.recv(&mut bytes) else { return };
                hears.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
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
        let socket = Mutex::new(UnixListener::bind(bench.outside.join("before")).unwrap());
        let fixture = Self { bench, heard, words, victim, socket, _inherited: inherited };
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
        for folder in [".git", ".git/hooks", "kept"] {
            fs::create_dir(workspace.join(folder)).unwrap();
            owned(&workspace.join(folder));
        }
        write(workspace.join(".git/config"), "[core]\n");
        write(workspace.join("kept/file"), "kept\n");
        write(workspace.join("AGENTS.md"), "be good\n");
        symlink(outside.join("secret"), workspace.join("link-to-secret")).unwrap();
        symlink(outside.join("target"), workspace.join("link-to-target")).unwrap();
        symlink(outside, workspace.join("link-to-folder")).unwrap();
        let socket = workspace.join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let before = std::mem::replace(&mut *self.socket.lock().unwrap(), listener.try_clone().unwrap());
        // Whoever served the one before ends: else there were more descriptors here than an attack tries out.
        let _ = rustix::net::shutdown(&before, rustix::net::Shutdown::Both);
        serve_unix(listener, self.words["net-token"].clone());
        open_to_all(&socket);
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

    pub(crate) fn words(&self, probe: &Probe, unique: &str) -> Vec<String> {
        let attacker = self.bench.attacker().display().to_string();
        std::iter::once(attacker).chain(probe.words.split(' ').map(|word| self.fill(word, unique))).collect()
    }

    /// Whether the attack succeeded, seen from out here.
    pub(crate) fn succeeded(&self, probe: &Probe, unique: &str, stdout: &str) -> bool {
        let got = stdout.starts_with("GOT ");
        match probe.shows {
            Shows::Says(text) => got && stdout.contains(&self.fill(text, unique)),
            Shows::Claims => got,
            Shows::File(path) => {
                let path = self.fill(path, unique);
                match path.split_once('!') {
                    // Success is that it is gone.
                    Some((folder, name)) => !Path::new(folder).join(name).exists(),
                    None => fs::read_to_string(path).is_ok_and(|text| text.contains("planted")),
                }
            }
            Shows::Heard(text) => {
                thread::sleep(std::time::Duration::from_millis(if got { 100 } else { 10 }));
                self.heard.lock().unwrap().contains(&self.fill(text, unique))
            }
            Shows::Death => {
                thread::sleep(std::time::Duration::from_millis(20));
                self.victim.lock().unwrap().try_wait().unwrap().is_some()
            }
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
        }
    }

    /// Removes what an attack that succeeded has left on the host.
    pub(crate) fn clean(&self, probe: &Probe, unique: &str) {
        if let Shows::File(path) = probe.shows
            && (path.starts_with("/usr/") || path.starts_with("/etc/"))
        {
            let _ = fs::remove_file(self.fill(path, unique));
        }
        if let Shows::Segment = probe.shows {
            let _ = Command::new("ipcrm").arg("-M").arg(key(unique).to_string()).stderr(Stdio::null()).status();
        }
    }

    /// The attack without a sandbox, by the same user.
    pub(crate) fn without_sandbox(&self, probe: &Probe, unique: &str) -> String {
        let words = self.words(probe, unique);
        let mut command = as_user(self.bench.who);
        command.args(words).current_dir(&self.bench.workspace).stdin(Stdio::null());
        command.env("PROBE_SECRET", &self.words["token"]);
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
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
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut ready).unwrap();
    child
}

fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: it only asks which address would be used.
    match socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()) {
        Ok(address) => address.ip(),
        Err(_) => IpAddr::from([127, 0, 0, 2]),
    }
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

fn serve_tcp(listener: TcpListener, token: String) -> u16 {
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = (&stream).write_all(token.as_bytes());
        }
    });
    port
}

fn serve_unix(listener: UnixListener, token: String) {
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = (&stream).write_all(token.as_bytes());
        }
    });
}
