//! The two-minute proof: a real gate, real MCP servers, real clients, and a journal that only a tool
//! that really ran can write to.

mod contained;
mod house;
mod row;
mod server;
mod table;
mod tools;

pub(crate) use house::{Report, run};
pub(crate) use row::Outcome;
pub(crate) use server::serve;
