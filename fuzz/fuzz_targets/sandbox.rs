//! Profiles, plans and what a commit looks into: no text makes a reader panic, no profile that extends another grants more
//! than it, and no setting leads above its folder.
#![no_main]

use callgate_sandbox::{Profiles, check_message, check_names};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check_message(data); // never panics; maps may come in another order than they were written
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert!(check_names(text));
    let Ok(profiles) = Profiles::parse(text) else { return };
    for profile in profiles.iter() {
        assert_eq!(profile.digest(), profile.clone().digest());
        // Every built-in one that it says it tightens, place by place.
        for base in profiles.iter() {
            if profile.tightens(base).is_ok() {
                for place in profile.files.keys() {
                    assert!(profile.access(place) <= base.access(place));
                }
                assert!(profile.limits.memory <= base.limits.memory);
            }
        }
    }
});
