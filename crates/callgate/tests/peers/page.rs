//! A page on this machine, for the server that fetches.

use std::io::{Read, Write};
use std::net::TcpListener;

const PAGE: &str = "<html><head><title>A page</title></head><body><article><h1>Hello</h1><p>Some words, quite a \
                    few of them, so that whoever looks for an article finds one here.</p></article></body></html>";

/// Serves the page at the address that it gives, until the process ends.
pub(crate) fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            let Ok(read) = stream.read(&mut request) else { continue };
            let found = request.get(..read).is_some_and(|request| request.starts_with(b"GET /page "));
            let (status, body) = if found { ("200 OK", PAGE) } else { ("404 Not Found", "") };
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n", body.len());
            let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
        }
    });
    format!("http://{address}/page")
}
