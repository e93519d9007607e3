//! The built program with a project, and the engine behind it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::client::{Client, Place};

/// What every call of the server tells the engine, with a format behind it.
const SETTINGS: &str = "session_timezone=UTC&joined_subquery_requires_alias=0&allow_suspicious_types_in_group_by=1\
&allow_suspicious_types_in_order_by=1&allow_dynamic_type_in_join_keys=1&date_time_input_format=best_effort\
&output_format_json_quote_64bit_integers=0&output_format_json_quote_denormals=0&max_query_size=4194304\
&max_execution_time=60&max_result_bytes=1000000000&readonly=1";

/// Limits out of the way; an engine that is held up is not taken for dead.
const VARIABLES: [(&str, &str); 5] = [
    ("ROOST__QUERY__MAX_EXECUTION_SECONDS", "60"),
    ("ROOST__QUERY__MAX_RESULT_BYTES", "1000000000"),
    ("ROOST__INGEST__BODY_BYTES", "30000000"),
    ("ROOST__ENGINE__WATCHDOG_MISSES", "1000"),
    ("ROOST__ENGINE__START_TIMEOUT_SECONDS", "120"),
];

/// Datafiles by their names.
pub(crate) type Project = Vec<(String, String)>;

/// A server that runs until it is dropped.
pub(crate) struct Server {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
    token: String,
}

/// `roost serve` in a folder, and the port where it serves.
fn serve(folder: &Path, variables: &[(&str, &str)]) -> (Child, u16) {
    let runtime = folder.join("run");
    // What a server that was killed has left there.
    let _ = std::fs::remove_dir_all(&runtime);
    std::fs::create_dir(&runtime).unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_roost"))
        .args(["serve", "--port", "0", "--project", "project", "--data-dir", "data"])
        .current_dir(folder)
        .env("XDG_RUNTIME_DIR", runtime)
        .envs(VARIABLES)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = lines.find_map(|line| line.split_once("http://localhost:")?.1.parse().ok()).unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    (process, port)
}

impl Server {
    /// Starts a server with a project.
    pub(crate) fn start(project: &Project) -> Self {
        Self::start_with(project, &[])
    }

    /// Starts a server with a project and further settings.
    pub(crate) fn start_with(project: &Project, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        std::fs::create_dir(folder.path().join("project")).unwrap();
        for (name, text) in project {
            std::fs::write(folder.path().join("project").join(name), text).unwrap();
        }
        let (process, port) = serve(folder.path(), variables);
        let token =
            std::fs::read_to_string(folder.path().join("data/admin.token")).unwrap().trim().to_owned();
        Self { process, folder, port, token }
    }

    /// A call of the server.
    pub(crate) fn endpoint(&self, path: &str) -> Place {
        self.get(path, "")
    }

    /// A call of the server that the engine has to answer.
    pub(crate) fn fresh(&self, path: &str) -> Place {
        self.get(path, "Cache-Control: no-cache\r\n")
    }

    /// A call of the server with further headers.
    pub(crate) fn get(&self, path: &str, headers: &str) -> Place {
        let token = &self.token;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
        );
        Place::Tcp { port: self.port, request: request.into_bytes() }
    }

    /// A request that posts events.
    pub(crate) fn events(&self, query: &str, body: &str) -> Place {
        self.post(query, "", body.as_bytes())
    }

    /// The same with a packed body.
    pub(crate) fn events_packed(&self, query: &str, encoding: &str, body: &[u8]) -> Place {
        self.post(query, &format!("Content-Encoding: {encoding}\r\n"), body)
    }

    fn post(&self, query: &str, headers: &str, body: &[u8]) -> Place {
        let (token, length) = (&self.token, body.len());
        let head = format!(
            "POST /v0/events?{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        Place::Tcp { port: self.port, request: [head.as_bytes(), body].concat() }
    }

    /// Where it serves.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The same SQL that a call of the server sends, for the engine's socket.
    pub(crate) fn engine(&self, path: &str, format: &str) -> Place {
        self.statement(&self.sql(path), &format!("{SETTINGS}&default_format={format}"))
    }

    /// The same, written as the server has short answers written: by one thread.
    pub(crate) fn engine_as_asked(&self, path: &str, format: &str) -> Place {
        let settings = format!("{SETTINGS}&output_format_parallel_formatting=0&default_format={format}");
        self.statement(&self.sql(path), &settings)
    }

    /// A request that inserts a block straight into a table.
    pub(crate) fn insert(&self, table: &str, block: &[u8]) -> Place {
        let (length, settings) = (block.len(), "async_insert=0&max_insert_threads=1");
        let head = format!(
            "POST /?{settings}&query=INSERT%20INTO%20{table}%20FORMAT%20Native HTTP/1.1\r\nHost: engine\r\nContent-Length: {length}\r\n\r\n"
        );
        Place::Socket { path: self.socket(), request: [head.as_bytes(), block].concat() }
    }

    /// The rows that a query gives, as one block.
    pub(crate) fn block(&self, sql: &str) -> Vec<u8> {
        let length = sql.len();
        let request = format!(
            "POST /?wait_end_of_query=1&default_format=Native&max_threads=1&max_block_size=1000000 HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{sql}"
        );
        let answer = Client::ask(&Place::Socket { path: self.socket(), request: request.into_bytes() });
        let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        answer[head..].to_vec()
    }

    /// A number of the server's, of the series with this name.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let token = &self.token;
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let answer = Client::ask_text(&Place::Tcp { port: self.port, request: request.into_bytes() });
        let value = answer.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Runs a statement on the engine; its answer, as tab-separated text.
    pub(crate) fn run(&self, sql: &str) -> String {
        let length = sql.len();
        let request = format!(
            "POST /?wait_end_of_query=1 HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{sql}"
        );
        let answer = Client::ask_text(&Place::Socket { path: self.socket(), request: request.into_bytes() });
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{sql}: {answer}");
        body.trim().to_owned()
    }

    /// The database of the workspace.
    pub(crate) fn database(&self) -> String {
        self.run(
            "SELECT name FROM system.databases WHERE startsWith(name, 'w_') AND NOT endsWith(name, '_stage') FORMAT LineAsString",
        )
    }

    /// Kills the server and its engine, and starts it again on the same data; how long that took
    /// until it served.
    pub(crate) fn restart(&mut self) -> Duration {
        let engine = self.engine_id();
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = kill_process(engine, Signal::KILL);
        while test_kill_process(engine).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let began = Instant::now();
        (self.process, self.port) = serve(self.folder.path(), &[]);
        began.elapsed()
    }

    /// Holds the engine up, or lets it go on.
    pub(crate) fn signal_engine(&self, signal: Signal) {
        kill_process(self.engine_id(), signal).unwrap();
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Seconds of CPU that the server and its engine have used.
    pub(crate) fn cpu(&self) -> f64 {
        let engine = self.engine_id().as_raw_nonzero().get().unsigned_abs();
        [self.process.id(), engine].map(cpu_of).iter().sum()
    }

    /// The server's child.
    fn engine_id(&self) -> Pid {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let parent = |id: i32| -> Option<u32> {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
        };
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let child = ids.into_iter().find(|id| parent(*id) == Some(self.process.id())).unwrap();
        Pid::from_raw(child).unwrap()
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
        let answer = Client::ask_text(&Place::Tcp { port: self.port, request: request.into_bytes() });
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

    /// Resident memory of its engine, in MB.
    pub(crate) fn engine_memory(&self) -> u64 {
        status_of(self.engine_id().as_raw_nonzero().get().unsigned_abs(), "VmRSS:")
    }

    fn status(&self, key: &str) -> u64 {
        status_of(self.process.id(), key)
    }
}

/// Megabytes that the kernel says of a process.
fn status_of(process: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_000
}

/// Seconds of CPU that a process has used, of hundredths that Linux counts.
pub(crate) fn cpu_of(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let numbers: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let hundredths = |place: usize| numbers[place].parse::<u32>().unwrap();
    f64::from(hundredths(11) + hundredths(12)) / 100.0
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its engine ends within a second of it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
