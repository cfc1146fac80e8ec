//! One-liners in other languages: what can be said of them without running them.
//!
//! The code is read as words and strings. Calls that are known to run a program, to touch a file or to talk to a host
//! are opened where their first argument is a plain string. Words by which code makes code or reaches such a call under
//! another name make it dynamic, and so does every language that is not read here. A word that is in no list passes: of
//! a library that nobody listed nothing is known, so this is a help for consent, and the sandbox is the guarantee.

use super::super::table::Kind;
use super::super::walk::{Act, Walker};
use super::super::{Argument, Dynamic, Effect};

mod words;

use words::{DELETE, MAKE, READ, RUN, TALK, TWO, WRITE};

/// The languages whose words are known here, by how their interpreters' names begin. Code in any other is dynamic.
const READ_HERE: [&str; 14] =
    ["python", "pypy", "ipython", "perl", "ruby", "irb", "node", "deno", "bun", "ts-node", "tsx", "zx", "php", "lua"];

/// Adds what `code` in `language` does.
pub(in super::super) fn code(walker: &mut Walker<'_>, language: &str, code: &Argument, act: &mut Act) {
    act.effect(Effect::Executes);
    let Some(text) = code.known() else {
        act.dynamic(Dynamic::Code);
        return;
    };
    let tokens = tokens(text, language);
    let mut defined: Vec<&str> = Vec::new();
    for (nth, token) in tokens.iter().enumerate() {
        let Token::Word(word) = token else {
            if let Token::Shell(script) = token {
                act.script(language, Argument::literal(script.as_str()), false);
                act.dynamic(Dynamic::Code);
            }
            continue;
        };
        let word = word.as_str();
        let opens = matches!(tokens.get(nth + 1), Some(Token::Sign('(')));
        // Perl and Ruby call without parentheses.
        let bare = matches!(language, "perl" | "ruby") && matches!(tokens.get(nth + 1), Some(Token::Text(_)));
        let first = tokens.get(nth + if opens { 2 } else { 1 });
        let listed = matches!(first, Some(Token::Sign('[')));
        let sets = matches!(tokens.get(nth + 1), Some(Token::Sign('=')))
            && !matches!(tokens.get(nth + 2), Some(Token::Sign('=')));
        let binds = matches!(nth.checked_sub(1).and_then(|before| tokens.get(before)), Some(Token::Word(before))
            if matches!(before.as_str(), "for" | "as" | "const" | "let" | "var" | "my" | "def" | "lambda" | "function" | "in"));
        if opens || bare {
            if RUN.contains(&word) {
                run(first, listed, &tokens, nth, language, act);
                continue;
            }
            let one = |kind: Kind, walker: &mut Walker<'_>, act: &mut Act| match first {
                Some(Token::Text(path)) if plain_end(tokens.get(nth + if opens { 3 } else { 2 })) => {
                    walker.role(kind, &Argument::literal(path.as_str()), act);
                }
                _ => act.dynamic(Dynamic::Path),
            };
            if DELETE.contains(&word) {
                one(Kind::Deletes, walker, act);
                continue;
            }
            if WRITE.contains(&word) {
                one(Kind::Changes, walker, act);
                // `copy(a, b)`: the second is written, too.
                let listed = matches!(tokens.get(nth + 3), Some(Token::Sign(',')));
                if let Some(Token::Text(path)) = tokens.get(nth + 4).filter(|_| listed && TWO.contains(&word)) {
                    walker.role(Kind::Writes, &Argument::literal(path.as_str()), act);
                }
                continue;
            }
            if READ.contains(&word) && !(word == "require" && language == "node") {
                one(Kind::Reads, walker, act);
                continue;
            }
            if word == "open" || word == "fopen" || word == "openSync" || word == "File" || word == "Path" {
                let mode = match (tokens.get(nth + 3), tokens.get(nth + 4)) {
                    (Some(Token::Sign(',')), Some(Token::Text(mode))) => mode.as_str(),
                    (Some(Token::Sign(',')), Some(_)) => "w",
                    _ => "r",
                };
                let writes = mode.contains(['w', 'a', 'x', '+', '>']) || language == "perl" || word == "Path";
                one(if writes { Kind::Changes } else { Kind::Reads }, walker, act);
                if language == "perl" && text.contains('|') {
                    act.dynamic(Dynamic::Code);
                }
                continue;
            }
        }
        if TALK.contains(&word) {
            act.effects(&[Effect::Sends, Effect::Fetches]);
            let hosts: Vec<&String> = tokens
                .iter()
                .filter_map(|token| match token {
                    Token::Text(text) if text.contains("://") => Some(text),
                    _ => None,
                })
                .collect();
            if hosts.is_empty() {
                act.dynamic(Dynamic::Host);
            }
            for host in hosts {
                walker.url(&Argument::literal(host.as_str()), act);
            }
            continue;
        }
        if MAKE.contains(&word) {
            let harmless = match word {
                "loads" => tokens.iter().any(|token| matches!(token, Token::Word(word) if word == "json")),
                "process" => {
                    matches!(tokens.get(nth + 2), Some(Token::Word(next)) if matches!(next.as_str(), "version" | "versions" | "argv" | "platform" | "cwd" | "exit" | "stdin" | "stdout" | "arch"))
                }
                "import" => true,
                "assert" => language == "python",
                // Of text in Lua; of data elsewhere.
                "load" => !language.starts_with("lua"),
                "decode" => true,
                "eval" => false,
                "subprocess" | "child_process" => {
                    // The call that follows is what matters; there must be one that was read.
                    tokens.iter().any(|token| matches!(token, Token::Word(word) if RUN.contains(&word.as_str())))
                }
                _ => false,
            };
            if !harmless {
                act.dynamic(Dynamic::Code);
            }
            continue;
        }
        if sets || binds {
            defined.push(word);
        }
        if RUN.contains(&word) || DELETE.contains(&word) || word == "open" {
            // A dangerous word that is not called here may be called under another name.
            let before = nth.checked_sub(1).and_then(|before| tokens.get(before));
            let plain = matches!(word, "run" | "call" | "execute" | "remove" | "delete" | "rm" | "open");
            if !plain || sets || matches!(before, Some(Token::Sign('.' | '=' | ',' | '['))) {
                act.dynamic(Dynamic::Code);
            }
        }
        if word == "environ" || word == "ENV" || word == "getenv" {
            act.effect(Effect::ReadsCredentials);
        }
    }
    // Commands of an editor or a debugger, strings that nobody reads, and names that are taken under another name.
    let odd = tokens.iter().any(|token| match token {
        Token::Odd => true,
        Token::Text(text) => RUN.contains(&text.as_str()) || MAKE.contains(&text.as_str()) && text != "import",
        _ => false,
    });
    let renamed = tokens.iter().any(|token| matches!(token, Token::Word(word) if word == "as"))
        && tokens.iter().any(|token| {
            matches!(token, Token::Word(word)
                if RUN.contains(&word.as_str()) || DELETE.contains(&word.as_str()) || matches!(word.as_str(), "subprocess" | "os" | "shutil" | "open"))
        });
    let piped =
        language == "perl" && text.contains('|') && text.contains("open") || language == "ruby" && text.contains("%x");
    // A member whose name is put together where it is used.
    let put_together = tokens.windows(3).any(|three| {
        matches!(
            three,
            [Token::Sign('['), Token::Text(_), Token::Sign('+')] | [Token::Sign('+'), Token::Text(_), Token::Sign(']')]
        )
    });
    let is_read = READ_HERE.iter().any(|known| language.starts_with(known));
    if !is_read || odd || renamed || piped || put_together {
        act.dynamic(Dynamic::Code);
    }
}

fn run(first: Option<&Token>, listed: bool, tokens: &[Token], nth: usize, language: &str, act: &mut Act) {
    if listed {
        let mut argv = Vec::new();
        for token in tokens.iter().skip(nth + 3) {
            match token {
                Token::Text(text) => argv.push(Argument::literal(text.as_str())),
                Token::Sign(',') => {}
                Token::Sign(']') => break,
                _ => argv.push(Argument::unknown()),
            }
        }
        act.argv(language, &argv);
        return;
    }
    match first {
        Some(Token::Text(script)) => {
            // `execFile("rm", ["-rf", "/"])`, `exec "rm", "-rf", "/"`.
            let mut script = script.clone();
            let mut known = true;
            let from = tokens
                .iter()
                .skip(nth)
                .position(|token| matches!(token, Token::Text(_)))
                .map_or(nth, |at| nth + at + 1);
            for token in tokens.iter().skip(from) {
                match token {
                    Token::Text(text) => {
                        script.push(' ');
                        script.push_str(text);
                    }
                    Token::Sign(',' | '[') => {}
                    Token::Sign(')' | ']' | ';' | '\n') => break,
                    _ => {
                        known = false;
                        break;
                    }
                }
            }
            act.script(language, Argument::literal(script), false);
            if !known {
                act.dynamic(Dynamic::Code);
            }
        }
        _ => act.dynamic(Dynamic::Code),
    }
}

/// Whether the string before is a whole argument.
fn plain_end(token: Option<&Token>) -> bool {
    matches!(token, None | Some(Token::Sign(')' | ',' | ';' | '\n')) | Some(Token::Word(_)))
}

/// A piece of code.
enum Token {
    Word(String),
    /// A string without escapes or expansions.
    Text(String),
    /// A string that a shell runs.
    Shell(String),
    Sign(char),
    /// A string of which this reader does not know what it is.
    Odd,
}

fn tokens(text: &str, language: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' | '"' | '`' => {
                let mut inner = String::new();
                let mut plain = true;
                let mut closed = false;
                while let Some(next) = letters.next() {
                    if next == '\\' {
                        match letters.next() {
                            Some('n') => inner.push('\n'),
                            Some('t') => inner.push('\t'),
                            Some(escaped @ ('\\' | '"' | '\'' | '/')) => inner.push(escaped),
                            _ => plain = false,
                        }
                        continue;
                    }
                    if next == letter {
                        closed = true;
                        break;
                    }
                    inner.push(next);
                }
                let expands = match language {
                    "perl" | "php" => letter == '"' && inner.contains(['$', '@']),
                    "ruby" => letter == '"' && inner.contains("#{"),
                    "node" => letter == '`' && inner.contains("${"),
                    _ => false,
                };
                tokens.push(match (letter, plain && closed && !expands) {
                    ('`', _) if matches!(language, "perl" | "ruby" | "php") => Token::Shell(inner),
                    (_, true) => Token::Text(inner),
                    (_, false) => Token::Odd,
                });
            }
            '#' if language == "python" => while letters.next_if(|next| *next != '\n').is_some() {},
            letter if letter == '_' || letter.is_alphabetic() => {
                let mut word = String::from(letter);
                while let Some(next) = letters.next_if(|next| *next == '_' || next.is_alphanumeric()) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
            ' ' | '\t' => {}
            other => tokens.push(Token::Sign(other)),
        }
    }
    tokens
}
