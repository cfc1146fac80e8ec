//! A disk with a volatile write cache, and a plug that can be pulled.
//!
//! A write is answered when it is in the cache; only a flush makes what was answered before it stable. When the
//! power is cut, each write that no flush covered may have reached the medium or not, in any order, and a physical
//! sector (4096 bytes) is the largest thing that is written whole. That is what the specifications of disks promise,
//! and no more: QEMU's own caches lose nothing when QEMU is killed, since the host's page cache survives it. With
//! smaller physical sectors ext4 does not keep its own superblock: its checksum breaks, and it cannot be mounted.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::chance::Chance;

/// The unit of requests.
pub(crate) const SECTOR: usize = 512;
/// The unit that is written whole, in sectors.
pub(crate) const PHYSICAL: usize = 8;

/// Which of the writes that no flush covered a cut of the power leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survivors {
    /// None: the cache had written nothing back.
    Nothing,
    /// All: the cache had just been written back.
    Everything,
    /// Any of them, each whole.
    Writes,
    /// Any of their physical sectors.
    Sectors,
}

impl Survivors {
    pub(crate) fn any(chance: &mut Chance) -> Self {
        match chance.within(0, 6) {
            0 | 1 => Self::Nothing,
            2 => Self::Everything,
            3 | 4 => Self::Writes,
            _ => Self::Sectors,
        }
    }
}

/// When the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plug {
    /// Not by itself.
    In,
    /// With the request after this many more writes and flushes.
    Out(u64),
}

/// The disk.
#[derive(Debug)]
pub(crate) struct Disk {
    stable: Vec<u8>,
    /// What is in the cache alone: for each sector the writes that touched it since the last flush, oldest first.
    cached: BTreeMap<usize, Vec<(u64, [u8; SECTOR])>>,
    writes: u64,
    plug: Plug,
    dead: bool,
}

impl Disk {
    /// A disk that holds what the file does.
    pub(crate) fn load(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        // Most of it is holes: their pages are never touched.
        let mut stable = vec![0; size];
        let mut buffer = [0; 64 * SECTOR];
        for at in (0..size).step_by(buffer.len()) {
            let length = buffer.len().min(size - at);
            let chunk = &mut buffer[..length];
            file.read_exact(chunk)?;
            if chunk.iter().any(|byte| *byte != 0) {
                stable[at..at + length].copy_from_slice(chunk);
            }
        }
        Ok(Self { stable, cached: BTreeMap::new(), writes: 0, plug: Plug::In, dead: false })
    }

    /// Writes what is stable into a file.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        File::create(path)?.write_all(&self.stable)
    }

    /// In bytes.
    pub(crate) fn size(&self) -> usize {
        self.stable.len()
    }

    /// Whether the power is gone: nothing is answered any more.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead
    }

    /// Cuts the power now.
    pub(crate) fn cut(&mut self) {
        self.dead = true;
    }

    /// Cuts the power at the write or flush that follows so many more: it is taken, and not answered.
    pub(crate) fn cut_after(&mut self, requests: u64) {
        self.plug = Plug::Out(requests);
    }

    /// Counts a write or flush. `false` if the power went before it was answered.
    fn count(&mut self) -> bool {
        match &mut self.plug {
            Plug::In => {}
            Plug::Out(0) => self.dead = true,
            Plug::Out(left) => *left -= 1,
        }
        !self.dead
    }

    /// `None` without power, or outside of the disk.
    pub(crate) fn read(&self, offset: usize, length: usize) -> Option<Vec<u8>> {
        if self.dead || !length.is_multiple_of(SECTOR) || !offset.is_multiple_of(SECTOR) {
            return None;
        }
        let mut bytes = self.stable.get(offset..offset.checked_add(length)?)?.to_vec();
        for (sector, versions) in self.cached.range(offset / SECTOR..(offset + length) / SECTOR) {
            let at = sector * SECTOR - offset;
            let (_, newest) = versions.last()?;
            bytes.get_mut(at..at + SECTOR)?.copy_from_slice(newest);
        }
        Some(bytes)
    }

    /// `None` if it is not to be answered.
    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) -> Option<()> {
        let (sectors, rest) = bytes.as_chunks::<SECTOR>();
        let inside = offset.checked_add(bytes.len())? <= self.stable.len();
        if self.dead || !rest.is_empty() || !offset.is_multiple_of(SECTOR) || !inside {
            return None;
        }
        self.writes += 1;
        for (sector, at) in sectors.iter().zip(offset / SECTOR..) {
            self.cached.entry(at).or_default().push((self.writes, *sector));
        }
        self.count().then_some(())
    }

    /// `None` if it is not to be answered; then nothing is stable that was not before.
    pub(crate) fn flush(&mut self) -> Option<()> {
        if self.dead || !self.count() {
            return None;
        }
        self.settle(|_, _| true);
        Some(())
    }

    /// The power comes back: the cache is empty, and of what was in it, this is on the medium.
    pub(crate) fn power_on(&mut self, survivors: Survivors, chance: &mut Chance) {
        let seed = chance.next();
        self.settle(|write, sector| match survivors {
            Survivors::Nothing => false,
            Survivors::Everything => true,
            Survivors::Writes => Chance::new(seed ^ write).next().is_multiple_of(2),
            Survivors::Sectors => Chance::new(seed ^ write ^ (sector << 32)).next().is_multiple_of(2),
        });
        (self.plug, self.dead) = (Plug::In, false);
    }

    /// Empties the cache; of each sector the newest version stays that `survives`.
    fn settle(&mut self, survives: impl Fn(u64, u64) -> bool) {
        for (sector, versions) in std::mem::take(&mut self.cached) {
            let number = u64::try_from(sector / PHYSICAL).unwrap_or_default();
            if let Some((_, newest)) = versions.iter().rev().find(|(write, _)| survives(*write, number)) {
                self.stable[sector * SECTOR..][..SECTOR].copy_from_slice(newest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> Disk {
        let file = tempfile::NamedTempFile::new().expect("a file");
        file.as_file().set_len(1 << 20).expect("grows");
        Disk::load(file.path()).expect("loads")
    }

    fn stable(disk: &Disk, at: usize) -> u8 {
        disk.stable[at * SECTOR]
    }

    #[test]
    fn what_a_flush_covers_is_stable_and_nothing_else_is_certain() {
        for (survivors, kept) in [(Survivors::Nothing, 1), (Survivors::Everything, 2)] {
            let mut disk = disk();
            disk.write(0, &[1; SECTOR]).expect("answers");
            disk.flush().expect("answers");
            disk.write(0, &[2; SECTOR]).expect("answers");
            assert_eq!(disk.read(0, SECTOR), Some(vec![2; SECTOR]), "the cache is what is read");
            disk.cut();
            assert_eq!((disk.read(0, SECTOR), disk.write(0, &[3; SECTOR]), disk.flush()), (None, None, None));
            disk.power_on(survivors, &mut Chance::new(1));
            assert_eq!(disk.read(0, SECTOR), Some(vec![kept; SECTOR]));
        }
    }

    #[test]
    fn the_request_at_which_the_power_goes_is_not_answered() {
        let mut disk = disk();
        disk.cut_after(1);
        assert_eq!(disk.write(0, &[1; SECTOR]), Some(()));
        assert_eq!(disk.flush(), None, "a flush that is not answered promises nothing");
        assert!(disk.is_dead());
        disk.power_on(Survivors::Nothing, &mut Chance::new(1));
        assert_eq!(stable(&disk, 0), 0);
    }

    #[test]
    fn writes_survive_whole_or_torn_in_any_order() {
        let (mut earlier_lost, mut torn, mut older) = (false, false, false);
        for seed in 0..64 {
            for survivors in [Survivors::Writes, Survivors::Sectors] {
                let mut disk = disk();
                for (number, at) in [(1, 0), (2, 2), (3, 0)] {
                    disk.write(at * PHYSICAL * SECTOR, &[number; 2 * PHYSICAL * SECTOR]).expect("answers");
                }
                disk.power_on(survivors, &mut Chance::new(seed));
                let found = [0, 1, 2, 3].map(|at| stable(&disk, at * PHYSICAL));
                assert_eq!(found, [0, 1, 2, 3].map(|at| stable(&disk, at * PHYSICAL + PHYSICAL - 1)));
                assert!(found[..2].iter().all(|byte| [0, 1, 3].contains(byte)), "{found:?}");
                assert!(found[2..].iter().all(|byte| [0, 2].contains(byte)), "{found:?}");
                let whole = found[0] == found[1] && found[2] == found[3];
                assert!(survivors == Survivors::Sectors || whole, "{found:?}");
                earlier_lost |= found == [0, 0, 2, 2];
                older |= found[..2] == [1, 1];
                torn |= !whole;
            }
        }
        assert!(earlier_lost && torn && older);
    }

    #[test]
    fn what_is_outside_or_not_whole_sectors_is_refused() {
        let mut disk = disk();
        let end = disk.size();
        assert_eq!(disk.read(end, SECTOR), None);
        assert_eq!(disk.read(usize::MAX - 511, SECTOR), None);
        assert_eq!(disk.write(end - SECTOR, &[1; 2 * SECTOR]), None);
        assert_eq!(disk.write(1, &[1; SECTOR]), None);
        assert_eq!(disk.write(0, &[1; 100]), None);
        assert_eq!(disk.write(end - SECTOR, &[1; SECTOR]), Some(()));
    }
}
