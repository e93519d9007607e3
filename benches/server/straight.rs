//! The engine without Roost, in a process of its own: `straight.c` beside the library.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::process::cpu_of;

/// An engine that inserts text as JSONEachRow, through its C ABI.
pub(crate) struct Straight {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
}

/// Inserts of one text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inserts<'a> {
    pub(crate) threads: usize,
    pub(crate) times: usize,
    pub(crate) text: &'a str,
}

impl Straight {
    /// Builds and starts it, with an empty table of these columns.
    pub(crate) fn start(columns: &str, key: &str) -> Self {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let program = folder.path().join("straight");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/server/straight.c");
        let built =
            Command::new("cc").args(["-O2", "-o"]).arg(&program).args([source, "-ldl", "-lpthread"]).status();
        assert!(built.unwrap().success(), "the C compiler builds straight.c");
        let create = format!("CREATE TABLE straight.events ({columns}) ENGINE = MergeTree ORDER BY {key}");
        let mut process = Command::new(program)
            .arg(library())
            .arg(folder.path().join("data"))
            .arg(create)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, input, output, folder }
    }

    /// Seconds that the inserts took.
    pub(crate) fn run(&mut self, inserts: Inserts<'_>) -> f64 {
        let path = self.folder.path().join("text");
        std::fs::write(&path, inserts.text).unwrap();
        let mut line = String::new();
        writeln!(line, "{} {} {}", inserts.threads, inserts.times, path.display()).unwrap();
        self.input.write_all(line.as_bytes()).unwrap();
        line.clear();
        self.output.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    /// Seconds of CPU that it has used.
    pub(crate) fn cpu(&self) -> f64 {
        cpu_of(self.process.id())
    }
}

fn library() -> PathBuf {
    std::env::var_os("ROOST_ENGINE_LIB").unwrap().into()
}

impl Drop for Straight {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
