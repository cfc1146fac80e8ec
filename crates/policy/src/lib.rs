//! Layer 2: what may this agent do? Cedar policies, typed by the tools' own schemas.
//!
//! A gate directory ([`GateFiles`]) becomes a [`GateSnapshot`], everything or nothing, and a [`Store`] holds
//! the one in force. The snapshot answers `core::judge` with what policies are satisfied; how permits, forbids
//! and approvals combine is core's.

mod built_in;
mod cache;
mod catalogue;
mod check;
mod config;
mod entities;
mod explain;
mod facts;
mod files;
mod finding;
mod hidden;
mod index;
mod init;
mod load;
pub mod lock;
mod operations;
mod pins;
mod policies;
mod population;
mod protocol;
mod schema;
mod slice;
mod slots;
mod snapshot;
mod standing;
mod store;
mod testing;
mod trace;
mod truth;
mod value;

pub use config::{Config, GateConfig, HttpConfig, LogConfig, Mode, ServerConfig, with_mode};
pub use files::{Exposure, GateFiles, exposed};
pub use finding::{Finding, LoadError, Rule, Severity, render};
pub use init::{Developer, Template, init, starter};
pub use load::{Loaded, load};
pub use operations::{COMMIT, RUN, SERVER};
pub use schema::{Additional, Kind, Lifted, Overlay, Probed, SchemaError, ToolType, Unchecked, probe};
pub use snapshot::GateSnapshot;
pub use store::{Look, Monotonic, Store};
pub use testing::{Coverage, TakeApart, TestReport, TestResult, run_tests, run_tests_with};
pub use value::{Ancestors, value_entity_types};
