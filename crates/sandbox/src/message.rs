//! What supervisor and launcher say to each other over their socket: a length, a kind, and a value.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};

use crate::ending::{Ending, Fault};
use crate::host::Host;
use crate::plan::{Errand, Ground, Plan};
use crate::readback::ReadBack;
use crate::wire::{Malformed, Wire};

/// The most that one message may hold.
const MOST_BYTES: usize = 8 << 20;

/// The most descriptors that one message may carry.
const MOST_DESCRIPTORS: usize = 64;

/// What a supervisor asks for; one for each launcher, but that an errand follows a ground.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Find out what the machine offers.
    Probe,
    /// Carry the plan out. With it come the descriptors of where output and errors go, and of the input, if any.
    Run(Box<Plan>),
    /// Make everything ready that an errand on this ground needs, and wait for it.
    Prepare(Box<Ground>),
    /// Run this on the ground that is ready. With it come the same descriptors as with a whole plan.
    Launch(Box<Errand>),
}

/// What a launcher answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// To `Probe`.
    Offers(Host),
    /// It did not come to a start.
    Refused(Fault),
    /// The ground is ready, in these control groups. Nothing runs yet.
    Ready(Vec<String>),
    /// The program is about to be executed, and this is what it got.
    Started(Box<ReadBack>),
    /// All is over, and nothing runs any more. With it come the open folders of what was written, one for each
    /// copy-on-write place in the order of the plan.
    Ended(Ending),
}

impl Wire for Order {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Probe => out.push(0),
            Self::Run(plan) => {
                out.push(1);
                plan.put(out);
            }
            Self::Prepare(ground) => {
                out.push(2);
                ground.put(out);
            }
            Self::Launch(errand) => {
                out.push(3);
                errand.put(out);
            }
        }
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Ok(Self::Probe),
            1 => Ok(Self::Run(Box::new(Plan::take(from)?))),
            2 => Ok(Self::Prepare(Box::new(Ground::take(from)?))),
            3 => Ok(Self::Launch(Box::new(Errand::take(from)?))),
            _ => Err(Malformed),
        }
    }
}

impl Wire for Answer {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Offers(host) => {
                out.push(0);
                host.put(out);
            }
            Self::Refused(fault) => {
                out.push(1);
                fault.put(out);
            }
            Self::Started(got) => {
                out.push(2);
                got.put(out);
            }
            Self::Ended(ending) => {
                out.push(3);
                ending.put(out);
            }
            Self::Ready(groups) => {
                out.push(4);
                groups.put(out);
            }
        }
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Ok(Self::Offers(Host::take(from)?)),
            1 => Ok(Self::Refused(Fault::take(from)?)),
            2 => Ok(Self::Started(Box::new(ReadBack::take(from)?))),
            3 => Ok(Self::Ended(Ending::take(from)?)),
            4 => Ok(Self::Ready(Vec::take(from)?)),
            _ => Err(Malformed),
        }
    }
}

/// Reads `bytes` as either side would, for the fuzzer: whatever is read is written back the same.
pub fn check_message(bytes: &[u8]) -> bool {
    let order = Order::from_bytes(bytes).map(|order| order.to_bytes() == bytes);
    let answer = Answer::from_bytes(bytes).map(|answer| answer.to_bytes() == bytes);
    order.unwrap_or(true) && answer.unwrap_or(true)
}

/// Sends `message`, with `descriptors` on its first byte.
pub(crate) fn send(socket: impl AsFd, message: &impl Wire, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let body = message.to_bytes();
    let mut bytes = u32::try_from(body.len()).map_err(|_| io::ErrorKind::InvalidInput)?.to_be_bytes().to_vec();
    bytes.extend(body);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut rest = bytes.as_slice();
    let mut empty = SendAncillaryBuffer::default();
    let mut control = Some(control);
    while !rest.is_empty() {
        let mut first = control.take();
        let with = first.as_mut().unwrap_or(&mut empty);
        match rustix::net::sendmsg(socket.as_fd(), &[IoSlice::new(rest)], with, SendFlags::NOSIGNAL) {
            Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => control = first,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Receives one message and the descriptors that came with it; nothing at the end of the stream.
pub(crate) fn receive<T: Wire>(socket: impl AsFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut descriptors = Vec::new();
    let mut length = [0; 4];
    if !fill(socket.as_fd(), &mut length, &mut descriptors)? {
        return Ok(None);
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, Malformed));
    }
    let mut body = vec![0; length];
    if !fill(socket.as_fd(), &mut body, &mut descriptors)? && length > 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let message = T::from_bytes(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Some((message, descriptors)))
}

/// Fills `buffer`; `false` if the stream ended before its first byte.
fn fill(socket: BorrowedFd<'_>, buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<bool> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = match rustix::net::recvmsg(socket, &mut [IoSliceMut::new(rest)], &mut control, flags) {
            Ok(received) => received.bytes,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        match (received, filled) {
            (0, 0) => return Ok(false),
            (0, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => filled += received,
        }
    }
    Ok(true)
}
