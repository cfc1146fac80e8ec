//! What a run leaves in the workspace, after a commit to which nobody gave a permit.

use super::Outside::{Both, Root};
use super::Shows::{Attribute, File, Grown, Mode, Says, There};
use super::{Probe, p};

pub(crate) const PROBES: &[Probe] = &[
    p("commit", "a hook", "write {work}/.git/hooks/pre-commit", File("{work}/.git/hooks/pre-commit"), Both),
    p(
        "commit",
        "a hook by renaming",
        "write-and-rename {work}/kept/new {work}/.git/hooks/pre-commit",
        File("{work}/.git/hooks/pre-commit"),
        Both,
    ),
    p(
        "commit",
        "a hook from a nameless file",
        "temporary-file-link {work} {work}/.git/hooks/pre-commit",
        File("{work}/.git/hooks/pre-commit"),
        Both,
    ),
    p(
        "commit",
        "a hook through a link",
        "write-through-link {work}/.git {work}/kept/g hooks/pre-commit",
        File("{work}/.git/hooks/pre-commit"),
        Both,
    ),
    p("commit", "a whole other .git", "rename-and-recreate {work}/.git", File("{work}/.git/hooks/pre-commit"), Both),
    p("commit", "the repository's configuration", "append {work}/.git/config", File("{work}/.git/config"), Both),
    p(
        "commit",
        "a .git where none was",
        "make-folders {work}/kept/.git/hooks/post-checkout",
        File("{work}/kept/.git/hooks/post-checkout"),
        Both,
    ),
    p("commit", "a .git that is a file", "write {work}/kept/.git", File("{work}/kept/.git"), Both),
    p(
        "commit",
        "a .git by another spelling",
        "make-folders {work}/kept/.Git/Hooks/post-checkout",
        File("{work}/kept/.Git/Hooks/post-checkout"),
        Both,
    ),
    p(
        "commit",
        "a repository by another name",
        "bare-repository {work}/kept/data {work}/kept/data",
        File("{work}/kept/data/config"),
        Both,
    ),
    p(
        "commit",
        "a repository whose parts lie apart",
        "bare-repository {work}/kept/data {work}/kept/common",
        File("{work}/kept/common/config"),
        Both,
    ),
    p("commit", "configuration for half a repository", "write {work}/half/config", File("{work}/half/config"), Both),
    p(
        "commit",
        "a missing pipeline",
        "make-folders {work}/.github/workflows/x.yml",
        File("{work}/.github/workflows/x.yml"),
        Both,
    ),
    p(
        "commit",
        "a missing agent configuration",
        "make-folders {work}/.claude/settings.json",
        File("{work}/.claude/settings.json"),
        Both,
    ),
    p(
        "commit",
        "a missing editor configuration",
        "make-folders {work}/.vscode/tasks.json",
        File("{work}/.vscode/tasks.json"),
        Both,
    ),
    p("commit", "servers for an agent", "write {work}/.mcp.json", File("{work}/.mcp.json"), Both),
    p("commit", "instructions for an agent", "append {work}/AGENTS.md", File("{work}/AGENTS.md"), Both),
    p("commit", "what a shell starts with", "write {work}/.envrc", File("{work}/.envrc"), Both),
    p("commit", "a link that leads out", "make-link {outside}/secret {work}/kept/data", Says("{token}"), Both),
    p(
        "commit",
        "a folder that became a link",
        "swap-for-link {work}/kept {outside}",
        There("{work}/kept/secret"),
        Both,
    ),
    p("commit", "a pipe with a name", "pipe {work}/kept/pipe", There("{work}/kept/pipe"), Both),
    p("commit", "a socket with a name", "unix-listener {work}/kept/new-socket", There("{work}/kept/new-socket"), Both),
    p("commit", "a device", "device-node {work}/kept/disk", There("{work}/kept/disk"), Root),
    p("commit", "a set-ID program", "set-id {work}/kept/suid", Mode("{work}/kept/suid", 0o4755), Both),
    p("commit", "a set-ID folder", "set-id-folder {work}/kept/folder", Mode("{work}/kept/folder", 0o2755), Both),
    p(
        "commit",
        "an attribute of a file",
        "attribute {work}/kept/file user.planted",
        Attribute("{work}/kept/file", "user.planted"),
        Both,
    ),
    p(
        "commit",
        "rights for somebody else",
        "access-list {work}/kept/file",
        Attribute("{work}/kept/file", "system.posix_acl_access"),
        Both,
    ),
    p(
        "commit",
        "capabilities of a program",
        "attribute {work}/kept/file security.capability",
        Attribute("{work}/kept/file", "security.capability"),
        Root,
    ),
    p(
        "commit",
        "marks of the file system itself",
        "attribute {work}/kept user.overlay.opaque",
        Attribute("{work}/kept", "user.overlay.opaque"),
        Both,
    ),
    p("commit", "a name of two lines", "write-named {work}/kept newline", There("{work}/kept/new\nline"), Both),
    p("commit", "a name that moves the cursor", "write-named {work}/kept escape", There("{work}/kept/\u{1b}[2K"), Both),
    p(
        "commit",
        "a name that reads backwards",
        "write-named {work}/kept backwards",
        There("{work}/kept/gpj.\u{202e}sh"),
        Both,
    ),
    p("commit", "folders too deep for a path", "deep {work}/kept 60 200", There("{work}/kept/{deep}"), Both),
    p("commit", "files that are larger than what was written", "sparse-many {work}/kept 16 16", Grown(200), Both)
        .under("disk = \"20480KiB\""),
    p("commit", "one file under many names", "hard-links {work}/kept 16 16", Grown(200), Both)
        .under("disk = \"20480KiB\""),
    p("commit", "an ordinary file", "append {work}/kept/file", File("{work}/kept/file"), Both).allowed(
        "this is the work. Whoever wants to see it first uses `callgate run --review`, or a policy that permits no \
         commit",
    ),
    p("commit", "a command in a makefile", "write {work}/Makefile", File("{work}/Makefile"), Both).allowed(
        "build files are part of the work, and whoever builds runs them: a reader of the changes has to see to that, \
         or a policy that names them",
    ),
    p("commit", "a file that the profile hides, where none was", "write {work}/absent", File("{work}/absent"), Both)
        .under("[profile.tighter.files]\n\"@workspace/absent\" = \"hidden\""),
    p(
        "commit",
        "a folder that the profile makes read-only, where none was",
        "make-folders {work}/absent/file",
        File("{work}/absent/file"),
        Both,
    )
    .under("[profile.tighter.files]\n\"@workspace/absent\" = \"ro\""),
];
