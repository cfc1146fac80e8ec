use proptest::prelude::*;

use super::*;
use crate::host::{Groups, Missing};
use crate::profile::Profiles;

fn host() -> Host {
    let groups = Groups { unified: None, memory: Some("/sys/fs/cgroup/memory".into()) };
    Host { root: true, landlock: 6, missing: Vec::new(), groups }
}

fn request() -> Request {
    Request { command: vec!["true".into()], workspace: Some("/work".into()), ..Request::default() }
}

fn profile(text: &str) -> Profile {
    Profiles::parse(&format!("[profile.x]\n{text}")).unwrap().get("x").unwrap().clone()
}

fn clauses(refusal: Result<Plan, Refusal>) -> Vec<String> {
    refusal.unwrap_err().clauses.into_iter().map(|(clause, _)| clause).collect()
}

#[test]
fn p11_a_clause_that_cannot_be_enforced_refuses_the_launch() {
    let workspace = Profiles::default().get("workspace").unwrap().clone();
    assert!(compile(&workspace, &request(), &host()).is_ok());
    for (part, clause) in [
        (Part::Landlock, "tier"),
        (Part::Seccomp, "tier"),
        (Part::Namespaces, "tier"),
        (Part::OwnProc, "tier"),
        (Part::BuiltRoot, "tier"),
        (Part::CopyOnWrite, "files"),
        (Part::MappedOwner, "files"),
        (Part::MemoryGroup, "memory"),
    ] {
        let lacking = Host { missing: vec![Missing { part, why: "a test".to_owned() }], ..host() };
        assert_eq!(clauses(compile(&workspace, &request(), &lacking)), [clause], "{part}");
    }
    assert_eq!(clauses(compile(&profile("tier = 3"), &request(), &host())), ["tier"]);
}

#[test]
fn named_sockets_are_refused_beside_folders_of_the_host() {
    assert!(compile(&profile("unix_sockets = true"), &request(), &host()).is_ok());
    for open in ["ro", "rw"] {
        let text = format!("unix_sockets = true\n[profile.x.files]\n\"@workspace\" = \"{open}\"");
        assert_eq!(clauses(compile(&profile(&text), &request(), &host())), ["unix_sockets"]);
    }
}

#[test]
fn requests_that_cannot_be_meant_are_refused() {
    let workspace = Profiles::default().get("workspace").unwrap().clone();
    let of = |change: fn(&mut Request)| {
        let mut request = request();
        change(&mut request);
        clauses(compile(&workspace, &request, &host()))
    };
    for folder in ["/", "/usr", "/usr/src", "/etc/x", "/proc/1", "relative", "/a/../usr"] {
        let mut request = request();
        request.workspace = Some(folder.into());
        assert!(!clauses(compile(&workspace, &request, &host())).is_empty(), "{folder}");
    }
    assert_eq!(of(|request| request.command.clear()), ["command"]);
    assert_eq!(of(|request| request.command = vec!["a\0b".into()]), ["command"]);
    assert_eq!(of(|request| request.directory = Some("x".into())), ["directory"]);
}

#[test]
fn secrets_are_placeholders_that_nothing_replaces() {
    let text = "secrets = { TOKEN = \"npm\" }\n[profile.x.env]\npass = [\"TOKEN\"]\nset = { TOKEN = \"b\" }";
    let mut request = request();
    request.environment.insert("TOKEN".into(), "the real one".into());
    let plan = compile(&profile(text), &request, &host()).unwrap();
    let token = plan.environment().iter().find(|(name, _)| name == "TOKEN");
    assert_eq!(token, Some(&("TOKEN".into(), "callgate-secret:npm".into())));
}

proptest! {
    #[test]
    fn a_plan_travels_unchanged(
        words in prop::collection::vec("[^\0]{1,12}", 1..5), folder in "/[a-z]{1,8}(/[a-z.]{1,3}x){0,3}",
        without in prop::collection::vec(prop::sample::select(vec![Layer::Seccomp, Layer::HiddenInit]), 0..3),
    ) {
        prop_assume!(unfit(Path::new(&folder)).is_none());
        let request = Request {
            command: words.into_iter().map(OsString::from).collect(),
            workspace: Some(folder.into()),
            ..Request::default()
        };
        let plan = compile(Profiles::default().get("workspace").unwrap(), &request, &host()).unwrap();
        let plan = without.into_iter().fold(plan, Plan::without);
        let bytes = plan.to_bytes();
        prop_assert_eq!(Plan::from_bytes(&bytes), Ok(plan.clone()));
        prop_assert!(Plan::from_bytes(bytes.get(..bytes.len() - 1).unwrap()).is_err());
        prop_assert_eq!(Plan::from_bytes(&bytes).unwrap().digest(), plan.digest());
        let Plan { ground, errand } = plan;
        for order in [crate::message::Order::Prepare(Box::new(ground)), crate::message::Order::Launch(Box::new(errand))] {
            let bytes = order.to_bytes();
            prop_assert!(crate::message::check_message(&bytes));
            prop_assert_eq!(crate::message::Order::from_bytes(&bytes), Ok(order));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Plan::from_bytes(&bytes);
        let _ = crate::message::Order::from_bytes(&bytes);
        let _ = crate::message::Answer::from_bytes(&bytes);
    }
}

#[test]
fn what_may_change_before_the_launch_is_no_part_of_the_ground() {
    let text = "[profile.x.files]\n\"/home/me/data\" = \"ro\"\n\"/usr/local\" = \"cow\"\n\"/usr/local/bin\" = \"ro\"\n\
                \"/usr/share/doc\" = \"hidden\"\n\"/home\" = \"rw\"\n\"/home/me/empty\" = \"tmpfs\"";
    let plan = compile(&profile(text), &request(), &host()).unwrap();
    let paths = |mounts: &[Mount]| mounts.iter().map(|mount| mount.path.display().to_string()).collect::<Vec<_>>();
    let ready = paths(&plan.ground.mounts);
    assert!(ready.contains(&"/usr".to_owned()) && ready.contains(&"/tmp".to_owned()), "{ready:?}");
    let late = [
        "/home",
        // What lies in what comes late comes after it.
        "/home/agent",
        "/home/me/data",
        "/home/me/empty",
        "/usr/local",
        "/usr/local/bin",
        "/usr/share/doc",
        "/work",
    ];
    assert_eq!(paths(&plan.errand.mounts), late);
}

proptest! {
    /// Whatever is divided, nothing is lost, and what lies in a place comes after it.
    #[test]
    fn what_lies_in_a_place_is_laid_after_it(
        places in prop::collection::btree_map(
            "(/usr|/home|/tmp|/etc|/x)(/[ab]){0,3}", prop::sample::select(vec!["hidden", "tmpfs", "ro", "cow", "rw"]), 0..9,
        ),
    ) {
        let lines: String = places.iter().map(|(place, access)| format!("\"{place}\" = \"{access}\"\n")).collect();
        let Ok(profiles) = Profiles::parse(&format!("[profile.x.files]\n{lines}")) else { return Ok(()) };
        let all = mounts(profiles.get("x").unwrap(), None);
        let (ready, late) = divided(all.clone());
        let laid: Vec<&Mount> = ready.iter().chain(&late).collect();
        prop_assert_eq!(laid.len(), all.len());
        for (index, mount) in laid.iter().enumerate() {
            prop_assert!(all.contains(mount));
            prop_assert!(laid.iter().skip(index).all(|after| !mount.path.starts_with(&after.path) || after == mount));
        }
        prop_assert!(ready.iter().all(|mount| mount.access == Access::Tmpfs || (mount.access == Access::Ro && is_system(&mount.path))));
    }
}
