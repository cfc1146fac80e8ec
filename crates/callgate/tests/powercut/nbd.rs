//! The disk, served to QEMU: as much of the NBD protocol (fixed newstyle, simple replies) as its client needs.
//!
//! <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::Disk;

const OPTION: &[u8; 8] = b"IHAVEOPT";
const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;
/// The longest request that QEMU's client makes.
const LONGEST: u32 = 32 << 20;

/// Serves the disk to whoever connects, once; ends when that one is gone.
pub(crate) fn serve(listener: &UnixListener, disk: &Arc<Mutex<Disk>>) -> io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    let size = lock(disk).size();
    if negotiate(&mut stream, u64::try_from(size).map_err(io::Error::other)?)? {
        while let Some(request) = Request::read(&mut stream)? {
            let answered = answer(&request, &mut lock(disk));
            match answered {
                Some(data) => {
                    let head = [&REPLY.to_be_bytes()[..], &0_u32.to_be_bytes(), &request.handle].concat();
                    stream.write_all(&[head, data].concat())?;
                }
                // Without power there is no answer, and no error either.
                None => assert!(lock(disk).is_dead(), "the guest asked for what no disk could do"),
            }
        }
    }
    Ok(())
}

fn lock(disk: &Mutex<Disk>) -> std::sync::MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bytes<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).map(|()| bytes)
}

fn number(stream: &mut impl Read) -> io::Result<u32> {
    bytes(stream).map(u32::from_be_bytes)
}

fn data(stream: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    if length > LONGEST {
        return Err(io::Error::other("a longer request than any client makes"));
    }
    let mut data = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut data).map(|()| data)
}

/// Whether the client wants to go on.
fn negotiate(stream: &mut UnixStream, size: u64) -> io::Result<bool> {
    const FIXED_NEWSTYLE_NO_ZEROES: u16 = 1 | 2;
    const HAS_FLAGS_AND_FLUSH: u16 = 1 | 4;
    const ABORT: u32 = 2;
    const INFO: u32 = 6;
    const GO: u32 = 7;
    const ACK: u32 = 1;
    const EXPORT: u32 = 3;
    const UNSUPPORTED: u32 = (1 << 31) | 1;
    stream.write_all(b"NBDMAGIC")?;
    stream.write_all(OPTION)?;
    stream.write_all(&FIXED_NEWSTYLE_NO_ZEROES.to_be_bytes())?;
    number(stream)?;
    loop {
        if &bytes::<8>(stream)? != OPTION {
            return Err(io::Error::other("the client speaks another protocol"));
        }
        let option = number(stream)?;
        let length = number(stream)?;
        data(stream, length)?;
        let mut reply = |kind: u32, data: &[u8]| {
            let length = u32::try_from(data.len()).map_err(io::Error::other)?;
            let head = [OPTION_REPLY.to_be_bytes().as_slice(), &option.to_be_bytes(), &kind.to_be_bytes()].concat();
            stream.write_all(&[&head, &length.to_be_bytes()[..], data].concat())
        };
        match option {
            INFO | GO => {
                let export = [&0_u16.to_be_bytes()[..], &size.to_be_bytes(), &HAS_FLAGS_AND_FLUSH.to_be_bytes()];
                reply(EXPORT, &export.concat())?;
                reply(ACK, &[])?;
                if option == GO {
                    return Ok(true);
                }
            }
            ABORT => return reply(ACK, &[]).map(|()| false),
            _ => reply(UNSUPPORTED, &[])?,
        }
    }
}

enum Command {
    Read(u32),
    Write(Vec<u8>),
    Flush,
}

struct Request {
    command: Command,
    handle: [u8; 8],
    offset: u64,
}

impl Request {
    /// `None` if the client is gone.
    fn read(stream: &mut UnixStream) -> io::Result<Option<Self>> {
        match number(stream) {
            Ok(REQUEST) => {}
            Ok(_) => return Err(io::Error::other("that is no request")),
            // Killed.
            Err(_) => return Ok(None),
        }
        let [_, _, _, kind] = bytes::<4>(stream)?;
        let handle = bytes(stream)?;
        let offset = bytes(stream).map(u64::from_be_bytes)?;
        let length = number(stream)?;
        let command = match kind {
            0 => Command::Read(length),
            1 => match data(stream, length) {
                Ok(data) => Command::Write(data),
                // Killed within a write: it never reached the disk.
                Err(_) => return Ok(None),
            },
            2 => return Ok(None),
            3 => Command::Flush,
            _ => return Err(io::Error::other("a request that was not offered")),
        };
        Ok(Some(Self { command, handle, offset }))
    }
}

/// What is to be sent behind the head of the answer.
fn answer(request: &Request, disk: &mut Disk) -> Option<Vec<u8>> {
    let offset = usize::try_from(request.offset).ok()?;
    match &request.command {
        Command::Read(length) => disk.read(offset, usize::try_from(*length).ok()?),
        Command::Write(data) => disk.write(offset, data).map(|()| Vec::new()),
        Command::Flush => disk.flush().map(|()| Vec::new()),
    }
}
