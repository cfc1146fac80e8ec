//! Variables whose names say that they hold a secret.

/// Words that name one, as whole words of a name (`GITHUB_TOKEN`, `npmToken` is written `NPM_TOKEN`).
const SAYS: &[&str] = &[
    "TOKEN",
    "TOKENS",
    "SECRET",
    "SECRETS",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "CREDENTIALS",
    "APIKEY",
    "PGPASSWORD",
    "PAT",
    "PWD_SECRET",
    "AUTHTOKEN",
    "PASS",
    "ACCESSTOKEN",
    "PRIVATEKEY",
    "SECRETKEY",
    "COOKIE",
    "JWT",
    "DSN",
];

/// What stands before `KEY` where the key is no secret.
const HARMLESS_KEYS: &[&str] = &["PUBLIC", "PRIMARY", "FOREIGN", "SORT", "CACHE", "PARTITION", "HOT", "SHORTCUT"];

/// Names that say it in words of their own.
const NAMED: &[&str] =
    &["MYSQL_PWD", "DATABASE_URL", "REDIS_URL", "MONGODB_URI", "MONGO_URL", "SSHPASS", "SLACK_WEBHOOK_URL"];

/// What says that a value is *about* a secret: where it lies, how long it lives.
const ABOUT: &[&str] = &[
    "FILE", "PATH", "DIR", "COUNT", "LIMIT", "LENGTH", "TYPE", "NAME", "EXPIRES", "EXPIRY", "TTL", "URL", "ENDPOINT",
    "BUDGET", "MAX", "SIZE",
];

/// Whether the variable `name` is one that holds a secret, by what it is called.
pub(super) fn is_secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    if NAMED.contains(&upper.as_str()) {
        return true;
    }
    let words: Vec<&str> = upper.split('_').filter(|word| !word.is_empty()).collect();
    // Words of the shell's own: what it looks for in the terminal, how it counts.
    let Some(last) = words.last() else { return false };
    if ABOUT.contains(last) {
        return false;
    }
    words.iter().enumerate().any(|(nth, word)| {
        let ends_in = |tail: &str| word.len() > tail.len() && word.ends_with(tail);
        let key = *word == "KEY" || *word == "KEYS";
        let before = nth.checked_sub(1).and_then(|nth| words.get(nth)).copied().unwrap_or_default();
        SAYS.contains(word)
            || ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "APIKEY"].iter().any(|tail| ends_in(tail))
            || key && nth > 0 && !HARMLESS_KEYS.contains(&before)
    })
}

#[cfg(test)]
mod tests {
    use super::is_secret_name;

    #[test]
    fn names_that_say_secret_are_told_from_those_that_only_sound_like_it() {
        for name in [
            "GITHUB_TOKEN",
            "NPM_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "OPENAI_API_KEY",
            "PGPASSWORD",
            "DB_PASSWORD",
            "MYSQL_PWD",
            "github_token",
            "SSH_PRIVATE_KEY",
            "GOOGLE_CREDENTIALS",
            "CI_JOB_TOKEN",
            "GH_PAT",
            "DATABASE_URL",
            "STRIPE_KEY",
            "AWS_SESSION_TOKEN",
            "SECRET",
            "TOKEN",
            "PASSWORD",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "HOME",
            "PATH",
            "KEYBOARD",
            "TOKENIZERS_PARALLELISM",
            "KEY",
            "PWD",
            "OLDPWD",
            "MONKEY",
            "PUBLIC_KEY",
            "USER",
            "MAX_TOKENS_LIMIT",
            "TOKEN_COUNT",
            "PATTERN",
            "PASSES",
            "COMPASS",
            "SECRET_FILE",
            "KEYMAP",
            "XKB_KEYMAP",
            "SHELL",
            "CACHE_KEY",
            "PRIMARY_KEY",
            "TURKEY",
            "SECRETARY",
            "GITHUB_TOKEN_URL",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
