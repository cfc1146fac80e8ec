//! From words to arguments.

use super::ast::{Change, List, Parameter, Part, Word};
use super::scope::Variable;
use super::walk::Walker;
use super::{Argument, Dynamic, Refusal, braces};

/// Arguments in the making.
#[derive(Default)]
struct Fields {
    done: Vec<Argument>,
    current: Option<Argument>,
}

impl Fields {
    fn current(&mut self) -> &mut Argument {
        self.current.get_or_insert_default()
    }

    fn end(&mut self) {
        self.done.extend(self.current.take());
    }

    /// Adds a value without quotes around it; `separated` if something other than blanks may split it.
    fn unquoted(&mut self, value: &Argument, separated: bool) {
        match value.known() {
            Some(text) if !separated => self.split(text),
            Some("") => {}
            _ if value.is_glob() && !separated => match &mut self.current {
                Some(current) => current.push_value(value),
                None => self.current = Some(value.clone()),
            },
            _ => {
                self.current().push(value.prefix().split([' ', '\t', '\n']).next().unwrap_or_default());
                self.current().push_unknown(true);
            }
        }
    }

    /// Adds unquoted text of a variable: blanks split it, and globs in it count.
    fn split(&mut self, value: &str) {
        let mut pieces = value.split([' ', '\t', '\n']).peekable();
        let mut first = true;
        while let Some(piece) = pieces.next() {
            if !first {
                self.end();
            }
            first = false;
            if !piece.is_empty() {
                self.current().push_pattern(piece);
            }
            if pieces.peek().is_none() {
                break;
            }
        }
    }
}

impl Walker<'_> {
    /// The arguments that words of a command become.
    pub(super) fn arguments<'w>(
        &mut self,
        words: impl IntoIterator<Item = &'w Word>,
    ) -> Result<Vec<Argument>, Refusal> {
        let mut arguments = Vec::new();
        for word in words {
            match word.0.as_slice() {
                // Nearly all words are plain.
                [Part::Bare(text)] if !text.contains(['{', '*', '?', '[', '~']) => {
                    self.limits.word(text.len())?;
                    arguments.push(Argument::literal(text.as_str()));
                }
                _ => match braces::expand(word, &self.limits)? {
                    None => self.fields(word, &mut arguments)?,
                    Some(words) => {
                        self.note_dialect();
                        for word in &words {
                            self.fields(word, &mut arguments)?;
                        }
                    }
                },
            }
        }
        Ok(arguments)
    }

    fn fields(&mut self, word: &Word, arguments: &mut Vec<Argument>) -> Result<(), Refusal> {
        let mut fields = Fields::default();
        let mut bare = word.0.first();
        for (nth, part) in word.0.iter().enumerate() {
            match part {
                Part::Bare(text) => {
                    let mut rest = text.as_str();
                    if bare.take().is_some() && text.starts_with('~') {
                        rest = self.tilde(text, nth + 1 < word.0.len(), fields.current());
                    }
                    if !rest.is_empty() {
                        fields.current().push_pattern(rest);
                    }
                }
                other => self.piece(other, &mut fields)?,
            }
            bare = None;
        }
        fields.end();
        for field in fields.done {
            self.limits.word(field.text().len())?;
            arguments.push(field);
        }
        Ok(())
    }

    /// What a word is as one value: of an assignment, a redirection, a subject.
    pub(super) fn value(&mut self, word: &Word) -> Result<Argument, Refusal> {
        let mut value = Argument::default();
        let mut first = true;
        for part in &word.0 {
            match part {
                Part::Bare(text) => {
                    let mut rest = text.as_str();
                    // In a value, a tilde counts at the start and after each colon.
                    if first && rest.starts_with('~') {
                        rest = self.tilde(rest, word.0.len() > 1, &mut value);
                    }
                    while let Some(at) = rest.find(":~") {
                        let (before, after) = rest.split_at(at + 1);
                        value.push(before);
                        rest = self.tilde(after, false, &mut value);
                        if rest == after {
                            break;
                        }
                    }
                    value.push(rest);
                }
                other => {
                    let mut fields = Fields::default();
                    self.double(std::slice::from_ref(other), &mut fields)?;
                    fields.end();
                    let mut joined = fields.done.into_iter();
                    if let Some(one) = joined.next() {
                        value.push_value(&one);
                    }
                    for more in joined {
                        value.push(" ");
                        value.push_value(&more);
                    }
                }
            }
            first = false;
        }
        self.limits.bytes(value.text().len())?;
        Ok(value.into_value())
    }

    /// The target of a redirection: one word, whose globs a script matches.
    pub(super) fn target(&mut self, word: &Word) -> Result<Argument, Refusal> {
        let mut targets = self.arguments(std::slice::from_ref(word))?;
        match (targets.pop(), targets.is_empty()) {
            (Some(target), true) => Ok(target),
            // More than one, or none: the shell refuses to run it.
            _ => Ok(Argument::literal("/dev/null")),
        }
    }

    /// Expands `~` at the start of `text`; gives back what stands behind it.
    fn tilde<'t>(&self, text: &'t str, followed: bool, into: &mut Argument) -> &'t str {
        let end = text.find(['/', ':']);
        let name = text.get(1..end.unwrap_or(text.len())).unwrap_or_default();
        if end.is_none() && followed {
            return text;
        }
        match name {
            "" => match self.scope.variable("HOME") {
                None => into.push(&self.home),
                Some(Variable::Scalar(home)) => into.push_value(home),
                Some(_) => into.push_unknown(false),
            },
            "+" => match self.scope.cwd().only() {
                Some(cwd) => into.push(cwd),
                None => into.push_unknown(false),
            },
            "-" => into.push_unknown(false),
            name if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')) => {
                into.push(if name == "root" { "/root" } else { "/~" });
                into.push(if name == "root" { "" } else { name });
            }
            _ => return text,
        }
        text.get(name.len() + 1..).unwrap_or_default()
    }

    /// One unquoted piece.
    fn piece(&mut self, part: &Part, fields: &mut Fields) -> Result<(), Refusal> {
        match part {
            Part::Bare(text) => fields.current().push_pattern(text),
            Part::Quoted(text) => fields.current().push(text),
            Part::Undecodable => fields.current().push_unknown(false),
            Part::Double(parts) => {
                // `"$@"` of nothing is nothing; every other quoted word is at least an empty one.
                if !matches!(parts.as_slice(), [Part::Parameter(all)] if all.name == "@" || all.index.is_some()) {
                    fields.current();
                }
                self.double(parts, fields)?;
            }
            Part::Parameter(parameter) => {
                let values = self.parameter(parameter)?;
                self.unquoted(values, fields);
            }
            Part::Substitution(list) => {
                let value = self.substituted(list)?;
                self.unquoted(Values::One(value), fields);
            }
            Part::Arithmetic(parts) => {
                let value = self.arithmetic(parts)?;
                fields.current().push_value(&value);
            }
            Part::Process(list) => {
                self.substituted(list)?;
                fields.current().push("/dev/fd/63");
            }
            Part::Array(items) => {
                fields.current().push_unknown(false);
                for item in items.iter() {
                    self.value(item)?;
                }
            }
        }
        Ok(())
    }

    fn unquoted(&mut self, values: Values, fields: &mut Fields) {
        let separated = self.scope.variable("IFS").is_some();
        match values {
            Values::One(value) => fields.unquoted(&value, separated),
            Values::Each(all) => {
                for (nth, value) in all.iter().enumerate() {
                    if nth > 0 {
                        fields.end();
                    }
                    fields.unquoted(value, separated);
                }
            }
            Values::Unknown => fields.current().push_unknown(true),
        }
    }

    /// Pieces in double quotes.
    fn double(&mut self, parts: &[Part], fields: &mut Fields) -> Result<(), Refusal> {
        for part in parts {
            match part {
                Part::Double(parts) => {
                    fields.current();
                    self.double(parts, fields)?;
                }
                Part::Parameter(parameter) => match self.parameter(parameter)? {
                    Values::One(value) => fields.current().push_value(&value),
                    Values::Each(all) => {
                        let apart = parameter.name == "@" || is_all(parameter, "@");
                        for (nth, value) in all.iter().enumerate() {
                            if nth > 0 {
                                if apart { fields.end() } else { fields.current().push(" ") }
                            }
                            fields.current().push_value(value);
                        }
                    }
                    Values::Unknown => {
                        let many = parameter.name == "@" || is_all(parameter, "@");
                        fields.current().push_unknown(many);
                    }
                },
                Part::Substitution(list) => {
                    let value = self.substituted(list)?;
                    fields.current().push_value(&value);
                }
                other => self.piece(other, fields)?,
            }
        }
        Ok(())
    }

    /// The output of `$(…)`, as far as that is known.
    fn substituted(&mut self, list: &List) -> Result<Argument, Refusal> {
        let output = self.inside("$(…)", |walker| walker.subshell(list))?;
        Ok(match output.text {
            Some(text) => Argument::literal(text.trim_end_matches('\n')),
            None => Argument::unknown(),
        })
    }

    /// What `$name` or `${name…}` is.
    fn parameter(&mut self, parameter: &Parameter) -> Result<Values, Refusal> {
        if let Some(index) = &parameter.index {
            self.arithmetic(&index.0)?;
        }
        let plain = self.plain(parameter);
        Ok(match &parameter.change {
            Change::Nothing if parameter.indirect => match plain {
                Values::One(name) => match name.known().map(|name| self.named(name)) {
                    Some(value) => value,
                    None => Values::Unknown,
                },
                _ => Values::Unknown,
            },
            Change::Nothing => plain,
            _ if parameter.indirect => {
                self.change_words(&parameter.change)?;
                Values::Unknown
            }
            Change::Length => match plain.into_one() {
                Some(value) => Values::One(Argument::literal(value.chars().count().to_string())),
                None => Values::Unknown,
            },
            Change::Test { kind, colon, word } => self.test(parameter, plain, *kind, *colon, word)?,
            Change::Trim { kind, longest, pattern } => {
                let pattern = self.value(pattern)?;
                let trimmed = match (plain.into_one(), pattern.known()) {
                    (Some(value), Some(pattern)) => trim(&value, pattern, *kind, *longest),
                    _ => None,
                };
                trimmed.map_or(Values::Unknown, |value| Values::One(Argument::literal(value)))
            }
            Change::Other { kind, word } => {
                let operand = self.value(word)?;
                let changed = match (plain.into_one(), operand.known()) {
                    (Some(value), Some(operand)) => change(&value, *kind, operand),
                    _ => None,
                };
                changed.map_or(Values::Unknown, |value| Values::One(Argument::literal(value)))
            }
        })
    }

    /// Follows what stands in a change, where its value does not matter.
    fn change_words(&mut self, change: &Change) -> Result<(), Refusal> {
        match change {
            Change::Test { word, .. } | Change::Other { word, .. } | Change::Trim { pattern: word, .. } => {
                self.value(word)?;
            }
            Change::Nothing | Change::Length => {}
        }
        Ok(())
    }

    fn test(
        &mut self,
        parameter: &Parameter,
        plain: Values,
        kind: char,
        colon: bool,
        word: &Word,
    ) -> Result<Values, Refusal> {
        let unset = matches!(self.scope.variable(&parameter.name), Some(Variable::Unset));
        let known = match &plain {
            Values::One(value) if value.known().is_some() => Some(!(unset || colon && value.known() == Some(""))),
            _ => None,
        };
        // What is not expanded is still followed: it might be.
        let other = self.value(word)?;
        Ok(match (kind, known) {
            ('+', Some(true)) | ('-' | '=', Some(false)) => {
                if kind == '=' {
                    self.scope.set(&parameter.name, Variable::Scalar(other.clone()));
                }
                Values::One(other)
            }
            ('+', Some(false)) => Values::One(Argument::default()),
            ('-' | '=' | '?', Some(true)) => plain,
            _ => {
                if kind == '=' {
                    self.scope.set(&parameter.name, Variable::Unknown);
                }
                Values::Unknown
            }
        })
    }

    fn plain(&mut self, parameter: &Parameter) -> Values {
        let all = is_all(parameter, "@") || is_all(parameter, "*");
        match (self.scope.variable(&parameter.name), &parameter.index) {
            (Some(Variable::List(items)), Some(_)) if all => Values::Each(items.as_ref().clone()),
            (Some(Variable::List(items)), Some(index)) => {
                let nth = index.0.first().and_then(|part| match part {
                    Part::Quoted(text) | Part::Bare(text) if index.0.len() == 1 => text.parse::<usize>().ok(),
                    _ => None,
                });
                match nth {
                    Some(nth) => Values::One(items.get(nth).cloned().unwrap_or_default()),
                    None => Values::Unknown,
                }
            }
            (Some(Variable::List(items)), None) => Values::One(items.first().cloned().unwrap_or_default()),
            (Some(Variable::Scalar(value)), Some(_)) if all => Values::One(value.clone()),
            (_, Some(_)) => Values::Unknown,
            (_, None) => self.named(&parameter.name),
        }
    }

    /// The value of a variable or a parameter of the shell.
    fn named(&self, name: &str) -> Values {
        match self.scope.variable(name) {
            Some(Variable::Scalar(value)) => return Values::One(value.clone()),
            Some(Variable::List(items)) => return Values::One(items.first().cloned().unwrap_or_default()),
            Some(Variable::Unknown) => return Values::Unknown,
            Some(Variable::Unset) => return Values::One(Argument::default()),
            None => {}
        }
        let positional = self.scope.positional();
        match name {
            "HOME" => Values::One(Argument::literal(self.home.as_str())),
            "PWD" => match self.scope.cwd().only() {
                Some(cwd) => Values::One(Argument::literal(cwd)),
                None => Values::Unknown,
            },
            "@" | "*" => positional.map_or(Values::Unknown, |all| Values::Each(all.as_ref().clone())),
            "#" => match positional {
                Some(all) if !all.iter().any(Argument::is_many) => Values::One(Argument::literal(all.len().to_string())),
                _ => Values::Unknown,
            },
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) && digits != "0" => {
                let nth = digits.parse::<usize>().ok().and_then(|nth| nth.checked_sub(1));
                match (positional, nth) {
                    (Some(all), Some(nth)) => match all.iter().position(Argument::is_many) {
                        // One of those that the last one stands for.
                        Some(many) if nth >= many => match all.get(many) {
                            Some(pattern) if many + 1 == all.len() => Values::One(pattern.clone()),
                            _ => Values::Unknown,
                        },
                        _ => Values::One(all.get(nth).cloned().unwrap_or_default()),
                    },
                    _ => Values::Unknown,
                }
            }
            _ => Values::Unknown,
        }
    }

    /// What an arithmetic expression is, if it is plain enough, and what it runs on the way.
    pub(super) fn arithmetic(&mut self, parts: &[Part]) -> Result<Argument, Refusal> {
        let mut fields = Fields::default();
        fields.current();
        self.double(parts, &mut fields)?;
        fields.end();
        let text = fields.done.pop().unwrap_or_default();
        let Some(text) = text.known() else {
            return Ok(Argument::unknown());
        };
        // An index is evaluated once more, and runs what it substitutes.
        if text.contains(['`', '$']) {
            self.note(Dynamic::Code);
        }
        for name in text.split(|letter: char| !(letter == '_' || letter.is_ascii_alphanumeric())) {
            let value = match self.scope.variable(name) {
                Some(Variable::Scalar(value)) => value.text(),
                _ => continue,
            };
            if value.contains(['`', '$']) {
                self.note(Dynamic::Code);
            }
        }
        Ok(match text.trim().parse::<i64>() {
            Ok(number) if !text.trim().starts_with(['0', '+']) || text.trim() == "0" => {
                Argument::literal(number.to_string())
            }
            _ => Argument::unknown(),
        })
    }
}

/// The values of a parameter.
enum Values {
    One(Argument),
    Each(Vec<Argument>),
    Unknown,
}

impl Values {
    fn into_one(self) -> Option<String> {
        match self {
            Self::One(value) => value.known().map(str::to_owned),
            Self::Each(_) | Self::Unknown => None,
        }
    }
}

fn is_all(parameter: &Parameter, sign: &str) -> bool {
    parameter.index.as_ref().is_some_and(|index| match index.0.as_slice() {
        [Part::Quoted(text) | Part::Bare(text)] => text == sign,
        _ => false,
    })
}

/// `${value#pattern}` and `${value%pattern}`, for patterns that are plain but for a `*` at the far end.
fn trim(value: &str, pattern: &str, kind: char, longest: bool) -> Option<String> {
    let plain = |text: &str| !text.contains(['*', '?', '[', '\\']);
    if plain(pattern) {
        let trimmed = if kind == '#' { value.strip_prefix(pattern) } else { value.strip_suffix(pattern) };
        return Some(trimmed.unwrap_or(value).to_owned());
    }
    let (found, literal) = if kind == '#' {
        let literal = pattern.strip_prefix('*').filter(|literal| plain(literal) && !literal.is_empty())?;
        (if longest { value.rfind(literal) } else { value.find(literal) }, literal)
    } else {
        let literal = pattern.strip_suffix('*').filter(|literal| plain(literal) && !literal.is_empty())?;
        (if longest { value.find(literal) } else { value.rfind(literal) }, literal)
    };
    let Some(at) = found else { return Some(value.to_owned()) };
    let kept = if kind == '#' { value.get(at + literal.len()..) } else { value.get(..at) };
    kept.map(str::to_owned)
}

/// `${value/a/b}`, `${value:1:2}`, `${value^^}`, `${value,,}` where everything is plain.
fn change(value: &str, kind: char, operand: &str) -> Option<String> {
    match kind {
        '/' => {
            let (all, operand) = operand.strip_prefix('/').map_or((false, operand), |rest| (true, rest));
            let (from, to) = operand.split_once('/').unwrap_or((operand, ""));
            if from.is_empty() || from.contains(['*', '?', '[', '\\', '#', '%']) || to.contains(['&', '\\']) {
                return None;
            }
            Some(if all { value.replace(from, to) } else { value.replacen(from, to, 1) })
        }
        ':' => {
            let (from, length) = operand.split_once(':').map_or((operand, None), |(from, length)| (from, Some(length)));
            let from = from.parse::<usize>().ok()?;
            let rest = value.chars().skip(from);
            match length {
                None => Some(rest.collect()),
                Some(length) => Some(rest.take(length.parse::<usize>().ok()?).collect()),
            }
        }
        '^' if operand == "^" => Some(value.to_uppercase()),
        ',' if operand == "," => Some(value.to_lowercase()),
        _ => None,
    }
}
