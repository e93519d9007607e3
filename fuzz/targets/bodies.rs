//! Any bytes are unpacked as each encoding says, in pieces of any size; what comes out stays inside the
//! limits, and what is counted is what came out.
#![no_main]

use std::cell::LazyCell;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use roost::http::{RequestLimits, body};
use tokio::runtime::{Builder, Runtime};

const LIMITS: RequestLimits = RequestLimits {
    body_bytes: 2048,
    decoded_body_bytes: 100_000,
    body_timeout: Duration::from_secs(60),
    url_bytes: 0,
    request_timeout: Duration::from_secs(60),
};

thread_local! {
    static RUNTIME: LazyCell<Runtime> =
        LazyCell::new(|| Builder::new_current_thread().enable_time().build().unwrap());
}

fn in_pieces(bytes: &[u8], piece: usize) -> Body {
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        bytes.chunks(piece.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::from_stream(futures_util::stream::iter(pieces))
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (encoding, piece, bytes) = input;
    let mut headers = HeaderMap::new();
    let encoding = ["identity", "gzip", "zstd", "deflate"][usize::from(encoding) % 4];
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    let mut counted = 0;
    let mut take_room = |bytes| {
        counted += bytes;
        Ok(())
    };
    let read = body::read(&headers, in_pieces(bytes, piece.into()), &mut take_room, LIMITS);
    let outcome = RUNTIME.with(|runtime| runtime.block_on(read));
    if let Ok(unpacked) = outcome {
        assert!(bytes.len() <= LIMITS.body_bytes && unpacked.len() <= LIMITS.decoded_body_bytes);
        assert_eq!(unpacked.len(), counted);
        assert!(encoding != "identity" || unpacked == bytes);
    }
    assert!(counted <= LIMITS.decoded_body_bytes + 64 * 1024, "{counted}");
});
