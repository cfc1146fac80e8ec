//! `tools/*.json`: what each server offered when the operator pinned it.
//!
//! ```json
//! {"server": "bank", "instructions": "…", "tools": [{"name": "payment_send", "inputSchema": {}}],
//!  "prompts": [], "templates": []}
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use callgate_core::{ServerName, ToolName};
use callgate_text::{Digest, Json, Object};

use crate::files::GateFiles;
use crate::finding::{Finding, LoadError, Rule};
use crate::hidden;

const FOLDER: &str = "tools";
const MAX_BYTES: usize = 16 << 20;

/// One server's pin.
#[derive(Clone, Debug)]
pub(crate) struct Pin {
    pub(crate) server: ServerName,
    pub(crate) file: Arc<str>,
    pub(crate) source: Arc<str>,
    pub(crate) instructions: Option<Digest>,
    pub(crate) tools: BTreeMap<ToolName, Json>,
    pub(crate) prompts: BTreeSet<Digest>,
    pub(crate) templates: BTreeSet<Digest>,
    /// What hides in instructions, prompts and templates.
    pub(crate) hidden: BTreeSet<char>,
}

impl Pin {
    /// Reads all pins; each server is pinned in one file.
    pub(crate) fn read_all(files: &GateFiles) -> Result<Vec<Self>, LoadError> {
        let mut pins: Vec<Self> = Vec::new();
        let mut findings = Vec::new();
        for (path, text) in files.below(FOLDER) {
            match Self::parse(path, text) {
                Err(finding) => findings.push(*finding),
                Ok(pin) => match pins.iter().find(|other| other.server == pin.server) {
                    Some(other) => {
                        let message = format!("server {} is pinned in {} already", pin.server, other.file);
                        findings.push(Finding::new(Rule::BadPin, path, message));
                    }
                    None => pins.push(pin),
                },
            }
        }
        if findings.is_empty() { Ok(pins) } else { Err(findings.into()) }
    }

    fn parse(path: &str, text: &Arc<str>) -> Result<Self, Box<Finding>> {
        let document = Json::parse_within(text.as_bytes(), MAX_BYTES)
            .map_err(|error| Box::new(Finding::new(Rule::BadJson, path, error.to_string())))?;
        let fault = |message: String| Box::new(Finding::new(Rule::BadPin, path, message).help(SHAPE));
        let Json::Object(mut document) = document else {
            return Err(fault("expected an object".to_owned()));
        };
        let server: ServerName = match document.remove("server") {
            Some(Json::String(name)) => name.parse().map_err(|error| fault(format!("`server` is {error}")))?,
            _ => return Err(fault("lacks `server`, the name of the server".to_owned())),
        };
        let mut hidden = BTreeSet::new();
        let instructions = match document.remove("instructions") {
            None => None,
            Some(text @ Json::String(_)) => {
                hidden.extend(hidden::characters(&text));
                Some(digest(&text))
            }
            Some(_) => return Err(fault("`instructions` must be a string".to_owned())),
        };
        let mut tools = BTreeMap::new();
        for definition in list(&mut document, "tools").map_err(fault)? {
            let Some(name) = definition.get("name").and_then(Json::as_str) else {
                return Err(fault("a tool lacks its `name`".to_owned()));
            };
            let name = ToolName::of(&server, name).map_err(|error| {
                let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
                fault(format!("tool `{shown}` of {server} is {error}"))
            })?;
            if tools.insert(name.clone(), definition).is_some() {
                return Err(fault(format!("tool {name} is there twice")));
            }
        }
        let prompts = list(&mut document, "prompts").map_err(fault)?;
        let templates = list(&mut document, "templates").map_err(fault)?;
        hidden.extend(prompts.iter().chain(&templates).flat_map(hidden::characters));
        if let Some((unknown, _)) = document.iter().next() {
            let shown: String = unknown.chars().take(64).flat_map(char::escape_debug).collect();
            return Err(fault(format!("unknown member `{shown}`")));
        }
        Ok(Self {
            server,
            file: path.into(),
            source: Arc::clone(text),
            instructions,
            tools,
            prompts: prompts.iter().map(digest).collect(),
            templates: templates.iter().map(digest).collect(),
            hidden,
        })
    }

    /// A finding about the definition of `tool`.
    pub(crate) fn finding(&self, tool: &ToolName, rule: Rule, message: impl Into<String>) -> Finding {
        let finding = Finding::new(rule, Arc::clone(&self.file), message);
        match self.place(tool) {
            Some(span) => finding.at(&self.source, span),
            None => finding,
        }
    }

    /// Where the definition of `tool` stands, as well as can be told without a parser that keeps places.
    fn place(&self, tool: &ToolName) -> Option<Range<usize>> {
        let quoted = format!("\"{}\"", tool.tool());
        let start = self.source.match_indices("\"name\"").find_map(|(at, name)| {
            let rest = self.source.get(at + name.len()..)?;
            let value = rest.trim_start().strip_prefix(':')?.trim_start();
            value.starts_with(&quoted).then_some(self.source.len() - value.len())
        })?;
        Some(start..start + quoted.len())
    }
}

const SHAPE: &str = "a pin is {\"server\": NAME, \"instructions\"?: TEXT, \"tools\"?: [definition …], \"prompts\"?: [definition …], \
\"templates\"?: [definition …]}; `callgate tool pin` writes it";

/// The digest that a definition is pinned by.
pub(crate) fn digest(definition: &Json) -> Digest {
    Digest::of(&definition.canonical())
}

fn list(document: &mut Object, key: &str) -> Result<Vec<Json>, String> {
    match document.remove(key) {
        None => Ok(Vec::new()),
        Some(Json::Array(items)) if items.iter().all(|item| item.as_object().is_some()) => Ok(items),
        Some(_) => Err(format!("`{key}` must be a list of definitions")),
    }
}
