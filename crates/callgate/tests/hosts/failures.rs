//! Killing, hanging, deleting or flooding the gate or the hook never lets a denied call run.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::claude::{Managed, Place, gate, program};
use crate::house::{CALLGATE, House, Serve};

/// The hook's program in a place of its own, so that it can be broken.
fn own_copy(house: &House, machine: &Managed, place: &Path) -> std::path::PathBuf {
    let own = place.join("callgate");
    std::fs::copy(CALLGATE, &own).unwrap();
    let settings = std::fs::read_to_string("/etc/claude-code/managed-settings.json").unwrap();
    let installed = Path::new(CALLGATE).canonicalize().unwrap();
    machine.write(&settings.replace(installed.to_str().unwrap(), own.to_str().unwrap()));
    assert!(house.socket().exists());
    own
}

fn script(path: &Path, text: &str) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn whatever_fails_nothing_runs() {
    let Some(_) = program() else { return };
    let Some(machine) = Managed::take() else { return };
    let place = Place::new();
    let house = gate(&place.work());
    let mut serve = house.serve();
    machine.install(&house, "enforce");

    // Even what policy would allow: without a decision nothing runs.
    let tried = |name: &str, said: &str| {
        let mark = name.replace(' ', "-");
        let session = place.session(vec![vec![place.leave(&mark, "allowed")]], vec![], &[]);
        assert!(!place.ran(&mark), "{name}: {session:?}");
        let told = session.results.last().map_or("", |told| told.text.as_str());
        assert!(told.contains(said), "{name}: {told}");
    };
    let works = |name: &str| {
        let session = place.session(vec![vec![place.leave(name, "allowed")]], vec![], &[]);
        assert!(place.ran(name), "{name}: {session:?}");
    };
    works("at first");

    let pid = |serve: &Serve| Pid::from_child(&serve.0);
    kill_process(pid(&serve), Signal::STOP).unwrap();
    tried("the gate hangs", "Nothing runs until the gate");
    kill_process(pid(&serve), Signal::CONT).unwrap();
    works("after hanging");

    drop(serve);
    tried("the gate is killed", "no gate is running");
    std::fs::remove_file(house.socket()).unwrap_or(());
    tried("the socket is deleted", "no gate is running");
    std::fs::write(house.socket(), "").unwrap();
    tried("the socket is a file", "no gate is running");
    std::fs::remove_file(house.socket()).unwrap();

    // Somebody else listens there, and says what he likes.
    let listener = std::os::unix::net::UnixListener::bind(house.socket()).unwrap();
    let answering = std::thread::spawn(move || {
        use std::io::Write;
        while let Ok((mut stream, _)) = listener.accept() {
            if stream.write_all(b"{}\n{\"hello\":{\"protocol\":1}} {\"id\":1,\"ok\":true}\n").is_err() {
                continue;
            }
        }
    });
    tried("a stranger answers", "");
    drop(answering);
    std::fs::remove_file(house.socket()).unwrap();

    serve = house.serve();
    works("after a restart");

    // A flood of connections that never greet, and of more than the gate has room for.
    let flood: Vec<UnixStream> = (0..2000).map_while(|_| UnixStream::connect(house.socket()).ok()).collect();
    let session = place.session(vec![vec![place.leave("flood-denied", "no")]], vec![], &[]);
    assert!(!place.ran("flood-denied"), "{session:?}");
    drop(flood);

    // The hook itself.
    let hook = own_copy(&house, &machine, place.path());
    works("with the copy");
    script(&hook, "#!/bin/sh\nexit 1\n");
    tried("the hook fails", "");
    script(&hook, "#!/bin/sh\nkill -9 $$\n");
    tried("the hook is killed", "");
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o644)).unwrap();
    tried("the hook cannot be run", "");
    std::fs::remove_file(&hook).unwrap();
    tried("the hook is deleted", "");
    drop(serve);
}
