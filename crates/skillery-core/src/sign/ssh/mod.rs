//! SSH: its keys, certificates and signatures, as far as files are signed with them.
//!
//! Every field of the wire format has a length before it (RFC 4251), so reading is a walk from length to length. What is
//! read must be written in the one way in which OpenSSH writes it, and nothing may follow it.

mod certificate;
mod fingerprint;
mod key;
mod private;
mod raw;
mod wire;

pub use self::certificate::{Certificate, CertificateError};
pub use self::fingerprint::{Fingerprint, FingerprintError};
pub use self::key::{KeyAlgorithm, KeyError, PublicKey};
pub use self::private::{PrivateKeyError, sign_data};
pub use self::raw::SignatureError;
pub(super) use self::raw::{Fits, verify};
pub(super) use self::wire::{Reader, put_string};
