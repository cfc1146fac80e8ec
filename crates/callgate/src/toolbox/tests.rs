//! What no client can bring about: a policy that changes at one certain moment, and a result longer than any tool's.

use std::ffi::OsString;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate_core::seam::{Log, LogError};
use callgate_core::{Entry, Kind, Receipt, Record};
use callgate_policy::{Developer, Exposure, Template};
use callgate_text::{Json, Object};
use callgate_tools::Done;
use tempfile::TempDir;

use super::*;
use crate::assembly::{Assembly, gate, load};

/// A log that only remembers. Once a decision is in it, and before anybody has its permit, somebody has their moment.
struct Remembering {
    records: Mutex<Vec<Record>>,
    moment: Box<dyn Fn() + Send + Sync>,
}

impl Log for Remembering {
    fn append(&self, entry: Entry) -> Later<'_, Result<Receipt, LogError>> {
        let decided = entry.record.kind == Kind::Decision;
        let mut records = self.records.lock().unwrap();
        let index = u64::try_from(records.len()).unwrap();
        records.push(entry.record);
        drop(records);
        if decided {
            (self.moment)();
        }
        Box::pin(std::future::ready(Ok(Receipt { log: "test".to_owned(), index })))
    }
}

/// The tools of a gate on their pack. There is no launcher, so whatever would be launched says that.
struct House {
    toolbox: Toolbox,
    log: Arc<Remembering>,
    _folder: TempDir,
}

impl House {
    fn new(moment: impl Fn(&Path, &Store) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        let (dir, state, workspace) = (at("gate"), at("state"), at("workspace"));
        [&state, &workspace].into_iter().for_each(|path| fs::create_dir(path).unwrap());
        let developer = Developer {
            workspace: workspace.to_str().unwrap().to_owned(),
            home: "/home/a".to_owned(),
            uid: rustix::process::getuid().as_raw(),
            user: "a".to_owned(),
        };
        let floor = "\n[sandbox.profile.floor]\nextends = \"workspace\"\n";
        callgate_policy::init(&dir, &Template::Tools(developer), floor).unwrap();
        let policy = Arc::new(load(&dir, Exposure::Refuse).unwrap());
        let moment = {
            let policy = policy.clone();
            Box::new(move || moment(&dir, &policy))
        };
        let log = Arc::new(Remembering { records: Mutex::default(), moment });
        let gate = Arc::new(gate(policy.clone(), log.clone()).unwrap());
        let nowhere = Launcher::at("/no/such/launcher", Vec::<OsString>::new());
        let toolbox = Toolbox::new(gate, policy, Arc::new(Metrics::new()), nowhere, &state).unwrap();
        Self { toolbox, log, _folder: folder }
    }

    /// Where each decision is followed by another policy.
    fn changing() -> Self {
        let times = AtomicUsize::new(0);
        Self::new(move |dir, store| {
            let id = times.fetch_add(1, Ordering::Relaxed);
            let permit =
                "permit (principal == Agent::\"developer-1\", action == Action::\"callgate.memory\", resource);";
            fs::write(dir.join("policies/more.cedar"), format!("@id(\"more-{id}\")\n{permit}\n")).unwrap();
            store.reload().unwrap();
        })
    }

    fn caller() -> Caller {
        Assembly::named("developer-1".parse().unwrap())
    }

    async fn call(&self, tool: &str, arguments: &str) -> (String, Object) {
        let text = format!(r#"{{"tool":"callgate.{tool}","arguments":{arguments}}}"#);
        let (_, request) = Request::parse(text.as_bytes()).unwrap();
        let (conduct, _progress, _cancel) = Conduct::new();
        match self.toolbox.call(Self::caller(), "test", Ok(request), conduct).await {
            Called::Ran { result, .. } => (result.texts.join("\n"), result.structured),
            Called::Denied(ruling) => panic!("{ruling:?}"),
        }
    }

    /// What the log says became of calls.
    fn outcomes(&self) -> Vec<Json> {
        let records = self.log.records.lock().unwrap();
        let outcomes = records.iter().filter(|record| record.kind == Kind::Outcome);
        outcomes.map(|record| Json::object(record.details.iter().cloned())).collect()
    }

    async fn observed(&self, said: Said) -> ToolResult {
        match self.toolbox.observed(&Self::caller(), "id", Decision::Allow, said).await {
            Called::Ran { result, .. } => result,
            Called::Denied(ruling) => panic!("{ruling:?}"),
        }
    }
}

fn word(structured: &Object, key: &str) -> String {
    structured.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// The workspace and the profile belong to the decision: with another policy in force there is no saying what would run.
#[tokio::test]
async fn what_was_decided_under_another_policy_does_not_run() {
    let calls = [("terminal", r#"{"command":"touch ran"}"#), ("write_file", r#"{"path":"ran","content":""}"#)];
    let changed = House::changing();
    for (tool, arguments) in calls {
        let (text, structured) = changed.call(tool, arguments).await;
        assert_eq!(word(&structured, "state"), "refused", "{tool}: {text}");
        assert!(text.contains("The policy changed"), "{tool}: {text}");
    }
    assert_eq!(changed.outcomes(), vec![Json::object([("status", "not_run")]); 2]);
    // The same files, read again, are the same policy: these calls come as far as the launcher.
    let same = House::new(|_, store| drop(store.reload().unwrap()));
    for (tool, arguments) in calls {
        let (text, structured) = same.call(tool, arguments).await;
        assert_eq!(word(&structured, "state"), "refused", "{tool}: {text}");
        assert!(text.contains("The sandbox cannot be started"), "{tool}: {text}");
    }
}

/// The memory runs in the gate itself and takes nothing from policy but the permit.
#[tokio::test]
async fn what_takes_nothing_else_from_policy_goes_on() {
    let house = House::changing();
    let (text, structured) = house.call("memory", r#"{"operation":"set","key":"k","value":"v"}"#).await;
    assert_eq!(word(&structured, "state"), "done", "{text}");
    assert_eq!(house.outcomes(), [Json::object([("status", "ok")])]);
}

#[tokio::test]
async fn a_result_above_its_bound_is_withheld_as_a_whole() {
    let house = House::new(|_, _| {});
    let said = |text: usize, note: usize, detail: usize| {
        let of = |length: usize| "x".repeat(length);
        let mut details = Object::default();
        details.set("detail", of(detail));
        Said::of_tool(State::Done, Ok(Done { text: of(text), note: Some(of(note)), details }))
    };
    // The word of the state counts as well.
    let most = MOST_TEXT - "done".len();
    for (text, note, detail) in [(most, 0, 0), (0, most, 0), (1, most - 2, 1)] {
        let result = house.observed(said(text, note, detail)).await;
        assert!(!result.is_error, "{:?}", result.structured.get("state"));
        assert_eq!(result.texts.iter().map(String::len).collect::<Vec<_>>(), [text, note]);
    }
    for (text, note, detail) in [(most + 1, 0, 0), (0, most + 1, 0), (0, 0, most + 1), (1, most - 1, 1)] {
        let result = house.observed(said(text, note, detail)).await;
        assert!(result.is_error && word(&result.structured, "state") == "withheld", "{:?}", result.structured);
        assert!(result.texts.iter().all(|text| text.len() < 100) && result.texts[0].contains("8 MiB"));
        assert_eq!(result.structured.iter().count(), 1);
    }
}
