//! Somebody between a client and the registry, who can change one byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail};

use crate::e2e::registry::Registry;
use crate::e2e::tamper::{Proxy, flipped};

/// Bytes that an answer has at least before one of them is changed: short ones are the chatter of a protocol.
const SHORT: usize = 400;

/// The way to a registry.
pub(crate) struct Way(Proxy);

impl Way {
    /// A way that changes nothing yet.
    pub(crate) fn to(registry: &Registry) -> Result<Self> {
        Ok(Self(Proxy::start(registry.address)?))
    }

    /// Where it begins.
    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    /// Runs something while each long answer for these targets has one byte flipped. Fails if there was none.
    pub(crate) fn change<T>(
        &self,
        is_meant: impl Fn(&str) -> bool + Send + Sync + 'static,
        run: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.change_where(move |target, body| body.len() >= SHORT && is_meant(target), run)
    }

    /// The same for answers that are told by their bodies too.
    pub(crate) fn change_where<T>(
        &self,
        is_meant: impl Fn(&str, &[u8]) -> bool + Send + Sync + 'static,
        run: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let changed = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&changed);
        let change = move |target: &str, body: &[u8]| {
            if !is_meant(target, body) {
                return Ok(None);
            }
            counted.fetch_add(1, Ordering::SeqCst);
            flipped(body, body.len() * 2 / 3).map(Some)
        };
        let result = self.0.with_any(Arc::new(change), run)?;
        if changed.load(Ordering::SeqCst) == 0 {
            bail!("nobody asked for what was to be changed");
        }
        Ok(result)
    }
}
