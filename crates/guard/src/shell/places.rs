//! Places that mean something: where credentials lie, what runs by itself, what is the system's.

use super::Effect;
use super::cwd::is_inside;
use super::walk::{Act, Way};

mod listed;

use listed::{HARMLESS_NAMES, SECRET_HOME, SECRET_NAMES, SECRET_ROOT, START_HOME, START_INSIDE, START_ROOT, SYSTEM};

/// Adds the effects that follow from reading, writing or deleting `path`.
pub(super) fn note(path: &str, way: Way, home: &str, act: &mut Act) {
    let own = below_home(path, home);
    match way {
        Way::Reads => {
            if is_secret(path, own) {
                act.effect(Effect::ReadsCredentials);
            }
        }
        Way::Writes => {
            let start = own.is_some_and(|own| START_HOME.iter().any(|place| is_below(own, place)))
                || is_of_the_system(path) && START_ROOT.iter().any(|place| is_at(path, place))
                || path.contains("/.") && START_INSIDE.iter().any(|place| contains(path, place));
            if start {
                act.effect(Effect::Persists);
            }
            if SYSTEM.iter().any(|place| is_inside(path, place)) {
                act.effect(Effect::ChangesSystem);
            }
            if is_disk(path) {
                act.effect(Effect::Destroys);
            }
        }
        Way::Deletes => {
            if contains(path, "/.git") {
                act.effect(Effect::RewritesHistory);
            }
            if SYSTEM.iter().any(|place| is_inside(path, place)) {
                act.effect(Effect::ChangesSystem);
            }
        }
    }
}

/// Whether a path could be one of those that are listed by where they stand from the root: a cheap look at its start.
fn is_of_the_system(path: &str) -> bool {
    let first = path.get(1..).unwrap_or_default().split('/').next().unwrap_or_default();
    matches!(
        first,
        "etc" | "var" | "run" | "private" | "dev" | "proc" | "root" | "lib" | "usr" | "Library" | "System" | "opt"
    ) || has_glob(first)
}

/// Whether `path`, read with everything in it, has credentials in it.
pub(super) fn holds_credentials(path: &str, home: &str) -> bool {
    let plain = path.trim_end_matches("/*");
    let plain = if plain.is_empty() { "/" } else { plain };
    is_inside(home, plain)
        || matches!(plain, "/home" | "/Users" | "/root" | "/etc" | "/var/lib" | "/run" | "/proc")
        || below_home(path, home) == Some("")
        || below_home(plain, home) == Some(".config")
}

fn is_secret(path: &str, own: Option<&str>) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    if name == "config" && own == Some(".ssh/config") {
        return false;
    }
    let globbed = has_glob(name);
    if !globbed && HARMLESS_NAMES.iter().any(|pattern| fits(pattern, name)) {
        return false;
    }
    if own.is_some_and(|own| SECRET_HOME.iter().any(|place| is_below(own, place))) {
        return true;
    }
    if is_of_the_system(path) && SECRET_ROOT.iter().any(|place| is_at(path, place)) {
        return true;
    }
    if let Some(rest) = path.strip_prefix("/proc/") {
        let mut parts = rest.split('/').skip(1);
        if matches!(parts.next(), Some("environ" | "mem" | "maps" | "root" | "fd"))
            && rest.split('/').next() != Some("self")
        {
            return true;
        }
        if rest.ends_with("/environ") {
            return true;
        }
    }
    if !globbed {
        return SECRET_NAMES.iter().any(|pattern| fits(pattern, name));
    }
    let all = name.bytes().all(|byte| matches!(byte, b'*' | b'?'));
    !all && SECRET_NAMES.iter().any(|pattern| meets(name, pattern))
}

/// The part of `path` below some home directory.
fn below_home<'p>(path: &'p str, home: &str) -> Option<&'p str> {
    if let Some(rest) = path.strip_prefix(home).filter(|_| home != "/") {
        return match rest.strip_prefix('/') {
            Some(rest) => Some(rest),
            None => rest.is_empty().then_some(""),
        };
    }
    for homes in ["/home/", "/Users/"] {
        if let Some(rest) = path.strip_prefix(homes) {
            return Some(rest.split_once('/').map_or("", |(_, rest)| rest));
        }
    }
    if let Some(rest) = path.strip_prefix("/root") {
        return rest.strip_prefix('/').or_else(|| rest.is_empty().then_some(""));
    }
    path.strip_prefix("/~").map(|rest| rest.split_once('/').map_or("", |(_, rest)| rest))
}

/// Whether `path` is `place` or in it; a glob is if it could match.
fn is_below(path: &str, place: &str) -> bool {
    let mut components = path.split('/');
    for wanted in place.split('/') {
        match components.next() {
            Some(component) if component == wanted => {}
            Some(component) if has_glob(component) => return matches(component, wanted),
            _ => return false,
        }
    }
    true
}

fn is_at(path: &str, place: &str) -> bool {
    is_below(path.trim_start_matches('/'), place.trim_start_matches('/'))
}

/// Whether `/a/b` stands somewhere in `path` as whole components.
fn contains(path: &str, place: &str) -> bool {
    path.match_indices(place).any(|(at, _)| {
        let rest = path.get(at + place.len()..).unwrap_or_default();
        rest.is_empty() || rest.starts_with('/')
    })
}

fn is_disk(path: &str) -> bool {
    let Some(device) = path.strip_prefix("/dev/") else { return false };
    ["sd", "hd", "vd", "xvd", "nvme", "mmcblk", "disk", "rdisk", "dm-", "md", "mapper/", "loop"]
        .iter()
        .any(|kind| device.starts_with(kind))
}

/// Whether `name`, which holds no glob, is what a pattern of ours means: text with at most one `*`.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail),
    }
}

fn has_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether the glob `pattern` matches `text`. Brackets match any one character: what is asked is whether it could.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Where the last star was, and how much of the text it had taken.
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        let (step, fits) = match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
                continue;
            }
            Some('?') => (1, true),
            Some('[') => {
                let rest = pattern.get(at + 1..).unwrap_or_default();
                (rest.iter().position(|letter| *letter == ']').map_or(1, |end| end + 2), true)
            }
            Some(letter) => (1, text.get(place) == Some(letter)),
            None => (0, false),
        };
        if fits {
            at += step;
            place += 1;
        } else if let Some((back, taken)) = star {
            at = back + 1;
            place = taken + 1;
            star = Some((back, place));
        } else {
            return false;
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|letter| *letter == '*')
}

/// Whether two patterns could match one name; exact where only one of them holds a glob.
fn meets(one: &str, other: &str) -> bool {
    if !has_glob(other) {
        return matches(one, other);
    }
    // `*.pem` and `server.p*`: what both fix at their ends must fit.
    let head = |text: &str| text.chars().take_while(|letter| !matches!(letter, '*' | '?' | '[')).collect::<String>();
    let tail =
        |text: &str| text.chars().rev().take_while(|letter| !matches!(letter, '*' | '?' | ']')).collect::<Vec<_>>();
    let (head_one, head_other) = (head(one), head(other));
    let (tail_one, tail_other) = (tail(one), tail(other));
    let heads = head_one.starts_with(&head_other) || head_other.starts_with(&head_one);
    let tails = tail_one.starts_with(&tail_other) || tail_other.starts_with(&tail_one);
    let closed = !tail_one.is_empty() && !tail_other.is_empty();
    heads && tails && closed
}
