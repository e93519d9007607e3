//! A proxy before a ClickHouse server, which can treat connections as bad networks do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A server whose inserts come late learns so much later that their client has left.
const UNNOTICED: Duration = Duration::from_secs(2);

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
    /// Some statements arrive, and what is answered to them does not; everything else passes.
    Unanswered(Statements),
    /// Some statements arrive late, whether or not their client still waits, as out of the buffers of a
    /// server that stood still; everything else passes.
    Late(Statements, Duration),
}

/// Which statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statements {
    /// All that insert.
    Inserts,
    /// Those that bring rows from where they were evaluated into their tables.
    Puts,
}

impl Statements {
    /// Whether a piece of a request, its head or its body, begins one of them.
    fn begins(self, piece: &[u8]) -> bool {
        let mark: &[u8] = match self {
            Self::Inserts => b"INSERT",
            Self::Puts => b"` SELECT * FROM `",
        };
        piece.windows(mark.len()).any(|words| words == mark)
    }
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
    /// with fair weather old connections end, but for what is late.
    pub(super) fn set(&self, weather: Weather) {
        let before = self.weather.send_replace(weather);
        let is_late = matches!(before, Weather::Late(..));
        if matches!(weather, Weather::Cut | Weather::Fair) && !is_late {
            self.connections.lock().unwrap().abort_all();
        }
    }
}

async fn carry(client: TcpStream, target: String, weather: watch::Receiver<Weather>) {
    let Ok(server) = TcpStream::connect(&target).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whether what was asked last stays without an answer, and whether anything came late.
    let (unanswered, late) = (AtomicBool::new(false), AtomicBool::new(false));
    let asked = |weather: Weather, piece: &[u8]| match weather {
        Weather::Frozen => None,
        Weather::Unanswered(statements) => {
            unanswered.fetch_or(statements.begins(piece), Ordering::Relaxed);
            Some(Duration::ZERO)
        }
        Weather::Late(statements, by) if statements.begins(piece) => {
            late.store(true, Ordering::Relaxed);
            Some(by)
        }
        _ => Some(Duration::ZERO),
    };
    let answered = |weather: Weather, _: &[u8]| match weather {
        Weather::Fair | Weather::Late(..) => Some(Duration::ZERO),
        Weather::Unanswered(_) => (!unanswered.load(Ordering::Relaxed)).then_some(Duration::ZERO),
        Weather::Cut | Weather::Frozen | Weather::HalfOpen => None,
    };
    let ask = async {
        pass((from_client, to_server), weather.clone(), asked).await;
        // That the client has left is later still.
        let unnoticed = if late.load(Ordering::Relaxed) { UNNOTICED } else { Duration::ZERO };
        tokio::time::sleep(unnoticed).await;
    };
    tokio::select! {
        () = ask => {}
        () = pass((from_server, to_client), weather.clone(), answered) => {}
    }
}

/// Hands bytes on, each piece as late as it is told; holds them back where it is told nothing.
async fn pass(
    (mut from, mut to): (OwnedReadHalf, OwnedWriteHalf),
    mut weather: watch::Receiver<Weather>,
    arrives: impl Fn(Weather, &[u8]) -> Option<Duration>,
) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else { return };
        let piece = &piece[..length];
        let mut late = None;
        let told = weather.wait_for(|weather| {
            late = arrives(*weather, piece);
            late.is_some()
        });
        if told.await.is_err() {
            return;
        }
        tokio::time::sleep(late.unwrap_or_default()).await;
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}
