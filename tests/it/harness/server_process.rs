//! The built program as a person runs it: to stop, kill, start again and read along.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use roost::engine::{EngineClient, Location};
use rustix::process::{Pid, Signal, kill_process};

use super::api::{ApiClient, ServerUrl};
use super::permit::Permit;
use super::{EngineProcess, Folder, Project, engine_of, library, program, within};

/// A start or stop may take so long on a busy machine, with batches to be looked for.
const PATIENCE: Duration = Duration::from_mins(1);

/// A project and a data directory, and the variables that the program is run with.
pub(crate) struct ServerFolder {
    folder: Folder,
    variables: Vec<(String, String)>,
}

/// `roost serve`, serving, with the right to an engine of its own.
pub(crate) struct ServerProcess {
    running: Running,
    folder: ServerFolder,
    url: ServerUrl,
    _permit: Permit,
}

/// A run of the program whose output is read along; killed when dropped.
pub(crate) struct Running {
    child: Child,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// The way to a server's engine past the server, to whichever engine runs.
#[derive(Clone)]
pub(crate) struct SideDoor {
    runtime: PathBuf,
}

impl SideDoor {
    /// The engine of the moment, and the database of the workspace; `None` while there is none.
    pub(crate) async fn open(&self) -> Option<(EngineClient, String)> {
        let path = self.socket()?;
        let (_, location) = tokio::sync::watch::channel(Location::Socket { generation: 1, path });
        let engine = EngineClient::following(location);
        let sql =
            "SELECT name FROM system.databases WHERE startsWith(name, 'w_') AND NOT endsWith(name, '_stage')";
        let found = engine.rows::<serde_json::Value>(sql).await.ok()?;
        Some((engine, found.first()?["name"].as_str()?.to_owned()))
    }

    /// The socket that was made last.
    fn socket(&self) -> Option<PathBuf> {
        let folders = std::fs::read_dir(&self.runtime).ok()?.flatten();
        let ours = folders.filter(|entry| entry.file_name().to_string_lossy().starts_with("roost-"));
        let sockets = ours.filter_map(|folder| std::fs::read_dir(folder.path()).ok()).flatten().flatten();
        let made = |entry: &std::fs::DirEntry| entry.metadata().and_then(|data| data.modified()).ok();
        sockets.max_by_key(made).map(|entry| entry.path())
    }
}

impl ServerFolder {
    pub(crate) fn new(project: &Project) -> Self {
        let folder = Self { folder: Folder::new(), variables: Vec::new() };
        folder.write(project);
        folder
    }

    /// Sets a variable for every run.
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts another project in the place of the present one.
    pub(crate) fn write(&self, project: &Project) {
        std::fs::create_dir_all(self.project()).unwrap();
        project.write(&self.project());
    }

    /// The project's directory. Its name holds a space, as some people's do.
    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("my project")
    }

    /// The data directory: the default one, `.roost` in the current directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.project().join(".roost")
    }

    /// The program with some arguments, in the project's directory and a bare environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        let kept = ["PATH", "HOME"].map(|name| (name, std::env::var_os(name).unwrap_or_default()));
        command.args(arguments).current_dir(self.project()).env_clear().envs(kept);
        // A killed server leaves the engine's socket behind; here it goes with the folder.
        command.env("XDG_RUNTIME_DIR", self.folder.path());
        command.env("ROOST_ENGINE_LIB", library()).envs(self.variables.clone());
        command
    }

    /// Runs `roost serve` on a free port; it may turn out to refuse.
    pub(crate) fn run(&self) -> Running {
        Running::start(self.command(&["serve", "--port", "0"]))
    }

    /// What `roost serve` says when it refuses to start.
    pub(crate) async fn refusal(&self) -> String {
        let (status, output) = self.run().ended().await;
        assert_eq!(status.code(), Some(1), "{output}");
        output
    }

    /// Starts a server, when it is this test's turn.
    pub(crate) async fn start(self) -> ServerProcess {
        let permit = Permit::take();
        let running = self.run();
        let url = ServerUrl::default();
        let mut server = ServerProcess { running, folder: self, url, _permit: permit };
        server.wait_until_it_serves().await;
        server
    }

    /// The lines of `roost token ls`: name, rights, text.
    pub(crate) fn tokens(&self) -> Vec<Vec<String>> {
        let output = self.command(&["token", "ls"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| {
                line.split("  ").map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
            })
            .collect()
    }
}

impl ServerProcess {
    /// Serves a project from a data directory of its own.
    pub(crate) async fn start(project: &Project) -> Self {
        ServerFolder::new(project).start().await
    }

    async fn wait_until_it_serves(&mut self) {
        let running = &mut self.running;
        let began = Instant::now();
        let url = async || {
            let ended = running.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {}", running.output());
            assert!(began.elapsed() < PATIENCE, "the server does not serve: {}", running.output());
            running.announced_url()
        };
        let (url, _) = within(PATIENCE * 2, "the server says where it serves", url).await;
        self.url.set(url);
    }

    /// Starts the server again after it ended, on the same data.
    pub(crate) async fn start_again(&mut self) {
        self.running = self.folder.run();
        self.wait_until_it_serves().await;
    }

    /// Starts the server with further variables, and waits for nothing: it may never serve.
    pub(crate) fn try_start(&mut self, variables: &[(&str, &str)]) {
        let mut command = self.folder.command(&["serve", "--port", "0"]);
        command.envs(variables.iter().copied());
        self.running = Running::start(command);
    }

    /// True where the process has ended, by itself or not.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.running.child.try_wait().unwrap().is_some()
    }

    /// The engine's process, if there is one now.
    pub(crate) fn find_engine(&self) -> Option<EngineProcess> {
        engine_of(&self.folder.data().join("engine"))
    }

    /// The way to the engine past the server.
    pub(crate) fn side_door(&self) -> SideDoor {
        SideDoor { runtime: self.folder.folder.path().to_owned() }
    }

    /// A caller with the admin token of the data directory.
    pub(crate) fn admin(&self) -> ApiClient {
        let token = std::fs::read_to_string(self.folder.data().join("admin.token")).unwrap();
        self.anonymous().with_token(token.trim())
    }

    /// A caller with the token of this name, as `roost token ls` shows it.
    pub(crate) fn token(&self, name: &str) -> ApiClient {
        let tokens = self.folder.tokens();
        let line = tokens.iter().find(|line| line[0] == name);
        self.anonymous().with_token(line.unwrap_or_else(|| panic!("{name} in {tokens:?}")).last().unwrap())
    }

    /// A caller without a token. It follows the server to its next port.
    pub(crate) fn anonymous(&self) -> ApiClient {
        ApiClient::anonymous(self.url.clone())
    }

    /// Where the server listens.
    pub(crate) fn url(&self) -> String {
        self.url.get()
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.running.child.id()
    }

    /// Its directories.
    pub(crate) fn folder(&self) -> &ServerFolder {
        &self.folder
    }

    /// The engine's process, as soon as there is one.
    pub(crate) async fn engine(&self) -> EngineProcess {
        let data = self.folder.data().join("engine");
        within(PATIENCE, "the engine runs", async || engine_of(&data)).await.0
    }

    /// Everything printed and logged so far, as soon as it holds a text.
    pub(crate) async fn output_with(&self, text: &str) -> String {
        let found = async || Some(self.running.output()).filter(|output| output.contains(text));
        within(PATIENCE, text, found).await.0
    }

    /// The largest amount of memory that the server itself has held, in bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.running.kill();
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.running.child), signal).unwrap();
    }

    /// Waits for the end of a server that was told to stop: how it ended, and its whole output.
    pub(crate) async fn ended(&mut self) -> (ExitStatus, String) {
        self.running.wait().await
    }

    /// Gives the directories back, with no server on them.
    pub(crate) fn into_folder(self) -> ServerFolder {
        drop(self.running);
        self.folder
    }
}

impl Running {
    /// Runs a command.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let readers = vec![
            read_along(child.stdout.take().unwrap(), Arc::clone(&output)),
            read_along(child.stderr.take().unwrap(), Arc::clone(&output)),
        ];
        Self { child, output, readers }
    }

    /// Waits for the program's own end: its status and whole output.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        self.wait().await
    }

    async fn wait(&mut self) -> (ExitStatus, String) {
        let ended = async || self.child.try_wait().unwrap();
        let (status, _) = within(PATIENCE * 2, "the program ends", ended).await;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status, self.output())
    }

    fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// The address that `roost serve` prints once it serves.
    fn announced_url(&self) -> Option<String> {
        let output = self.output();
        let (_, url) = output.split_once(" on http://localhost:")?;
        let (port, _) = url.split_once('\n')?;
        // The name can mean ::1 to a client; the server listens on 127.0.0.1.
        Some(format!("http://127.0.0.1:{port}"))
    }

    fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Collects what the program writes, piece by piece.
fn read_along(mut pipe: impl Read + Send + 'static, output: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut piece = [0; 8192];
        while let Ok(length) = pipe.read(&mut piece) {
            if length == 0 {
                return;
            }
            output.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    })
}
