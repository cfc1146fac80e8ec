//! What an argument in a role says: paths, hosts, scripts.

use super::super::secret::is_secret_name;
use super::super::table::Kind;
use super::super::{Argument, Dynamic, Effect, cwd, open, places};
use super::act::Way;
use super::{Act, Walker};

/// What is no file of anybody's.
const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/stdin",
    "/dev/stdout",
    "/dev/stderr",
    "/dev/tty",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

impl Walker<'_> {
    pub(in super::super) fn role(&mut self, kind: Kind, argument: &Argument, act: &mut Act) {
        match kind {
            Kind::Text => {}
            Kind::Reads => self.path(argument, Way::Reads, act),
            Kind::Writes => self.path(argument, Way::Writes, act),
            Kind::Deletes => {
                self.path(argument, Way::Deletes, act);
                act.effect(Effect::Destroys);
            }
            Kind::Changes => {
                self.path(argument, Way::Reads, act);
                self.path(argument, Way::Writes, act);
            }
            Kind::Moves => {
                self.path(argument, Way::Reads, act);
                self.path(argument, Way::Deletes, act);
            }
            Kind::Packs => {
                self.role(Kind::Moves, argument, act);
                // `a.txt` becomes `a.txt.gz`, and `a.txt.gz` becomes `a.txt`.
                let text = argument.prefix();
                let name = text.rfind('/').map_or(0, |at| at + 1);
                let ending = text.get(name..).and_then(|text| text.rfind('.')).filter(|at| *at > 0);
                let end =
                    if argument.known().is_some() { ending.map_or(text.len(), |at| name + at) } else { text.len() };
                self.role(Kind::Prefix, &argument.up_to(end), act);
            }
            Kind::Prefix => {
                let mut all = argument.clone();
                if !argument.is_unknown() {
                    all.push_pattern("*");
                }
                self.path(&all, Way::Writes, act);
            }
            Kind::Script => self.run_file(argument, act),
            Kind::Host => self.host(argument.text().rsplit('@').next().unwrap_or_default(), argument, act),
            Kind::Url => self.url(argument, act),
            Kind::Remote | Kind::RemoteWrites => self.remote(argument, kind == Kind::RemoteWrites, act),
            Kind::Shell => act.script("sh -c", argument.clone(), false),
            Kind::Code => open::code(self, "", argument, act),
            Kind::Variable => {
                if argument.known().is_none_or(is_secret_name) {
                    act.effect(Effect::ReadsCredentials);
                }
            }
            Kind::Package | Kind::PackageOrRepository => {
                open::package(self, argument, kind == Kind::PackageOrRepository, act);
            }
            Kind::Volume => self.volume(argument, act),
            Kind::Argv | Kind::EnvArgv | Kind::ShellArgv => act.argv("", std::slice::from_ref(argument)),
        }
    }

    /// Adds a path.
    pub(in super::super) fn path(&mut self, argument: &Argument, way: Way, act: &mut Act) {
        let text = argument.text();
        if text == "-" && argument.known().is_some() || text.is_empty() && !argument.is_unknown() {
            return;
        }
        if DEVICES.contains(&text) || text.starts_with("/dev/fd/") || text.starts_with("/proc/self/fd/") {
            return;
        }
        let (paths, dynamic) = self.scope.cwd().resolve(argument);
        act.command.dynamic.extend(dynamic);
        if !self.links.is_empty() && paths.iter().any(|path| self.links.holds(path)) {
            act.dynamic(Dynamic::Link);
        }
        for path in &paths {
            // What stands behind a glob says more about what is meant than the path that counts.
            let whole = if argument.is_glob() && text.starts_with('/') { cwd::normal(text, "/") } else { path.clone() };
            places::note(&whole, way, &self.home, act);
            if argument.is_glob()
                && let Some(base) = text.rsplit('/').next()
            {
                places::note(&format!("{}/{base}", path.trim_end_matches('/')), way, &self.home, act);
            }
        }
        // Where it starts is not known, so that it says nothing to be compared.
        act.paths(way).extend(paths.into_iter().filter(|path| path.starts_with('/')));
    }

    /// Adds a file that is run.
    pub(in super::super) fn run_file(&mut self, argument: &Argument, act: &mut Act) {
        act.effect(Effect::Executes);
        if self.is_download(argument) {
            act.effect(Effect::ExecutesDownload);
        }
        self.path(argument, Way::Reads, act);
    }

    /// Whether a file holds what the line downloaded.
    pub(super) fn is_download(&self, argument: &Argument) -> bool {
        if self.downloads.is_empty() {
            return false;
        }
        let (paths, _) = self.scope.cwd().resolve(argument);
        paths.iter().any(|path| self.downloads.holds(path))
    }

    pub(in super::super) fn host(&mut self, host: &str, argument: &Argument, act: &mut Act) {
        if argument.is_unknown() || argument.is_glob() {
            act.dynamic(Dynamic::Host);
            return;
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_');
        if host.is_empty() || !host.bytes().all(plain) {
            act.dynamic(Dynamic::Host);
            return;
        }
        // `host:port`, but not an address of many colons.
        let host = match host.split_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        act.command.hosts.insert(host.trim_end_matches('.').to_ascii_lowercase());
    }

    pub(in super::super) fn url(&mut self, argument: &Argument, act: &mut Act) {
        let text = argument.text();
        if let Some(path) = text.strip_prefix("file://") {
            self.path(&argument.after(text.len() - path.len()), Way::Reads, act);
            return;
        }
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        // What is put into an address is told to its host.
        if argument.is_unknown() {
            act.effect(Effect::Sends);
        }
        // Only an unknown part behind the host leaves the host known.
        let start = text.len() - rest.len();
        let whole = argument.prefix().len() > start + authority.len();
        let host = match host.strip_prefix('[') {
            Some(address) => address.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        if whole || argument.known().is_some() {
            self.host(host, &Argument::literal(host), act);
        } else {
            act.dynamic(Dynamic::Host);
        }
    }

    /// `host:path`, or a path of one's own.
    fn remote(&mut self, argument: &Argument, writes: bool, act: &mut Act) {
        let text = argument.prefix();
        if text.contains("://") {
            self.url(argument, act);
        } else if let Some((host, _)) = text.split_once(':').filter(|(host, _)| !host.contains('/') && !host.is_empty())
        {
            self.host(host.rsplit('@').next().unwrap_or_default(), &Argument::literal(host), act);
            act.effect(if writes { Effect::Sends } else { Effect::Fetches });
        } else {
            self.path(argument, if writes { Way::Writes } else { Way::Reads }, act);
        }
    }

    /// `/on/the/host:/inside`.
    fn volume(&mut self, argument: &Argument, act: &mut Act) {
        let text = argument.text();
        let source = if text.contains("source=") || text.contains("src=") {
            let keyed = |pair: &str| pair.strip_prefix("source=").or_else(|| pair.strip_prefix("src=")).map(str::len);
            let mut at = 0;
            text.split(',')
                .find_map(|pair| {
                    let start = at;
                    at += pair.len() + 1;
                    keyed(pair).map(|length| (start + pair.len() - length, start + pair.len()))
                })
                .map(|(start, end)| argument.after(start).up_to(end - start))
        } else {
            text.split_once(':').map(|(source, _)| argument.up_to(source.len()))
        };
        let Some(source) = source else { return };
        if source.text().starts_with(['/', '.', '~']) || source.is_unknown() {
            self.path(&source, Way::Reads, act);
            if !text.ends_with(":ro") && !text.contains("readonly") {
                self.path(&source, Way::Writes, act);
            }
            if source.text().ends_with("docker.sock") || source.known() == Some("/") {
                act.effect(Effect::Escalates);
            }
        }
    }

    /// An argument of a program that nobody knows: what looks like a path or a URL is one.
    pub(in super::super) fn mention(&mut self, argument: &Argument, act: &mut Act) {
        let text = argument.text();
        if text.contains("://") && !argument.is_unknown() {
            self.url(argument, act);
            return;
        }
        let value = match text.find('=') {
            Some(at) if text.starts_with('-') => argument.after(at + 1),
            _ => argument.clone(),
        };
        if value.text().contains('/') && !value.text().starts_with('-') && !value.is_unknown() {
            self.path(&value, Way::Reads, act);
        }
    }

    /// Effects that follow from the paths as a whole.
    pub(super) fn classify(&mut self, act: &mut Act) {
        if act.recursive && act.command.reads.iter().any(|path| places::holds_credentials(path, &self.home)) {
            act.effect(Effect::ReadsCredentials);
        }
    }
}
