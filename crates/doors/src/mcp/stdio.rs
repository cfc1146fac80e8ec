//! This process's own standard input and output, as the client's end of a relay.

use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;

use rustix::fs::{FileType, fstat};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

/// Something to read from.
pub type Input = Pin<Box<dyn AsyncRead + Send>>;
/// Something to write to.
pub type Output = Pin<Box<dyn AsyncWrite + Send>>;

/// Standard input and output without a thread between, where they are pipes or sockets, as they are
/// under every MCP client. (Tokio's own would take a thread's hand-over for every message, and keep
/// the process from ending while a read waits.)
pub fn stdio() -> (Input, Output) {
    let input = std::io::stdin().as_fd().try_clone_to_owned().ok().and_then(input);
    let output = std::io::stdout().as_fd().try_clone_to_owned().ok().and_then(output);
    (input.unwrap_or_else(|| Box::pin(tokio::io::stdin())), output.unwrap_or_else(|| Box::pin(tokio::io::stdout())))
}

fn input(fd: OwnedFd) -> Option<Input> {
    match kind(&fd)? {
        FileType::Fifo => Some(Box::pin(pipe::Receiver::from_owned_fd(fd).ok()?)),
        FileType::Socket => Some(Box::pin(socket(fd)?)),
        _ => None,
    }
}

fn output(fd: OwnedFd) -> Option<Output> {
    match kind(&fd)? {
        FileType::Fifo => Some(Box::pin(pipe::Sender::from_owned_fd(fd).ok()?)),
        FileType::Socket => Some(Box::pin(socket(fd)?)),
        _ => None,
    }
}

fn kind(fd: &OwnedFd) -> Option<FileType> {
    Some(FileType::from_raw_mode(fstat(fd).ok()?.st_mode))
}

fn socket(fd: OwnedFd) -> Option<UnixStream> {
    let stream = std::os::unix::net::UnixStream::from(fd);
    stream.local_addr().ok()?;
    stream.set_nonblocking(true).ok()?;
    UnixStream::from_std(stream).ok()
}
