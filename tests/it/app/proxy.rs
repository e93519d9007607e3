//! A proxy before a ClickHouse server, which can treat connections as bad networks do.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

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
    let asked = |weather: Weather| weather != Weather::Frozen;
    let answered = |weather: Weather| weather == Weather::Fair;
    tokio::select! {
        () = pass((from_client, to_server), weather.clone(), asked) => {}
        () = pass((from_server, to_client), weather, answered) => {}
    }
}

/// Hands bytes on while they may pass; holds them back while they may not.
async fn pass(
    (mut from, mut to): (OwnedReadHalf, OwnedWriteHalf),
    mut weather: watch::Receiver<Weather>,
    may_pass: impl Fn(Weather) -> bool,
) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else { return };
        if weather.wait_for(|weather| may_pass(*weather)).await.is_err() {
            return;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
