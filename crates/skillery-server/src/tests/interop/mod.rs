//! Protocols of others.

mod clawhub;
