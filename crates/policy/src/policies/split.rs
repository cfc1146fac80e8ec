//! Where each policy of a file begins and ends: at a `;` outside of strings and comments.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

/// The spans of the policies. What follows the last `;` is one, too, unless it is blank, so that a forgotten
/// `;` is an error of its own and not a policy dropped in silence.
pub(super) fn policies(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = None;
    let mut last = 0;
    for (span, character) in code(text) {
        if character == ';' {
            spans.push(start.take().unwrap_or(span.start)..span.end);
        } else if !character.is_whitespace() {
            start.get_or_insert(span.start);
            last = span.end;
        }
    }
    spans.extend(start.map(|start| start..last));
    spans
}

/// How deeply expressions nest at most: brackets, and in each of them what operators and dots chain.
pub(super) fn depth(text: &str) -> usize {
    let (mut groups, mut deepest) = (vec![Group::default()], 0);
    for (_, character) in code(text) {
        match character {
            '(' | '[' | '{' => groups.push(Group::default()),
            ')' | ']' | '}' if groups.len() > 1 => drop(groups.pop()),
            _ => {}
        }
        if let Some(group) = groups.last_mut() {
            group.count(character);
        }
        deepest = deepest.max(groups.iter().map(|group| 1 + group.chained + group.dots).sum());
        if deepest > TOO_DEEP {
            break;
        }
    }
    deepest
}

/// Nothing sensible nests deeper, and recursion must end before the stack does.
pub(super) const TOO_DEEP: usize = 500;

/// What chains directly inside one pair of brackets.
#[derive(Default)]
struct Group {
    chained: usize,
    dots: usize,
    /// The length of the word before, and whether it could be `if`, whose `else` may hold another `if`.
    word: usize,
    may_be_if: bool,
}

impl Group {
    fn count(&mut self, character: char) {
        if character.is_alphanumeric() || character == '_' {
            let fits = matches!((self.word, character), (0, 'i') | (1, 'f'));
            self.may_be_if = fits && (self.word == 0 || self.may_be_if);
            self.word += 1;
            return;
        }
        self.chained += usize::from(self.word == 2 && self.may_be_if);
        self.word = 0;
        match character {
            '.' => self.dots += 1,
            // `&&` and `||` count twice, which only makes the bound stricter.
            '&' | '|' | '+' | '-' | '*' | '!' | '?' => (self.chained, self.dots) = (self.chained + 1, 0),
            blank if blank.is_whitespace() => {}
            _ => self.dots = 0,
        }
    }
}

/// The characters outside of comments, a string being one `"`.
fn code(text: &str) -> Code<'_> {
    Code { characters: text.char_indices().peekable() }
}

struct Code<'a> {
    characters: Peekable<CharIndices<'a>>,
}

impl Iterator for Code<'_> {
    type Item = (Range<usize>, char);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (at, character) = self.characters.next()?;
            let mut end = at + character.len_utf8();
            match character {
                '/' if self.characters.peek().is_some_and(|(_, next)| *next == '/') => {
                    while self.characters.next_if(|(_, next)| *next != '\n').is_some() {}
                }
                '"' => {
                    while let Some((at, inner)) = self.characters.next() {
                        end = at + inner.len_utf8();
                        match inner {
                            '\\' => end = self.characters.next().map_or(end, |(at, escaped)| at + escaped.len_utf8()),
                            '"' => break,
                            _ => {}
                        }
                    }
                    return Some((at..end, '"'));
                }
                _ => return Some((at..end, character)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TOO_DEEP, depth, policies};

    #[test]
    fn ends_policies_outside_of_strings_and_comments() {
        for (text, expected) in [
            ("", vec![]),
            ("  // nothing; here\n", vec![]),
            ("a;b;", vec!["a;", "b;"]),
            ("// x;\na // y;\n b;\n", vec!["a // y;\n b;"]),
            (r#"@id("a;\"b;") p; q;"#, vec![r#"@id("a;\"b;") p;"#, "q;"]),
            ("a; b", vec!["a;", "b"]),
            ("a; // b", vec!["a;"]),
            (";", vec![";"]),
            ("a \"unterminated;", vec!["a \"unterminated;"]),
            ("ä\"ö\";ü", vec!["ä\"ö\";", "ü"]),
            ("a\"\\", vec!["a\"\\"]),
        ] {
            let found: Vec<_> = policies(text).into_iter().map(|span| &text[span]).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn sees_how_deeply_expressions_nest() {
        for (text, shallow) in [
            ("a.b.c".to_owned(), true),
            ("a".repeat(10_000), true),
            (format!("\"{}\"", "(".repeat(10_000)), true),
            (format!("// {}\n", "(".repeat(10_000)), true),
            ("x == 1 && ".repeat(100), true),
            ("context.input.x, ".repeat(1000), true),
            ("a .b == ".repeat(200), true),
            ("(".repeat(1000), false),
            ("a && ".repeat(1000), false),
            ("a + ".repeat(1000), false),
            ("!".repeat(1000), false),
            ("if true then true else ".repeat(1000), false),
            ("iffy if_ wif ".repeat(1000), true),
            (format!("a{}", ".b".repeat(1000)), false),
            ("[{(a.b && ".repeat(200), false),
        ] {
            assert_eq!(depth(&text) <= TOO_DEEP, shallow, "{:.40}", text);
        }
    }
}
