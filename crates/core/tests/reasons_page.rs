//! `docs/reasons.md` is the list in the code.

use callgate_core::Code;

#[test]
fn the_page_of_reasons_is_the_list_in_the_code() {
    let mut page = String::from(
        "# Reason codes\n\nEvery decision names at least one of these. Codes are added when needed and never renamed.\n\n\
         | code | meaning, and what to do |\n| --- | --- |\n",
    );
    for code in Code::ALL {
        page.push_str(&format!("| `{code}` | {} |\n", code.meaning()));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reasons.md");
    if std::env::var_os("CALLGATE_BLESS").is_some() {
        std::fs::write(path, &page).expect("writes the page");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "docs/reasons.md is not the list; run this test with CALLGATE_BLESS=1");
}
