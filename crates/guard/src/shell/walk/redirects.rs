//! Redirections.

use std::rc::Rc;

use super::super::ast::{Direction, Redirect, Target};
use super::super::{Argument, Dynamic, Effect, Refusal};
use super::act::Way;
use super::{Act, Input, Walker};

impl Walker<'_> {
    /// Adds what redirections read and write.
    pub(super) fn redirect(&mut self, redirects: &[Redirect], act: &mut Act) -> Result<(), Refusal> {
        for redirect in redirects {
            let target = match &redirect.target {
                Target::Document(body) => self.document(body)?,
                Target::Word(word) if redirect.kind == Direction::HereString => {
                    let mut text = self.value(word)?;
                    text.push("\n");
                    text
                }
                Target::Word(word) => self.target(word)?,
            };
            let standard = redirect.fd.as_deref().is_none_or(|fd| fd == "0");
            match redirect.kind {
                Direction::HereString | Direction::HereDocument => {
                    if standard {
                        let text = target.known().map(Rc::from);
                        act.input = Some(Input { given: true, text, ..Input::default() });
                    }
                }
                Direction::Read => {
                    let downloaded = self.file(&target, Way::Reads, act);
                    if standard {
                        act.input = Some(Input { given: true, download: downloaded, ..Input::default() });
                    }
                }
                Direction::ReadWrite => {
                    self.file(&target, Way::Reads, act);
                    self.file(&target, Way::Writes, act);
                }
                Direction::Write | Direction::Append | Direction::Both | Direction::BothAppend => {
                    self.output(redirect, &target, act);
                }
                Direction::DuplicateIn | Direction::DuplicateOut => {
                    let number = |text: &str| text.trim_end_matches('-').bytes().all(|byte| byte.is_ascii_digit());
                    match target.known() {
                        Some(text) if number(text) => {
                            if redirect.kind == Direction::DuplicateIn && standard && text != "0" {
                                act.input = Some(Input { given: true, ..Input::default() });
                            }
                        }
                        // `>&file` is `&>file`.
                        _ if redirect.kind == Direction::DuplicateOut => self.output(redirect, &target, act),
                        _ => act.dynamic(Dynamic::Argument),
                    }
                }
            }
        }
        Ok(())
    }

    fn output(&mut self, redirect: &Redirect, target: &Argument, act: &mut Act) {
        if redirect.fd.as_deref().is_none_or(|fd| fd == "1") {
            act.redirected = true;
        }
        self.file(target, Way::Writes, act);
    }

    /// Adds the file behind a redirection; says whether it holds a download.
    fn file(&mut self, target: &Argument, way: Way, act: &mut Act) -> bool {
        // bash opens a connection for these, and no file.
        for device in ["/dev/tcp/", "/dev/udp/"] {
            if let Some(rest) = target.text().strip_prefix(device) {
                match rest.split('/').next() {
                    Some(host) if target.known().is_some() && !host.is_empty() => {
                        act.command.hosts.insert(host.to_ascii_lowercase());
                    }
                    _ => act.dynamic(Dynamic::Host),
                }
                act.effects(&[Effect::Sends, Effect::Fetches]);
                return true;
            }
        }
        self.path(target, way, act);
        self.is_download(target)
    }
}
