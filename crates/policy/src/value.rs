//! Values of arguments that lie in a hierarchy: paths, hosts, URLs, mailboxes.
//!
//! Each is parsed once into a normal form, so that every spelling of one thing is one entity, and what
//! readers could take for two things is refused. Policy then compares with `==` and `in`, never by text.

mod ancestors;
mod fault;
mod holds;
mod host;
mod mailbox;
mod path;
mod place;
mod types;
mod url;
mod zone;

pub use ancestors::Ancestors;
pub use types::value_entity_types;

pub(crate) use fault::{Fault, visible};
pub(crate) use holds::{exclude, holds};
pub(crate) use path::Root;
pub(crate) use place::{Place, Value, common_path};
pub(crate) use types::ValueType;
