//! The leaf that both sides of the gate share: strict JSON, its canonical form and its digest.
//!
//! Callgate decides on a parsed view of a call and forwards the original bytes. That is only sound
//! if every conforming parser reads the same call from those bytes, so [`Json::parse`] refuses what
//! parsers disagree about: duplicate or case-colliding keys, lone surrogates, numbers that change in
//! a double, over-deep and over-long documents. What it accepts has exactly one canonical form
//! ([`Json::canonical`], RFC 8785) and so one [`Digest`].
//!
//! ```
//! use callgate_text::{Digest, Json};
//!
//! let call = Json::parse(br#"{"to": "ann", "amount": 50.00}"#)?;
//! assert_eq!(call.canonical(), br#"{"amount":50,"to":"ann"}"#);
//! assert!(Json::parse(br#"{"to": "ann", "To": "eve"}"#).is_err());
//! assert!(Digest::of(&call.canonical()).to_string().starts_with("sha256:"));
//! # Ok::<(), callgate_text::JsonError>(())
//! ```

mod canonical;
mod digest;
mod escaped;
mod hidden;
mod json;
mod number;
mod scan;

pub use digest::{Digest, DigestError, Digesting, hex};
pub use escaped::escaped;
pub use hidden::{Revealed, reveal};
pub use json::{Json, Object};
pub use number::Number;
pub use scan::{JsonError, JsonFault, MAX_BYTES, MAX_DEPTH};
