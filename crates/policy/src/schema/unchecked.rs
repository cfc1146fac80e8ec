//! What of a tool's schema the gate leaves to the tool.

use std::fmt;

/// A part of a tool's schema that narrows its arguments and that the gate does not enforce.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unchecked {
    /// Where it stands in the definition, as an RFC 6901 pointer.
    pub pointer: String,
    /// The keyword, or what else stands there.
    pub keyword: String,
    /// Why it is not enforced.
    pub why: &'static str,
}

impl Unchecked {
    /// What stands at `path`, a pointer's tokens, in the input schema.
    pub(super) fn new(path: &[String], why: &'static str) -> Self {
        let tokens = path.iter().flat_map(|token| ["/", token.as_str()]);
        let pointer = std::iter::once("/inputSchema").chain(tokens).collect();
        let keyword = path.last().map_or_else(|| "inputSchema".to_owned(), |token| super::pointer::unescape(token));
        Self { pointer, keyword, why }
    }
}

impl fmt::Display for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| text.chars().take(200).flat_map(char::escape_debug).collect::<String>();
        write!(f, "`{}` at {} is not enforced: {}", shown(&self.keyword), shown(&self.pointer), self.why)
    }
}
