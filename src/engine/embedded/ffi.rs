//! The C ABI of libchdb, wrapped: the only file of the project with `unsafe`.
//!
//! In: the path of the library, SQL, settings.  Out: [`Connection`], [`QueryResult`],
//! [`InsertStream`], each freed by its `Drop`, so that no path can forget one.
//! Promise: every call that reaches the library goes through a method here whose types make the
//! call sound; the library is never unloaded, because its threads outlive every handle.
#![expect(unsafe_code, reason = "libchdb is a C library")]

use std::ffi::{CString, c_char, c_double, c_int, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// `chdb_connection`: an opaque handle, owned by the box that `chdb_connect` returns.
type RawConnection = *mut c_void;
type RawResult = *mut c_void;
type RawInsert = *mut c_void;

/// `chdb_state` for success.
const SUCCESS: c_int = 0;

type CountOf = unsafe extern "C" fn(RawResult) -> u64;

/// The functions used, looked up once.
struct Symbols {
    set_signal_handlers_enabled: unsafe extern "C" fn(c_int),
    connect: unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut RawConnection,
    close_conn: unsafe extern "C" fn(*mut RawConnection),
    query_with_params: unsafe extern "C" fn(
        RawConnection,
        *const c_char,
        usize,
        *const c_char,
        usize,
        *const *const c_char,
        *const usize,
        *const *const c_char,
        *const usize,
        usize,
    ) -> RawResult,
    query: unsafe extern "C" fn(RawConnection, *const c_char, usize, *const c_char, usize) -> RawResult,
    stream_insert:
        unsafe extern "C" fn(RawConnection, *const c_char, usize, *const c_char, usize) -> RawInsert,
    stream_append: unsafe extern "C" fn(RawInsert, *const c_void, usize) -> c_int,
    stream_done: unsafe extern "C" fn(RawInsert) -> RawResult,
    stream_cancel_insert: unsafe extern "C" fn(RawInsert),
    stream_insert_error: unsafe extern "C" fn(RawInsert) -> *const c_char,
    destroy_insert_stream: unsafe extern "C" fn(RawInsert),
    result_buffer: unsafe extern "C" fn(RawResult) -> *const c_char,
    result_length: unsafe extern "C" fn(RawResult) -> usize,
    result_error: unsafe extern "C" fn(RawResult) -> *const c_char,
    result_elapsed: unsafe extern "C" fn(RawResult) -> c_double,
    result_rows_written: CountOf,
    result_bytes_written: CountOf,
    result_storage_rows_read: CountOf,
    result_storage_bytes_read: CountOf,
    destroy_query_result: unsafe extern "C" fn(RawResult),
    version: unsafe extern "C" fn() -> *const c_char,
    shutdown: unsafe extern "C" fn() -> c_int,
}

/// The loaded library.
#[derive(Clone)]
pub(super) struct Library(Arc<Symbols>);

/// What the library answered instead of a result.
#[derive(Debug, thiserror::Error)]
pub(super) enum LibraryError {
    #[error("cannot load the engine library {path}: {reason}; run `make engine`, or set ROOST_ENGINE_LIB")]
    Load { path: String, reason: String },
    #[error("the engine refused to open its data directory (is another engine using it?)")]
    Connect,
    #[error("a connection argument holds a NUL byte")]
    Nul,
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// The engine's own text: `Code: 60. DB::Exception: …`.
    #[error("{0}")]
    Exception(String),
}

impl Library {
    /// Loads libchdb and switches its signal handlers off (they may hang a crashing process).
    pub(super) fn load(path: &Path) -> Result<Self, LibraryError> {
        let failed = |error: libloading::Error| LibraryError::Load {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        // SAFETY: the file is the engine library that the operator configured; running its
        // initialisers is the point of loading it.
        let library = unsafe { libloading::Library::new(path) }.map_err(failed)?;
        let symbols = Symbols::look_up(&library).map_err(failed)?;
        // The engine's threads run for the life of the process: unloading would pull their code
        // from under them.
        std::mem::forget(library);
        // SAFETY: plain C call without arguments that outlive it.
        unsafe { (symbols.set_signal_handlers_enabled)(0) };
        Ok(Self(Arc::new(symbols)))
    }

    /// The version text of the library.
    pub(super) fn version(&self) -> String {
        // SAFETY: the function returns a static C string or null.
        unsafe { owned_text((self.0.version)()) }.unwrap_or_default()
    }

    /// Opens a connection with command-line style arguments (`--path=…`, `--max_threads=1`).
    pub(super) fn connect(&self, arguments: &[String]) -> Result<Connection, LibraryError> {
        let owned: Vec<CString> = ["clickhouse"]
            .into_iter()
            .chain(arguments.iter().map(String::as_str))
            .map(|argument| CString::new(argument).map_err(|_| LibraryError::Nul))
            .collect::<Result<_, _>>()?;
        let mut pointers: Vec<*mut c_char> = owned.iter().map(|text| text.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).map_err(|_| LibraryError::Connect)?;
        // SAFETY: `argv` holds `count` valid C strings that live until the call returns; the
        // library copies what it keeps.
        let raw = unsafe { (self.0.connect)(count, pointers.as_mut_ptr()) };
        let raw = NonNull::new(raw).ok_or(LibraryError::Connect)?;
        Ok(Connection { symbols: Arc::clone(&self.0), raw })
    }

    /// Stops the engine for good; every connection must be closed before.
    pub(super) fn shut_down(&self) {
        // SAFETY: plain C call; the library refuses, without harm, while connections are open.
        unsafe { (self.0.shutdown)() };
    }
}

impl Symbols {
    fn look_up(library: &libloading::Library) -> Result<Self, libloading::Error> {
        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the declared type is that of the function in libchdb's C header.
                *unsafe { library.get(concat!($name, "\0").as_bytes()) }?
            };
        }
        Ok(Self {
            set_signal_handlers_enabled: symbol!("chdb_set_signal_handlers_enabled"),
            connect: symbol!("chdb_connect"),
            close_conn: symbol!("chdb_close_conn"),
            query_with_params: symbol!("chdb_query_with_params_n"),
            query: symbol!("chdb_query_n"),
            stream_insert: symbol!("chdb_stream_insert_n"),
            stream_append: symbol!("chdb_stream_append"),
            stream_done: symbol!("chdb_stream_done"),
            stream_cancel_insert: symbol!("chdb_stream_cancel_insert"),
            stream_insert_error: symbol!("chdb_stream_insert_error"),
            destroy_insert_stream: symbol!("chdb_destroy_insert_stream"),
            result_buffer: symbol!("chdb_result_buffer"),
            result_length: symbol!("chdb_result_length"),
            result_error: symbol!("chdb_result_error"),
            result_elapsed: symbol!("chdb_result_elapsed"),
            result_rows_written: symbol!("chdb_result_rows_written"),
            result_bytes_written: symbol!("chdb_result_bytes_written"),
            result_storage_rows_read: symbol!("chdb_result_storage_rows_read"),
            result_storage_bytes_read: symbol!("chdb_result_storage_bytes_read"),
            destroy_query_result: symbol!("chdb_destroy_query_result"),
            version: symbol!("chdb_version"),
            shutdown: symbol!("chdb_shutdown"),
        })
    }
}

/// One engine connection: a session with its own settings and current database.
pub(super) struct Connection {
    symbols: Arc<Symbols>,
    raw: NonNull<RawConnection>,
}

// SAFETY: a connection is used by one thread at a time (`&mut self` on every call that runs SQL)
// and is not bound to the thread that opened it.
unsafe impl Send for Connection {}

impl Connection {
    /// Runs one statement and returns its whole result in `format`.
    ///
    /// After an error the connection may still hold rows of the failed query (trap 1): drop it.
    pub(super) fn query(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> Result<QueryResult, LibraryError> {
        let connection = self.handle();
        let raw = if parameters.is_empty() {
            // SAFETY: both texts are passed with their lengths and live until the call returns.
            unsafe {
                (self.symbols.query)(
                    connection,
                    sql.as_ptr().cast(),
                    sql.len(),
                    format.as_ptr().cast(),
                    format.len(),
                )
            }
        } else {
            let names = Pointers::to(parameters.iter().map(|(name, _)| name.as_str()));
            let values = Pointers::to(parameters.iter().map(|(_, value)| value.as_str()));
            // SAFETY: as above; the four arrays have `parameters.len()` entries each and borrow
            // from `parameters`, which outlives the call.
            unsafe {
                (self.symbols.query_with_params)(
                    connection,
                    sql.as_ptr().cast(),
                    sql.len(),
                    format.as_ptr().cast(),
                    format.len(),
                    names.starts.as_ptr(),
                    names.lengths.as_ptr(),
                    values.starts.as_ptr(),
                    values.lengths.as_ptr(),
                    parameters.len(),
                )
            }
        };
        QueryResult::take(&self.symbols, raw)
    }

    /// Begins an insert; `statement` ends before its FORMAT clause.
    pub(super) fn insert(&mut self, statement: &str, format: &str) -> Result<InsertStream<'_>, LibraryError> {
        // SAFETY: both texts are passed with their lengths and live until the call returns. The
        // handle is never null and is destroyed by `Drop`; it borrows this connection.
        let raw = unsafe {
            (self.symbols.stream_insert)(
                self.handle(),
                statement.as_ptr().cast(),
                statement.len(),
                format.as_ptr().cast(),
                format.len(),
            )
        };
        let stream = InsertStream {
            symbols: Arc::clone(&self.symbols),
            raw,
            state: InsertState::Open,
            connection: PhantomData,
        };
        stream.check()?;
        Ok(stream)
    }

    fn handle(&self) -> RawConnection {
        // SAFETY: `raw` came from `chdb_connect` and is valid until `chdb_close_conn` in `Drop`.
        unsafe { *self.raw.as_ptr() }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `chdb_connect` and is closed once, here.
        unsafe { (self.symbols.close_conn)(self.raw.as_ptr()) };
    }
}

/// Parallel arrays of pointers and lengths, as the library takes parameters.
struct Pointers<'a> {
    starts: Vec<*const c_char>,
    lengths: Vec<usize>,
    borrowed: PhantomData<&'a str>,
}

impl<'a> Pointers<'a> {
    fn to(texts: impl Iterator<Item = &'a str>) -> Self {
        let (starts, lengths) = texts.map(|text| (text.as_ptr().cast(), text.len())).unzip();
        Self { starts, lengths, borrowed: PhantomData }
    }
}

/// The answer to one statement: bytes in the asked format, and counters.
pub(super) struct QueryResult {
    symbols: Arc<Symbols>,
    raw: NonNull<c_void>,
}

// SAFETY: a result is plain memory of the library, read only, and freed once.
unsafe impl Send for QueryResult {}

impl QueryResult {
    fn take(symbols: &Arc<Symbols>, raw: RawResult) -> Result<Self, LibraryError> {
        let no_answer = || LibraryError::Exception("the engine gave no result".to_owned());
        let raw = NonNull::new(raw).ok_or_else(no_answer)?;
        let result = Self { symbols: Arc::clone(symbols), raw };
        // SAFETY: `raw` is a live result; the error text belongs to it and is copied.
        match unsafe { owned_text((symbols.result_error)(raw.as_ptr())) } {
            Some(error) => Err(LibraryError::Exception(error)),
            None => Ok(result),
        }
    }

    /// The bytes of the result.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: buffer and length describe memory that the result owns until `Drop`.
        unsafe {
            let start: *const u8 = (self.symbols.result_buffer)(self.raw.as_ptr()).cast();
            let length = (self.symbols.result_length)(self.raw.as_ptr());
            if start.is_null() { &[] } else { std::slice::from_raw_parts(start, length) }
        }
    }

    /// What the statement read and wrote.
    pub(super) fn summary(&self) -> Summary {
        let count = |function: CountOf| {
            // SAFETY: `raw` is a live result.
            unsafe { function(self.raw.as_ptr()) }
        };
        // SAFETY: as above.
        let seconds = unsafe { (self.symbols.result_elapsed)(self.raw.as_ptr()) };
        Summary {
            read_rows: count(self.symbols.result_storage_rows_read),
            read_bytes: count(self.symbols.result_storage_bytes_read),
            written_rows: count(self.symbols.result_rows_written),
            written_bytes: count(self.symbols.result_bytes_written),
            elapsed: std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        }
    }
}

impl Drop for QueryResult {
    fn drop(&mut self) {
        // SAFETY: `raw` is a live result and is freed once, here.
        unsafe { (self.symbols.destroy_query_result)(self.raw.as_ptr()) };
    }
}

/// Counters of one statement, as `X-ClickHouse-Summary` reports them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Summary {
    pub(super) read_rows: u64,
    pub(super) read_bytes: u64,
    pub(super) written_rows: u64,
    pub(super) written_bytes: u64,
    pub(super) elapsed: std::time::Duration,
}

#[derive(PartialEq)]
enum InsertState {
    Open,
    Ended,
}

/// An insert that takes its data in pieces and commits at [`InsertStream::finish`].
///
/// Dropped before that, it is cancelled: nothing of an unfinished block is stored.
pub(super) struct InsertStream<'connection> {
    symbols: Arc<Symbols>,
    raw: RawInsert,
    state: InsertState,
    connection: PhantomData<&'connection mut Connection>,
}

impl InsertStream<'_> {
    /// Hands over one piece; pieces may end anywhere.
    pub(super) fn append(&mut self, data: &[u8]) -> Result<(), LibraryError> {
        // SAFETY: pointer and length describe `data`, which the library copies.
        let state = unsafe { (self.symbols.stream_append)(self.raw, data.as_ptr().cast(), data.len()) };
        if state == SUCCESS {
            return Ok(());
        }
        self.check()?;
        Err(LibraryError::Exception("the engine refused a piece of the insert".to_owned()))
    }

    /// Commits what was appended.
    pub(super) fn finish(mut self) -> Result<Summary, LibraryError> {
        self.state = InsertState::Ended;
        // SAFETY: the stream is open; the returned result is owned and freed by `QueryResult`.
        let raw = unsafe { (self.symbols.stream_done)(self.raw) };
        if raw.is_null() {
            self.check()?;
        }
        QueryResult::take(&self.symbols, raw).map(|result| result.summary())
    }

    fn check(&self) -> Result<(), LibraryError> {
        // SAFETY: the stream is live; the text belongs to it and is copied.
        match unsafe { owned_text((self.symbols.stream_insert_error)(self.raw)) } {
            Some(error) => Err(LibraryError::Exception(error)),
            None => Ok(()),
        }
    }
}

impl Drop for InsertStream<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is live; cancelling is for streams that were not finished, and
        // destroying is required on every path.
        unsafe {
            if self.state == InsertState::Open {
                (self.symbols.stream_cancel_insert)(self.raw);
            }
            (self.symbols.destroy_insert_stream)(self.raw);
        }
        self.raw = ptr::null_mut();
    }
}

/// Copies a C string; `None` for null and for the empty text.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives through the call.
unsafe fn owned_text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and valid by the contract of this function.
    let text = unsafe { std::ffi::CStr::from_ptr(text) }.to_string_lossy().into_owned();
    (!text.is_empty()).then_some(text)
}

/// Ends the process at once, without exit handlers: the engine's threads do not survive them.
pub(super) fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` takes any status and does not return.
    unsafe { libc::_exit(status) }
}
