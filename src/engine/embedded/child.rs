//! The life of the engine's process: `roost engine`.
//!
//! In: a listening socket as standard input and a control socket as standard output, both from the
//! parent (or, for tests and remote use, an address to listen on).  Out: `ready` on the control
//! socket once `SELECT 1` answers; then the protocol of `server`.
//! Promise: confined before any thread exists; gone within a second of losing the parent.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::execute::Engine;
use super::ffi::{self, Library};
use super::sandbox;
use super::server::{self, Listener};
use crate::config::Sandbox;

/// What the child says on the control socket when it serves.
pub const READY: &[u8] = b"ready\n";
/// Engine calls in flight at once; more wait. The parent admits fewer.
const MAX_CALLS: usize = 64;
/// How long requests in flight may take once a stop has been asked for.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long a new engine waits for an old one on the same data to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// The arguments of `roost engine`.
#[derive(Debug, clap::Args)]
pub struct EngineArguments {
    /// The engine's data directory (absolute).
    #[arg(long)]
    pub path: PathBuf,
    /// The engine library, libchdb.so.
    #[arg(long)]
    pub library: PathBuf,
    /// Listen on this loopback address instead of the socket given as standard input.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Walls around the process.
    #[arg(long, value_enum, default_value_t = Sandbox::Required)]
    pub sandbox: Sandbox,
    /// The most memory that the engine may take, in bytes.
    #[arg(long, default_value = "4000000000")]
    pub memory_bytes: NonZeroU64,
    /// How far it stands back for other processes, as in nice(1).
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(u8).range(0..=19))]
    pub nice: u8,
    /// The process that started this one: when it is gone, so is this.
    #[arg(long)]
    pub parent: Option<u32>,
}

/// Runs the child to its end. Must be called from `main`, before any thread exists.
pub fn run(arguments: &EngineArguments) -> anyhow::Result<()> {
    if !arguments.path.is_absolute() {
        bail!("the engine's directory {} is not an absolute path", arguments.path.display());
    }
    leave_with(arguments.parent)?;
    // Threads inherit it, and none exists yet.
    rustix::process::nice(arguments.nice.into()).context("cannot stand back for other processes")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    std::fs::create_dir_all(&arguments.path)
        .with_context(|| format!("cannot create the engine's directory {}", arguments.path.display()))?;
    let _lock = lock(&arguments.path)?;
    let library = Library::load(&arguments.library)?;
    let entrance = Entrance::take(arguments.listen)?;
    sandbox::enter(arguments.sandbox, &arguments.path)?;

    let path = arguments.path.to_str().context("the engine's directory is not UTF-8")?;
    let engine = Arc::new(Engine::open(library.clone(), path, &server_arguments(arguments.memory_bytes))?);
    tracing::info!(version = library.version(), "engine open");
    serve(entrance, engine, &library)
}

/// Asks the kernel to end this process with its parent, and checks that the parent still lives.
fn leave_with(parent: Option<u32>) -> anyhow::Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .context("cannot ask the kernel to end the engine with its parent")?;
    let actual = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if actual == Some(parent) { Ok(()) } else { bail!("the process that started the engine is gone") }
}

/// Waits until no other engine works on these data: one that lost its parent needs a moment to end.
fn lock(path: &std::path::Path) -> anyhow::Result<std::fs::File> {
    let mut place = path.as_os_str().to_owned();
    place.push(".lock");
    let place = PathBuf::from(place);
    let file = std::fs::File::create(&place).with_context(|| format!("cannot create {}", place.display()))?;
    let attempts = LOCK_PATIENCE.as_millis() / 20;
    for _ in 0..attempts {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(error).context("cannot lock the engine's directory");
            }
        }
    }
    bail!("another engine holds {}: stop it first", place.display())
}

/// Server-wide settings: a good neighbour on a machine that is not the engine's alone.
fn server_arguments(memory_bytes: NonZeroU64) -> Vec<String> {
    let fixed = [
        "--mark_cache_size=67108864",
        "--index_mark_cache_size=16777216",
        "--max_thread_pool_size=200",
        "--max_thread_pool_free_size=8",
        "--max_io_thread_pool_size=16",
        "--background_pool_size=2",
    ];
    let memory = format!("--max_server_memory_usage={memory_bytes}");
    fixed.into_iter().map(str::to_owned).chain([memory]).collect()
}

/// Where requests come from and where the parent is heard.
enum Entrance {
    /// A bound Unix socket and the control socket.
    Parent { listener: std::os::unix::net::UnixListener, control: UnixStream },
    /// A loopback address.
    Address(std::net::TcpListener),
}

impl Entrance {
    /// Binds, or takes over what the parent bound, before the walls go up.
    fn take(listen: Option<SocketAddr>) -> anyhow::Result<Self> {
        if let Some(address) = listen {
            if !address.ip().is_loopback() {
                bail!("the engine has no users and passwords: it listens on loopback addresses only");
            }
            let listener = std::net::TcpListener::bind(address)
                .with_context(|| format!("cannot listen on {address}"))?;
            listener.set_nonblocking(true)?;
            return Ok(Self::Address(listener));
        }
        let listener = std::os::unix::net::UnixListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        let control = UnixStream::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        listener.set_nonblocking(true).context("standard input is not the listening socket of a parent")?;
        // Whatever the library prints must not reach the control socket.
        rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
        rustix::stdio::dup2_stdout(std::io::stderr())?;
        Ok(Self::Parent { listener, control })
    }
}

fn serve(entrance: Entrance, engine: Arc<Engine>, library: &Library) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_CALLS)
        .thread_name("engine-call")
        .build()?;
    let stop = CancellationToken::new();
    runtime.block_on(async {
        let listener = match entrance {
            Entrance::Parent { listener, control } => {
                watch_parent(control, stop.clone())?;
                Listener::Unix(tokio::net::UnixListener::from_std(listener)?)
            }
            Entrance::Address(listener) => {
                announce(&listener)?;
                Listener::Tcp(tokio::net::TcpListener::from_std(listener)?)
            }
        };
        let mut terminate = signal(SignalKind::terminate())?;
        let serving = server::serve(listener, Arc::clone(&engine), stop.clone(), STOP_GRACE);
        tokio::pin!(serving);
        tokio::select! {
            () = &mut serving => {}
            _ = terminate.recv() => {
                stop.cancel();
                serving.await;
            }
        }
        anyhow::Ok(())
    })?;
    if let Some(engine) = Arc::into_inner(engine) {
        engine.close();
        library.shut_down();
    }
    // Some of the library's threads outlive its shutdown; exit handlers would trip over them.
    ffi::exit_now(0)
}

/// Tells the parent that the engine serves, then waits for the end of the parent on a thread of
/// its own: the second rope beside the kernel's death signal.
fn watch_parent(mut control: UnixStream, stop: CancellationToken) -> anyhow::Result<()> {
    control.set_nonblocking(false)?;
    control.write_all(READY).context("the parent is gone")?;
    let watch = move || {
        let mut byte = [0];
        loop {
            match control.read(&mut byte) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // End of file: the parent closed its side, or died.
                Ok(0) | Err(_) => return stop.cancel(),
                Ok(_) => {}
            }
        }
    };
    std::thread::Builder::new().name("engine-parent".to_owned()).spawn(watch)?;
    Ok(())
}

/// Prints the address on standard output, for whoever started an engine on port 0.
fn announce(listener: &std::net::TcpListener) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "http://{}", listener.local_addr()?)?;
    Ok(output.flush()?)
}
