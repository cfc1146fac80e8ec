//! The `id` and `method` of a message that is too long to keep.

/// The longest value that is picked up.
const LONGEST: usize = 300;

/// What could be seen of a message while it passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skimmed {
    /// How long it was.
    pub bytes: usize,
    /// The literal of the top-level member `id`, if there was exactly one.
    pub id: Option<Vec<u8>>,
    /// The literal of the top-level member `method`, if there was exactly one.
    pub method: Option<Vec<u8>>,
}

/// Follows the structure of a message as far as it must to know what is top level.
///
/// It trusts nothing: what it picks up is only used to say that the message was refused.
#[derive(Debug, Default)]
pub struct Skimmer {
    bytes: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The token at the top level that is being read.
    token: Vec<u8>,
    /// The last complete key at the top level, between its colon and the end of its value.
    key: Option<Vec<u8>>,
    id: Found,
    method: Found,
}

#[derive(Debug, Default)]
enum Found {
    #[default]
    No,
    Once(Vec<u8>),
    Often,
}

impl Found {
    fn add(&mut self, literal: &[u8]) {
        *self = match self {
            Self::No => Self::Once(literal.to_vec()),
            Self::Once(_) | Self::Often => Self::Often,
        };
    }

    fn only(self) -> Option<Vec<u8>> {
        match self {
            Self::Once(literal) if !literal.is_empty() && literal.len() < LONGEST => Some(literal),
            _ => None,
        }
    }
}

impl Skimmer {
    /// Takes the next bytes of the message.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len());
        for byte in bytes {
            self.step(*byte);
        }
    }

    /// What was seen.
    pub fn finish(self) -> Skimmed {
        Skimmed { bytes: self.bytes, id: self.id.only(), method: self.method.only() }
    }

    fn step(&mut self, byte: u8) {
        if self.in_string {
            self.hold(byte);
            match (self.escaped, byte) {
                (true, _) => self.escaped = false,
                (false, b'\\') => self.escaped = true,
                (false, b'"') => self.in_string = false,
                (false, _) => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.hold(byte);
                self.in_string = true;
            }
            b'{' | b'[' => {
                if self.depth == 1 {
                    // Not a literal: keep it from being taken for one.
                    self.token = vec![0; LONGEST];
                }
                self.depth = self.depth.saturating_add(1);
            }
            b'}' | b']' => {
                if self.depth == 1 {
                    self.end_member();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            b',' if self.depth == 1 => self.end_member(),
            b':' if self.depth == 1 => self.key = Some(std::mem::take(&mut self.token)),
            b' ' | b'\t' | b'\r' | b'\n' => {}
            other => self.hold(other),
        }
    }

    fn hold(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() < LONGEST {
            self.token.push(byte);
        }
    }

    fn end_member(&mut self) {
        let literal = std::mem::take(&mut self.token);
        match self.key.take().as_deref() {
            Some(b"\"id\"") => self.id.add(&literal),
            Some(b"\"method\"") => self.method.add(&literal),
            _ => {}
        }
    }
}
