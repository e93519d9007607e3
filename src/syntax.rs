//! Source texts, positions in them, and problems found there, as data.
//!
//! In: nothing but text handed over by callers.  Out: [`Sources`], [`Span`], [`Diagnostic`], and
//! their drawing in [`render`].  Promise: parsers describe *all* problems of a text as values;
//! nothing is drawn before the edge of the program.  May not use: any other room, I/O, async.

pub mod diagnostic;
pub mod render;
pub mod source;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use source::{Position, Source, SourceId, Sources, Span};
