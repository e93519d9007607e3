//! A script of `FastAPI` and chdb that takes events, for comparison: `fastapi_chdb.py`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::client::Place;
use super::process::cpu_of;

/// The script, until it is dropped.
pub(crate) struct Script {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Script {
    /// Starts it with an empty table; `None` where Python lacks what it imports.
    pub(crate) fn start(columns: &str, key: &str) -> Option<Self> {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let create = format!("CREATE TABLE script.events ({columns}) ENGINE = MergeTree ORDER BY {key}");
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/server/fastapi_chdb.py"))
            .arg(folder.path().join("data"))
            .arg(create)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(port) = line.trim().parse() else {
            let _ = process.wait();
            return None;
        };
        Some(Self { process, port, _folder: folder })
    }

    /// The request that Roost gets, for this server.
    pub(crate) fn place(&self, request: &Place) -> Place {
        request.at(self.port)
    }

    /// Seconds of CPU that it has used.
    pub(crate) fn cpu(&self) -> f64 {
        cpu_of(self.process.id())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
