//! Two runs beside each other: one that has something, and one that wants it.

use std::ffi::CString;
use std::fs;
use std::io::{IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

use crate::{Try, address, call, fail};

pub(crate) fn attack(name: &str, words: &[&str]) -> Option<Try> {
    let word = |index: usize| words.get(index).copied().unwrap_or("");
    Some(match name {
        "neighbour" => neighbour(word(0), word(1), word(2), word(3)),
        "forget" => forget(word(0), word(1)),
        "receive-descriptor" => receive_descriptor(word(0)),
        "read-shared-memory" => read_shared_memory(word(0)),
        "read-message-queue" => read_message_queue(word(0)),
        "read-key" => read_key(word(0)),
        _ => return None,
    })
}

/// Has a token in every place there is, as far as it is let, and waits.
fn neighbour(token: &str, name: &str, port: &str, work: &str) -> Try {
    let tcp = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    let own = token.to_owned();
    std::thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            let _ = (&stream).write_all(own.as_bytes());
        }
    });
    for folder in ["/tmp", "/dev/shm", work] {
        fs::write(format!("{folder}/{name}"), token)?;
    }
    let abstract_name = SocketAddr::from_abstract_name(name)?;
    let listeners = [
        UnixListener::bind_addr(&abstract_name),
        UnixListener::bind(format!("/tmp/{name}.socket")),
        UnixListener::bind(format!("{work}/{name}.socket")),
    ];
    for listener in listeners.into_iter().flatten() {
        let (own, file) = (token.to_owned(), fs::File::open(format!("/tmp/{name}"))?);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                let handed = [file.as_fd()];
                control.push(SendAncillaryMessage::ScmRights(&handed));
                let _ = sendmsg(&stream, &[IoSlice::new(own.as_bytes())], &mut control, SendFlags::NOSIGNAL);
            }
        });
    }
    let key: u64 = port.parse().unwrap_or(1);
    if let Ok(segment) = call(libc::SYS_shmget, &[key, 4096, 0o1666])
        && let Ok(at) = call(libc::SYS_shmat, &[segment as u64, 0, 0])
    {
        // SAFETY: the segment is as large as a page, and nobody else here knows of it.
        unsafe { std::ptr::copy_nonoverlapping(token.as_ptr(), at as *mut u8, token.len()) };
    }
    let text = CString::new(name).unwrap();
    if let Ok(queue) = call(libc::SYS_mq_open, &[address(text.as_ptr()), 0o102, 0o666, 0]) {
        let _ = call(libc::SYS_mq_timedsend, &[queue as u64, address(token.as_ptr()), token.len() as u64, 0, 0]);
    }
    let (kind, length) = (CString::new("user").unwrap(), token.len() as u64);
    let _ = call(
        libc::SYS_add_key,
        &[address(kind.as_ptr()), address(text.as_ptr()), address(token.as_ptr()), length, USER_KEYRING],
    );
    print!("READY");
    std::io::stdout().flush()?;
    std::thread::sleep(Duration::from_secs(600));
    Ok("waited".to_owned())
}

/// What a neighbour leaves on the host if nothing holds it.
fn forget(name: &str, key: &str) -> Try {
    for folder in ["/tmp", "/dev/shm"] {
        let _ = fs::remove_file(format!("{folder}/{name}"));
    }
    let _ = fs::remove_file(format!("/tmp/{name}.socket"));
    if let Ok(segment) = call(libc::SYS_shmget, &[key.parse().unwrap_or(1), 0, 0]) {
        let _ = call(libc::SYS_shmctl, &[segment as u64, libc::IPC_RMID as u64, 0]);
    }
    let text = CString::new(name).unwrap();
    let _ = call(libc::SYS_mq_unlink, &[address(text.as_ptr())]);
    if let Ok(key) = find_key(name) {
        // Out of the keyring again.
        let _ = call(libc::SYS_keyctl, &[9, key, USER_KEYRING]);
    }
    Ok("forgotten".to_owned())
}

const USER_KEYRING: u64 = (-4_i64).cast_unsigned();

fn find_key(name: &str) -> std::io::Result<u64> {
    let (kind, text) = (CString::new("user").unwrap(), CString::new(name).unwrap());
    call(libc::SYS_keyctl, &[10, USER_KEYRING, address(kind.as_ptr()), address(text.as_ptr()), 0])
        .map(i64::cast_unsigned)
}

fn read_key(name: &str) -> Try {
    let key = find_key(name)?;
    let mut value = [0_u8; 128];
    let length = call(libc::SYS_keyctl, &[11, key, address(&raw mut value), 128])?;
    Ok(String::from_utf8_lossy(&value[..usize::try_from(length).unwrap()]).into_owned())
}

fn receive_descriptor(name: &str) -> Try {
    let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
    let (mut bytes, mut space) = ([0; 128], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))]);
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::empty())?;
    let handed: Option<OwnedFd> = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut handed) => handed.next(),
        _ => None,
    });
    let Some(handed) = handed else { return fail("none came") };
    let mut text = String::new();
    fs::File::from(handed).read_to_string(&mut text)?;
    Ok(text)
}

fn read_shared_memory(key: &str) -> Try {
    let segment = call(libc::SYS_shmget, &[key.parse().unwrap_or(1), 0, 0])?;
    let at = call(libc::SYS_shmat, &[segment as u64, 0, libc::SHM_RDONLY as u64])?;
    // SAFETY: the neighbour's segment is as large as a page.
    let bytes = unsafe { std::slice::from_raw_parts(at as *const u8, 128) };
    Ok(String::from_utf8_lossy(bytes).replace('\0', ""))
}

fn read_message_queue(name: &str) -> Try {
    let text = CString::new(name).unwrap();
    let queue = call(libc::SYS_mq_open, &[address(text.as_ptr()), 0, 0, 0])?;
    let mut message = vec![0_u8; 8192];
    let now = [0_u64, 0];
    let length = call(
        libc::SYS_mq_timedreceive,
        &[queue as u64, address(message.as_mut_ptr()), 8192, 0, address(&raw const now)],
    )?;
    Ok(String::from_utf8_lossy(&message[..usize::try_from(length).unwrap()]).into_owned())
}
