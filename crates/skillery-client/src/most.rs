//! The most that is taken from a registry or read back from disk: a maximum of this program's own, and no setting of a registry.
//! What its operator allows may be more than the defaults, and must install all the same; what no operator would allow must not
//! fill memory and disk.

use skillery_core::Limits;

/// Bytes of a bundle, unpacked, and of one file in it. A bundle is in memory while it is checked.
const BUNDLE_BYTES: usize = 1024 * 1024 * 1024;
/// Files in a bundle: what one ZIP can name without ZIP64, which nobody reads here.
const BUNDLE_FILES: usize = 65_534;
/// What a file takes in a ZIP beside its content: a header, an entry in the directory, and twice the longest path.
const FILE_OVERHEAD: usize = 1_024;

/// The limits of what is accepted.
pub(crate) fn limits() -> Limits {
    Limits {
        file_bytes: BUNDLE_BYTES,
        bundle_bytes: BUNDLE_BYTES,
        bundle_files: BUNDLE_FILES,
        ..Limits::default()
    }
}

/// The most that the ZIP of a bundle may hold: all its files, packed as badly as can be.
pub(crate) fn zip_bytes() -> usize {
    BUNDLE_BYTES + BUNDLE_BYTES / 1_000 + BUNDLE_FILES * FILE_OVERHEAD
}
