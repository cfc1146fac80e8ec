//! What is wrong with a gate directory, or could be better: one shape for errors and advice.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use callgate_text::Json;
use miette::{Diagnostic, LabeledSpan, SourceCode, SourceSpan};

/// Whether a finding keeps the gate from loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The directory is not loaded.
    Error,
    /// It is loaded; somebody should look.
    Warning,
}

impl Severity {
    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])* $rule:ident = $text:literal, $severity:ident;)*) => {
        /// Everything that can be found, one closed list. The texts are never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule { $($(#[doc = $doc])* $rule,)* }

        impl Rule {
            /// All rules, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$rule,)*];

            /// The code in reports.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$rule => $text,)* }
            }

            /// Whether it keeps the gate from loading.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity,)* }
            }

            /// What it means and what to do about it.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$rule => concat!($($doc),*).trim_ascii(),)* }
            }
        }
    };
}

rules! {
    /// A file or directory cannot be read. Check that it exists and who may read it.
    Unreadable = "unreadable", Error;
    /// A file is larger, or there are more files, than a gate directory may hold. Move grants into entity attributes.
    TooLarge = "too_large", Error;
    /// A symbolic link leaves the gate directory. Copy the file into it.
    Outside = "outside", Error;
    /// A file stands where only another kind is loaded, so that a typo in its name would silently drop it.
    UnexpectedFile = "unexpected_file", Error;
    /// The files changed while they were read. Write them elsewhere and rename them into place.
    Changing = "changing", Error;
    /// The files are not those that `gate.lock` names. Review the change, then `callgate policy check --lock`.
    Locked = "locked", Error;
    /// The file is not valid TOML of the documented shape.
    BadToml = "bad_toml", Error;
    /// The file is not strict JSON of the documented shape.
    BadJson = "bad_json", Error;
    /// `programs.toml` says something of a program that the table of programs has no word for. `docs/policy.md` says which there are.
    BadProgram = "bad_program", Error;
    /// `entities.toml` contradicts itself: an unknown parent, a cycle, an attribute of two types.
    BadEntity = "bad_entity", Error;
    /// A pinned server or definition contradicts another one.
    BadPin = "bad_pin", Error;
    /// The tool's schema cannot be expressed. Mark the argument `opaque` in the tool's overlay.
    BadTool = "bad_tool", Error;
    /// An overlay or setting names a tool, server or group that is not pinned or declared.
    UnknownName = "unknown_name", Error;
    /// A profile of the sandbox is not one, or a tool names one that there is not. `docs/sandbox.md` says what a profile has.
    BadProfile = "bad_profile", Error;
    /// The facts or tools do not make a Cedar schema.
    BadSchema = "bad_schema", Error;
    /// The text is not a Cedar policy.
    Syntax = "syntax", Error;
    /// The policy has slots. Templates are refused: write one policy per blueprint, or use entity attributes.
    Template = "template", Error;
    /// Cedar's strict validator refuses the policy.
    Invalid = "invalid", Error;
    /// Cedar's validator warns: the condition can never hold, or text could be mistaken for other text.
    Suspicious = "suspicious", Error;
    /// An annotation is unknown, empty, on the wrong effect, or has a wrong value.
    BadAnnotation = "bad_annotation", Error;
    /// Two policies have the same id. Give each its own `@id`.
    DuplicateId = "duplicate_id", Error;
    /// The permit covers an argument that policy cannot see. Say so with `@opaque("name, …")`.
    OpaqueArgument = "opaque_argument", Error;
    /// The forbid tests the value of an optional argument, so that leaving it out slips past. Write `unless`.
    OptionalInForbid = "optional_in_forbid", Error;
    /// Arithmetic can overflow, and an erring policy denies every call it covers. Meters deliver finished numbers.
    Arithmetic = "arithmetic", Error;
    /// `like` on paths, commands and identities is bypassed by spelling. Give the argument a kind and use `in` or `==`.
    LikeOnIdentity = "like_on_identity", Error;
    /// The policy names an entity that `entities.toml` lacks, so it would silently match nothing.
    UnknownEntity = "unknown_entity", Error;
    /// The policy names a value that is not in normal form, so no argument can ever be it or inside of it.
    Misspelt = "misspelt", Error;
    /// `context.common` is where all elements of a list are together. In a forbid write `unless` and what is allowed, in a permit `when`; for a single value use `context.input`.
    CommonDodged = "common_dodged", Error;
    /// The forbid lists identities by their spelling; another one slips past. List what is allowed, with `unless`.
    DenyList = "deny_list", Error;
    /// The forbid tests a fact for equality that can be unknown. Write `unless`, or compare with `<=`.
    UnknownFact = "unknown_fact", Error;
    /// The condition contradicts itself, so the policy never applies.
    Impossible = "impossible", Error;
    /// A policy test is not one.
    BadTest = "bad_test", Error;
    /// The permit bounds neither agent nor tool nor arguments. Fine for trying things out, nowhere else.
    UnboundedPermit = "unbounded_permit", Warning;
    /// Another policy of the same effect covers this one without any condition.
    Covered = "covered", Warning;
    /// A destructive, sending or paying tool is permitted without a condition or approval.
    DangerousPermit = "dangerous_permit", Warning;
    /// The policy closes destinations or identities by name, and others do the same harm. Prefer to list what is allowed.
    NamedDestination = "named_destination", Warning;
    /// The tool's schema narrows an argument in a way that the gate does not enforce. The tool must, or policy must say it.
    UncheckedSchema = "unchecked_schema", Warning;
    /// Nothing of it decides anything. The gate reads `callgate.toml`, `entities.toml`, `gate.lock`, `policies/*.cedar`, `tests/*.toml` and `tools/*.json`: move it there, or out of the directory.
    NotLoaded = "not_loaded", Warning;
    /// Users other than root and the gate's own could change the configuration. To enforce such a directory is refused.
    ExposedConfiguration = "exposed_configuration", Warning;
    /// A pinned text holds characters that a model reads and a person does not see. Read it with `callgate tool pin` before you trust it.
    HiddenCharacters = "hidden_characters", Warning;
    /// Nobody is in the group whose approval a policy asks for.
    NoApprovers = "no_approvers", Warning;
}

/// One thing that was found, and where.
#[derive(Clone)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// The file, relative to the gate directory; empty for the directory itself.
    pub file: Arc<str>,
    /// The bytes of the file that it is about.
    pub span: Option<Range<usize>>,
    /// The line on which that starts, from 1.
    pub line: Option<usize>,
    /// One sentence, lower-case, without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    severity: Severity,
    source: Option<Arc<str>>,
}

impl Finding {
    /// A finding about all of `file`.
    pub fn new(rule: Rule, file: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        Self {
            rule,
            file: file.into(),
            span: None,
            line: None,
            message: message.into(),
            help: Some(rule.meaning().to_owned()),
            severity: rule.severity(),
            source: None,
        }
    }

    /// The same finding about the bytes `span` of `source`, the text of the file.
    #[must_use]
    pub fn at(self, source: &Arc<str>, span: Range<usize>) -> Self {
        let start = span.start.min(source.len());
        let before = source.as_bytes().get(..start).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Self { span: Some(span), line: Some(line), source: Some(Arc::clone(source)), ..self }
    }

    /// The same finding with this advice instead of the rule's own.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same finding as what keeps the gate from loading, whatever its rule says.
    #[must_use]
    pub(crate) fn raised(self) -> Self {
        Self { severity: Severity::Error, ..self }
    }

    /// Whether it keeps the gate from loading.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// `{severity, code, file, line?, start?, end?, message, help?}`.
    pub fn to_json(&self) -> Json {
        let number = |n: usize| Json::integer(i64::try_from(n).unwrap_or(i64::MAX));
        let mut members = vec![
            ("severity", Json::from(self.severity().as_str())),
            ("code", Json::from(self.rule.as_str())),
            ("file", Json::from(&*self.file)),
        ];
        if let Some(line) = self.line {
            members.push(("line", number(line)));
        }
        if let Some(span) = &self.span {
            members.push(("start", number(span.start)));
            members.push(("end", number(span.end)));
        }
        members.push(("message", Json::from(self.message.as_str())));
        if let Some(help) = &self.help {
            members.push(("help", Json::from(help.as_str())));
        }
        Json::object(members)
    }

    /// What orders findings: errors first, then by place, then by rule and text.
    fn key(&self) -> (Severity, &str, usize, Rule, &str) {
        let start = self.span.as_ref().map_or(0, |span| span.start);
        (self.severity(), &self.file, start, self.rule, &self.message)
    }
}

/// Sorts findings and removes repetitions, so that two runs report the same bytes.
pub(crate) fn tidy(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| a.key().cmp(&b.key()));
    findings.dedup();
}

impl PartialEq for Finding {
    /// Two findings are the same if they say the same about the same place.
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key() && self.span == other.span && self.help == other.help
    }
}

impl Eq for Finding {}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] {self}", self.severity().as_str(), self.rule.as_str())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None if self.file.is_empty() => f.write_str(&self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for Finding {}

impl Diagnostic for Finding {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.rule.as_str()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span.clone()?;
        let length = span.end.saturating_sub(span.start);
        let label = LabeledSpan::new_with_span(None, SourceSpan::new(span.start.into(), length));
        Some(Box::new(std::iter::once(label)))
    }
}

/// Why a gate directory was not loaded: everything that is wrong with it, at least one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    findings: Vec<Finding>,
}

impl LoadError {
    /// This and what else is wrong.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.findings().iter().chain(other.findings()).cloned().collect::<Vec<_>>().into()
    }

    /// What is wrong, errors first, then by place.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// `[finding, …]`.
    pub fn to_json(&self) -> Json {
        Json::Array(self.findings.iter().map(Finding::to_json).collect())
    }
}

impl From<Finding> for LoadError {
    fn from(finding: Finding) -> Self {
        Self { findings: vec![finding] }
    }
}

impl From<Vec<Finding>> for LoadError {
    fn from(mut findings: Vec<Finding>) -> Self {
        tidy(&mut findings);
        Self { findings }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.findings.iter().filter(|finding| finding.severity() == Severity::Error).count();
        match self.findings.first() {
            Some(first) if errors > 1 => write!(f, "{first} (and {} more)", errors - 1),
            Some(first) => write!(f, "{first}"),
            None => f.write_str("the gate directory cannot be loaded"),
        }
    }
}

impl std::error::Error for LoadError {}

impl Diagnostic for LoadError {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.findings.iter().map(|finding| finding as &dyn Diagnostic)))
    }
}

/// Renders findings for a terminal, each with its place in the source and its help.
pub fn render(findings: &[Finding], colour: bool) -> String {
    let theme = match colour {
        true => miette::GraphicalTheme::unicode(),
        false => miette::GraphicalTheme::unicode_nocolor(),
    };
    let handler = miette::GraphicalReportHandler::new_themed(theme).with_links(false);
    let mut text = String::new();
    for finding in findings {
        // Writing to a string cannot fail.
        let _ = handler.render_report(&mut text, finding);
    }
    text
}
