//! `kill -9` at random moments of a crowd's work, and of a start.

use std::path::Path;
use std::sync::Mutex;
use std::thread::sleep;

use anyhow::{Result, bail};
use serde_json::Value;

use super::authors::{Author, lock, while_working};
use super::random::Random;
use super::report::{Report, Row};
use super::server::{Launch, admin_token};
use super::truth::Truth;
use crate::e2e::http::get_body;
use crate::guard::Folder;

/// Authors that work at the same time.
const CROWD: usize = 8;
/// Milliseconds of work at most before the end.
const WORK: u64 = 250;
/// After each so manieth end a start is killed, too.
const STARTS: usize = 4;
/// Milliseconds of a start at most before the end. It takes a tenth of a second.
const START: u64 = 120;

/// Does it so often, in one data folder.
pub(crate) fn check(program: &Path, rounds: usize, random: &mut Random, report: &mut Report) {
    report.check("`kill -9` while authors publish and yank", |row| {
        let folder = Folder::new("faults-kill")?;
        let launch = Launch::new(program, &folder.path().join("data"));
        kill(&launch, rounds, random, row)
    });
}

fn kill(launch: &Launch, rounds: usize, random: &mut Random, row: &mut Row) -> Result<()> {
    let mut server = launch.start()?;
    let key = server.key()?;
    let truth = Mutex::new(Truth::new(key.clone()));
    let mut authors = Author::invite(server.address, &admin_token(&launch.data)?, CROWD)?;
    let mut starts = 0;
    for round in 0..rounds {
        let moment = random.moment(1, WORK);
        while_working(&truth, &authors, round, false, || {
            sleep(moment);
            server.kill();
        });
        row.count += 1;
        if round % STARTS == 0 {
            let starting = launch.begin()?;
            sleep(random.moment(0, START));
            drop(starting);
            starts += 1;
        }
        server = launch.start()?;
        if server.key()? != key {
            bail!("the log has another key after `kill -9`");
        }
        authors.iter_mut().for_each(|author| author.address = server.address);
        let verified = lock(&truth).verify(server.address, round + 1 == rounds);
        let at = |words: &str| format!("end {round} after {moment:?}: {words}");
        lock(&truth).take_violations().iter().for_each(|words| row.violation(at(words)));
        if let Err(error) = verified {
            bail!("{}", at(&format!("{error:#}")));
        }
    }
    let truth = lock(&truth);
    let found: Value = serde_json::from_slice(&get_body(server.address, "/api/v1/skills?limit=1")?)?;
    if found["total"].as_u64() != Some(truth.skills().len() as u64) {
        row.violation(format!(
            "the search finds {}, and the log has {}",
            found["total"],
            truth.skills().len()
        ));
    }
    server.stop()?;
    launch.doctor()?;
    row.count += starts;
    row.seen = format!("{starts} of them of starts; {}", truth.counts());
    Ok(())
}
