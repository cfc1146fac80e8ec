//! Ways out.

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
