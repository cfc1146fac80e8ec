//! A call that must be denied, sent through the real host: its model is a stand-in, all else is as it is.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use callgate_text::{Json, Object};

use super::model::{self, Model, Say};
use super::{Scope, SettingsFile};

/// How long the host may take for its two turns.
const PATIENCE: Duration = Duration::from_secs(60);

/// One way to start the host: each is somebody's attempt to be rid of hooks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    /// What is tried.
    pub(crate) name: &'static str,
    arguments: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    user_settings: &'static str,
    project_settings: &'static str,
}

const PLAIN: Trial =
    Trial { name: "as usual", arguments: &[], variables: &[], user_settings: "{}", project_settings: "{}" };

/// The host as it is, and the switches that turn off hooks which are not managed.
pub(crate) const TRIALS: [Trial; 6] = [
    PLAIN,
    Trial { name: "--bare", arguments: &["--bare"], ..PLAIN },
    Trial { name: "--safe-mode", arguments: &["--safe-mode"], ..PLAIN },
    Trial { name: "CLAUDE_CODE_SIMPLE=1", variables: &[("CLAUDE_CODE_SIMPLE", "1")], ..PLAIN },
    Trial { name: "disableAllHooks of the user", user_settings: r#"{"disableAllHooks":true}"#, ..PLAIN },
    Trial { name: "disableAllHooks of a repository", project_settings: r#"{"disableAllHooks":true}"#, ..PLAIN },
];

/// What became of a canary at the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sung {
    /// The call ran.
    pub(crate) ran: bool,
    /// What the host told its model, if it told it that the call failed.
    pub(crate) told: Option<String>,
    /// The last that the host said, if that was an error.
    pub(crate) complaint: String,
}

impl Trial {
    /// Has the host call a tool with `word` in its arguments.
    pub(crate) async fn run(&self, program: &Path, scope: Scope, word: &str) -> Result<Sung> {
        let place = tempfile::tempdir()?;
        let (home, work, mark) = (place.path().join("home"), place.path().join("work"), place.path().join("mark"));
        std::fs::create_dir_all(work.join(".claude"))?;
        std::fs::create_dir(&home)?;
        let own = match scope {
            // The user's hook stands in the user's settings; the rest of that directory is left alone.
            Scope::User => super::claude_code::settings(scope)?.settings,
            Scope::Managed => Object::default(),
        };
        write(&home.join("settings.json"), own, self.user_settings)?;
        write(&work.join(".claude/settings.json"), Object::default(), self.project_settings)?;

        let told = Arc::new(Mutex::new(None));
        let command = format!("printf %s {word} > '{}'", mark.display());
        let script = {
            let told = Arc::clone(&told);
            move |request: &Json| match model::results(request).pop() {
                None => {
                    let input = Json::object([("command", Json::from(command.as_str()))]);
                    Say::Call(vec![("toolu_canary".to_owned(), "Bash".to_owned(), input)])
                }
                Some(result) => {
                    *told.lock().unwrap_or_else(PoisonError::into_inner) = Some((result.is_error, result.text));
                    Say::Text("done".to_owned())
                }
            }
        };
        let model = Model::start(Arc::new(script)).await?;
        let mut host = tokio::process::Command::new(program);
        host.args(["-p", "--dangerously-skip-permissions"]).args(self.arguments).arg("go");
        host.current_dir(&work).env_clear().stdin(Stdio::null()).kill_on_drop(true);
        host.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        host.envs([
            ("ANTHROPIC_BASE_URL", model.url().as_str()),
            ("ANTHROPIC_API_KEY", "none"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            // Nothing but the hook shall stand in the way, not even the host's care for root.
            ("IS_SANDBOX", "1"),
        ]);
        host.env("HOME", &home).env("CLAUDE_CONFIG_DIR", &home).envs(self.variables.iter().copied());
        let ended =
            tokio::time::timeout(PATIENCE, host.output()).await.context("the host did not end in a minute")??;
        let complaint = String::from_utf8_lossy(&ended.stderr).lines().last().unwrap_or_default().to_owned();
        let told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let told = told.and_then(|(is_error, text)| is_error.then_some(text));
        Ok(Sung { ran: mark.exists(), told, complaint })
    }
}

fn write(path: &Path, mut settings: Object, more: &str) -> Result<()> {
    let more = Json::parse(more.as_bytes())?;
    for (key, value) in more.as_object().into_iter().flat_map(Object::iter) {
        settings.set(key, value.clone());
    }
    SettingsFile::read(path.to_owned())?.write(&settings).or_else(|error| match settings.is_empty() {
        true => Ok(()),
        false => Err(error),
    })
}
