//! Kernels for guests, and QEMU to run one in. Shared by the tests that need another machine than this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::initramfs::Archive;

/// QEMU's program.
pub(crate) const QEMU: &str = "/usr/bin/qemu-system-x86_64";

/// The one program of a guest's first steps.
pub(crate) const BUSYBOX: &str = "/bin/busybox";

/// What a disk needs, and a port.
const MODULES: [&str; 7] = [
    "virtio",
    "virtio_ring",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
];

/// A kernel with its modules, as `.ci/guest` unpacks it.
pub(crate) struct Kernel {
    folder: PathBuf,
    /// The kernel itself.
    pub(crate) image: PathBuf,
}

impl Kernel {
    /// The one of this name: `release`, `backports` or `unstable`.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guest")).join(name);
        folder.join("complete").exists().then_some(())?;
        let image = find(&folder, &|name| name.starts_with("vmlinuz"))?;
        Some(Self { folder, image })
    }

    /// Adds what the guest's first steps need to `archive`: the folders, BusyBox, and the modules for disk and port,
    /// and `more`. A module that the kernel has built in is none.
    pub(crate) fn equip(&self, archive: &mut Archive, more: &[&str]) {
        for folder in ["proc", "sys", "dev"] {
            archive.folder(folder);
        }
        archive.copy(Path::new(BUSYBOX), "bin/busybox", 0o755);
        for module in MODULES.iter().chain(more) {
            if let Some(path) = find(&self.folder, &|name| name == format!("{module}.ko")) {
                archive.copy(&path, &format!("modules/{module}.ko"), 0o644);
            }
        }
    }
}

fn find(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        let found = if path.is_dir() {
            find(&path, wanted)
        } else {
            path.file_name().and_then(|name| name.to_str()).is_some_and(wanted).then_some(path.clone())
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A machine of one processor, with neither disk nor network yet.
///
/// Imitated, everywhere: a `/dev/kvm` that is there may still not work.
pub(crate) fn qemu(kernel: &Kernel, initramfs: &Path, processor: &str, mebibytes: u32, words: &str) -> Command {
    let mut qemu = Command::new(QEMU);
    qemu.args(["-accel", "tcg", "-cpu", processor, "-smp", "1", "-m", &mebibytes.to_string()]);
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    qemu.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(initramfs);
    qemu.arg("-append").arg(format!("console=ttyS0 loglevel=3 panic=-1 {words}"));
    qemu
}

/// QEMU, killed when this is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `program` without what only a debugger reads, at `to`: a guest's memory is small.
pub(crate) fn strip(program: &Path, to: &Path) {
    let status = Command::new("strip").arg("-o").arg(to).arg(program).status().expect("strip runs");
    assert!(status.success());
}
