//! Registries full of skills. Filling one takes minutes, so it is done once and kept below `target/bench`.

use std::path::PathBuf;

use anyhow::Result;

use crate::corpus::Corpus;
use crate::places;
use crate::registry::{self, Registry};

/// Raised when the same number makes another skill than before.
const GENERATION: &str = "3";
const PUBLISHERS: usize = 64;
/// Requests that are made before they are sent.
const AT_ONCE: usize = 10_000;

/// The data folder of a registry with skills `0..count`, each with code of so many bytes.
pub fn filled(count: usize, code_bytes: usize) -> Result<PathBuf> {
    let name = format!("skills-{count}-{code_bytes}");
    let marker = places::kept(&format!("{name}.complete"))?;
    if fs_err::read_to_string(&marker).is_ok_and(|text| text == GENERATION) {
        return places::kept(&name);
    }
    eprintln!("  publishing {count} skills, once");
    let data = places::emptied(&name)?;
    let corpus = Corpus::new();
    let registry = Registry::start(&data)?;
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(AT_ONCE) {
        let request = |number: &usize| registry.publish_request(&corpus.skill(*number, code_bytes));
        let requests = some.iter().map(request).collect::<Result<Vec<_>>>()?;
        registry::publish(registry.address, PUBLISHERS, &requests)?;
    }
    registry.settle()?;
    registry.stop()?;
    fs_err::write(marker, GENERATION)?;
    Ok(data)
}
