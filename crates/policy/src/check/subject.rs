//! What an expression is about: an argument, a fact, or something the operator wrote.

use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp, Var};

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject<'a> {
    /// An argument, from `context.input` or `context.common`, by its path.
    Argument(Vec<&'a str>),
    /// A fact, `context.<section>.<field>`.
    Fact(&'a str, &'a str),
    /// An attribute or tag of an entity.
    Attribute,
}

/// The subject of an expression that only walks down from a variable.
pub(super) fn subject(expr: &Expr) -> Option<Subject<'_>> {
    let mut path = Vec::new();
    let mut at = expr;
    loop {
        match at {
            Expr::GetAttr { expr, attr } => {
                path.push(attr.as_str());
                at = expr;
            }
            Expr::BinaryOp { op: BinaryOp::GetTag, left, .. } => {
                path.push("");
                at = left;
            }
            Expr::Var(Var::Context) => break,
            Expr::Var(_) | Expr::Literal(Literal::EntityUID(_)) if !path.is_empty() => return Some(Subject::Attribute),
            _ => return None,
        }
    }
    path.reverse();
    match path.as_slice() {
        ["input" | "common", rest @ ..] => Some(Subject::Argument(rest.to_vec())),
        [section, field] => Some(Subject::Fact(section, field)),
        _ => None,
    }
}

/// Whether text in an argument of this name says who, where to, or what to run: things with many spellings.
pub(super) fn names_identity(argument: &str) -> bool {
    words(argument).iter().any(|word| IDENTITIES.contains(&word.as_str()))
}

const IDENTITIES: &[&str] = &[
    "account",
    "accounts",
    "address",
    "addresses",
    "author",
    "bcc",
    "beneficiary",
    "bucket",
    "cc",
    "cmd",
    "command",
    "commands",
    "contact",
    "cwd",
    "dest",
    "destination",
    "dir",
    "directory",
    "domain",
    "domains",
    "email",
    "emails",
    "file",
    "filename",
    "filepath",
    "files",
    "folder",
    "from",
    "host",
    "hostname",
    "hosts",
    "iban",
    "ip",
    "mail",
    "mailbox",
    "member",
    "origin",
    "owner",
    "path",
    "paths",
    "payee",
    "payees",
    "payer",
    "phone",
    "recipient",
    "recipients",
    "repo",
    "repository",
    "script",
    "sender",
    "server",
    "shell",
    "target",
    "to",
    "uri",
    "url",
    "urls",
    "user",
    "username",
    "users",
    "vendor",
    "wallet",
];

/// `sendTo`, `send_to` and `send-to` are `send`, `to`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut lower_before = false;
    for character in name.chars() {
        let boundary = !character.is_alphanumeric() || (character.is_uppercase() && lower_before);
        if boundary {
            words.push(String::new());
        }
        if character.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(character.to_lowercase());
        }
        lower_before = character.is_lowercase();
    }
    words
}

/// A literal, or an extension value or set of literals.
pub(super) fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_) => true,
        Expr::UnaryOp { op: UnaryOp::Decimal | UnaryOp::Datetime | UnaryOp::Duration | UnaryOp::Ip, expr } => {
            is_literal(expr)
        }
        Expr::Set(items) => items.iter().all(|item| is_literal(item)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::names_identity;

    #[test]
    fn knows_identities_by_name() {
        for name in ["to", "sendTo", "reply_to", "filePath", "recipient", "user_email", "URL", "command"] {
            assert!(names_identity(name), "{name}");
        }
        for name in ["amount", "total", "tone", "mode", "limit", "profile_kind", "format", "query", "id"] {
            assert!(!names_identity(name), "{name}");
        }
    }
}
