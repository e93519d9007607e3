//! Requests as a stranger would send them: any URL, any body, the whole answer in view.

use std::io::Read;
use std::path::PathBuf;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Where an engine listens.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    /// A Unix socket.
    Socket(PathBuf),
    /// `http://127.0.0.1:port`.
    Url(String),
}

/// A plain HTTP client of one engine.
pub(crate) struct Http {
    client: reqwest::Client,
    url: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Address {
    /// A connection on which a test writes its own HTTP.
    pub(crate) async fn connect(&self) -> Box<dyn Stream> {
        match self {
            Self::Socket(path) => Box::new(UnixStream::connect(path).await.unwrap()),
            Self::Url(url) => Box::new(TcpStream::connect(url.trim_start_matches("http://")).await.unwrap()),
        }
    }
}

impl Http {
    pub(crate) fn new(address: Address) -> Self {
        let builder = reqwest::Client::builder();
        let (builder, url) = match address {
            Address::Socket(path) => (builder.unix_socket(path), "http://engine".to_owned()),
            Address::Url(url) => (builder, url),
        };
        Self { client: builder.build().unwrap(), url }
    }

    /// Sends a statement with settings and parameters in the URL.
    pub(crate) async fn post(&self, query: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Reply {
        let pairs: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let request = self.client.post(format!("{}/?{pairs}", self.url)).body(body);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Reply { status, headers, text: response.text().await.unwrap() }
    }
}

impl Reply {
    /// A header as text; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The text of a body that came packed in this `Content-Encoding`.
pub(crate) fn unpacked(encoding: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    match encoding {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap(),
        "zstd" => zstd::Decoder::new(bytes).unwrap().read_to_string(&mut text).unwrap(),
        other => panic!("nobody packs in {other}"),
    };
    text
}
