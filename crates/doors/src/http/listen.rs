//! Opening the port, on the loopback interface alone.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::accepting::Listens;

/// Connections that the kernel holds for us until we accept them.
const BACKLOG: u32 = 1024;

/// Why the port could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Others than this machine could connect, and there is no TLS. Use 127.0.0.1 or [::1].
    #[error("{0} is not a loopback address: HTTP without TLS is for this machine alone, for example 127.0.0.1:7465")]
    NotLoopback(SocketAddr),
    /// Somebody listens there already: another gate, or something that wants to be taken for one.
    #[error("something else listens on {0} already")]
    InUse(SocketAddr),
    /// The system refused.
    #[error("cannot listen on {0}: {1}")]
    Io(SocketAddr, io::Error),
}

/// An open port.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    pub(super) address: SocketAddr,
}

impl Listening {
    /// Opens `address`; with port 0, the kernel chooses one.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub fn bind(address: SocketAddr) -> Result<Self, HttpError> {
        if !address.ip().is_loopback() {
            return Err(HttpError::NotLoopback(address));
        }
        let open = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // A gate that starts again must not wait for the last one's connections to be forgotten.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let listener = socket.listen(BACKLOG)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        open().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => HttpError::InUse(address),
            _ => HttpError::Io(address, error),
        })
    }

    /// Where it really listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listens for Listening {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        Ok(self.listener.accept().await?.0)
    }
}
