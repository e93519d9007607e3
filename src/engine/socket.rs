//! HTTP over a Unix socket: the connector that the client library is given.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Connects to one socket, whatever the URI says.
#[derive(Debug, Clone)]
pub(super) struct SocketConnector {
    path: Arc<Path>,
}

impl SocketConnector {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.into() }
    }
}

impl tower_service::Service<Uri> for SocketConnector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let path = Arc::clone(&self.path);
        Box::pin(async move { UnixStream::connect(&*path).await.map(TokioIo::new) })
    }
}
