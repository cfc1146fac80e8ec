//! One HTTP connection, kept alive: what a client is at least.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{House, Serve};

/// A running gate that listens for HTTP, too, and where.
pub(crate) fn serve_http(house: &House, arguments: &[&str]) -> (Serve, SocketAddr) {
    let mut command = house.serve_command();
    command.args(arguments);
    start(command)
}

/// As [`serve_http`], with a command that ends in `serve DIR …`, on a port that is free.
pub(crate) fn start_http(mut command: Command) -> (Serve, SocketAddr) {
    command.args(["--http", "127.0.0.1:0"]).stdin(Stdio::null()).stderr(Stdio::null());
    start(command)
}

fn start(mut command: Command) -> (Serve, SocketAddr) {
    command.args(["--format", "json"]).stdout(Stdio::piped());
    let mut serve = Serve(command.spawn().expect("starts"));
    let mut line = String::new();
    BufReader::new(serve.0.stdout.take().expect("piped")).read_line(&mut line).expect("reads");
    let start: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let address = start["http"].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address");
    (serve, address.parse().expect("an address"))
}

/// The secret in a credential file.
pub(crate) fn secret(path: impl AsRef<std::path::Path>) -> String {
    fs::read_to_string(path).expect("reads").trim().to_owned()
}

pub(crate) struct Wire {
    stream: TcpStream,
    address: SocketAddr,
    unread: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address, unread: Vec::new() })
    }

    /// Status and body of the answer.
    pub(crate) async fn post(&mut self, token: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.hear().await
    }

    pub(crate) async fn get(&mut self, token: &str, path: &str) -> std::io::Result<(u16, String)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n", self.address);
        self.stream.write_all(request.as_bytes()).await?;
        self.hear().await
    }

    async fn hear(&mut self) -> std::io::Result<(u16, String)> {
        let end = loop {
            match self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.more().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let length: usize = length.trim().parse().expect("a length");
        while self.unread.len() < end + length {
            self.more().await?;
        }
        let body = String::from_utf8_lossy(&self.unread[end..end + length]).into_owned();
        self.unread.drain(..end + length);
        Ok((status, body))
    }

    async fn more(&mut self) -> std::io::Result<()> {
        let mut chunk = vec![0; 64 * 1024];
        match self.stream.read(&mut chunk).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.unread.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }
}
