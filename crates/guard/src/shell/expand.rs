//! From words to arguments.

use super::ast::{List, Part, Word};
use super::scope::Variable;
use super::walk::{Input, Walker};
use super::{Argument, Refusal, braces};

mod parameter;

use parameter::{Values, is_all};

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
                // What is written to `>(sh)` comes in there.
                let given = Input { given: true, ..Input::default() };
                let outer = self.replace_input(given);
                let walked = self.substituted(list);
                self.replace_input(outer);
                walked?;
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
}
