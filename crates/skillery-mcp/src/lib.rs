//! The Model Context Protocol: what a registry has, as tools and skills for an agent.
//!
//! It is spoken in two places, by the server over HTTP and by `skillery mcp` over stdin and stdout, and means the same in
//! both: tools, addresses and texts stand here, and [`Backend`] is what the two know in different ways. Skills are served
//! as the Skills extension has it (SEP-2640), so that hosts which know it read them without any tool.
//!
//! Nothing here reads a file or asks a registry, and nobody but `rmcp` knows the form of a message.

mod address;
mod backend;
mod consent;
mod handler;
mod manifest;
mod refusal;
mod resources;
mod texts;
mod tools;
mod words;

pub use address::SkillAddress;
pub use backend::{Backend, InstallOrder, Listed, Listing, Shown, SkillFile};
pub use handler::Handler;
pub use manifest::{FileEntry, Manifest};
pub use refusal::Refusal;
pub use words::{
    FileContent, InstallArguments, InstallResult, MAX_FILE_BYTES, MAX_HITS, ReadArguments, SearchArguments,
    SearchHit, SearchResult, ShowArguments, SkillDetail,
};

/// Bytes in a message at most: no call of a tool is longer.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
