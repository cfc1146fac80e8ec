//! The strict scanner: one pass over UTF-8, no recovery, no options.

use std::collections::BTreeSet;
use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::{Json, Number, Object};

/// The longest document that [`Json::parse`] reads: 1 MiB.
pub const MAX_BYTES: usize = 1 << 20;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;

/// Why a document was refused, and where. Never carries the input itself, which may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub fault: JsonFault,
    /// The offset of the byte at which it was noticed.
    pub offset: usize,
}

/// What parsers disagree about, or what no parser accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonFault {
    /// The document is longer than the limit.
    TooLong,
    /// Arrays and objects nest deeper than [`MAX_DEPTH`].
    TooDeep,
    /// The bytes are not UTF-8.
    InvalidUtf8,
    /// The bytes are not JSON.
    Syntax,
    /// The document ends in the middle.
    Truncated,
    /// Something other than white space follows the document.
    TrailingBytes,
    /// A key stands twice in one object.
    DuplicateKey,
    /// Two keys of one object differ only in case, width or composition.
    CollidingKeys,
    /// A `\u` escape is half of a surrogate pair.
    LoneSurrogate,
    /// A double would change the number, or it is −0.
    InexactNumber,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "document too long",
            Self::TooDeep => "nested too deep",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::Syntax => "not JSON",
            Self::Truncated => "document ends early",
            Self::TrailingBytes => "bytes after the document",
            Self::DuplicateKey => "duplicate key",
            Self::CollidingKeys => "keys that differ only in case or composition",
            Self::LoneSurrogate => "lone surrogate",
            Self::InexactNumber => "number that a double would change",
        })
    }
}

pub(crate) fn document(bytes: &[u8], max_bytes: usize) -> Result<Json, JsonError> {
    if bytes.len() > max_bytes {
        return Err(JsonError { fault: JsonFault::TooLong, offset: max_bytes });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonError { fault: JsonFault::InvalidUtf8, offset: error.valid_up_to() })?;
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip_white();
    let value = scanner.value(0)?;
    scanner.skip_white();
    if scanner.at < text.len() {
        return Err(scanner.fault(JsonFault::TrailingBytes));
    }
    Ok(value)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn fault(&self, fault: JsonFault) -> JsonError {
        JsonError { fault, offset: self.at }
    }

    /// A syntax error, or an early end if there is nothing left.
    fn unexpected(&self) -> JsonError {
        self.fault(if self.at < self.text.len() { JsonFault::Syntax } else { JsonFault::Truncated })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn skip_white(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// `depth` counts the arrays and objects around this value.
    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        match self.peek() {
            Some(b'{') => self.object(self.deeper(depth)?),
            Some(b'[') => self.array(self.deeper(depth)?),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected()),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, JsonError> {
        if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(self.fault(JsonFault::TooDeep)) }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, JsonError> {
        for byte in word.bytes() {
            self.expect(byte)?;
        }
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.expect(b'[')?;
        self.skip_white();
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            self.skip_white();
            items.push(self.value(depth)?);
            self.skip_white();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.expect(b'{')?;
        self.skip_white();
        let mut object = Object::default();
        let mut exact = BTreeSet::new();
        let mut folded = BTreeSet::new();
        if self.take(b'}') {
            return Ok(Json::Object(object));
        }
        loop {
            self.skip_white();
            let start = self.at;
            let key = self.string()?;
            if !exact.insert(key.clone()) {
                return Err(JsonError { fault: JsonFault::DuplicateKey, offset: start });
            }
            if !folded.insert(fold(&key)) {
                return Err(JsonError { fault: JsonFault::CollidingKeys, offset: start });
            }
            self.skip_white();
            self.expect(b':')?;
            self.skip_white();
            let value = self.value(depth)?;
            object.push_new(key, value);
            self.skip_white();
            if self.take(b'}') {
                return Ok(Json::Object(object));
            }
            self.expect(b',')?;
        }
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        let literal = self.text.get(start..self.at).unwrap_or_default();
        Number::from_literal(literal)
            .map(Json::Number)
            .ok_or(JsonError { fault: JsonFault::InexactNumber, offset: start })
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.unexpected());
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.expect(b'"')?;
        let mut string = String::new();
        loop {
            let run = self.at;
            while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            string.push_str(self.text.get(run..self.at).unwrap_or_default());
            if self.take(b'"') {
                return Ok(string);
            }
            self.expect(b'\\')?;
            string.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let escaped = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.code_point();
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn code_point(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        let lone = JsonError { fault: JsonFault::LoneSurrogate, offset: start };
        let unit = self.hex4()?;
        let point = match unit {
            0xD800..=0xDBFF => {
                if !(self.take(b'\\') && self.take(b'u')) {
                    return Err(lone);
                }
                let low = self.hex4()?;
                if !(0xDC00..=0xDFFF).contains(&low) {
                    return Err(lone);
                }
                0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
            }
            _ => unit,
        };
        char::from_u32(point).ok_or(lone)
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| self.unexpected())?;
            self.at += 1;
        }
        Ok(unit)
    }
}

/// What a parser that matches keys without regard to case, width or composition would see.
///
/// Lower, upper and again lower case folds the characters of which only one direction is defined (`ſ`,
/// `K`, `ẞ`). A dot above is left out, since `İ` in lower case is `i` to some and `i` with a dot to others.
fn fold(key: &str) -> String {
    if key.is_ascii() {
        return key.to_ascii_lowercase();
    }
    let upper = key.nfkc().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).filter(|character| *character != '\u{307}').nfkc().collect()
}
