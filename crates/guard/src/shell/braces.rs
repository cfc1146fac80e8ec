//! Brace expansion: `{a,b}`, `{1..9}`, before any other.

use super::Refusal;
use super::ast::{Part, Word};
use super::limits::Limits;

/// A piece of a word: a letter that braces are made of, or what stands between such.
#[derive(Clone, Copy)]
enum Atom<'w> {
    Sign(char),
    Text(&'w str),
    Part(&'w Part),
}

/// Where the brace that opens here closes, and what is between.
#[derive(Clone, Copy, Default)]
struct Pair {
    close: usize,
    commas: bool,
}

/// The words that `word` stands for; none if it holds no braces that expand.
pub(super) fn expand(word: &Word, limits: &Limits) -> Result<Option<Vec<Word>>, Refusal> {
    if !word.0.iter().any(|part| matches!(part, Part::Bare(text) if text.contains('{'))) {
        return Ok(None);
    }
    let mut atoms = Vec::new();
    for part in &word.0 {
        match part {
            Part::Bare(text) => {
                let mut rest = text.as_str();
                while let Some(at) = rest.find(['{', ',', '}']) {
                    let (before, behind) = rest.split_at(at);
                    let mut behind = behind.chars();
                    atoms.extend((!before.is_empty()).then_some(Atom::Text(before)));
                    atoms.extend(behind.next().map(Atom::Sign));
                    rest = behind.as_str();
                }
                atoms.extend((!rest.is_empty()).then_some(Atom::Text(rest)));
            }
            other => atoms.push(Atom::Part(other)),
        }
    }
    let pairs = pair(&atoms);
    if pairs.iter().enumerate().all(|(at, pair)| !opens(&atoms, at, *pair)) {
        return Ok(None);
    }
    let words = Braces { atoms: &atoms, pairs: &pairs, limits }.range(0, atoms.len())?;
    Ok(Some(words.into_iter().map(gather).collect()))
}

fn sign(atoms: &[Atom<'_>], at: usize) -> Option<char> {
    match atoms.get(at) {
        Some(Atom::Sign(sign)) => Some(*sign),
        _ => None,
    }
}

fn pair(atoms: &[Atom<'_>]) -> Vec<Pair> {
    let mut pairs = vec![Pair::default(); atoms.len()];
    let mut open: Vec<(usize, bool)> = Vec::new();
    for at in 0..atoms.len() {
        match sign(atoms, at) {
            Some('{') => open.push((at, false)),
            Some(',') => {
                if let Some((_, commas)) = open.last_mut() {
                    *commas = true;
                }
            }
            Some('}') => {
                if let Some((start, commas)) = open.pop()
                    && let Some(pair) = pairs.get_mut(start)
                {
                    *pair = Pair { close: at, commas };
                }
            }
            _ => {}
        }
    }
    pairs
}

fn opens(atoms: &[Atom<'_>], at: usize, pair: Pair) -> bool {
    pair.close > at && (pair.commas || sequence(atoms, at, pair).is_some())
}

/// The members of `{x..y}` and `{x..y..step}`; an error text never: what is none stays text.
fn sequence(atoms: &[Atom<'_>], at: usize, pair: Pair) -> Option<(i64, i64, i64, Kind)> {
    // It holds no other sign, and so is one text.
    let [Atom::Text(inner)] = atoms.get(at + 1..pair.close)? else { return None };
    if inner.len() > 64 {
        return None;
    }
    let mut ends = inner.split("..");
    let (first, last, step) = (ends.next()?, ends.next()?, ends.next());
    if ends.next().is_some() {
        return None;
    }
    let step = step.map_or(Some(1), |step| step.parse::<i64>().ok())?;
    if let (Ok(from), Ok(to)) = (first.parse::<i64>(), last.parse::<i64>()) {
        let padded =
            |text: &str| text.trim_start_matches('-').starts_with('0') && text.trim_start_matches('-').len() > 1;
        let width = if padded(first) || padded(last) { first.len().max(last.len()) } else { 0 };
        return Some((from, to, step, Kind::Number { width }));
    }
    let one = |text: &str| text.chars().next().filter(|letter| text.len() == 1 && letter.is_ascii_alphabetic());
    Some((i64::from(u32::from(one(first)?)), i64::from(u32::from(one(last)?)), step, Kind::Letter))
}

enum Kind {
    Number { width: usize },
    Letter,
}

struct Braces<'a> {
    atoms: &'a [Atom<'a>],
    pairs: &'a [Pair],
    limits: &'a Limits,
}

impl Braces<'_> {
    /// The words that the atoms from `start` to `end` stand for. As deep as braces that hold a comma nest.
    fn range(&self, start: usize, end: usize) -> Result<Vec<Vec<Part>>, Refusal> {
        self.level(start, end, 0)
    }

    fn level(&self, start: usize, end: usize, depth: usize) -> Result<Vec<Vec<Part>>, Refusal> {
        if depth > super::limits::DEPTH {
            return Err(Refusal::TooDeep);
        }
        let mut words: Vec<Vec<Part>> = vec![Vec::new()];
        let mut at = start;
        while at < end {
            let pair = self.pairs.get(at).copied().unwrap_or_default();
            if pair.close < end && opens(self.atoms, at, pair) {
                let members = self.members(at, pair, depth)?;
                let mut product = Vec::new();
                for word in &words {
                    for member in &members {
                        self.limits.word(word.len() + member.len())?;
                        product.push(word.iter().chain(member).cloned().collect());
                    }
                }
                words = product;
                at = pair.close + 1;
                continue;
            }
            let mut space = [0; 4];
            let text = match self.atoms.get(at) {
                Some(Atom::Sign(sign)) => &*sign.encode_utf8(&mut space),
                Some(Atom::Text(text)) => *text,
                Some(Atom::Part(part)) => {
                    self.copied(words.len(), 1)?;
                    words.iter_mut().for_each(|word| word.push((*part).clone()));
                    ""
                }
                None => "",
            };
            self.copied(words.len(), text.len())?;
            words.iter_mut().for_each(|word| push(word, text));
            at += 1;
        }
        Ok(words)
    }

    /// Counts what stands in more than one word.
    fn copied(&self, words: usize, bytes: usize) -> Result<(), Refusal> {
        if words > 1 { self.limits.bytes(words.saturating_mul(bytes)) } else { Ok(()) }
    }

    fn members(&self, open: usize, pair: Pair, depth: usize) -> Result<Vec<Vec<Part>>, Refusal> {
        if pair.commas {
            let mut members = Vec::new();
            let mut start = open + 1;
            let mut at = start;
            while at <= pair.close {
                let inner = self.pairs.get(at).copied().unwrap_or_default();
                if at < pair.close && inner.close > at && sign(self.atoms, at) == Some('{') {
                    at = inner.close + 1;
                    continue;
                }
                if at == pair.close || sign(self.atoms, at) == Some(',') {
                    members.extend(self.level(start, at, depth + 1)?);
                    start = at + 1;
                }
                at += 1;
            }
            return Ok(members);
        }
        let Some((from, to, step, kind)) = sequence(self.atoms, open, pair) else { return Ok(Vec::new()) };
        let step = step.unsigned_abs().max(1);
        let mut members = Vec::new();
        let mut value = from;
        loop {
            let text = match kind {
                Kind::Number { width } => format!("{value:0width$}"),
                Kind::Letter => u32::try_from(value).ok().and_then(char::from_u32).unwrap_or('?').to_string(),
            };
            self.limits.word(text.len())?;
            // Between `Z` and `a` lie characters that mean something elsewhere; here they are letters.
            members.push(vec![Part::Quoted(text)]);
            let next = if from <= to { value.checked_add_unsigned(step) } else { value.checked_sub_unsigned(step) };
            match next {
                Some(next) if (from <= to && next <= to) || (from > to && next >= to) => value = next,
                _ => return Ok(members),
            }
        }
    }
}

fn push(word: &mut Vec<Part>, text: &str) {
    match word.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Bare(before)) => before.push_str(text),
        _ => word.push(Part::Bare(text.to_owned())),
    }
}

/// Neighbours that are bare become one part again, so that a tilde or a glob in them is seen.
fn gather(parts: Vec<Part>) -> Word {
    let mut word: Vec<Part> = Vec::new();
    for part in parts {
        match (word.last_mut(), part) {
            (Some(Part::Bare(before)), Part::Bare(text)) => before.push_str(&text),
            (_, part) => word.push(part),
        }
    }
    Word(word)
}
