use std::collections::BTreeSet;

use callgate_sandbox::{Groups, Host, Profiles, Request, compile};
use proptest::prelude::*;

use super::*;

fn key(agent: u8, session: u8, profile: &str) -> Key {
    let host = Host { root: true, landlock: 6, missing: Vec::new(), groups: Groups::default() };
    let request = Request { command: vec!["true".into()], ..Request::default() };
    let plan = compile(Profiles::default().get(profile).unwrap(), &request, &host).unwrap();
    let session = (session > 0).then(|| format!("s-{session}").parse().unwrap());
    Key { agent: format!("agent-{agent}").parse().unwrap(), session, ground: plan.ground().clone() }
}

/// Makes ready what is wanted, as the thread does; the names of those that gave way.
fn fill(shelf: &mut Shelf<u32>, next: &mut u32, now: Instant) -> Vec<u32> {
    let mut gone = Vec::new();
    while let (Some(key), policy, gives_way) = shelf.next() {
        gone.extend(gives_way.map(|ready| ready.standby));
        *next += 1;
        assert_eq!(shelf.put(key, *next, policy, now), None);
    }
    gone
}

#[test]
fn one_is_taken_by_whom_it_was_made_for_and_once() {
    let now = Instant::now();
    let (mut shelf, mut next) = (Shelf::default(), 0);
    let own = key(1, 1, "workspace");
    assert!(shelf.want(own.clone(), 2));
    assert!(!shelf.want(own.clone(), 2), "it is wanted already");
    fill(&mut shelf, &mut next, now);
    for other in [key(2, 1, "workspace"), key(1, 2, "workspace"), key(1, 0, "workspace"), key(1, 1, "read-only")] {
        assert_eq!(shelf.take(&other), None, "{other:?}");
    }
    assert_eq!((shelf.take(&own), shelf.take(&own), shelf.take(&own)), (Some(2), Some(1), None));
    assert!(!shelf.want(own, 0), "none is wanted");
}

#[test]
fn an_agent_makes_room_for_itself_and_takes_none_of_others() {
    let now = Instant::now();
    let (mut shelf, mut next) = (Shelf::default(), 0);
    for session in 1..=6 {
        shelf.want(key(1, session, "workspace"), 1);
    }
    assert_eq!(fill(&mut shelf, &mut next, now), [1, 2], "its oldest give way to its newest");
    for agent in 2..=9 {
        shelf.want(key(agent, 0, "workspace"), 2);
    }
    assert_eq!(fill(&mut shelf, &mut next, now), Vec::<u32>::new(), "nobody else's do");
    assert_eq!(shelf.ready.len(), MOST_IN_ALL);
    assert_eq!(shelf.take(&key(9, 0, "workspace")), None, "there was no room for the last");
    // Who floods still only moves its own.
    for session in 10..=40 {
        shelf.want(key(1, session, "workspace"), 4);
        fill(&mut shelf, &mut next, now);
    }
    for agent in 2..=7 {
        assert!(shelf.take(&key(agent, 0, "workspace")).is_some());
    }
}

#[test]
fn what_nobody_comes_for_ends() {
    let (mut shelf, mut next, now) = (Shelf::default(), 0, Instant::now());
    shelf.want(key(1, 0, "workspace"), 1);
    fill(&mut shelf, &mut next, now);
    assert!(shelf.idle(now + IDLE - Duration::from_secs(1)).is_empty());
    assert_eq!(shelf.idle(now + IDLE).len(), 1);
    assert_eq!(shelf.take(&key(1, 0, "workspace")), None);
}

#[test]
fn what_was_made_ready_under_another_policy_or_after_the_end_is_given_back() {
    let (mut shelf, now) = (Shelf::<u32>::default(), Instant::now());
    let own = key(1, 0, "workspace");
    shelf.want(own.clone(), 1);
    let (wanted, policy, _) = shelf.next();
    assert!(shelf.retain(|_| true).is_empty());
    assert_eq!(shelf.put(wanted.unwrap(), 7, policy, now), Some(7));
    // The wish itself stays, if it may.
    let (wanted, policy, _) = shelf.next();
    assert_eq!(shelf.put(wanted.unwrap(), 8, policy, now), None);
    assert_eq!(shelf.retain(|_| false).len(), 1);
    assert_eq!(shelf.take(&own), None);
    shelf.closed = true;
    assert!(!shelf.want(own.clone(), 1));
    assert_eq!(shelf.put(own, 9, shelf.policy, now), Some(9));
}

proptest! {
    /// Whatever is wanted and taken in whatever order: nobody gets another's, nothing is used twice, and no bound breaks.
    #[test]
    fn bounds_and_owners_hold(steps in prop::collection::vec((0_u8..4, 1_u8..8, 0_u8..3, any::<bool>(), 0_usize..9), 1..80)) {
        let (mut shelf, mut next, now) = (Shelf::default(), 0, Instant::now());
        let (mut made, mut used) = (std::collections::BTreeMap::new(), BTreeSet::new());
        for (what, agent, session, wide, count) in steps {
            let key = key(agent, session, if wide { "workspace" } else { "read-only" });
            match what {
                0 | 1 => { shelf.want(key, count); }
                2 => if let Some(taken) = shelf.take(&key) {
                    prop_assert!(used.insert(taken), "used twice");
                    prop_assert_eq!(made.get(&taken), Some(&format!("{key:?}")));
                },
                _ => while let (Some(key), policy, _) = shelf.next() {
                    next += 1;
                    made.insert(next, format!("{key:?}"));
                    prop_assert_eq!(shelf.put(key, next, policy, now), None);
                },
            }
            prop_assert!(shelf.ready.len() <= MOST_IN_ALL && shelf.wanted.len() <= MOST_WANTED);
            for agent in 1..8 {
                let own = shelf.ready.iter().filter(|ready| ready.key.agent.to_string() == format!("agent-{agent}"));
                prop_assert!(own.count() <= MOST_OF_AGENT);
            }
        }
    }
}
