//! Ways out.

use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::time::Duration;

use crate::{Try, call, fail, got};

pub(crate) fn attack(name: &str, words: &[&str]) -> Option<Try> {
    let word = |index: usize| words.get(index).copied().unwrap_or("");
    Some(match name {
        "tcp" => word(0)
            .parse()
            .map_err(std::io::Error::other)
            .and_then(|address| TcpStream::connect_timeout(&address, Duration::from_secs(2)))
            .and_then(talk),
        "udp" => UdpSocket::bind(if word(0).starts_with('[') { "[::]:0" } else { "0.0.0.0:0" })
            .and_then(|socket| socket.send_to(word(1).as_bytes(), word(0)))
            .map(|_| "sent".to_owned()),
        "unix" => UnixStream::connect(word(0)).and_then(talk),
        "unix-datagram" => UnixDatagram::unbound()
            .and_then(|socket| socket.send_to(word(1).as_bytes(), word(0)))
            .map(|_| "sent".to_owned()),
        "abstract" => SocketAddr::from_abstract_name(word(0))
            .and_then(|address| UnixStream::connect_addr(&address))
            .and_then(talk),
        "socket" => {
            let numbers: Vec<u64> = words.iter().map(|word| word.parse().unwrap_or(0)).collect();
            got(call(libc::SYS_socket, &numbers))
        }
        "dns" => dns(word(0), word(1)),
        // Which way a packet would go; none is sent.
        "route-to" => route_to(word(0)),
        "route-to-resolver" => {
            let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
            let server = text.lines().find_map(|line| line.strip_prefix("nameserver "));
            server.map_or_else(|| fail("there is none"), |server| route_to(&format!("{}:53", server.trim())))
        }
        "connect-by" => connect_by(word(0)),
        "connect-by-variable" => match std::env::var("HTTPS_PROXY") {
            Ok(proxy) => connect_by(&proxy),
            Err(_) => fail("no proxy is set"),
        },
        "fast-open" => fast_open(word(0)),
        "interface" => interface(),
        "list-interfaces" => list_interfaces(),
        "interfaces" => {
            let text = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
            let names: Vec<&str> = text.lines().skip(2).filter_map(|line| line.trim().split(':').next()).collect();
            let others: Vec<&str> = names.into_iter().filter(|name| *name != "lo").collect();
            if others.is_empty() { fail("only lo") } else { Ok(format!("interfaces {}", others.join(" "))) }
        }
        _ => return None,
    })
}

/// Shows what the other side says.
fn talk(mut stream: impl std::io::Read) -> Try {
    let mut answer = [0; 64];
    let count = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(answer.get(..count).unwrap_or_default()).into_owned())
}

/// A query whose name carries a word out, as one that tunnels would send it.
fn dns(server: &str, word: &str) -> Try {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in [word, "example", "com"] {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend(label.bytes());
    }
    query.extend([0, 0, 16, 0, 1]);
    UdpSocket::bind("0.0.0.0:0")?.send_to(&query, server).map(|_| "sent".to_owned())
}

fn route_to(address: &str) -> Try {
    let socket = UdpSocket::bind(if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" })?;
    socket.connect(address)?;
    Ok(format!("from {}", socket.local_addr()?.ip()))
}

fn connect_by(proxy: &str) -> Try {
    let address = proxy.parse().map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.write_all(b"CONNECT 203.0.113.80:443 HTTP/1.1\r\n\r\n")?;
    talk(stream)
}

/// Data that goes with the first packet, past whoever looks at `connect`.
fn fast_open(address: &str) -> Try {
    let address: std::net::SocketAddrV4 = address.parse().map_err(std::io::Error::other)?;
    let socket = call(libc::SYS_socket, &[libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0])?;
    let mut there = [0_u8; 16];
    there[0] = libc::AF_INET as u8;
    there[2..4].copy_from_slice(&address.port().to_be_bytes());
    there[4..8].copy_from_slice(&address.ip().octets());
    let flags = libc::MSG_FASTOPEN as u64;
    call(libc::SYS_sendto, &[socket as u64, crate::address(b"hello"), 5, flags, crate::address(&raw const there), 16])?;
    let mut answer = [0_u8; 64];
    let count = call(libc::SYS_read, &[socket as u64, crate::address(&raw mut answer), 64])?;
    Ok(String::from_utf8_lossy(&answer[..usize::try_from(count).unwrap()]).into_owned())
}

/// Sets the flags of the loopback to what they are.
fn interface() -> Try {
    let socket = call(libc::SYS_socket, &[libc::AF_INET as u64, libc::SOCK_DGRAM as u64, 0])? as u64;
    let mut request = [0_u8; 40];
    request[..2].copy_from_slice(b"lo");
    call(libc::SYS_ioctl, &[socket, libc::SIOCGIFFLAGS, crate::address(&raw mut request)])?;
    got(call(libc::SYS_ioctl, &[socket, libc::SIOCSIFFLAGS, crate::address(&raw const request)]))
}

/// As programs ask libc for them.
fn list_interfaces() -> Try {
    let mut first = std::ptr::null_mut::<libc::ifaddrs>();
    // SAFETY: libc stores the head of a list there, which is its own and is never given back here.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    let mut names = Vec::new();
    // SAFETY: each entry of the list is valid, and its name ends with a NUL.
    while let Some(entry) = unsafe { first.as_ref() } {
        // SAFETY: see above.
        names.push(unsafe { std::ffi::CStr::from_ptr(entry.ifa_name) }.to_string_lossy().into_owned());
        first = entry.ifa_next;
    }
    Ok(names.join(" "))
}
