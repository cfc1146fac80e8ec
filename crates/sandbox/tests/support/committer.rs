//! Runs a script in a workspace and commits what it changed, in one thread, so that it can be traced and killed at any
//! step. Arguments: the folder that holds `launcher`, `work` and `journals`, and the script.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at what it did not expect")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use callgate_sandbox::{Journals, Launcher, Profiles, Request, Streams, WriteSet, compile};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let folder = PathBuf::from(&arguments[1]);
    let launcher = Launcher::at(folder.join("launcher"), Vec::<String>::new());
    let host = launcher.probe().unwrap();
    let request = Request {
        command: ["/bin/sh", "-ec", &arguments[2]].map(Into::into).into(),
        workspace: Some(folder.join("work")),
        ..Request::default()
    };
    let plan = compile(Profiles::default().get("workspace-watched").unwrap(), &request, &host).unwrap();
    let finished = launcher.launch(&plan, Streams::none()).unwrap().wait().unwrap();
    let set = WriteSet::of(finished.written.into_iter().next().unwrap()).unwrap();
    set.commit(&BTreeSet::new(), &Journals::at(folder.join("journals"))).unwrap();
}
