//! Any text is read as a file of each kind, at both levels; every problem has a place that can be drawn.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roost::datafile::{Kind, Options, Strictness, parse};
use roost::syntax::{Sources, render};

fuzz_target!(|text: &str| {
    for strictness in [Strictness::Tolerant, Strictness::Strict] {
        let options = Options { strictness, ..Options::default() };
        for kind in [Kind::Datasource, Kind::Pipe, Kind::Connection] {
            let mut sources = Sources::new();
            let source = sources.add("file", text);
            let parsed = parse(kind, "file", source, text, &options);
            let is_broken = parsed.diagnostics.iter().any(|diagnostic| diagnostic.is_error());
            assert_eq!(parsed.definition.is_none(), is_broken, "{:?}", parsed.diagnostics);
            for diagnostic in &parsed.diagnostics {
                assert!(diagnostic.primary.span.end <= text.len(), "{diagnostic:?}");
            }
            // Drawing takes longer than everything before it.
            if let Some(diagnostic) = parsed.diagnostics.last() {
                render::plain(&sources, diagnostic);
            }
        }
    }
});
