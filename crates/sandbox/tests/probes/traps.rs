//! Errors that sandboxes before this one made, as far as no probe of the table is one of them. (What dies with the
//! launcher though it changed its user, what process 1 shows, and what is renamed around a part that is read-only, are.)

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use callgate_sandbox::{Exit, Profiles, compile};

use crate::bench::{As, Bench, copy_program};

fn attacker(bench: &Bench) -> String {
    let attacker = bench.workspace.join("attacker");
    copy_program(&bench.attacker(), &attacker);
    attacker.display().to_string()
}

/// Some gave the host's `/dev/null` to the user inside when it was their standard input or output.
#[test]
fn the_hosts_devices_stay_as_they_were() {
    let state = || -> Vec<(u32, u32, u32)> {
        let one = |name| fs::metadata(format!("/dev/{name}")).unwrap();
        ["null", "zero", "full", "random", "urandom"]
            .map(one)
            .iter()
            .map(|at| (at.uid(), at.gid(), at.mode()))
            .collect()
    };
    let before = state();
    for who in As::both() {
        let bench = Bench::new(who);
        let script = "chown 1000 /dev/null; chmod 777 /dev/null /dev/zero; rm /dev/full; mv /dev/random /dev/other; \
                      : > /dev/null && echo written > /dev/null && head -c 4 /dev/zero | wc -c";
        let run = bench.run("workspace", &["/bin/sh", "-c", script]);
        assert_eq!((run.exit, run.stdout.trim()), (Exit::Code(0), "4"), "{who:?}: they still work: {}", run.stderr);
        assert_eq!(state(), before, "{who:?}");
    }
}

/// Some waited for the end of output that a process held open which nobody had ended. This returns at all, and long
/// before that process would have.
#[test]
fn output_ends_with_the_run_whoever_holds_it_open() {
    for who in As::both() {
        let bench = Bench::new(who);
        let run = bench.run("workspace", &[attacker(&bench).as_str(), "daemon", "held"]);
        assert_eq!((run.exit, run.stdout.trim()), (Exit::Code(0), "GOT a daemon is left"), "{who:?}");
    }
}

/// A part of an open workspace that is to be protected, and is not there, could be made by the program.
#[test]
fn nothing_missing_is_taken_for_protected() {
    for who in As::both() {
        let bench = Bench::new(who);
        for access in ["ro", "hidden"] {
            let text = format!(
                "[profile.open]\nmemory_by = \"watched\"\n[profile.open.files]\n\"@workspace\" = \"rw\"\n\
                 \"@workspace/part\" = \"{access}\""
            );
            let profile = Profiles::parse(&text).unwrap().get("open").unwrap().clone();
            let request = bench.request(&["/bin/sh", "-c", "mkdir part && echo planted > part/file"]);
            let plan = compile(&profile, &request, &bench.host).unwrap();
            let part = bench.workspace.join("part");
            let run = bench.run_plan(&plan);
            assert!(matches!(&run.exit, Exit::Refused(fault) if fault.step.ends_with("/part")), "{who:?} {run:?}");
            // A link there could be replaced as well.
            std::os::unix::fs::symlink("/etc", &part).unwrap();
            assert!(matches!(bench.run_plan(&plan).exit, Exit::Refused(_)), "{who:?} {access}: a link");
            fs::remove_file(&part).unwrap();
            // Where it is there, the program runs, and cannot.
            fs::create_dir(&part).unwrap();
            let run = bench.run_plan(&plan);
            assert!(matches!(run.exit, Exit::Code(code) if code != 0), "{who:?} {run:?}");
            assert!(!part.join("file").exists());
            fs::remove_dir(&part).unwrap();
        }
    }
}
