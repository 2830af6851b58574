//! What git reads from a registry: objects made from the files of versions, and the protocol by which they are fetched.
//!
//! Bytes in, values out, as everywhere in this crate: it knows no HTTP and no database. Objects are a function of files and
//! times alone, so that every server and every machine gives a version the same id.

mod object;
mod pack;
mod reply;
mod request;

pub use gix_hash::ObjectId;

pub use self::object::{Node, Object, ObjectError, blob, commit, of_files, tree};
pub use self::pack::{PackError, PackWriter};
pub use self::reply::{Refs, band, capabilities, error, flush, negotiate, progress};
pub use self::request::{Command, Fetch, Protocol, RequestError, parse_v0, parse_v2};
