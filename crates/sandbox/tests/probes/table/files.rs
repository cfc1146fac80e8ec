//! Files of the host.

use super::Outside::{Both, Nobody, Root};
use super::Shows::{Claims, File, Says};
use super::{Probe, p};

pub(crate) const PROBES: &[Probe] = &[
    p("files", "read the password hashes", "read /etc/shadow", Says("root:"), Root),
    p("files", "read a secret of the same user", "read {outside}/private", Says("{token}"), Both),
    p("files", "read a readable file outside the view", "read {outside}/secret", Says("{token}"), Both),
    p("files", "list a folder outside the view", "list {outside}", Says("private"), Both),
    p("files", "write to /usr", "write /usr/callgate-{unique}", File("/usr/callgate-{unique}"), Root),
    p("files", "write to /etc", "write /etc/callgate-{unique}", File("/etc/callgate-{unique}"), Root),
    p(
        "files",
        "write to /usr/local/bin",
        "write /usr/local/bin/callgate-{unique}",
        File("/usr/local/bin/callgate-{unique}"),
        Root,
    ),
    p("files", "write beside the workspace", "write {outside}/planted", File("{outside}/planted"), Both),
    p("files", "append to a file beside the workspace", "append {outside}/target", File("{outside}/target"), Both),
    p("files", "read through a planted link", "read {work}/link-to-secret", Says("{token}"), Both),
    p("files", "write through a planted link", "append {work}/link-to-target", File("{outside}/target"), Both),
    p("files", "read through a link of one's own", "symlink {outside}/secret {work}/new-link", Says("{token}"), Both),
    p("files", "read through a linked folder", "read {work}/link-to-folder/secret", Says("{token}"), Both),
    p("files", "hard link to a file outside", "hard-link {outside}/secret {work}/hard", Says("{token}"), Both),
    p("files", "climb out by ..", "read {work}/../outside/secret", Says("{token}"), Both),
    p("files", "climb out by many ..", "read {work}/../../../../../../../..{outside}/secret", Says("{token}"), Both),
    p(
        "files",
        "a nameless file linked outside",
        "temporary-file-link {outside} {outside}/planted",
        File("{outside}/planted"),
        Both,
    ),
    p("files", "an inherited descriptor", "inherited {victim-token}", Says("{token}"), Both),
    p("files", "a file by its handle", "handle {outside}/secret", Says("{token}"), Root),
    p(
        "files",
        "the root of process 1",
        "read /proc/1/root{outside}/secret",
        Says("{token}"),
        Nobody("process 1 of this machine is closed even to root"),
    ),
    p("files", "one's own root", "read /proc/self/root{outside}/secret", Says("{token}"), Both),
    p("files", "one's own working folder", "read /proc/self/cwd/../outside/secret", Says("{token}"), Both),
    p("files", "the system's settings in /sys", "list /sys/kernel", Claims, Both),
    p("files", "the host's state", "list /var/lib", Claims, Both),
    p("files", "the host's root folder", "list /root", Claims, Root),
    p("files", "own a device", "own /dev/null", Claims, Root),
    p("files", "change a device's mode", "chmod-same /dev/null", Claims, Root),
    p("files", "the time of a device", "touch /dev/null", Claims, Both),
    p("files", "a program from the workspace", "run-copy {work}/kept/copy", Claims, Both)
        .allowed("what is built in a workspace is run there; it has the rights of the run, and no more"),
    p("files", "a program from /tmp", "run-copy /tmp/{unique}", Claims, Both)
        .allowed("compilers and test runners do so; it has the rights of the run, and no more"),
    p("files", "a program from shared memory", "run-copy /dev/shm/{unique}", Claims, Both),
    p("files", "a secret that lies in the workspace", "read {work}/.env", Says("{token}"), Both).allowed(
        "the workspace is what the run works on. A profile hides what it should not see: \
         `\"@workspace/.env\" = \"hidden\"`",
    ),
    p("files", "a file of the workspace that is hidden", "read {work}/.env", Says("{token}"), Both)
        .under("[profile.tighter.files]\n\"@workspace/.env\" = \"hidden\""),
    p("files", "a hidden file by another name", "hard-link {work}/.env {work}/kept/env", Says("{token}"), Both)
        .under("[profile.tighter.files]\n\"@workspace/.env\" = \"hidden\""),
];
