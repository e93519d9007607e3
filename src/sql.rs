//! SQL as text to be cut, read, guarded and joined; never to be run.
//!
//! In: SQL of nodes, callers and row filters, after templates have been rendered.  Out: the tables
//! it reads, the reasons to refuse it, and one composed query in which every name is a physical
//! table or a subquery.  Promise: what is not understood where a table name may stand is an error
//! and never skipped; the text between the replaced names stays as it was, byte for byte.
//! May use: `syntax`.

pub mod compose;
pub mod error;
pub mod filter;
pub mod gate;
pub mod lexer;
pub mod quote;
pub mod scan;
pub mod statement;
pub mod token;

pub use compose::{Composed, Resolution, Resolver, compose};
pub use error::{Situation, SqlError};
pub use filter::RowFilter;
pub use gate::Gate;
pub use statement::Statement;
pub use token::{Token, TokenKind};
