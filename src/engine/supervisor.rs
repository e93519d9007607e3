//! The parent's side of the child: start, readiness, watchdog, restart, stop.
//!
//! All of it runs on one thread of its own, which lives as long as the server: the kernel's death
//! signal is tied to the *thread* that started the child, so a worker of an async runtime must not
//! start it.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::client::Location;
use super::embedded::child::READY;
use crate::config::{EmbeddedEngine, Sandbox};

/// The longest path that a Unix socket's address holds, with its final NUL.
const MAX_SOCKET_PATH: usize = 108;
/// How often the supervisor looks up from waiting for the child.
const TICK: Duration = Duration::from_millis(200);

/// How the child is run.
#[derive(Debug, Clone)]
pub struct ChildOptions {
    /// What the operator set.
    pub settings: EmbeddedEngine,
    /// How long a start may take.
    pub start_timeout: Duration,
    /// The engine's data directory, absolute.
    pub data: PathBuf,
    /// An existing directory for the socket's own directory; short.
    pub runtime: PathBuf,
}

/// Why the engine does not run.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The socket's directory cannot be made safe.
    #[error("cannot use the socket directory {path}: {reason}")]
    SocketDirectory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// This very program cannot be found on disk.
    #[error("cannot find this program's own file: {0}; engine.executable can name it")]
    Executable(std::io::Error),
    /// The child could not be started at all.
    #[error("cannot start the engine process {executable}: {reason}")]
    Spawn {
        /// The program.
        executable: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The child ended before it was ready; its own message is on standard error.
    #[error("the engine process ended at its start ({0}); its own message stands above")]
    Ended(String),
    /// The child did not get ready in time.
    #[error("the engine was not ready after {0:?}; engine.start_timeout_seconds allows more")]
    NotReady(Duration),
    /// A thread could not be started.
    #[error("cannot start the supervisor's thread: {0}")]
    Thread(std::io::Error),
}

/// Keeps one engine child running until stopped or dropped.
pub struct Supervisor {
    location: watch::Receiver<Location>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Starts the child and waits until it serves.
    pub fn start(options: ChildOptions) -> Result<Self, SupervisorError> {
        let (publish, location) = watch::channel(Location::Away("starting".to_owned()));
        let stopping = Arc::new(AtomicBool::new(false));
        let (report, first) = sync_channel(1);
        let keeper = Keeper { options, publish, stopping: Arc::clone(&stopping), generation: 0 };
        let thread = std::thread::Builder::new()
            .name("engine-supervisor".to_owned())
            .spawn(move || keeper.run(&report))
            .map_err(SupervisorError::Thread)?;
        let started = Self { location, stopping, thread: Some(thread) };
        // The thread always reports once before it ends; a closed channel means that it panicked.
        match first.recv() {
            Ok(Ok(())) => Ok(started),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(SupervisorError::Ended("the supervisor's thread broke".to_owned())),
        }
    }

    /// Where the engine is, as it moves.
    pub fn location(&self) -> watch::Receiver<Location> {
        self.location.clone()
    }

    /// Stops the child in good order; blocks up to the stop grace.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the engine's supervisor broke");
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.end();
    }
}

/// The state of the supervisor's thread.
struct Keeper {
    options: ChildOptions,
    publish: watch::Sender<Location>,
    stopping: Arc<AtomicBool>,
    generation: u64,
}

/// A child that serves.
struct Running {
    child: Child,
    control: UnixStream,
    socket: PathBuf,
}

impl Keeper {
    fn run(mut self, report: &SyncSender<Result<(), SupervisorError>>) {
        let mut backoff = self.options.settings.restart_backoff.initial;
        let mut first = Some(report);
        let directory = match socket_directory(&self.options) {
            Ok(directory) => directory,
            Err(error) => return drop(report.send(Err(error))),
        };
        while !self.stopping.load(Ordering::Acquire) {
            match self.start_child(&directory) {
                Ok(running) => {
                    if let Some(report) = first.take() {
                        let _ = report.send(Ok(()));
                    }
                    let began = Instant::now();
                    self.watch(running);
                    if began.elapsed() > self.options.settings.restart_backoff.max {
                        backoff = self.options.settings.restart_backoff.initial;
                    }
                }
                Err(error) => {
                    if let Some(report) = first.take() {
                        return drop(report.send(Err(error)));
                    }
                    tracing::error!(%error, "the engine does not come back");
                }
            }
            self.pause(backoff);
            backoff = (backoff * 2).min(self.options.settings.restart_backoff.max);
        }
        let _ = std::fs::remove_dir(&directory);
    }

    fn pause(&self, backoff: Duration) {
        if !self.stopping.load(Ordering::Acquire) {
            tracing::warn!(?backoff, "the engine is restarted");
            std::thread::sleep(backoff);
        }
    }

    /// Starts a child with a socket of its own and waits until it says that it is ready.
    fn start_child(&mut self, directory: &Path) -> Result<Running, SupervisorError> {
        self.generation += 1;
        let socket = directory.join(format!("engine-{}.sock", self.generation));
        let listener = bind(&socket).map_err(|reason| directory_error(directory, &reason))?;
        let (control, theirs) = UnixStream::pair().map_err(|reason| directory_error(directory, &reason))?;
        let child = self.spawn(listener.into(), theirs.into())?;
        let mut running = Running { child, control, socket };
        self.wait_until_ready(&mut running)?;
        let location = Location::Socket { generation: self.generation, path: running.socket.clone() };
        self.publish.send_replace(location);
        Ok(running)
    }

    fn spawn(&self, listener: OwnedFd, control: OwnedFd) -> Result<Child, SupervisorError> {
        let settings = &self.options.settings;
        let sandbox = match settings.sandbox {
            Sandbox::Required => "required",
            Sandbox::Preferred => "preferred",
            Sandbox::Off => "off",
        };
        let executable = match &settings.executable {
            Some(executable) => executable.clone(),
            None => std::env::current_exe().map_err(SupervisorError::Executable)?,
        };
        Command::new(&executable)
            .arg("engine")
            .arg("--path")
            .arg(&self.options.data)
            .arg("--library")
            .arg(&settings.library)
            .args(["--sandbox", sandbox])
            .args(["--memory-bytes", &settings.memory_bytes.to_string()])
            .args(["--nice", &settings.nice.to_string()])
            .args(["--parent", &std::process::id().to_string()])
            // The engine reads ~/.clickhouse-local and can print its environment: it gets neither.
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("TZ", "UTC")
            .stdin(Stdio::from(listener))
            .stdout(Stdio::from(control))
            .process_group(0)
            .spawn()
            .map_err(|error| SupervisorError::Spawn { executable, reason: error.to_string() })
    }

    fn wait_until_ready(&self, running: &mut Running) -> Result<(), SupervisorError> {
        let mut answer = [0; READY.len()];
        let _ = running.control.set_read_timeout(Some(self.options.start_timeout));
        let Err(error) = running.control.read_exact(&mut answer) else { return Ok(()) };
        let ended = error.kind() == std::io::ErrorKind::UnexpectedEof;
        if !ended {
            let _ = running.child.kill();
        }
        let status = running.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let _ = std::fs::remove_file(&running.socket);
        Err(if ended {
            SupervisorError::Ended(status)
        } else {
            SupervisorError::NotReady(self.options.start_timeout)
        })
    }

    /// Waits for the end of the child: of its own, after a stop, or by the watchdog.
    fn watch(&self, mut running: Running) {
        let _ = running.control.set_read_timeout(Some(TICK));
        let mut checked = Instant::now();
        let mut misses = 0;
        let mut stop_asked = None;
        while alive(&mut running.control) {
            if self.stopping.load(Ordering::Acquire) {
                let asked = *stop_asked.get_or_insert_with(|| ask_to_stop(&running.control));
                if asked.elapsed() > self.options.settings.stop_grace {
                    let _ = running.child.kill();
                }
            } else if checked.elapsed() >= self.options.settings.watchdog.interval {
                misses = if self.answers(&running.socket) { 0 } else { misses + 1 };
                checked = Instant::now();
                if misses >= self.options.settings.watchdog.misses.get() {
                    tracing::error!(misses, "the engine does not answer and is killed");
                    let _ = running.child.kill();
                }
            }
        }
        self.reap(&mut running);
    }

    fn reap(&self, running: &mut Running) {
        let reason = match running.child.wait() {
            Ok(status) => format!("the engine process ended ({status})"),
            Err(error) => format!("the engine process is gone ({error})"),
        };
        if self.stopping.load(Ordering::Acquire) {
            tracing::info!("{reason}");
        } else {
            tracing::error!("{reason}");
        }
        self.publish.send_replace(Location::Away(reason));
        let _ = std::fs::remove_file(&running.socket);
    }

    /// One health check: `SELECT 1` on a connection of its own.
    fn answers(&self, socket: &Path) -> bool {
        let check = || -> std::io::Result<bool> {
            let mut stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(self.options.settings.watchdog.timeout))?;
            stream.set_write_timeout(Some(self.options.settings.watchdog.timeout))?;
            stream.write_all(
                b"POST / HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Length: 8\r\n\r\nSELECT 1",
            )?;
            let mut status = [0; 12];
            stream.read_exact(&mut status)?;
            Ok(&status == b"HTTP/1.1 200")
        };
        check().unwrap_or(false)
    }
}

/// Waits up to a tick; false once the child has closed its side, which it does by ending.
fn alive(control: &mut UnixStream) -> bool {
    let mut byte = [0];
    match control.read(&mut byte) {
        Ok(read) => read > 0,
        Err(error) => {
            use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
            matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
        }
    }
}

/// Closing our direction of the control socket is the request to stop.
fn ask_to_stop(control: &UnixStream) -> Instant {
    let _ = control.shutdown(std::net::Shutdown::Write);
    Instant::now()
}

fn bind(socket: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// A directory that only this user can enter, named after the data directory: a server that was
/// killed leaves it behind, and the next one on the same data finds it again.
fn socket_directory(options: &ChildOptions) -> Result<PathBuf, SupervisorError> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    options.data.hash(&mut hasher);
    let directory = options.runtime.join(format!("roost-{:016x}", hasher.finish()));
    let longest = directory.join(format!("engine-{}.sock", u64::MAX));
    if longest.as_os_str().len() >= MAX_SOCKET_PATH {
        return Err(directory_error(&directory, &"its path is too long for a socket (108 bytes)"));
    }
    match std::fs::DirBuilder::new().mode(0o700).create(&directory) {
        Ok(()) => Ok(directory),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => ours(directory),
        Err(error) => Err(directory_error(&directory, &error)),
    }
}

/// An existing directory is used only when nobody else can have prepared it.
fn ours(directory: PathBuf) -> Result<PathBuf, SupervisorError> {
    let found = std::fs::symlink_metadata(&directory).map_err(|error| directory_error(&directory, &error))?;
    let private = found.is_dir()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.permissions().mode() & 0o777 == 0o700;
    if private {
        Ok(directory)
    } else {
        Err(directory_error(&directory, &"it exists and is not this user's own private directory; remove it"))
    }
}

fn directory_error(path: &Path, reason: &dyn ToString) -> SupervisorError {
    SupervisorError::SocketDirectory { path: path.to_owned(), reason: reason.to_string() }
}
