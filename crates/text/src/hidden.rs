//! Characters that a model reads and a person does not see.

/// Text on its way to a model, and how many hidden characters were taken out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revealed {
    /// The text without hidden characters.
    pub text: String,
    /// How many were removed.
    pub removed: usize,
}

/// Takes out what hides from a reader; `None` if there is nothing to take out.
///
/// Removed are control characters other than tab and line ends (so terminal escapes, too), tag
/// characters, bidirectional overrides and isolates, variation selector supplements, and zero-width
/// characters. A zero-width joiner inside an emoji sequence or a script that needs it stays: it joins
/// two visible characters and carries no message of its own unless it is repeated. So does the one
/// variation selector of a visible character; a run of them spells a message.
pub fn reveal(text: &str) -> Option<Revealed> {
    // Nearly all text is this, and a pass over its bytes is cheap.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')) {
        return None;
    }
    let mut kept = String::with_capacity(text.len());
    let mut removed = 0;
    let mut characters = text.chars().peekable();
    let mut before: Option<char> = None;
    while let Some(character) = characters.next() {
        let after = characters.peek().copied();
        let stays = if is_joiner(character) {
            before.is_some_and(is_joinable) && after.is_some_and(|after| is_joinable(after) && !is_selector(after))
        } else if is_selector(character) {
            before.is_some_and(|base| (is_joinable(base) && !is_selector(base)) || is_keycap(base))
        } else {
            !is_hidden(character)
        };
        if stays {
            kept.push(character);
        } else {
            removed += 1;
        }
        before = stays.then_some(character);
    }
    (removed > 0).then_some(Revealed { text: kept, removed })
}

fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200C}' | '\u{200D}')
}

fn is_selector(character: char) -> bool {
    matches!(character, '\u{FE00}'..='\u{FE0F}')
}

fn is_keycap(character: char) -> bool {
    matches!(character, '0'..='9' | '#' | '*')
}

/// Visible, and not plain Latin text, where a joiner has nothing to join.
fn is_joinable(character: char) -> bool {
    !is_hidden(character) && !character.is_ascii() && !character.is_whitespace()
}

fn is_hidden(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => false,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' => true,
        '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' => true,
        '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' => true,
        '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::reveal;

    #[test]
    fn takes_out_what_hides() {
        for (text, shown) in [
            ("a\u{200B}b", "ab"),
            ("run\u{E0072}\u{E006D} this", "run this"),
            ("safe\u{202E}txt.exe", "safetxt.exe"),
            ("\u{1B}[8mhidden", "[8mhidden"),
            ("a\u{200D}b", "ab"),
            ("\u{FEFF}x", "x"),
            ("x\u{FE00}\u{FE0A}y", "xy"),
            ("❤\u{FE0F}\u{FE01}\u{FE02}", "❤\u{FE0F}"),
        ] {
            assert_eq!(reveal(text).map(|r| r.text).as_deref(), Some(shown), "{text:?}");
        }
    }

    #[test]
    fn leaves_ordinary_text_alone() {
        for text in [
            "plain\ttext\r\n",
            "Grüße, Ωmega, 日本語",
            "👨\u{200D}👩\u{200D}👧",
            "می\u{200C}خواهم",
            "❤\u{FE0F}",
            "1\u{FE0F}\u{20E3}",
            "❤\u{FE0F}\u{200D}🔥",
        ] {
            assert_eq!(reveal(text), None, "{text:?}");
        }
    }
}
