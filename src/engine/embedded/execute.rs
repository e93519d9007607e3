//! Statements run on the engine: blocking calls, to be made from a thread that may wait.
//!
//! In: a statement, its profile, and where its bytes come from or go.  Out: the result's bytes (in
//! memory or through a pipe that the engine itself writes) and a [`Summary`].

use std::collections::HashSet;
use std::io::PipeWriter;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::call::{Call, Refusal};
use super::ffi::{Connection, Library, LibraryError, QueryResult, Summary};
use super::pool::{Lease, Pool};
use super::statement::Statement;

/// The engine of this process.
pub(super) struct Engine {
    pool: Pool,
    known_settings: HashSet<String>,
    killer: SyncSender<Mark>,
    /// Holds the first connection for as long as the engine is open: the library shuts down with
    /// its last one.
    killer_thread: JoinHandle<()>,
    next_mark: AtomicU64,
}

/// A number written into the text of a running query, by which KILL finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u64);

/// A comment at the end of the statement's text.
impl std::fmt::Display for Mark {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "/*roost:{}*/", self.0)
    }
}

/// One piece of an insert's data, or its end; a channel that closes before [`Piece::End`] means
/// that the client left and nothing may be committed.
pub(super) enum Piece {
    /// Some bytes.
    Data(Bytes),
    /// All bytes have been sent.
    End,
}

/// KILLs that may wait for the thread that sends them; more are dropped, and the query then runs
/// until its own time limit.
const KILL_QUEUE: usize = 256;

impl Engine {
    /// Opens the data directory. `server_arguments` reach the first connection only: caches,
    /// memory and thread pools of the whole process.
    pub(super) fn open(
        library: Library,
        data_path: &str,
        server_arguments: &[String],
    ) -> Result<Self, LibraryError> {
        let path = format!("--path={data_path}");
        let mut arguments = vec![path];
        arguments.extend_from_slice(server_arguments);
        let mut first = library.connect(&arguments)?;
        let names = first.query("SELECT name FROM system.settings", "LineAsString", &[])?;
        let known_settings = String::from_utf8_lossy(names.bytes()).lines().map(str::to_owned).collect();
        drop(names);
        let (killer, killer_thread) = start_killer(first).map_err(LibraryError::Thread)?;
        let pool = Pool::new(library, data_path.to_owned());
        Ok(Self { pool, known_settings, killer, killer_thread, next_mark: AtomicU64::new(1) })
    }

    /// The names that may be used as settings.
    pub(super) fn known_settings(&self) -> &HashSet<String> {
        &self.known_settings
    }

    /// A mark for a query that is about to run.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.next_mark.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks the engine to stop the query with this mark; returns at once.
    pub(super) fn kill(&self, mark: Mark) {
        let _ = self.killer.try_send(mark);
    }

    /// Runs a statement and keeps its whole result.
    pub(super) fn run_buffered(&self, call: &Call, sql: &str, mark: Mark) -> Result<QueryResult, Refusal> {
        let mut lease = self.pool.lease(call.profile.clone()).map_err(refused)?;
        let tail = format!("\n{mark}");
        let result = lease.connection.query(&format!("{sql}{tail}"), &call.format, &call.parameters);
        let result = result.map_err(|error| without_tail(refused(error), &tail))?;
        give_back(lease, sql);
        Ok(result)
    }

    /// Runs a statement that answers rows; the engine writes them into `output`.
    ///
    /// Streaming calls of the library close the format after every chunk; only the engine's own
    /// `INTO OUTFILE` writes one document with bounded memory.
    pub(super) fn run_piped(
        &self,
        call: &Call,
        sql: &str,
        mark: Mark,
        output: PipeWriter,
    ) -> Result<Summary, Refusal> {
        let mut lease = self.pool.lease(call.profile.clone()).map_err(refused)?;
        let descriptor = output.as_raw_fd();
        let tail =
            format!("\nINTO OUTFILE '/proc/self/fd/{descriptor}' APPEND FORMAT {} {mark}", call.format);
        let result = lease.connection.query(&format!("{sql}{tail}"), &call.format, &call.parameters);
        drop(output);
        let summary = result.map_err(|error| without_tail(refused(error), &tail))?.summary();
        give_back(lease, sql);
        Ok(summary)
    }

    /// Runs an insert whose data arrive through `next`, which blocks until a piece is there.
    pub(super) fn run_insert(
        &self,
        call: &Call,
        (text, format): (&str, &str),
        mut next: impl FnMut() -> Option<Piece>,
    ) -> Result<Summary, Refusal> {
        let mut lease = self.pool.lease(call.profile.clone()).map_err(refused)?;
        let mut stream = lease.connection.insert(text, format).map_err(refused)?;
        let summary = loop {
            match next() {
                Some(Piece::Data(bytes)) => stream.append(&bytes).map_err(refused)?,
                Some(Piece::End) => break stream.finish().map_err(refused)?,
                None => {
                    return Err(Refusal::bad(
                        "the client left before the end of the data: nothing was inserted",
                    ));
                }
            }
        };
        lease.keep();
        Ok(summary)
    }

    /// Closes every connection; the last one stops the engine.
    pub(super) fn close(self) {
        self.pool.clear();
        drop(self.killer);
        let _ = self.killer_thread.join();
    }
}

/// Gives a connection back unless the statement may have changed it for the next caller.
fn give_back(lease: Lease<'_>, sql: &str) {
    if !Statement::may_change_session(sql) {
        lease.keep();
    }
}

/// Takes what was added to a statement out of the engine's message about it.
///
/// Additions stand behind the statement, so that lines and columns in the message stay right.
fn without_tail(mut refusal: Refusal, tail: &str) -> Refusal {
    refusal.message = refusal.message.replace(tail, "");
    refusal
}

fn refused(error: LibraryError) -> Refusal {
    match error {
        LibraryError::Exception(text) => Refusal::from_exception(text),
        other => Refusal::bad(other),
    }
}

/// A thread with a connection of its own, which does nothing but KILL.
fn start_killer(mut connection: Connection) -> std::io::Result<(SyncSender<Mark>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel::<Mark>(KILL_QUEUE);
    let kill = move || {
        while let Ok(mark) = receiver.recv() {
            let sql = format!("KILL QUERY WHERE endsWith(query, '{mark}') ASYNC");
            if let Err(error) = connection.query(&sql, "Null", &[]) {
                tracing::warn!(%error, "cannot stop a query whose client left");
            }
        }
    };
    let thread = std::thread::Builder::new().name("engine-kill".to_owned()).spawn(kill)?;
    Ok((sender, thread))
}
