//! The body of an events request: unpacked and counted.
//!
//! Two limits stand on both sides of the decompression: what arrives and what it unpacks to.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_compression::tokio::bufread::{GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt};
use tokio::time::Instant;
use tokio_util::io::StreamReader;

use super::error::RequestError;
use super::{ApiError, RequestLimits};
use crate::ingest::IngestError;

/// Bytes unpacked at once.
const PIECE_BYTES: usize = 64 * 1024;
/// The slowest that a body may come, once its first time is over.
const BYTES_PER_SECOND: usize = 16 * 1024;
/// The largest zstd window, as a power of two: 8 MiB, what every encoder stays under by default.
const ZSTD_WINDOW: u32 = 23;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
    Deflate,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, RequestError> {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(Self::Identity) };
        let name = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            "deflate" => Ok(Self::Deflate),
            _ => Err(RequestError::EncodingUnknown(name)),
        }
    }

    fn unpack<'a>(self, packed: impl AsyncBufRead + Send + 'a) -> Pin<Box<dyn AsyncRead + Send + 'a>> {
        match self {
            Self::Identity => Box::pin(packed),
            // Files that were packed in pieces and joined are legal in both formats.
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(packed);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            Self::Zstd => {
                let mut decoder =
                    ZstdDecoder::with_params(packed, &[DParameter::window_log_max(ZSTD_WINDOW)]);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            // What stands behind the end of a stream is not passed over: it would be lost.
            Self::Deflate => {
                let mut decoder = ZlibDecoder::new(packed);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
        }
    }
}

/// Reads a body whole, unpacked as its head says, inside the limits. Whatever has been unpacked is
/// counted by `take_room` at once, whose refusal ends the body.
pub async fn read(
    headers: &HeaderMap,
    body: Body,
    take_room: &mut (dyn FnMut(usize) -> Result<(), IngestError> + Send),
    limits: RequestLimits,
) -> Result<Bytes, ApiError> {
    let encoding = Encoding::of(headers)?;
    let mut arrived = 0;
    let packed = body.into_data_stream().map_err(io::Error::other).map(|piece| {
        let piece: Bytes = piece?;
        arrived += piece.len();
        if arrived > limits.body_bytes { Err(too_large(limits.body_bytes)) } else { Ok(piece) }
    });
    let mut unpacked = encoding.unpack(StreamReader::new(packed));
    let mut all = BytesMut::with_capacity(expected_bytes(headers, limits));
    let began = Instant::now();
    loop {
        if all.len() == all.capacity() {
            all = with_more_room(&all, limits.decoded_body_bytes);
        }
        let deadline = began + limits.body_timeout + earned(all.len());
        let read = tokio::time::timeout_at(deadline, unpacked.read_buf(&mut all));
        let read = read.await.map_err(|_| too_slow(limits))?.map_err(unreadable)?;
        if read == 0 {
            return Ok(all.freeze());
        }
        take_room(read)?;
        if all.len() > limits.decoded_body_bytes {
            return Err(RequestError::BodyTooLarge { limit: limits.decoded_body_bytes }.into());
        }
    }
}

/// The same bytes with twice the room, but no more than shows that the limit is exceeded.
fn with_more_room(all: &BytesMut, limit: usize) -> BytesMut {
    let room = (2 * all.capacity()).max(PIECE_BYTES).min(limit + 1);
    let mut larger = BytesMut::with_capacity(room.max(all.len() + 1));
    larger.extend_from_slice(all);
    larger
}

/// What an unpacked body is going to hold, as far as its head says: its room is made at once, but
/// counted only as it is filled.
fn expected_bytes(headers: &HeaderMap, limits: RequestLimits) -> usize {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    length.map_or(PIECE_BYTES, |length| length.min(limits.body_bytes) + 1)
}

/// The time that bytes which have arrived give to the rest.
fn earned(bytes: usize) -> Duration {
    Duration::from_secs((bytes / BYTES_PER_SECOND) as u64)
}

fn too_slow(limits: RequestLimits) -> RequestError {
    RequestError::BodyTooSlow { seconds: limits.body_timeout.as_secs(), bytes: BYTES_PER_SECOND }
}

/// Carries [`RequestError`] through the readers of the standard library's error type.
fn too_large(limit: usize) -> io::Error {
    io::Error::other(RequestError::BodyTooLarge { limit })
}

fn unreadable(error: io::Error) -> ApiError {
    let known = error.downcast::<RequestError>();
    known.unwrap_or_else(|error| RequestError::BodyUnreadable(error.to_string())).into()
}
