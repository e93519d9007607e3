//! The listening socket: connections in, the API behind, and an orderly end.
//!
//! In: a bound listener, a service, limits.  Promise: a client that sends half a head is cut off, a
//! flood of connections waits, one address leaves places to others, an answer reaches a client that is still sending, and a stop finishes
//! what was begun inside its grace.

mod alarm;
mod places;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config;
use crate::http::frame::Service;
use alarm::Alarm;
pub use places::{ConnectionMetrics, raise_file_limit};
use places::{Place, Places};

/// How long, and for how many bytes, a client may go on sending after its last answer.
const LINGER: Duration = Duration::from_secs(5);
const LINGER_BYTES: u64 = 256 << 20;

/// Connections that the kernel keeps until they are accepted, as far as it allows so many. A client beyond
/// them is not refused: it tries again after a second, and its user waits.
const BACKLOG: u32 = 4096;

/// Binds the address of the settings; the error names it and the way out.
pub async fn bind(settings: &config::Server) -> Result<TcpListener, BindError> {
    let address = format!("{}:{}", settings.host, settings.port);
    listen(&settings.host, settings.port).await.map_err(|reason| match reason.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { address, port: settings.port },
        _ => BindError::Refused { address, reason },
    })
}

/// Listens on the first address of a host that can be had.
async fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut refused = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
    for address in tokio::net::lookup_host((host, port)).await? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A port that a server has just left may be taken again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error(
        "{address} is taken by another process: stop it, or choose another port with `--port {}` (or `--port 0` for a free one)",
        port.wrapping_add(1)
    )]
    Taken {
        /// The address.
        address: String,
        /// The port.
        port: u16,
    },
    /// The system does not allow it.
    #[error("cannot listen on {address}: {reason}; server.host and server.port choose another address")]
    Refused {
        /// The address.
        address: String,
        /// What the system says.
        reason: io::Error,
    },
}

/// Serves until `stop`, then finishes requests in flight for at most the stop grace.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    settings: &config::Server,
    (metrics, stop): (ConnectionMetrics, CancellationToken),
) {
    let places = Places::new(settings, metrics);
    let tasks = TaskTracker::new();
    let builder = connection_builder(settings.header_timeout);
    loop {
        // The place is taken before a connection is accepted: what exceeds the limit stays in the
        // kernel's queue.
        let Some(Some(among_all)) = stop.run_until_cancelled(places.any()).await else { break };
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = places.take(peer.ip(), among_all) else {
                    refuse(&stream);
                    continue;
                };
                let connection =
                    Connection { stream, peer, builder: builder.clone(), stop: stop.clone(), _place: place };
                tasks.spawn(connection.serve(service.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(settings.stop_grace, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "the stop grace ran out: requests are cut off");
    }
}

/// Says why a connection is closed before anything of it is read. Nobody waits for a client to take it.
fn refuse(stream: &TcpStream) {
    const BODY: &str = r#"{"error":"too many connections from this address (server.max_connections_per_address): close some, or send more in each request"}"#;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    if let Err(error) = stream.try_write(answer.as_bytes()) {
        tracing::debug!(%error, "a refused connection was not told why");
    }
}

/// HTTP/1.1 only: without TLS no client asks for more, and its limits are the ones set here. The timer for
/// them is each connection's own.
fn connection_builder(header_timeout: Duration) -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.header_read_timeout(header_timeout);
    builder
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    builder: hyper::server::conn::http1::Builder,
    stop: CancellationToken,
    _place: Place,
}

impl Connection {
    async fn serve(mut self, service: Service) {
        let _ = self.stream.set_nodelay(true);
        let answer = service_fn(move |request| Box::pin(service.answer(request)));
        let mut connection =
            self.builder.timer(Alarm::new()).serve_connection(TokioIo::new(self.stream), answer);
        // Looked at where it has happened only: asking each time would lock what all connections share.
        let mut stop: FuturesUnordered<_> = std::iter::once(self.stop.cancelled()).collect();
        let mut is_stopping = false;
        // Polled by hand: only so does the connection leave its socket open at its end.
        let ended = std::future::poll_fn(|context| {
            if !is_stopping && stop.poll_next_unpin(context).is_ready() {
                is_stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            connection.poll_without_shutdown(context)
        });
        match ended.await {
            Ok(()) if is_stopping => {}
            Ok(()) => linger(connection.into_parts().io.into_inner()).await,
            Err(error) => tracing::debug!(peer = %self.peer, %error, "a connection broke"),
        }
    }
}

/// Ends a connection so that its last answer arrives: a socket that is closed while the client
/// still sends is reset, and the client never reads what was answered.
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut rest = stream.take(LINGER_BYTES);
    let mut nowhere = tokio::io::sink();
    let _ = tokio::time::timeout(LINGER, tokio::io::copy(&mut rest, &mut nowhere)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_of_connections_waits_in_the_kernel_and_not_for_a_second_try() {
        let listener = listen("127.0.0.1", 0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        // Nobody accepts, and a second try comes after a second.
        for number in 0..500 {
            let connect = tokio::time::timeout(Duration::from_millis(900), TcpStream::connect(address));
            let connected = connect.await.unwrap_or_else(|_| panic!("connection {number} was not taken"));
            waiting.push(connected.unwrap());
        }
    }

    #[tokio::test]
    async fn a_port_is_taken_once() {
        let listener = listen("127.0.0.1", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(listen("127.0.0.1", port).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
