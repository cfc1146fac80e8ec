//! Paths, compared component by component and never as text.
//!
//! The normal form of an absolute path is `/a/b`, without `.`, `..`, empty components or a slash at the
//! end. A path that is relative to a place of the tool's own is `./a/b`, and that place is `.`; it is
//! never inside an absolute path. Normalising is lexical: what a symbolic link does, only whoever opens
//! the file can see, so the sandbox and the executor resolve beneath their own root.

use super::fault::{Fault, visible};

const LONGEST: usize = 4096;
const DEEPEST: usize = 128;

/// Where a relative path starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root(String);

impl Root {
    /// `.`, or an absolute path.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        if text == "." { Ok(Self(text.to_owned())) } else { normal(text, None).map(Self) }
    }
}

/// The normal form of an argument.
pub(crate) fn normal(text: &str, root: Option<&Root>) -> Result<String, Fault> {
    check(text)?;
    let mut normal = match (text.strip_prefix('/'), root) {
        (Some(_), _) => String::new(),
        (None, Some(Root(root))) => relative(text).map(|()| root.trim_end_matches('/').to_owned())?,
        (None, None) => return Err(Fault("is a relative path, and the gate does not know where it starts")),
    };
    let floor = normal.len();
    for component in text.split('/') {
        match component {
            "" | "." => {}
            ".." if normal.len() == floor => return Err(Fault("leaves its root by `..`")),
            ".." => normal.truncate(normal.rfind('/').unwrap_or(floor).max(floor)),
            dots if dots.trim_matches([' ', '.']).is_empty() => {
                return Err(Fault("has a component of nothing but dots and spaces"));
            }
            name => {
                normal.push('/');
                normal.push_str(name);
            }
        }
    }
    Ok(if normal.is_empty() { "/".to_owned() } else { normal })
}

/// The normal form of an argument that starts in `cwd`, an absolute path; `..` leads out of it.
pub(crate) fn normal_in(text: &str, cwd: &str) -> Result<String, Fault> {
    check(text)?;
    if text.starts_with('/') {
        return normal(text, None);
    }
    relative(text)?;
    normal(&format!("{}/{text}", cwd.trim_end_matches('/')), None)
}

/// What a uid that a policy names must look like: a normal form, absolute or below `.`.
pub(super) fn canonical(id: &str) -> Result<String, Fault> {
    normal(id, Some(&Root(".".to_owned())))
}

/// The proper ancestors of a normal form, nearest first.
pub(super) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| match path.rfind('/')? {
        0 if path.len() == 1 => None,
        0 => path.get(..1),
        slash => path.get(..slash),
    })
    .skip(1)
}

/// The deepest path that both are, or are inside of.
pub(super) fn common<'a>(a: &'a str, b: &str) -> Option<&'a str> {
    std::iter::once(a).chain(ancestors(a)).find(|ancestor| within(b, ancestor))
}

/// Whether a normal form is another, or inside of it.
pub(super) fn within(path: &str, ancestor: &str) -> bool {
    match path.strip_prefix(ancestor) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || ancestor == "/",
        None => false,
    }
}

fn check(text: &str) -> Result<(), Fault> {
    if text.len() > LONGEST || text.split('/').count() > DEEPEST {
        return Err(Fault("is longer or deeper than a path may be"));
    }
    visible(text)?;
    if text.contains('\\') {
        return Err(Fault("holds a backslash, which some systems take for a separator"));
    }
    if text.starts_with("//") {
        return Err(Fault("starts with two slashes, which some systems take for a network path"));
    }
    Ok(())
}

/// What a shell, a tool or another system would not start at the root.
fn relative(text: &str) -> Result<(), Fault> {
    let first = text.split('/').next().unwrap_or(text);
    if first.starts_with(['~', '$', '%']) {
        return Err(Fault("starts with a character that tools expand"));
    }
    if first.contains(':') {
        return Err(Fault("starts with a drive or a scheme"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(root: &str) -> Root {
        Root::read(root).expect("a root")
    }

    #[test]
    fn spellings_of_one_path_are_one_path() {
        for text in ["/workspace/a/b", "/workspace//a/./b/", "/workspace/x/../a/b", "/workspace/a/b/c/..", "/../a"] {
            let expected =
                if text == "/../a" { Err(Fault("leaves its root by `..`")) } else { Ok("/workspace/a/b".to_owned()) };
            assert_eq!(normal(text, None), expected, "{text}");
        }
        assert_eq!(normal("/", None).as_deref(), Ok("/"));
        assert_eq!(normal("/%2e%2e/etc", None).as_deref(), Ok("/%2e%2e/etc"), "percent signs are literal");
        assert_eq!(normal("/a/..b/...c", None).as_deref(), Ok("/a/..b/...c"));
    }

    #[test]
    fn in_a_directory_of_the_hosts_paths_go_where_the_host_would_go() {
        for (text, cwd, expected) in [
            ("id_rsa", "/home/me/.ssh", Some("/home/me/.ssh/id_rsa")),
            (".", "/home/me/.ssh", Some("/home/me/.ssh")),
            ("../.ssh/id_rsa", "/home/me/project", Some("/home/me/.ssh/id_rsa")),
            ("x", "/", Some("/x")),
            ("/etc/x", "/home/me", Some("/etc/x")),
            ("../../../..", "/home/me", None),
            ("~/x", "/home/me", None),
            ("$HOME", "/home/me", None),
        ] {
            assert_eq!(normal_in(text, cwd).ok().as_deref(), expected, "{text} in {cwd}");
        }
    }

    #[test]
    fn relative_paths_need_a_root_and_stay_below_it() {
        assert!(normal("a", None).is_err());
        for (text, root, expected) in [
            ("a/b", "/workspace", Some("/workspace/a/b")),
            ("", "/workspace", Some("/workspace")),
            (".", "/workspace", Some("/workspace")),
            ("a", "/", Some("/a")),
            ("a/../b", ".", Some("./b")),
            (".", ".", Some(".")),
            ("/etc/passwd", ".", Some("/etc/passwd")),
            ("../x", "/workspace", None),
            ("a/../../x", "/workspace", None),
            ("a/../../workspace-evil", "/workspace", None),
            ("..", ".", None),
            ("~/x", "/workspace", None),
            ("~root/x", ".", None),
            ("$HOME/x", "/workspace", None),
            ("C:/x", "/workspace", None),
            ("file:///etc/passwd", "/workspace", None),
        ] {
            assert_eq!(normal(text, Some(&at(root))).ok().as_deref(), expected, "{text} at {root}");
        }
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        for text in [
            "/workspace\\..\\etc",
            "//server/share",
            "/workspace/\0",
            "/a\n/b",
            "/a\u{202E}b",
            "/a\u{200B}b",
            "/a\u{E0041}",
            "/cafe\u{301}",
            "/workspace/.. /etc",
            "/workspace/.../x",
            "/a/ /b",
            "/a\u{A0}b",
            &"/a".repeat(3000),
        ] {
            assert!(normal(text, None).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ancestors_are_whole_components() {
        let above = |path| ancestors(path).collect::<Vec<_>>();
        assert_eq!(above("/workspace/a"), ["/workspace", "/"]);
        assert_eq!(above("./a/b"), ["./a", "."]);
        assert!(above("/").is_empty() && above(".").is_empty());
        assert_eq!(common("/w/a/b", "/w/a/c"), Some("/w/a"));
        assert_eq!(common("/w", "/w-evil"), Some("/"));
        assert_eq!(common("/w", "/w/x"), Some("/w"));
        assert_eq!(common("/w", "./w"), None);
        assert_eq!(common("./w/a", "./w/b"), Some("./w"));
        assert_eq!(common("./w", "./v"), Some("."));
    }

    proptest! {
        #[test]
        fn never_escapes_its_root(text in "[a-z./ ~]{0,24}") {
            if let Ok(path) = normal(&text, Some(&at("/workspace"))) {
                prop_assert!(text.starts_with('/') || within(&path, "/workspace"), "{text} -> {path}");
            }
        }

        #[test]
        fn agrees_with_a_plain_stack(parts in proptest::collection::vec("[ab]|\\.|\\.\\.|", 0..12)) {
            let text = format!("/r/{}", parts.join("/"));
            let mut stack = Some(vec!["r"]);
            for part in &parts {
                match part.as_str() {
                    "" | "." => {}
                    ".." => stack = stack.filter(|s| !s.is_empty()).map(|mut s| { s.pop(); s }),
                    name => stack = stack.map(|mut s| { s.push(name); s }),
                }
            }
            prop_assert_eq!(normal(&text, None).ok(), stack.map(|s| format!("/{}", s.join("/"))));
        }

        #[test]
        fn normal_forms_stay(text in "\\PC{0,24}") {
            if let Ok(path) = normal(&text, Some(&at("."))) {
                prop_assert_eq!(canonical(&path), Ok(path.clone()));
                prop_assert!(!path.split('/').skip(1).any(|part| part == ".." || part == "."));
            }
        }
    }
}
