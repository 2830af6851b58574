//! Signatures: the statement that is signed, and the forms in which it can be.
//!
//! One text is signed, the [`Statement`](statement::Statement) of a version. An author signs it with an SSH key
//! ([`sshsig`]), which everybody has and `ssh-keygen` checks, or with a key in PEM ([`dsse`]), which the tools of
//! Sigstore check. Skills from elsewhere may carry a signature of their own kind ([`oms`]).
//!
//! Nothing here asks whether a key is one to trust: a caller knows the keys, and gets told exactly what a signature
//! says. Keys, times and randomness come in as arguments.

pub mod allowed_signers;
pub mod author;
pub mod dsse;
mod ed25519;
pub mod enrolment;
pub mod oms;
pub mod pem;
pub mod review;
pub mod ssh;
pub mod sshsig;
pub mod statement;
pub mod x509;
