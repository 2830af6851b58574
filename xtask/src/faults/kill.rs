//! `kill -9` at random moments of a crowd's work, and of a start.

use std::path::Path;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use super::authors::{Author, lock, while_working};
use super::random::Random;
use super::report::{Report, Row};
use super::server::{Launch, admin_token, copy};
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

/// Turns of work at most until the fork is the longer one.
const FORKS: usize = 100;

/// Does it so often, in one data folder.
pub(crate) fn check(program: &Path, rounds: usize, random: &mut Random, report: &mut Report) {
    report.check("`kill -9` while authors publish and yank", |row| {
        let folder = Folder::new("faults-kill")?;
        let launch = Launch::new(program, &folder.path().join("data"));
        kill(&launch, rounds, random, row)
    });
}

/// A copy from before is not the log that clients have seen, and is found out: who looks must be seen to refuse.
fn older_copy(launch: &Launch, truth: &Mutex<Truth>, authors: &[Author], row: &mut Row) -> Result<()> {
    let server = Launch::new(&launch.program, &launch.data.with_extension("older")).start()?;
    let mut shorter = lock(truth).clone();
    if shorter.verify(server.address, false).is_ok() {
        row.violation("a log that lost entries is not found out".to_owned());
    }
    let forked = Mutex::new(lock(truth).clone());
    let authors: Vec<Author> = authors.iter().map(|author| author.at(server.address)).collect();
    let seen = shorter.seen();
    for turn in 0..FORKS {
        if lock(&forked).seen() > seen {
            break;
        }
        while_working(&forked, &authors, usize::MAX - turn, false, || sleep(Duration::from_millis(WORK)));
    }
    // What they were told while it was shorter is a fork, too.
    let _ = lock(&forked).verify(server.address, false);
    if !lock(&forked).take_violations().iter().any(|words| words.starts_with("FORK")) {
        row.violation("a log that was forked is not found out".to_owned());
    }
    server.kill();
    Ok(())
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
        if round + 1 == rounds {
            copy(&launch.data, &launch.data.with_extension("older"))?;
        }
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
    // One thing more that the copy does not have.
    while_working(&truth, &authors, rounds, false, || sleep(Duration::from_millis(WORK)));
    older_copy(launch, &truth, &authors, row)?;
    let mut truth = lock(&truth);
    truth.verify(server.address, true)?;
    truth.take_violations().into_iter().for_each(|words| row.violation(words));
    // The index follows the log within a moment.
    let (mut found, wanted) = (None, truth.found().len() as u64);
    for _ in 0..100 {
        let page: Value = serde_json::from_slice(&get_body(server.address, "/api/v1/skills?limit=1")?)?;
        found = page["total"].as_u64();
        if found == Some(wanted) {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    if found != Some(wanted) {
        row.violation(format!("the search finds {found:?}, and the log has {wanted}"));
    }
    server.stop()?;
    launch.doctor()?;
    row.count += starts;
    row.seen = format!("{starts} of them of starts; {}", truth.counts());
    Ok(())
}
