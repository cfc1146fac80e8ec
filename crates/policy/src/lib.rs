//! Layer 2: what may this agent do? Cedar policies, typed by the tools' own schemas.

mod schema;
mod value;

pub use schema::{Additional, Kind, Lifted, Overlay, SchemaError, ToolType};
pub use value::{Ancestors, value_entity_types};
