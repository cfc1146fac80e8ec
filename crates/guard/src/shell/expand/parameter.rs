//! What parameters and arithmetic expressions are.

use super::super::ast::{Change, Parameter, Part, Word};
use super::super::scope::Variable;
use super::super::walk::Walker;
use super::super::{Argument, Dynamic, Refusal};
use super::Fields;

impl Walker<'_> {
    /// What `$name` or `${name…}` is.
    pub(super) fn parameter(&mut self, parameter: &Parameter) -> Result<Values, Refusal> {
        if let Some(index) = &parameter.index {
            self.arithmetic(&index.0)?;
        }
        // Its length, or whether there is one, says nothing of a secret.
        let shows = !matches!(&parameter.change, Change::Length | Change::Test { kind: '+', .. });
        if shows {
            self.note_secret(&parameter.name);
        }
        let plain = self.plain(parameter);
        if parameter.indirect
            && let Values::One(name) = &plain
            && let Some(name) = name.known()
        {
            self.note_secret(name);
        }
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
                // `${x@P}` runs what the value substitutes; an offset is arithmetic.
                if *kind == '@' && operand.known().is_none_or(|how| how.contains('P')) {
                    self.note(Dynamic::Code);
                }
                if *kind == ':' {
                    self.arithmetic(&word.0)?;
                }
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
                Some(all) if !all.iter().any(Argument::is_many) => {
                    Values::One(Argument::literal(all.len().to_string()))
                }
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
    pub(in super::super) fn arithmetic(&mut self, parts: &[Part]) -> Result<Argument, Refusal> {
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
pub(super) enum Values {
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

pub(super) fn is_all(parameter: &Parameter, sign: &str) -> bool {
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
