//! How many values a message holds, before any of them is built.

/// As many values as a message may hold. A parsed value takes some 60 bytes whatever its literal
/// took, so that without this limit eight million bytes of `1,1,1…` would become half a gigabyte.
pub const MAX_VALUES: usize = 1 << 19;

/// Whether `message` holds more than [`MAX_VALUES`] values, judged by its commas and brackets.
pub fn too_many_values(message: &[u8]) -> bool {
    if message.len() <= MAX_VALUES {
        return false;
    }
    let (mut values, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in message {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values = values.saturating_add(1),
            _ => {}
        }
    }
    values > MAX_VALUES
}
