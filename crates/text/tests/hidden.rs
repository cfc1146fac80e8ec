//! What is taken out of text on its way to a model, for any text.

use callgate_text::reveal;
use proptest::prelude::*;

/// Ordinary characters mixed with all that hides.
fn text() -> impl Strategy<Value = String> {
    let hiding = prop::sample::select(vec![
        '\u{0}',
        '\u{1B}',
        '\u{AD}',
        '\u{200B}',
        '\u{200D}',
        '\u{202E}',
        '\u{2066}',
        '\u{FE00}',
        '\u{FE0F}',
        '\u{FEFF}',
        '\u{E0041}',
        '\u{E0100}',
        '\u{3164}',
        'é',
        '❤',
        '日',
        'a',
        '1',
        ' ',
    ]);
    prop::collection::vec(prop_oneof![any::<char>(), hiding], 0..24).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_taken_out_once_is_gone(text in text()) {
        if let Some(revealed) = reveal(&text) {
            prop_assert_eq!(reveal(&revealed.text), None);
            prop_assert_eq!(text.chars().count() - revealed.text.chars().count(), revealed.removed);
        }
    }

    #[test]
    fn what_a_person_sees_stays(text in "[a-zA-Z0-9 .,:;!?äöüßéñ日本語\t\r\n]{0,40}") {
        prop_assert_eq!(reveal(&text), None);
    }

    /// No text can carry more than one selector for each character that is seen.
    #[test]
    fn no_message_hides_in_selectors(text in text()) {
        let shown = reveal(&text).map_or(text, |revealed| revealed.text);
        let selectors = shown.chars().filter(|c| ('\u{FE00}'..='\u{FE0F}').contains(c)).count();
        prop_assert!(selectors <= shown.chars().count() / 2);
    }
}
