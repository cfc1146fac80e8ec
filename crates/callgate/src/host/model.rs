//! A stand-in for the model service that a host talks to: it says what it is told to say, over HTTP on loopback.
//!
//! It speaks as much of Anthropic's Messages API as Claude Code needs, streamed or not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use callgate_text::Json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// No request of a host is longer.
const MOST_BYTES: usize = 64 << 20;

/// What the model says in one turn.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// A text, which ends the turn.
    Text(String),
    /// Calls of tools: id, name, input.
    Call(Vec<(String, String, Json)>),
}

/// Answers the next turn of a conversation; the argument is the host's whole request.
pub(crate) type Script = dyn Fn(&Json) -> Say + Send + Sync;

/// A model that listens.
pub(crate) struct Model {
    address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

impl Model {
    pub(crate) async fn start(script: Arc<Script>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&script)));
            }
        });
        Ok(Self { address, serving })
    }

    /// For the host's environment.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What the host tells its model about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The call, as the model named it.
    pub(crate) id: String,
    /// Whether it failed, or did not run.
    pub(crate) is_error: bool,
    /// The result, as JSON.
    pub(crate) text: String,
}

/// The results of tools in a request, in the host's order, which need not be that of the calls.
pub(crate) fn results(request: &Json) -> Vec<Told> {
    let messages = request.get("messages").and_then(Json::as_array).unwrap_or_default();
    let parts = messages.iter().filter_map(|message| message.get("content").and_then(Json::as_array)).flatten();
    parts
        .filter(|part| part.get("type").and_then(Json::as_str) == Some("tool_result"))
        .map(|part| {
            let content = part.get("content").map(|content| String::from_utf8_lossy(&content.canonical()).into_owned());
            Told {
                id: part.get("tool_use_id").and_then(Json::as_str).unwrap_or_default().to_owned(),
                is_error: part.get("is_error").and_then(Json::as_bool) == Some(true),
                text: content.unwrap_or_default(),
            }
        })
        .collect()
}

async fn converse(stream: TcpStream, script: Arc<Script>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (path, body) = request(&mut stream).await?;
        let (kind, answer) = match Json::parse_within(&body, MOST_BYTES) {
            Ok(body) if path.contains("/messages") && !path.contains("count_tokens") => answer(&body, &*script),
            _ => ("application/json", "{\"input_tokens\":1}".to_owned()),
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
    }
}

/// The path and the body of one request.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut path, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        match (&path, line.split_once(':')) {
            (None, _) => path = Some(line.split(' ').nth(1)?.to_owned()),
            (Some(_), Some((name, value))) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok().filter(|length| *length <= MOST_BYTES)?;
            }
            (Some(_), _) if line.is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((path?, body))
}

fn answer(request: &Json, script: &Script) -> (&'static str, String) {
    // What has no tools is small talk of the host's own: a title, a summary.
    let tools = request.get("tools").and_then(Json::as_array).is_some_and(|tools| !tools.is_empty());
    let said = if tools { script(request) } else { Say::Text("ok".to_owned()) };
    let (stop, blocks): (_, Vec<Json>) = match said {
        Say::Text(text) => ("end_turn", vec![Json::object([("type", "text"), ("text", text.as_str())])]),
        Say::Call(calls) => {
            let block = |(id, name, input): (String, String, Json)| {
                let kind = ("type", Json::from("tool_use"));
                Json::object([kind, ("id", Json::from(id)), ("name", Json::from(name)), ("input", input)])
            };
            ("tool_use", calls.into_iter().map(block).collect())
        }
    };
    let streamed = request.get("stream").and_then(Json::as_bool) == Some(true);
    let message = |content: Vec<Json>, stop: Json| {
        let usage = Json::object([("input_tokens", Json::integer(1)), ("output_tokens", Json::integer(1))]);
        Json::object([
            ("id", Json::from(message_id())),
            ("type", Json::from("message")),
            ("role", Json::from("assistant")),
            ("model", request.get("model").cloned().unwrap_or(Json::Null)),
            ("content", Json::Array(content)),
            ("stop_reason", stop),
            ("stop_sequence", Json::Null),
            ("usage", usage),
        ])
    };
    if !streamed {
        return ("application/json", text(&message(blocks, Json::from(stop))));
    }
    let mut events =
        vec![Json::object([("type", Json::from("message_start")), ("message", message(vec![], Json::Null))])];
    for (at, block) in blocks.into_iter().enumerate() {
        events.extend(streamed_block(at, block));
    }
    let stop = Json::object([("stop_reason", Json::from(stop)), ("stop_sequence", Json::Null)]);
    let usage = Json::object([("output_tokens", Json::integer(1))]);
    events.push(Json::object([("type", Json::from("message_delta")), ("delta", stop), ("usage", usage)]));
    events.push(Json::object([("type", "message_stop")]));
    let events = events.iter().map(|event| {
        let kind = event.get("type").and_then(Json::as_str).unwrap_or_default();
        format!("event: {kind}\ndata: {}\n\n", text(event))
    });
    ("text/event-stream", events.collect())
}

/// The host takes two messages of one id for one.
fn message_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("msg_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// One block as the events of a stream: begun empty, then filled.
fn streamed_block(at: usize, block: Json) -> [Json; 3] {
    let index = || ("index", Json::integer(i64::try_from(at).unwrap_or(0)));
    let Json::Object(mut begun) = block.clone() else { return [Json::Null, Json::Null, Json::Null] };
    let (delta, filled) = match block.get("input") {
        Some(input) => {
            begun.set("input", Json::object::<&str, Json>([]));
            (Json::from("input_json_delta"), ("partial_json", Json::from(text(input))))
        }
        None => {
            begun.set("text", "");
            (Json::from("text_delta"), ("text", block.get("text").cloned().unwrap_or(Json::Null)))
        }
    };
    [
        Json::object([("type", Json::from("content_block_start")), index(), ("content_block", Json::Object(begun))]),
        Json::object([
            ("type", Json::from("content_block_delta")),
            index(),
            ("delta", Json::object([("type", delta), filled])),
        ]),
        Json::object([("type", Json::from("content_block_stop")), index()]),
    ]
}

fn text(json: &Json) -> String {
    String::from_utf8_lossy(&json.canonical()).into_owned()
}
