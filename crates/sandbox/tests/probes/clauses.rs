//! For each clause of a profile, what is stopped with it and goes through without it.

use callgate_sandbox::{Environment, Limits, Profile};

use crate::bench::As;
use crate::fixture::Fixture;
use crate::table::{Outside, Probe, Shows, p};
use crate::trial;

/// The clause, what is tried, how success shows, the clause as it stands when that is stopped, and as it stands when it
/// is not.
type Clause = (&'static str, &'static str, Shows, &'static str, &'static str);

const CLAUSES: &[Clause] = &[
    (
        "files: hidden",
        "read {work}/.env",
        Shows::Says("{token}"),
        "[profile.tighter.files]\n\"@workspace/.env\" = \"hidden\"",
        "",
    ),
    (
        "files: ro",
        "append {work}/kept/file",
        Shows::Claims,
        "[profile.tighter.files]\n\"@workspace/kept\" = \"ro\"",
        "",
    ),
    (
        "files: tmpfs",
        "read {work}/kept/file",
        Shows::Says("kept"),
        "[profile.tighter.files]\n\"@workspace/kept\" = \"tmpfs\"",
        "",
    ),
    (
        "files: cow",
        "append {work}/kept/file",
        Shows::File("{work}/kept/file"),
        "",
        "[profile.own.files]\n\"@workspace\" = \"rw\"",
    ),
    ("network", "socket 2 1 0", Shows::Claims, "network = \"none\"", ""),
    ("unix_sockets", "unix-listener /tmp/{unique}", Shows::Claims, "", "unix_sockets = true"),
    ("wall", "busy {unique} 15", Shows::Claims, "wall = \"1s\"", ""),
    ("cpu", "busy {unique} 15", Shows::Claims, "cpu = \"1s\"", ""),
    ("memory", "memory-bomb 320 {unique}", Shows::Claims, "memory = \"128MiB\"", ""),
    ("processes", "fork-bomb 100 {unique}", Shows::Claims, "processes = 40", ""),
    ("open_files", "descriptor-bomb 300 {unique}", Shows::Claims, "open_files = 100", ""),
    ("output", "flood 2 {unique}", Shows::Output(1 << 20), "output = \"64KiB\"", ""),
    ("disk", "disk-bomb {work}/kept 24 {unique}", Shows::Claims, "disk = \"8192KiB\"", ""),
    ("max_files", "many-files {work}/kept 400 {unique}", Shows::Claims, "max_files = 100", ""),
    ("env.pass", "LANG={token} variable LANG", Shows::Says("{token}"), "[profile.tighter.env]\npass = []", ""),
    ("env.set", "variable X", Shows::Says("set"), "", "[profile.own.env]\nset = { X = \"set\" }"),
    (
        "secrets",
        "X={token} variable X",
        Shows::Says("{token}"),
        "[profile.own.env]\npass = [\"X\"]\n[profile.own.secrets]\nX = \"npm\"",
        "[profile.own.env]\npass = [\"X\"]",
    ),
];

#[test]
fn without_a_clause_what_it_stops_goes_through() {
    for who in As::both() {
        let fixture = Fixture::new(who);
        for (index, (clause, words, shows, tight, loose)) in CLAUSES.iter().enumerate() {
            let succeeds = |under: &'static str, of: &str| {
                let probe = Probe { under, ..p("clauses", clause, words, *shows, Outside::Both) };
                trial::inside(
                    &fixture,
                    &probe,
                    &fixture.unique(&format!("{of}{index}")),
                    "workspace",
                    &[],
                    trial::Start::Cold,
                )
            };
            let (held, said) = succeeds(tight, "t");
            assert!(!held, "{who:?}: under `{tight}`: {said}");
            let (free, said) = succeeds(loose, "l");
            assert!(free, "{who:?}: under `{loose}`: {said}");
        }
    }
}

/// A clause that is added does not compile here before somebody has thought of it above. The tier alone is no clause of
/// a launch: what asks for another is refused (`plan::tests`).
#[test]
fn every_clause_is_tried() {
    let profile = callgate_sandbox::Profiles::default().get("workspace").unwrap().clone();
    let Profile { name: _, tier: _, files: _, network: _, unix_sockets: _, limits, environment, secrets: _ } = profile;
    let Limits { wall: _, cpu: _, memory: _, memory_by: _, processes: _, open_files: _, output: _, disk: _, files: _ } =
        limits;
    let Environment { pass: _, set: _ } = environment;
    for clause in [
        "files",
        "network",
        "unix_sockets",
        "wall",
        "cpu",
        "memory",
        "processes",
        "open_files",
        "output",
        "disk",
        "max_files",
        "env.pass",
        "env.set",
        "secrets",
    ] {
        assert!(CLAUSES.iter().any(|(name, ..)| name.split(':').next() == Some(clause)), "{clause} is not tried");
    }
}
