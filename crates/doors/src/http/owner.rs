//! Which user owns the other end of a connection on this machine.
//!
//! A TCP connection carries no credentials of its process, but the kernel knows whose socket each end is. It is asked
//! for exactly one connection (`NETLINK_SOCK_DIAG`, see `sock_diag(7)`): the tables in `/proc/net` hold the same, and
//! reading them takes the longer the more connections there are, which an attacker decides.

use std::net::SocketAddr;

/// The user that owns the socket which is bound to `peer` and connected to `own`; `None` if the kernel does not say,
/// or no longer. Says no more than that: another process may hold that socket by now.
pub fn owner(own: SocketAddr, peer: SocketAddr) -> Option<u32> {
    kernel::owner(own, peer)
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::net::{IpAddr, SocketAddr};

    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const REQUEST: u16 = 1;
    const TCP: u8 = 6;
    const INET: u8 = 2;
    const INET6: u8 = 10;
    const ESTABLISHED: u8 = 1;
    const HEADER: usize = 16;
    /// `inet_diag_req_v2`: 8 bytes and the connection's id.
    const BODY: usize = 56;
    /// Where an `inet_diag_msg` holds the owner, behind the header.
    const UID: usize = 64;

    pub(super) fn owner(own: SocketAddr, peer: SocketAddr) -> Option<u32> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::SOCK_DIAG)).ok()?;
        let id = id(own, peer)?;
        send(&socket, &question(own, &id), SendFlags::empty()).ok()?;
        // The kernel answers while it takes the question; where it did not, there is no answer to wait for.
        let mut answer = [0; 1024];
        let (_, length) = recv(&socket, &mut answer, RecvFlags::DONTWAIT).ok()?;
        read(answer.get(..length)?, &id)
    }

    /// Ports and addresses as the kernel writes them: the other end's first, since that is the socket we ask about.
    fn id(own: SocketAddr, peer: SocketAddr) -> Option<[u8; 36]> {
        let mut id = [0; 36];
        let (ports, addresses) = id.split_at_mut_checked(4)?;
        let (theirs, ours) = addresses.split_at_mut_checked(16)?;
        for (place, port) in ports.chunks_exact_mut(2).zip([peer.port(), own.port()]) {
            place.copy_from_slice(&port.to_be_bytes());
        }
        for (place, address) in [(theirs, peer.ip()), (ours, own.ip())] {
            match address {
                IpAddr::V4(address) => place.get_mut(..4)?.copy_from_slice(&address.octets()),
                IpAddr::V6(address) => place.copy_from_slice(&address.octets()),
            }
        }
        Some(id)
    }

    fn question(own: SocketAddr, id: &[u8; 36]) -> Vec<u8> {
        let family = if own.is_ipv4() { INET } else { INET6 };
        let mut message = Vec::with_capacity(HEADER + BODY);
        message.extend_from_slice(&72_u32.to_ne_bytes());
        message.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        message.extend_from_slice(&REQUEST.to_ne_bytes());
        // Sequence and sender: there is one question, and the kernel knows who asks.
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(&[family, TCP, 0, 0]);
        message.extend_from_slice(&(1_u32 << ESTABLISHED).to_ne_bytes());
        message.extend_from_slice(id);
        // Any interface, and no cookie.
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(&[0xFF; 8]);
        message
    }

    /// Where no connection matches, the kernel goes on to look for a listener on that port: its owner is somebody
    /// else. So the answer must be about this very connection, and about one that is open.
    pub(super) fn read(answer: &[u8], id: &[u8; 36]) -> Option<u32> {
        let kind = answer.get(4..6)?;
        let body = answer.get(HEADER..)?;
        let about = body.get(4..40)?;
        if kind != SOCK_DIAG_BY_FAMILY.to_ne_bytes() || body.get(1) != Some(&ESTABLISHED) || about != id {
            return None;
        }
        let uid = body.get(UID..UID + 4)?;
        Some(u32::from_ne_bytes(uid.try_into().ok()?))
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    pub(super) fn owner(_: std::net::SocketAddr, _: std::net::SocketAddr) -> Option<u32> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn p07_the_kernel_names_the_owner_of_an_open_connection_and_of_nothing_else() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has one case less.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let own = listener.local_addr().unwrap();
            let client = TcpStream::connect(own).unwrap();
            let peer = client.local_addr().unwrap();
            let (_accepted, _) = listener.accept().unwrap();
            let told = owner(own, peer);
            if told.is_none() {
                eprintln!("SKIPPED: this kernel has no NETLINK_SOCK_DIAG");
                assert!(std::env::var_os("CI").is_none(), "and this is CI");
                return;
            }
            assert_eq!(told, Some(rustix::process::geteuid().as_raw()));
            // The listener's own port is nobody's end of a connection.
            assert!(owner(peer, own).is_some(), "our own end, seen from the other side");
            assert_eq!(owner("127.0.0.1:1".parse().unwrap(), own), None, "a listener is no peer");
            drop(client);
            assert_eq!(owner(own, peer), None, "a closed connection is nobody's");
        }
    }

    #[test]
    fn p07_what_is_no_answer_about_this_connection_names_nobody() {
        let id = [7; 36];
        let mut answer = vec![0_u8; 16 + 72];
        answer[4..6].copy_from_slice(&20_u16.to_ne_bytes());
        answer[16] = 2;
        answer[17] = 1;
        answer[20..56].copy_from_slice(&id);
        answer[80..84].copy_from_slice(&1234_u32.to_ne_bytes());
        assert_eq!(kernel::read(&answer, &id), Some(1234));
        for (at, value) in [(4, 2_u8), (17, 10), (17, 6), (20, 8), (55, 8)] {
            let mut other = answer.clone();
            other[at] = value;
            assert_eq!(kernel::read(&other, &id), None, "{at}");
        }
        for length in 0..84 {
            assert_eq!(kernel::read(&answer[..length], &id), None);
        }
    }
}
