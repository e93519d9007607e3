//! Tables as ClickHouse knows them: types, columns, engines, DDL text, differences.
//!
//! In: checked definitions from `datafile`, answers of the engine's `system` tables.  Out: DDL
//! text, schema differences, and the [`DataType`] that row checking and encoding follow.
//! Promise: pure functions over data; the text that is printed is the text that ClickHouse reads.
//! May use: `syntax`.

pub mod column;
pub mod ddl;
pub mod difference;
pub mod engine;
pub mod expression;
pub mod json_path;
pub mod kafka;
pub mod materialization;
pub mod quarantine;
pub mod quoting;
pub mod spelling;
pub mod table;
pub mod types;

pub use column::{Column, ColumnName};
pub use ddl::TableName;
pub use difference::{Difference, Effect, differences};
pub use engine::{Engine, EngineError, EngineFamily, EngineName, EngineOption, EngineOptions};
pub use expression::Expression;
pub use json_path::{JsonPath, JsonPathError};
pub use table::{Index, Table};
pub use types::{DataType, TypeError};
