//! The built program with a project, and the engine behind it.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::client::{Client, Place};

/// What every call of the server tells the engine, with a format behind it.
const SETTINGS: &str = "session_timezone=UTC&joined_subquery_requires_alias=0&allow_suspicious_types_in_group_by=1\
&allow_suspicious_types_in_order_by=1&allow_dynamic_type_in_join_keys=1&date_time_input_format=best_effort\
&output_format_json_quote_64bit_integers=0&output_format_json_quote_denormals=0&max_query_size=4194304\
&max_execution_time=60&max_result_bytes=1000000000&readonly=1";

const BIG: &str = "SCHEMA >\n    id UInt64,\n    n UInt32,\n    word String\n\nENGINE \"MergeTree\"\nENGINE_SORTING_KEY \"id\"\n";

/// A server that runs until it is dropped.
pub(crate) struct Server {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
    token: String,
}

impl Server {
    /// Starts a server whose project has so many further endpoints.
    pub(crate) fn start(further: usize) -> Self {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        write_project(&folder.path().join("project"), further);
        std::fs::create_dir(folder.path().join("run")).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_roost"))
            .args(["serve", "--port", "0", "--project", "project", "--data-dir", "data"])
            .current_dir(folder.path())
            .env("XDG_RUNTIME_DIR", folder.path().join("run"))
            .env("ROOST__QUERY__MAX_EXECUTION_SECONDS", "60")
            .env("ROOST__QUERY__MAX_RESULT_BYTES", "1000000000")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port = lines.find_map(|line| line.split_once("http://localhost:")?.1.parse().ok()).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let token =
            std::fs::read_to_string(folder.path().join("data/admin.token")).unwrap().trim().to_owned();
        Self { process, folder, port, token }
    }

    /// A call of the server.
    pub(crate) fn endpoint(&self, path: &str) -> Place {
        let token = &self.token;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
        Place::Tcp { port: self.port, request: request.into_bytes() }
    }

    /// The same SQL that a call of the server sends, for the engine's socket.
    pub(crate) fn engine(&self, path: &str, format: &str) -> Place {
        self.statement(&self.sql(path), &format!("{SETTINGS}&default_format={format}"))
    }

    fn statement(&self, sql: &str, settings: &str) -> Place {
        let length = sql.len();
        let request =
            format!("POST /?{settings} HTTP/1.1\r\nHost: engine\r\nContent-Length: {length}\r\n\r\n{sql}");
        Place::Socket { path: self.socket(), request: request.into_bytes() }
    }

    /// The SQL that a call becomes.
    fn sql(&self, path: &str) -> String {
        let (name, query) = path.split_once('?').unwrap_or((path, ""));
        let name = name.rsplit('/').next().unwrap().split('.').next().unwrap();
        let path = format!("/v0/pipes/{name}/explain?{query}");
        let token = &self.token;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let answer = Client::ask(&Place::Tcp { port: self.port, request: request.into_bytes() });
        let body = &answer[answer.find('{').unwrap()..=answer.rfind('}').unwrap()];
        let plan: serde_json::Value = serde_json::from_str(body).unwrap();
        plan["debug_query"].as_str().unwrap().to_owned()
    }

    /// The child's socket.
    fn socket(&self) -> PathBuf {
        let folders = std::fs::read_dir(self.folder.path().join("run")).unwrap();
        let mut sockets = folders.map(|folder| folder.unwrap().path().join("engine-1.sock"));
        sockets.find(|path| path.symlink_metadata().is_ok()).unwrap()
    }

    /// Writes ten million rows.
    pub(crate) fn fill(&self) {
        let sql = self.sql("/v0/pipes/few.json?first=0");
        let table =
            sql.split_whitespace().skip_while(|word| !word.eq_ignore_ascii_case("from")).nth(1).unwrap();
        let insert = format!(
            "INSERT INTO {table} SELECT number, number % 1000, concat('word ', toString(number % 5000)) FROM numbers(10000000)"
        );
        Client::connect(&self.statement(&insert, "max_insert_threads=1")).call();
        Client::connect(&self.statement(&format!("OPTIMIZE TABLE {table} FINAL"), "")).call();
    }

    /// Resident memory of the server's own process, in MB.
    pub(crate) fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that it has ever been.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_000
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its engine ends within a second of it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn endpoint(sql: &str) -> String {
    format!("NODE answer\nSQL >\n    %\n    {sql}\nTYPE endpoint\n")
}

fn write_project(folder: &Path, further: usize) {
    std::fs::create_dir(folder).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("big.datasource", BIG);
    write("one.pipe", &endpoint("SELECT 1 AS one"));
    write(
        "few.pipe",
        &endpoint(
            "SELECT id, n, word FROM big WHERE id >= {{ UInt64(first) }} AND id < {{ UInt64(first) }} + 10",
        ),
    );
    write(
        "groups.pipe",
        &endpoint(
            "SELECT n, count() AS c, uniq(word) AS w FROM big WHERE id < 1000000 GROUP BY n ORDER BY n LIMIT 10",
        ),
    );
    write("export.pipe", &endpoint("SELECT id, n, word FROM big WHERE id < 1000000"));
    let mut name = String::new();
    for number in 0..further {
        name.clear();
        write!(name, "further_{number}.pipe").unwrap();
        write(
            &name,
            &endpoint(&format!("SELECT id, {number} AS number FROM big WHERE id = {{{{ UInt64(id, 1) }}}}")),
        );
    }
}
