//! A proxy before a ClickHouse server, which can treat connections as bad networks do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Begins every insert, in a URL or in a body.
const INSERT: &[u8] = b"INSERT";

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// Everything arrives.
    Fair,
    /// Connections break, and new ones are closed at once.
    Cut,
    /// Connections stay, and nothing arrives at either end.
    Frozen,
    /// What is asked arrives; what is answered does not.
    HalfOpen,
    /// Inserts arrive, and what is answered to them does not; everything else passes.
    InsertsUnanswered,
}

/// A listening proxy; gone when dropped.
pub(super) struct Proxy {
    url: String,
    weather: watch::Sender<Weather>,
    connections: Arc<Mutex<JoinSet<()>>>,
    _listener: JoinSet<()>,
}

impl Proxy {
    /// Stands before the server at `http://host:port`.
    pub(super) async fn before(url: &str) -> Self {
        let target = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (weather, seen) = watch::channel(Weather::Fair);
        let connections = Arc::<Mutex<JoinSet<()>>>::default();
        let known = Arc::clone(&connections);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if *seen.borrow() == Weather::Cut {
                    continue;
                }
                let connection = carry(client, target.clone(), seen.clone());
                known.lock().unwrap().spawn(connection);
            }
        });
        Self { url, weather, connections, _listener: accepting }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Changes what becomes of connections. What was on its way when they stopped stays lost:
    /// with fair weather old connections end.
    pub(super) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
        if matches!(weather, Weather::Cut | Weather::Fair) {
            self.connections.lock().unwrap().abort_all();
        }
    }
}

async fn carry(client: TcpStream, target: String, weather: watch::Receiver<Weather>) {
    let Ok(server) = TcpStream::connect(&target).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whether what was asked last is an insert.
    let inserts = AtomicBool::new(false);
    let asked = |weather: Weather, piece: &[u8]| {
        inserts.fetch_or(piece.windows(INSERT.len()).any(|words| words == INSERT), Ordering::Relaxed);
        weather != Weather::Frozen
    };
    let answered = |weather: Weather, _: &[u8]| match weather {
        Weather::Fair => {
            inserts.store(false, Ordering::Relaxed);
            true
        }
        Weather::InsertsUnanswered => !inserts.load(Ordering::Relaxed),
        Weather::Cut | Weather::Frozen | Weather::HalfOpen => false,
    };
    tokio::select! {
        () = pass((from_client, to_server), weather.clone(), asked) => {}
        () = pass((from_server, to_client), weather, answered) => {}
    }
}

/// Hands bytes on while they may pass; holds them back while they may not.
async fn pass(
    (mut from, mut to): (OwnedReadHalf, OwnedWriteHalf),
    mut weather: watch::Receiver<Weather>,
    may_pass: impl Fn(Weather, &[u8]) -> bool,
) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else { return };
        let piece = &piece[..length];
        if weather.wait_for(|weather| may_pass(*weather, piece)).await.is_err() {
            return;
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}
