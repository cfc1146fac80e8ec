//! What MCP offers beside tools, as actions of their own: prompts, resources, completion, and what a server
//! asks of the client. Their definitions are ours, so they pass the same road as a pinned tool's.

use callgate_text::Json;

use crate::schema::{Kind, Overlay};

/// A protocol method that is an action of every pinned server, `<server>.<method>`, and a group of that name.
pub(crate) struct Method {
    /// The method's name in the protocol.
    pub(crate) name: &'static str,
    properties: &'static [(&'static str, &'static str)],
    required: &'static [&'static str],
    opaque: &'static [&'static str],
}

/// The method whose standing shows or hides resources.
pub(crate) const READ: &str = "resources/read";
/// The method whose standing shows or hides prompts.
pub(crate) const PROMPT: &str = "prompts/get";

/// All of them.
pub(crate) const METHODS: &[Method] = &[
    Method {
        name: "completion/complete",
        properties: &[("ref", "object"), ("argument", "object"), ("context", "object")],
        required: &["ref", "argument"],
        opaque: &["ref", "argument", "context"],
    },
    Method {
        name: "elicitation/create",
        properties: &[
            ("message", "string"),
            ("mode", "string"),
            ("url", "string"),
            ("elicitationId", "string"),
            ("requestedSchema", "object"),
        ],
        required: &["message"],
        opaque: &["requestedSchema", "url"],
    },
    Method {
        name: PROMPT,
        properties: &[("name", "string"), ("arguments", "object")],
        required: &["name"],
        opaque: &["arguments"],
    },
    Method { name: READ, properties: &[("uri", "string")], required: &["uri"], opaque: &[] },
    Method { name: "resources/subscribe", properties: &[("uri", "string")], required: &["uri"], opaque: &[] },
    Method { name: "resources/unsubscribe", properties: &[("uri", "string")], required: &["uri"], opaque: &[] },
    Method { name: "roots/list", properties: &[], required: &[], opaque: &[] },
    Method {
        name: "sampling/createMessage",
        properties: &[
            ("messages", "array"),
            ("modelPreferences", "object"),
            ("systemPrompt", "string"),
            ("includeContext", "string"),
            ("temperature", "number"),
            ("maxTokens", "integer"),
            ("stopSequences", "array"),
            ("metadata", "object"),
            ("tools", "array"),
            ("toolChoice", "object"),
        ],
        required: &["messages", "maxTokens"],
        opaque: &["messages", "modelPreferences", "temperature", "stopSequences", "metadata", "tools", "toolChoice"],
    },
];

impl Method {
    /// A tool definition whose input schema is the method's parameters.
    pub(crate) fn definition(&self) -> Json {
        let properties = self.properties.iter().map(|(name, kind)| (*name, Json::object([("type", *kind)])));
        let required = self.required.iter().map(|name| Json::from(*name)).collect();
        let schema = Json::object([
            ("type", Json::from("object")),
            ("properties", Json::object(properties)),
            ("required", Json::Array(required)),
            ("additionalProperties", Json::Bool(false)),
        ]);
        Json::object([("name", Json::from(self.name)), ("inputSchema", schema)])
    }

    /// What policy cannot see into.
    pub(crate) fn overlay(&self) -> Overlay {
        // A resource's uri is a name in the server's own scheme, not an address on a network.
        let plain = self.properties.iter().filter(|(name, kind)| *kind == "string" && !self.opaque.contains(name));
        Overlay {
            kinds: plain.map(|(name, _)| ((*name).to_owned(), Kind::Text)).collect(),
            opaque: self.opaque.iter().map(|name| (*name).to_owned()).collect(),
            ..Overlay::default()
        }
    }
}
