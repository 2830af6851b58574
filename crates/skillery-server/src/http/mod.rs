//! HTTP: the only room that knows requests, answers and status codes.

pub mod api;
pub mod call;
pub mod docs;
mod door;
pub mod etag;
pub mod interop;
pub mod limiter;
pub(crate) mod middleware;
pub mod multipart;
pub mod openapi;
mod openapi_problems;
pub mod ops;
pub mod pages;
pub mod range;
pub mod router;

pub use door::Door;
