//! The bytes of an answer, packed for those who take them so: once, and not for every caller.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::OnceCell;

/// How bytes are packed, as `Content-Encoding` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// `gzip`
    Gzip,
    /// `zstd`
    Zstd,
}

impl Packing {
    /// Its name in HTTP.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn pack(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut packed = GzEncoder::new(Vec::new(), Compression::default());
                packed.write_all(bytes)?;
                packed.finish()
            }
            Self::Zstd => zstd::bulk::compress(bytes, zstd::DEFAULT_COMPRESSION_LEVEL),
        }
    }
}

/// More than so many bytes are packed where nobody else is held up: it takes milliseconds.
const AT_ONCE_BYTES: usize = 32 << 10;

/// The packed forms of some bytes, as far as they were asked for.
///
/// Only what shrinks to less than half is here, so that both forms together are never longer than the
/// bytes themselves.
#[derive(Debug, Default)]
pub(super) struct PackedForms {
    gzip: OnceCell<Option<Bytes>>,
    zstd: OnceCell<Option<Bytes>>,
}

impl PackedForms {
    /// The bytes packed; `None` where that is not worth it.
    pub(super) async fn of(&self, bytes: &Bytes, packing: Packing) -> Option<Bytes> {
        let form = match packing {
            Packing::Gzip => &self.gzip,
            Packing::Zstd => &self.zstd,
        };
        form.get_or_init(|| pack(bytes, packing)).await.clone()
    }
}

async fn pack(bytes: &Bytes, packing: Packing) -> Option<Bytes> {
    let packed = if bytes.len() <= AT_ONCE_BYTES {
        packing.pack(bytes)
    } else {
        let bytes = bytes.clone();
        tokio::task::spawn_blocking(move || packing.pack(&bytes)).await.ok()?
    };
    packed.ok().filter(|packed| packed.len() < bytes.len() / 2).map(|mut packed| {
        packed.shrink_to_fit();
        Bytes::from(packed)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    async fn packed(bytes: &Bytes, packing: Packing) -> Option<Bytes> {
        PackedForms::default().of(bytes, packing).await
    }

    #[tokio::test]
    async fn what_is_packed_is_the_same_bytes() {
        for length in [1_000, AT_ONCE_BYTES + 1] {
            let bytes = Bytes::from("0123456789".repeat(length).split_off(9 * length));
            let mut unpacked = Vec::new();
            let gzip = packed(&bytes, Packing::Gzip).await.unwrap();
            flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, bytes);
            let zstd = packed(&bytes, Packing::Zstd).await.unwrap();
            assert_eq!(zstd::decode_all(&zstd[..]).unwrap(), bytes);
        }
    }

    #[tokio::test]
    async fn what_does_not_shrink_to_less_than_half_is_not_packed() {
        let mut bytes = vec![0; 10_000];
        getrandom::fill(&mut bytes).unwrap();
        for bytes in [Bytes::from(bytes), Bytes::from_static(b"[]\n"), Bytes::new()] {
            assert_eq!(packed(&bytes, Packing::Gzip).await, None);
            assert_eq!(packed(&bytes, Packing::Zstd).await, None);
        }
    }

    #[tokio::test]
    async fn each_form_is_made_once() {
        let (forms, bytes) = (PackedForms::default(), Bytes::from("x".repeat(1_000)));
        let first = forms.of(&bytes, Packing::Gzip).await.unwrap();
        let second = forms.of(&Bytes::new(), Packing::Gzip).await.unwrap();
        assert_eq!(first.as_ptr(), second.as_ptr());
    }
}
