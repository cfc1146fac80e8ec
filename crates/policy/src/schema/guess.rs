//! The kinds that formats and argument names suggest where the overlay is silent.
//!
//! A wrong guess cannot open anything: it refuses values that are not of the kind, until the overlay says
//! `text`. So the list is short, and relative paths stay refused until an overlay names their root.

use super::Kind;

/// The kind of a string argument called `name` with this `format`.
pub(super) fn kind(name: &str, format: Option<&str>) -> Kind {
    format.and_then(by_format).or_else(|| by_name(name)).unwrap_or(Kind::Text)
}

fn by_format(format: &str) -> Option<Kind> {
    match format {
        "uri" | "url" | "iri" => Some(Kind::Url),
        "hostname" | "idn-hostname" | "ipv4" | "ipv6" => Some(Kind::Host),
        "email" | "idn-email" => Some(Kind::Mailbox),
        _ => None,
    }
}

/// By the last word: `filePath`, `repo_path` and `paths` are paths; `jsonPath` and `xpath` are not.
fn by_name(name: &str) -> Option<Kind> {
    let words = words(name);
    let (last, before) = words.split_last()?;
    let not_a_file =
        ["json", "api", "url", "request", "object", "key", "module", "import", "class", "field", "property"];
    match last.strip_suffix('s').unwrap_or(last) {
        "path" | "filepath" | "directory" | "dir" | "cwd" | "workdir"
            if !before.iter().any(|word| not_a_file.contains(&word.as_str())) =>
        {
            Some(Kind::Path)
        }
        "url" => Some(Kind::Url),
        "host" | "hostname" => Some(Kind::Host),
        "email" => Some(Kind::Mailbox),
        "command" | "cmd" => Some(Kind::Command),
        _ => None,
    }
}

/// `repo_path`, `repoPath` and `repo-path` are `repo`, `path`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut after_lower = false;
    for character in name.chars() {
        if !character.is_alphanumeric() {
            words.push(String::new());
        } else {
            if words.is_empty() || (after_lower && character.is_uppercase()) {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(character.to_lowercase());
            }
        }
        after_lower = character.is_lowercase() || character.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_by_format_first_and_by_the_last_word_of_the_name() {
        for (name, format, expected) in [
            ("path", None, Kind::Path),
            ("paths", None, Kind::Path),
            ("filePath", None, Kind::Path),
            ("repo_path", None, Kind::Path),
            ("PATH", None, Kind::Path),
            ("output-dir", None, Kind::Path),
            ("jsonPath", None, Kind::Text),
            ("xpath", None, Kind::Text),
            ("pathname", None, Kind::Text),
            ("url", None, Kind::Url),
            ("imageURL", None, Kind::Url),
            ("baseUrls", None, Kind::Url),
            ("link", Some("uri"), Kind::Url),
            ("to", Some("email"), Kind::Mailbox),
            ("to", None, Kind::Text),
            ("email", None, Kind::Mailbox),
            ("host", None, Kind::Host),
            ("ghost", None, Kind::Text),
            ("command", None, Kind::Command),
            ("when", Some("date-time"), Kind::Text),
            ("", None, Kind::Text),
            ("__", None, Kind::Text),
        ] {
            assert_eq!(kind(name, format), expected, "{name} {format:?}");
        }
    }
}
