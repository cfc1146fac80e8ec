//! The workspace as it lies on the host, before anything is committed.

use super::Outside::{Both, Root};
use super::Shows::{Claims, File, There};
use super::{Probe, p};

/// The workspace is written in place, but for one folder in it.
const LOCKED: &str = "[profile.own.files]\n\"@workspace\" = \"rw\"\n\"@workspace/locked/inner\" = \"ro\"";

pub(crate) const PROBES: &[Probe] = &[
    p("workspace", "plant a hook", "write {work}/.git/hooks/pre-commit", File("{work}/.git/hooks/pre-commit"), Both),
    p(
        "workspace",
        "replace all of .git",
        "rename-and-recreate {work}/.git",
        File("{work}/.git/hooks/pre-commit"),
        Both,
    ),
    p(
        "workspace",
        "make a missing .github",
        "make-folders {work}/.github/workflows/x.yml",
        File("{work}/.github/workflows/x.yml"),
        Both,
    ),
    p(
        "workspace",
        "make a missing agent configuration",
        "make-folders {work}/.claude/settings.json",
        File("{work}/.claude/settings.json"),
        Both,
    ),
    p("workspace", "change an instruction file", "append {work}/AGENTS.md", File("{work}/AGENTS.md"), Both),
    p("workspace", "delete the workspace's files", "delete {work}/kept", File("{work}/!kept"), Both),
    p("workspace", "a set-ID program", "set-id {work}/suid", Claims, Both),
    p("workspace", "a set-ID program by open", "set-id-by-open {work}/suid-open", Claims, Both),
    p("workspace", "a device node", "device-node {work}/disk", Claims, Root),
    p("workspace", "a file of 8 TiB", "sparse {work}/sparse", Claims, Both),
    p(
        "workspace",
        "make a missing .git",
        "make-folders {work}/kept/.git/config",
        File("{work}/kept/.git/config"),
        Both,
    ),
    p(
        "workspace",
        "a link that leads out",
        "make-link {outside}/secret {work}/kept/data",
        There("{work}/kept/data"),
        Both,
    ),
    p("workspace", "a pipe with a name", "pipe {work}/kept/pipe", There("{work}/kept/pipe"), Both),
    p(
        "workspace",
        "change a part that is read-only",
        "append {work}/locked/inner/file",
        File("{work}/locked/inner/file"),
        Both,
    )
    .under(LOCKED),
    p(
        "workspace",
        "rename what a read-only part lies in",
        "rename-around {work}/locked inner/file",
        File("{work}/locked/inner/file"),
        Both,
    )
    .under(LOCKED),
];
