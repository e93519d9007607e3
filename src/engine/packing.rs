//! Blocks on their way to an engine elsewhere: packed, because a network is slower than a processor.
//! To the child on the same machine they go as they are.

use bytes::Bytes;

use super::EngineError;

/// As `Content-Encoding` names it; ClickHouse unpacks it.
pub(super) const ENCODING: &str = "zstd";
/// The fastest: native columns shrink to a third and less already.
const LEVEL: i32 = 1;
/// Blocks under this size go as they are: they fit into a few packets.
const LEAST_BYTES: usize = 4 * 1024;

/// The block packed, on a thread that may be busy for a while; `None` where it is not worth it.
pub(super) async fn pack(block: &Bytes) -> Result<Option<Bytes>, EngineError> {
    if block.len() < LEAST_BYTES {
        return Ok(None);
    }
    let block = block.clone();
    let packed = tokio::task::spawn_blocking(move || zstd::bulk::compress(&block, LEVEL));
    match packed.await {
        Ok(Ok(packed)) => Ok(Some(packed.into())),
        Ok(Err(error)) => Err(EngineError::Unavailable(format!("the block cannot be packed: {error}"))),
        // The work does not panic; a runtime that is going down cancels it.
        Err(_) => Err(EngineError::Unavailable("the server is stopping".to_owned())),
    }
}
