//! The many ways to write one word.

use super::random::Random;

/// Writes `text` in some way that a shell reads as exactly that one word.
pub(crate) fn word(random: &mut Random, text: &str, constructs: &mut Vec<&'static str>) -> String {
    let safe = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:,@%+=".contains(&byte));
    match random.deal("word", 16) {
        0 => {
            constructs.push("single quotes");
            format!("'{text}'")
        }
        1 => {
            constructs.push("double quotes");
            format!("\"{text}\"")
        }
        2 if text.len() > 2 => {
            constructs.push("quotes inside a word");
            let at = 1 + random.below(text.len() - 1);
            let (before, after) = text.split_at(at);
            format!("'{before}'\"{after}\"")
        }
        3 => {
            constructs.push("ANSI-C quotes");
            let letters: String = text
                .bytes()
                .map(|byte| match random.below(4) {
                    0 => format!("\\x{byte:02x}"),
                    1 => format!("\\{byte:03o}"),
                    2 => format!("\\u{byte:04x}"),
                    _ => char::from(byte).to_string(),
                })
                .collect();
            format!("$'{letters}'")
        }
        4 => {
            constructs.push("escaped letters");
            text.chars()
                .map(
                    |letter| {
                        if random.once_in(3) || letter == ' ' { format!("\\{letter}") } else { letter.to_string() }
                    },
                )
                .collect()
        }
        5 if safe(text) && text.len() > 3 => {
            constructs.push("line continuation");
            let at = 1 + random.below(text.len() - 2);
            let (before, after) = text.split_at(at);
            format!("{before}\\\n{after}")
        }
        6 if safe(text) => {
            constructs.push("empty quotes");
            let at = random.below(text.len());
            let (before, after) = text.split_at(at);
            format!("{before}''{after}")
        }
        7 => {
            constructs.push("translated quotes");
            format!("$\"{text}\"")
        }
        _ if safe(text) => text.to_owned(),
        _ => format!("'{text}'"),
    }
}
