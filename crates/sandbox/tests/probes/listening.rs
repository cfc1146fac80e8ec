//! What listens on the host, and hears or answers whoever reaches it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

/// Listens where a name server would, if it may; elsewhere otherwise.
pub(crate) fn name_server() -> UdpSocket {
    let mut random = [0_u8; 3];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
    // An address of its own, so that two of these do not meet, nor a name server of the machine.
    let [second, third, fourth] = random.map(|byte| byte | 1);
    let address = IpAddr::from([127, second, third, fourth]);
    UdpSocket::bind((address, 53)).or_else(|_| UdpSocket::bind((address, 0))).unwrap()
}

pub(crate) fn hear_udp(socket: UdpSocket, heard: &Arc<Mutex<String>>) {
    let hears = Arc::clone(heard);
    thread::spawn(move || {
        loop {
            let mut bytes = [0; 512];
            let Ok(count) = socket.recv(&mut bytes) else { return };
            hears.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    });
}

pub(crate) fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: it only asks which address would be used.
    match socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()) {
        Ok(address) => address.ip(),
        Err(_) => IpAddr::from([127, 0, 0, 2]),
    }
}

pub(crate) fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

pub(crate) fn serve_tcp(listener: TcpListener, token: String) -> u16 {
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = (&stream).write_all(token.as_bytes());
        }
    });
    port
}

pub(crate) fn serve_unix(listener: UnixListener, token: String) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = (&stream).write_all(token.as_bytes());
        }
    });
}
