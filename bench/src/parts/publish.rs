//! Durable publishes of 8 KiB of code, beside the same bytes in plain files and beside verdaccio.

use std::path::Path;

use anyhow::Result;

use super::Setup;
use crate::corpus::Corpus;
use crate::peers::verdaccio::Verdaccio;
use crate::registry::{self, Registry};
use crate::report::{Findings, Row};
use crate::rounds::{Sample, interleaved};
use crate::{places, workers};

const CODE_BYTES: usize = 8 * 1_024;
const WRITERS: usize = 64;
/// Publishes of one round.
const COUNT: usize = 8_000;
/// Publishes of one round to verdaccio, which takes as long for these.
const VERDACCIO_COUNT: usize = 400;

pub fn run(setup: &Setup) -> Result<Findings> {
    let corpus = Corpus::new();
    let registry = Registry::start(&places::fresh("publish/data")?)?;
    let folder = places::fresh("publish/files")?;
    let npm = Verdaccio::start("publish", true)?;

    // Everything that is sent is made before the clock runs.
    let (mut published, mut written, mut packages) = (0, 0, 0);
    let outcomes = interleaved(
        setup.rounds,
        vec![
            (
                "skillery",
                Box::new(|| {
                    let requests = next(&mut published, COUNT)
                        .map(|number| registry.publish_request(&corpus.skill(number, CODE_BYTES)))
                        .collect::<Result<Vec<_>>>()?;
                    let sample = registry::publish(registry.address, WRITERS, &requests)?;
                    // What is still being indexed must not slow down the others.
                    registry.settle()?;
                    Ok(sample)
                }),
            ),
            (
                "synced files",
                Box::new(|| {
                    let contents: Vec<_> = next(&mut written, COUNT)
                        .map(|number| (number, corpus.skill(number, CODE_BYTES).code))
                        .collect();
                    synced_files(&folder, &contents)
                }),
            ),
            (
                "verdaccio, 16 at once",
                Box::new(|| {
                    let requests: Vec<_> = next(&mut packages, VERDACCIO_COUNT)
                        .map(|number| {
                            npm.publish_request(number, corpus.skill(number, CODE_BYTES).code.as_bytes())
                        })
                        .collect();
                    npm.publish(&requests)
                }),
            ),
        ],
    )?;
    let work = "publish 8 KiB, 64 publishers";
    Ok(Findings {
        rows: vec![
            Row::ratio(work, &outcomes[0], &outcomes[1], 0.25),
            Row::ratio(work, &outcomes[0], &outcomes[2], 12.0),
        ],
        notes: Vec::new(),
    })
}

fn next(position: &mut usize, count: usize) -> std::ops::Range<usize> {
    *position += count;
    *position - count..*position
}

/// Each content as a new file: written, synced, renamed, and the folder synced.
fn synced_files(folder: &Path, contents: &[(usize, String)]) -> Result<Sample> {
    workers::run(WRITERS, contents.len(), || {
        Ok(|position: usize| {
            let (number, content) = &contents[position];
            let temporary = folder.join(format!("{number}.tmp"));
            let mut file = std::fs::File::create(&temporary)?;
            std::io::Write::write_all(&mut file, content.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&temporary, folder.join(number.to_string()))?;
            std::fs::File::open(folder)?.sync_all()?;
            Ok(())
        })
    })
}
