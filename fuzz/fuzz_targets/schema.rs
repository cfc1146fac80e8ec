//! Schema generation: a tool's definition, a line feed, and the arguments of a call. Whatever they are,
//! Cedar accepts the schema that is generated and the request that is lifted, or the call is refused.
#![no_main]

use callgate_policy::{Overlay, probe};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(at) = input.iter().position(|byte| *byte == b'\n') else { return };
    let (definition, arguments) = input.split_at(at);
    if let Err(broken) = probe(definition, &arguments[1..], &Overlay::default()) {
        panic!("{broken}");
    }
});
