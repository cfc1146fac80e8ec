//! An argument as a program would see it, as far as that is known.

/// One argument, or what is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Argument {
    /// What is written. Globs stand as they are; what is unknown is left out.
    text: String,
    /// Where in `text` the first glob or unknown part is.
    known: Option<usize>,
    /// Some part is only known when the line runs.
    unknown: bool,
    /// Some part is a glob.
    glob: bool,
    /// It may become any number of arguments.
    many: bool,
}

impl Argument {
    /// An argument that is wholly known.
    pub fn literal(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// One argument of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { known: Some(0), unknown: true, ..Self::default() }
    }

    /// Any number of arguments of which nothing is known.
    pub(super) fn unknowns() -> Self {
        Self { many: true, ..Self::unknown() }
    }

    /// The text, if it is wholly known and no glob.
    pub fn known(&self) -> Option<&str> {
        self.known.is_none().then_some(&*self.text)
    }

    /// The text before the first glob or unknown part.
    pub fn prefix(&self) -> &str {
        self.text.get(..self.known.unwrap_or(self.text.len())).unwrap_or_default()
    }

    /// The text with globs as they are written and unknown parts left out.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether some part is only known when the line runs.
    pub fn is_unknown(&self) -> bool {
        self.unknown
    }

    /// Whether it is a glob, which stands for the names that it matches.
    pub fn is_glob(&self) -> bool {
        self.glob
    }

    /// Whether it may become any number of arguments, none included.
    pub fn is_many(&self) -> bool {
        self.many || self.glob
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds unquoted text, whose globs count.
    pub(super) fn push_pattern(&mut self, text: &str) {
        if let Some(at) = text.bytes().position(|byte| matches!(byte, b'*' | b'?' | b'['))
            && (text.contains(['*', '?']) || text.contains(']'))
        {
            self.known.get_or_insert(self.text.len() + at);
            self.glob = true;
        }
        self.text.push_str(text);
    }

    pub(super) fn push_unknown(&mut self, many: bool) {
        self.known.get_or_insert(self.text.len());
        self.unknown = true;
        self.many |= many;
    }

    /// Adds a value, as it is: globs in it count only if they already did.
    pub(super) fn push_value(&mut self, value: &Self) {
        if let (None, Some(at)) = (self.known, value.known) {
            self.known = Some(self.text.len() + at);
        }
        self.unknown |= value.unknown;
        self.glob |= value.glob;
        self.text.push_str(&value.text);
    }

    /// What stands behind the first `length` bytes of what is known, as an argument of its own.
    pub(super) fn after(&self, length: usize) -> Self {
        Self {
            text: self.text.get(length..).unwrap_or_default().to_owned(),
            known: self.known.map(|at| at.saturating_sub(length)),
            ..self.clone()
        }
    }

    /// The first `length` bytes, as an argument of its own.
    pub(super) fn up_to(&self, length: usize) -> Self {
        let text = self.text.get(..length).unwrap_or(&self.text).to_owned();
        let known = self.known.filter(|at| *at < text.len() || text.len() == self.text.len());
        let inside = known.is_some();
        Self { text, known, unknown: self.unknown && inside, glob: self.glob && inside, many: self.many && inside }
    }

    /// Without quotes around it, its globs are matched; as a value, they are letters.
    pub(super) fn into_value(mut self) -> Self {
        if self.glob && !self.unknown {
            self.known = None;
        }
        self.glob = false;
        self.many = false;
        self
    }
}

impl std::fmt::Display for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,+@%^*?[]{}~#".contains(&byte);
        let (before, after) = match self.known {
            Some(at) if self.unknown => (self.prefix(), self.text.get(at..).unwrap_or_default()),
            _ => (&*self.text, ""),
        };
        let unknown = if self.unknown { "…" } else { "" };
        if (!before.is_empty() || self.unknown) && before.bytes().chain(after.bytes()).all(plain) {
            return write!(f, "{before}{unknown}{after}");
        }
        write!(f, "'{}{unknown}{}'", before.escape_debug(), after.escape_debug())
    }
}
