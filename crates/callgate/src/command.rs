//! The commands, one file each.

pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod decide;
pub(crate) mod demo;
pub(crate) mod doctor;
mod door;
pub(crate) mod hook;
pub(crate) mod init;
pub(crate) mod install;
pub(crate) mod mcp;
pub(crate) mod operator;
pub(crate) mod policy;
pub(crate) mod reload;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod serve;
pub(crate) mod shell;
pub(crate) mod status;
pub(crate) mod tool;
pub(crate) mod tools;
