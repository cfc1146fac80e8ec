//! The guest's disk: the few programs of this machine that the tests start, what those need, and the tests themselves.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kernel::{BUSYBOX, strip};

/// What makes a file system in a file, and fills it.
pub(crate) const MAKE: &str = "/sbin/mke2fs";

/// What is started in the guest, by the tests or by what they start.
const PROGRAMS: &[&str] = &[
    "bash", "cat", "chmod", "chown", "cp", "cut", "dd", "echo", "env", "false", "find", "grep", "head", "id",
    "install", "ipcrm", "ln", "ls", "mkdir", "mkfifo", "mknod", "mktemp", "mount", "mv", "python3", "readlink", "rm",
    "rmdir", "sed", "seq", "setpriv", "sh", "sleep", "sort", "stat", "stty", "tail", "tee", "test", "touch", "tr",
    "true", "truncate", "tty", "umount", "uname", "unshare", "wc", "yes",
];

/// Parts of Python's library that nothing here needs.
const NO_PYTHON: [&str; 6] = ["test", "idlelib", "lib2to3", "ensurepip", "pydoc_data", "unittest"];

pub(crate) struct Image {
    folder: tempfile::TempDir,
}

impl Image {
    /// With these test programs in `/tests`, and the list of the parts to be run.
    pub(crate) fn of(tests: &[(String, PathBuf)], parts: &str) -> Self {
        let image = Self { folder: tempfile::tempdir().expect("a folder") };
        let root = Root { path: image.path("root"), done: BTreeSet::new() };
        root.fill(tests);
        fs::write(image.path("root/tests/parts"), parts).expect("writes");
        let status = Command::new(MAKE)
            .args(["-q", "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "^has_journal", "-d"])
            .args([image.path("root"), image.disk()])
            .arg("500M")
            .status();
        assert!(status.expect("mke2fs runs").success());
        fs::remove_dir_all(image.path("root")).expect("removes");
        image
    }

    /// A file beside the disk.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn disk(&self) -> PathBuf {
        self.path("disk")
    }
}

/// The folder that becomes the disk.
struct Root {
    path: PathBuf,
    done: BTreeSet<PathBuf>,
}

impl Root {
    fn fill(mut self, tests: &[(String, PathBuf)]) {
        for folder in ["usr/bin", "usr/sbin", "usr/local/bin", "usr/lib", "usr/lib64", "etc", "tests", "var/lib"] {
            fs::create_dir_all(self.path.join(folder)).expect("makes");
        }
        for (folder, mode) in [
            ("proc", 0o755),
            ("sys", 0o755),
            ("dev", 0o755),
            ("run", 0o755),
            ("root", 0o700),
            ("tmp", 0o1777),
            ("var/tmp", 0o1777),
        ] {
            fs::create_dir_all(self.path.join(folder)).expect("makes");
            fs::set_permissions(self.path.join(folder), fs::Permissions::from_mode(mode)).expect("sets");
        }
        for name in ["bin", "sbin", "lib", "lib64"] {
            symlink(format!("usr/{name}"), self.path.join(name)).expect("links");
        }
        for name in PROGRAMS {
            self.program(name);
        }
        self.python();
        self.copy(Path::new(BUSYBOX), "usr/bin/busybox");
        for name in ["passwd", "group", "ld.so.cache", "nsswitch.conf"] {
            self.copy(&Path::new("/etc").join(name), &format!("etc/{name}"));
        }
        // Not this machine's: whoever reads it shall get nothing of anybody's.
        fs::write(self.path.join("etc/shadow"), "root:*:20000:0:99999:7:::\n").expect("writes");
        fs::set_permissions(self.path.join("etc/shadow"), fs::Permissions::from_mode(0o600)).expect("sets");
        // Where they are here, by which the tests know them.
        for program in [env!("CARGO_BIN_EXE_callgate-launcher"), env!("CARGO_BIN_EXE_callgate-attacker")] {
            self.stripped(Path::new(program), program.trim_start_matches('/'));
        }
        for (name, program) in tests {
            self.stripped(program, &format!("tests/{name}"));
        }
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sandbox-matrix.md");
        self.copy(Path::new(page), page.trim_start_matches('/'));
        fs::create_dir_all(self.path.join(env!("CARGO_MANIFEST_DIR").trim_start_matches('/'))).expect("makes");
        fs::write(self.path.join("init"), include_bytes!("init.sh")).expect("writes");
        fs::set_permissions(self.path.join("init"), fs::Permissions::from_mode(0o755)).expect("sets");
    }

    /// A program of the system, whatever else goes by its name here, with the libraries that it is linked to.
    fn program(&mut self, name: &str) {
        let found =
            ["/usr/bin", "/usr/sbin"].iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
        let found = found.unwrap_or_else(|| panic!("there is no {name} here"));
        let real = found.canonicalize().expect("it exists");
        self.linked(&real);
        if real != found {
            let link = self.path.join(found.strip_prefix("/").expect("absolute"));
            symlink(&real, link).expect("links");
        }
    }

    /// A file with the libraries that it is linked to.
    fn linked(&mut self, real: &Path) {
        if !self.done.insert(real.to_owned()) {
            return;
        }
        self.copy(real, &real.display().to_string()[1..]);
        let libraries = Command::new("ldd").arg(real).output().expect("ldd runs").stdout;
        let libraries = String::from_utf8_lossy(&libraries).into_owned();
        for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
            let target = Path::new(library).canonicalize().expect("it exists");
            if self.done.insert(target.clone()) {
                self.copy(&target, &target.display().to_string()[1..]);
            }
            // `/lib` is `/usr/lib` there.
            let name = library.strip_prefix("/usr").unwrap_or(library);
            let link = self.path.join(format!("usr{name}"));
            if !link.exists() && link.symlink_metadata().is_err() {
                fs::create_dir_all(link.parent().expect("a folder")).expect("makes");
                symlink(&target, &link).expect("links");
            }
        }
    }

    /// Python's own library, and what its parts are linked to.
    fn python(&mut self) {
        let program = Path::new("/usr/bin/python3").canonicalize().expect("it exists");
        let name = program.file_name().expect("a name").to_string_lossy().into_owned();
        let from = Path::new("/usr/lib").join(&name);
        let to = self.path.join("usr/lib").join(&name);
        let status = Command::new("cp").arg("-a").arg(&from).arg(&to).status().expect("cp runs");
        assert!(status.success());
        for part in NO_PYTHON {
            let _ = fs::remove_dir_all(to.join(part));
        }
        // The one part that is linked to more than C's own library, and used.
        for entry in fs::read_dir(from.join("lib-dynload")).expect("reads").flatten() {
            if entry.file_name().to_string_lossy().starts_with("_ctypes.") {
                self.linked(&entry.path());
            }
        }
    }

    fn copy(&self, from: &Path, to: &str) {
        let to = self.path.join(to);
        fs::create_dir_all(to.parent().expect("a folder")).expect("makes");
        fs::copy(from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }

    fn stripped(&self, program: &Path, to: &str) {
        let to = self.path.join(to);
        fs::create_dir_all(to.parent().expect("a folder")).expect("makes");
        strip(program, &to);
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).expect("sets");
    }
}
