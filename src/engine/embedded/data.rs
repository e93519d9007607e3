//! The data of an INSERT: a body, packed or not, as pieces for the engine.

use std::io;

use async_compression::tokio::bufread::ZstdDecoder;
use bytes::BytesMut;
use futures_util::TryStreamExt;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use super::call::Refusal;
use super::execute::Piece;

/// Bytes that are unpacked at once.
const PIECE_BYTES: usize = 256 * 1024;

/// How data are packed: of what ClickHouse unpacks, the one that Roost sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Zstd,
}

impl Packing {
    /// By the head of the request.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(Self::Plain),
            Some(b"zstd") => Ok(Self::Zstd),
            Some(_) => Err(Refusal::bad("data are taken plain or with zstd")),
        }
    }
}

/// Hands the body to the engine piece by piece; a body that breaks off has no end. Once the engine has
/// refused a piece, the rest is read and thrown away, so that the client gets to read the reason.
pub(super) async fn send_pieces(body: Incoming, packing: Packing, sender: mpsc::Sender<Piece>) {
    let sent = match packing {
        Packing::Plain => send_plain(body, &sender).await,
        Packing::Zstd => send_unpacked(body, &sender).await,
    };
    match sent {
        Ok(()) => {
            let _ = sender.send(Piece::End).await;
        }
        Err(error) => tracing::debug!(%error, "the data of an insert broke off"),
    }
}

async fn send_plain(mut body: Incoming, sender: &mpsc::Sender<Piece>) -> io::Result<()> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
            let _ = sender.send(Piece::Data(data)).await;
        }
    }
    Ok(())
}

async fn send_unpacked(body: Incoming, sender: &mpsc::Sender<Piece>) -> io::Result<()> {
    let packed = body.into_data_stream().map_err(io::Error::other);
    let mut unpacked = ZstdDecoder::new(StreamReader::new(packed));
    loop {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        if unpacked.read_buf(&mut piece).await? == 0 {
            return Ok(());
        }
        let _ = sender.send(Piece::Data(piece.freeze())).await;
    }
}
