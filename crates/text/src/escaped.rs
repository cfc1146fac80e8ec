//! Names that somebody else chose, as text.

/// Bytes as text: one to one, with control and invisible characters, quotes, backslashes and bytes that are no UTF-8
/// escaped.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.extend(chunk.valid().escape_debug());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
