//! Where each policy of a file begins and ends: at a `;` outside of strings and comments.

use std::ops::Range;

/// The spans of the policies. What follows the last `;` is one, too, unless it is blank, so that a forgotten
/// `;` is an error of its own and not a policy dropped in silence.
pub(super) fn policies(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = None;
    let mut last = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '/' if characters.peek().is_some_and(|(_, next)| *next == '/') => {
                while characters.next_if(|(_, next)| *next != '\n').is_some() {}
                continue;
            }
            '"' => {
                start.get_or_insert(at);
                while let Some((at, inner)) = characters.next() {
                    last = at + inner.len_utf8();
                    match inner {
                        '\\' => drop(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                continue;
            }
            ';' => {
                spans.push(start.take().unwrap_or(at)..at + 1);
                continue;
            }
            blank if blank.is_whitespace() => continue,
            _ => {}
        }
        start.get_or_insert(at);
        last = at + character.len_utf8();
    }
    spans.extend(start.map(|start| start..last.max(start)));
    spans
}

#[cfg(test)]
mod tests {
    use super::policies;

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
}
