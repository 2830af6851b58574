//! Registries full of skills. Filling one takes minutes, so it is done once and kept below `target/bench`.

pub mod decisions;
pub mod furnish;
pub mod hooks;

use std::path::PathBuf;

use anyhow::Result;

use crate::corpus::Corpus;
use crate::places;
use crate::registry::{self, Registry};

/// Raised when the same number makes another skill than before.
const GENERATION: &str = "4";
const PUBLISHERS: usize = 64;
/// As many as the registry writes with one commit.
const RATERS: usize = 256;
/// Bytes of code of skills that are there for their entries.
const LOGGED_CODE: usize = 512;
/// Requests that are made before they are sent.
const AT_ONCE: usize = 10_000;

/// The data folder of a registry with skills `0..count`, each with code of so many bytes.
pub fn filled(count: usize, code_bytes: usize) -> Result<PathBuf> {
    let what = format!("publishing {count} skills");
    kept(&format!("skills-{count}-{code_bytes}"), &what, |registry, corpus| {
        publish(registry, corpus, count, code_bytes)
    })
}

/// The same, and among them one skill with all that pages may have to show, and many that were approved: see [`furnish`] and
/// [`decisions`].
pub fn furnished(count: usize, code_bytes: usize) -> Result<PathBuf> {
    let what = format!("publishing {count} skills, one with much to show and many that are approved");
    kept(&format!("approved-{count}-{code_bytes}"), &what, |registry, corpus| {
        publish(registry, corpus, count, code_bytes)?;
        decisions::decide(registry, corpus)?;
        furnish::furnish(registry, corpus)
    })
}

/// The data folder of a registry whose log has so many entries, and a few more: a tenth are publications, each of another
/// skill, and the rest are ratings.
pub fn logged(entries: usize) -> Result<PathBuf> {
    let what = format!("making a log of {entries} entries");
    kept(&format!("log-{entries}"), &what, |registry, corpus| {
        let skills = skills_of(entries);
        publish(registry, corpus, skills, LOGGED_CODE)?;
        let ids: Vec<String> = (0..skills).map(|number| corpus.id(number)).collect();
        let numbers: Vec<usize> = (skills..entries).collect();
        for some in numbers.chunks(AT_ONCE) {
            // A step that shares no factor with the number of skills comes to all of them before it comes to one again.
            let id = |number: usize| &ids[number * 7_919 % skills];
            let rating = |number: usize| (10 + number % 41) as f64 / 10.0;
            let requests: Vec<_> =
                some.iter().map(|number| registry.rate_request(id(*number), rating(*number))).collect();
            registry::send(registry.address, RATERS, &requests, 200)?;
        }
        Ok(())
    })
}

/// The data folder of a registry that was filled so, once.
fn kept(name: &str, what: &str, fill: impl FnOnce(&Registry, &Corpus) -> Result<()>) -> Result<PathBuf> {
    let marker = places::kept(&format!("{name}.complete"))?;
    if fs_err::read_to_string(&marker).is_ok_and(|text| text == GENERATION) {
        return places::kept(name);
    }
    eprintln!("  {what}, once");
    let data = places::emptied(name)?;
    let registry = Registry::start(&data)?;
    fill(&registry, &Corpus::new())?;
    registry.settle()?;
    registry.stop()?;
    fs_err::write(marker, GENERATION)?;
    Ok(data)
}

/// How many skills a log of so many entries is about.
pub fn skills_of(entries: usize) -> usize {
    entries / 10
}

fn publish(registry: &Registry, corpus: &Corpus, count: usize, code_bytes: usize) -> Result<()> {
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(AT_ONCE) {
        let request = |number: &usize| registry.publish_request(&corpus.skill(*number, code_bytes));
        let requests = some.iter().map(request).collect::<Result<Vec<_>>>()?;
        registry::publish(registry.address, PUBLISHERS, &requests)?;
    }
    Ok(())
}
