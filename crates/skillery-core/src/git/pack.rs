//! Packs: objects one behind the other, each compressed by itself, with a hash over all at the end.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use gix_hash::Kind as HashKind;
use gix_object::Kind;

use super::Object;

/// A pack under way. Its bytes are the same on every machine, as those of bundles are.
pub struct PackWriter {
    hasher: gix_hash::Hasher,
    left: u32,
}

/// Why a pack cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Its head says how many there are.
    #[error("the pack was to have {0} objects more, or less")]
    Count(u32),
    /// A pack with this hash would be taken for an attack.
    #[error("the hash of the pack cannot be computed")]
    Hash,
    /// An object cannot be compressed.
    #[error("an object cannot be compressed")]
    Write(#[from] std::io::Error),
}

impl PackWriter {
    /// Begins a pack of exactly so many objects; its head goes to `out`.
    pub fn new(count: u32, out: &mut Vec<u8>) -> Self {
        let mut writer = Self { hasher: gix_hash::hasher(HashKind::Sha1), left: count };
        let start = out.len();
        out.extend_from_slice(b"PACK");
        out.extend_from_slice(&2_u32.to_be_bytes());
        out.extend_from_slice(&count.to_be_bytes());
        writer.hasher.update(&out[start..]);
        writer
    }

    /// The next object.
    pub fn push(&mut self, object: &Object, out: &mut Vec<u8>) -> Result<(), PackError> {
        self.left = self.left.checked_sub(1).ok_or(PackError::Count(1))?;
        let start = out.len();
        entry_head(object.kind, object.bytes.len(), out);
        let mut encoder = ZlibEncoder::new(&mut *out, Compression::fast());
        encoder.write_all(&object.bytes)?;
        encoder.finish()?;
        self.hasher.update(&out[start..]);
        Ok(())
    }

    /// The end of the pack.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), PackError> {
        if self.left > 0 {
            return Err(PackError::Count(self.left));
        }
        out.extend_from_slice(self.hasher.try_finalize().map_err(|_| PackError::Hash)?.as_slice());
        Ok(())
    }
}

/// Kind and size: four bits of the size in the first byte, seven in each further one, the lowest first.
fn entry_head(kind: Kind, size: usize, out: &mut Vec<u8>) {
    let kind = match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
    let (mut byte, mut rest) = ((kind << 4) | (size & 0b1111), size >> 4);
    while rest > 0 {
        out.push((byte | 0b1000_0000) as u8);
        (byte, rest) = (rest & 0b111_1111, rest >> 7);
    }
    out.push(byte as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::blob;

    #[test]
    fn heads_of_entries() {
        let head = |kind, size| {
            let mut out = Vec::new();
            entry_head(kind, size, &mut out);
            out
        };
        // As git's own documentation describes them; what git makes of them is tested with git.
        assert_eq!(head(Kind::Blob, 0), [0x30]);
        assert_eq!(head(Kind::Commit, 15), [0x1f]);
        assert_eq!(head(Kind::Tree, 16), [0xa0, 0x01]);
        assert_eq!(head(Kind::Blob, 2_048), [0xb0, 0x80, 0x01]);
    }

    #[test]
    fn the_count_is_kept() {
        let mut out = Vec::new();
        let object = blob(b"x".to_vec()).unwrap();
        assert!(matches!(PackWriter::new(1, &mut out).finish(&mut out), Err(PackError::Count(1))));
        let mut full = PackWriter::new(1, &mut out);
        full.push(&object, &mut out).unwrap();
        assert!(full.push(&object, &mut out).is_err());
    }
}
