//! Two registries on one PostgreSQL: one is frozen while it holds the log, or loses its database at a commit.

use std::path::Path;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::authors::{Author, lock, while_working};
use super::random::Random;
use super::report::{Report, Row};
use super::server::{Launch, Server};
use super::truth::Truth;
use super::wire::{Cut, Wire};
use crate::guard::Folder;
use crate::postgres::Cluster;

/// Writers on each.
const WRITERS: usize = 8;
const TOKEN: &str = "the-admin-token-of-both-registries";
const NAMES: [&str; 2] = ["first", "second"];
const SHORT: Duration = Duration::from_secs(5);
/// The database gives a silent transaction half a minute.
const LONG: Duration = Duration::from_secs(65);

/// What all of it happens to.
struct Pair {
    cluster: Cluster,
    servers: [Server; 2],
    /// Between the second one and its database.
    wire: Wire,
    truth: Mutex<Truth>,
    authors: Vec<Author>,
    rounds: usize,
    _folder: Folder,
}

/// Does all of it.
pub(crate) fn check(program: &Path, is_quick: bool, random: &mut Random, report: &mut Report) -> Result<()> {
    println!("\n==> two registries on one PostgreSQL");
    let mut pair = Pair::start(program)?;
    let [short, cuts, ends] = if is_quick { [1, 3, 5] } else { [12, 30, 60] };
    report.check("a commit is cut off: not done, and not answered", |row| {
        pair.cuts(Cut::Before, cuts, random, row)
    });
    report
        .check("a commit is cut off: done, and not answered", |row| pair.cuts(Cut::After, cuts, random, row));
    report.check("`pg_terminate_backend`", |row| pair.terminations(ends, random, row));
    report.check("frozen in a transaction for 5 s", |row| {
        (0..short).try_for_each(|_| pair.freeze(SHORT, random, row))
    });
    if !is_quick {
        report.check("frozen in a transaction for 65 s", |row| pair.freeze(LONG, random, row));
    }
    report.check("two registries at the end", |row| pair.end(row));
    Ok(())
}

impl Pair {
    fn start(program: &Path) -> Result<Self> {
        let cluster = Cluster::start()?;
        let folder = Folder::new("faults-pair")?;
        let wire = Wire::start(cluster.address())?;
        let straight = cluster.url.clone();
        let over_wire = straight.replace(&cluster.address().to_string(), &wire.address.to_string());
        let start = |number: usize, url: &str| -> Result<Server> {
            let data = folder.path().join(NAMES[number]);
            std::fs::create_dir(&data)?;
            // They share the keys and the contents, as several servers do.
            let shared = |name: &str| folder.path().join(name).display().to_string();
            let settings = format!(
                "log_key_file = {:?}\nsecret_key_file = {:?}\nblobs = {:?}\n",
                shared("log-key"),
                shared("secret-key"),
                shared("blobs")
            );
            std::fs::write(data.join("skillery.toml"), settings)?;
            let mut launch = Launch::new(program, &data);
            let url = format!("{url}?sslmode=disable&application_name={}", NAMES[number]);
            launch.environment.push(("SKILLERY_DATABASE", url));
            launch.environment.push(("SKILLERY_ADMIN_TOKEN", TOKEN.to_owned()));
            launch.start()
        };
        let servers = [start(0, &straight)?, start(1, &over_wire)?];
        let key = servers[0].key()?;
        if servers[1].key()? != key {
            bail!("the two have different keys");
        }
        let invited = Author::invite(servers[0].address, TOKEN, 2 * WRITERS)?;
        let at = |(number, author): (usize, &Author)| author.at(servers[number / WRITERS].address);
        let authors = invited.iter().enumerate().map(at).collect();
        let truth = Mutex::new(Truth::new(key));
        Ok(Self { cluster, servers, wire, truth, authors, rounds: 0, _folder: folder })
    }

    /// Lets all work while something happens, and holds both against what they said.
    fn round<T>(&mut self, row: &mut Row, during: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.rounds += 1;
        let before = lock(&self.truth).acknowledged();
        let done = while_working(&self.truth, &self.authors, self.rounds, true, || during(self))?;
        for (name, server) in NAMES.iter().zip(&self.servers) {
            if !server.is_running() {
                bail!("the {name} registry has ended");
            }
            let verified = lock(&self.truth).verify(server.address, false);
            verified.with_context(|| format!("the {name} registry"))?;
        }
        let mut truth = lock(&self.truth);
        truth.take_violations().into_iter().for_each(|words| row.violation(words));
        if truth.acknowledged() == before {
            row.violation("nothing was acknowledged any more".to_owned());
        }
        row.seen = truth.counts();
        Ok(done)
    }

    /// Lets commits of the second registry fail.
    fn cuts(&mut self, cut: Cut, times: usize, random: &mut Random, row: &mut Row) -> Result<()> {
        let before = self.wire.cuts();
        self.round(row, |pair| {
            for _ in 0..times {
                sleep(random.moment(20, 300));
                pair.wire.cut(cut);
            }
            sleep(Duration::from_millis(300));
            Ok(())
        })?;
        row.count = self.wire.cuts() - before;
        Ok(())
    }

    /// Ends all connections of one registry or the other.
    fn terminations(&mut self, times: usize, random: &mut Random, row: &mut Row) -> Result<()> {
        row.count = self.round(row, |pair| {
            let mut ended = 0;
            for _ in 0..times {
                sleep(random.moment(20, 300));
                let name = NAMES[random.between(0, 2) as usize];
                let ends = format!(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{name}'"
                );
                ended += pair.cluster.ask(&ends)?.parse::<usize>()?;
            }
            sleep(Duration::from_millis(300));
            Ok(ended)
        })?;
        Ok(())
    }

    /// Freezes one of them while it holds the log, for so long, and wakes it.
    fn freeze(&mut self, time: Duration, random: &mut Random, row: &mut Row) -> Result<()> {
        let (frozen, other) = if random.between(0, 2) == 0 { (0, 1) } else { (1, 0) };
        let served = self.round(row, |pair| {
            sleep(random.moment(100, 900));
            pair.stop_in_transaction(frozen, random)?;
            let began = Instant::now();
            // Behind the frozen one others wait for the log, until the database ends its transaction.
            sleep(time.saturating_sub(time / 4));
            let before = lock(&pair.truth).acknowledged();
            sleep(time.saturating_sub(began.elapsed()));
            let served = lock(&pair.truth).acknowledged() - before;
            if !pair.servers[frozen].signal("CONT") {
                bail!("the frozen registry has ended");
            }
            sleep(Duration::from_secs(1));
            Ok(served)
        })?;
        row.count += 1;
        if time > Duration::from_secs(40) {
            row.seen = format!(
                "{served} publishes acknowledged by the {} one meanwhile; {}",
                NAMES[other], row.seen
            );
            if served == 0 {
                row.violation(format!("the {} registry waits for the frozen one without end", NAMES[other]));
            }
        }
        Ok(())
    }

    /// Freezes it again and again until it is one that holds the log.
    fn stop_in_transaction(&self, number: usize, random: &mut Random) -> Result<()> {
        let holds = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}' AND state = 'idle in transaction'",
            NAMES[number]
        );
        for _ in 0..500 {
            self.servers[number].signal("STOP");
            // What it has sent is done first.
            sleep(Duration::from_millis(30));
            if self.cluster.ask(&holds)? != "0" {
                return Ok(());
            }
            self.servers[number].signal("CONT");
            sleep(random.moment(5, 60));
        }
        bail!("the {} registry was never seen in a transaction", NAMES[number])
    }

    /// Everything once more, at both.
    fn end(&mut self, row: &mut Row) -> Result<()> {
        let mut truth = lock(&self.truth);
        for server in &self.servers {
            truth.verify(server.address, true)?;
            row.count += 1;
        }
        truth.take_violations().into_iter().for_each(|words| row.violation(words));
        row.seen = truth.counts();
        Ok(())
    }
}
