//! Each system call on a file fails once, at the start of a registry, while it works and while it stops.
//!
//! `strace` counts calls for each thread, so that a number can stand for several calls of one run. That is why calls are
//! told apart by their file: on most files only one thread works.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::authors::{Answer, Author, lock};
use super::random::Random;
use super::report::Report;
use super::server::{Launch, Server, admin_token, copy};
use super::strace::{Fault, Point, Trace, points, read};
use super::truth::Truth;
use crate::guard::Folder;
use crate::shell::{install_packages, is_there};

/// Runs beside each other; most of the time of each is waiting.
const LANES: usize = 3;
/// Points of a quick run.
const QUICK: usize = 24;

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// At the very first start, without a data folder.
    First,
    /// At the start after a crash.
    Start,
    /// While somebody publishes and yanks.
    Work,
    /// While it stops.
    Stop,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::First => "first start",
            Self::Start => "start after a crash",
            Self::Work => "work",
            Self::Stop => "stop",
        }
    }
}

impl Phase {
    /// How many calls of one kind on one file fail in one way at most. Where entries are written it is each.
    fn most(self) -> usize {
        match self {
            Self::First => 4,
            Self::Start => 8,
            Self::Work => 64,
            Self::Stop => 4,
        }
    }
}

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thoroughness {
    /// A random few.
    Quick,
    /// Each call on few; of many on one file some, from the first to the last.
    Usual,
    /// Each.
    Every,
}

/// Leaves so many of each kind of call on each file as its phase has.
fn thinned(all: Vec<(Phase, Point)>) -> Vec<(Phase, Point)> {
    let key = |(phase, point): &(Phase, Point)| {
        (*phase, point.call.clone(), point.file.clone(), format!("{:?}", point.fault))
    };
    let mut groups: BTreeMap<_, Vec<(Phase, Point)>> = BTreeMap::new();
    all.into_iter().for_each(|one| groups.entry(key(&one)).or_default().push(one));
    let mut kept = Vec::new();
    for ((phase, ..), group) in groups {
        let (most, count) = (phase.most(), group.len());
        let is_kept = |place: usize| count <= most || place * (most - 1) % (count - 1) < most - 1;
        kept.extend(group.into_iter().enumerate().filter(|(place, _)| is_kept(*place)).map(|(_, one)| one));
    }
    kept
}

/// What came of one fault.
#[derive(Debug, Default)]
struct Outcome {
    /// The call was made, and failed.
    is_reached: bool,
    /// The registry came up, or was up.
    is_up: bool,
    /// The last change was acknowledged although something had failed before.
    goes_on: bool,
    /// It ended without a word, as the runtime could not wake a thread.
    is_lost_wake: bool,
    violations: Vec<String>,
}

/// A registry that had a crash, and what its clients know.
struct Template {
    data: PathBuf,
    truth: Truth,
    authors: Vec<Author>,
}

/// Does all of it.
pub(crate) fn check(
    program: &Path,
    how: Thoroughness,
    random: &mut Random,
    report: &mut Report,
) -> Result<()> {
    if !is_there("strace", "-V") {
        install_packages(&["strace"])?;
    }
    let folder = Folder::new("faults-calls")?;
    let folder = folder.path().canonicalize()?;
    let template = template(program, &folder)?;
    let mut all = record(program, &folder, &template)?;
    let found = all.len();
    match how {
        Thoroughness::Every => {}
        Thoroughness::Usual => all = thinned(all),
        Thoroughness::Quick => {
            let mut some = Vec::new();
            for _ in 0..QUICK.min(all.len()) {
                some.push(all.swap_remove(random.between(0, all.len() as u64) as usize));
            }
            all = some;
        }
    }
    println!("{} of {found} are brought about", all.len());
    for phase in [Phase::First, Phase::Start, Phase::Work, Phase::Stop] {
        for is_kill in [false, true] {
            let of_row =
                |(of, point): &&(Phase, Point)| *of == phase && is_kill == (point.fault == Fault::Kill);
            let wanted: Vec<&(Phase, Point)> = all.iter().filter(of_row).collect();
            if wanted.is_empty() {
                continue;
            }
            let how = if is_kill { "`kill -9` before a system call" } else { "a system call fails" };
            report.check(&format!("{how}: {}", phase.name()), |row| {
                let outcomes = lanes(program, &folder, &template, &wanted)?;
                let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, one)| is(one)).count();
                row.count = count(|one| one.is_reached);
                row.seen = format!(
                    "{} tried, {} of them with a registry that came up, {} went on without a new start, {} were \
                     wake-ups of the runtime",
                    outcomes.len(),
                    count(|one| one.is_up),
                    count(|one| one.goes_on),
                    count(|one| one.is_lost_wake)
                );
                for (point, outcome) in &outcomes {
                    outcome.violations.iter().for_each(|words| row.violation(format!("{point}: {words}")));
                }
                Ok(())
            });
        }
    }
    Ok(())
}

/// Makes a registry with something in it, and kills it.
fn template(program: &Path, folder: &Path) -> Result<Template> {
    let launch = Launch::new(program, &folder.join("template"));
    let server = launch.start()?;
    let truth = Mutex::new(Truth::new(server.key()?));
    let authors = Author::invite(server.address, &admin_token(&launch.data)?, 3)?;
    work(&truth, &authors, "before");
    lock(&truth).verify(server.address, true)?;
    server.kill();
    let truth = lock(&truth).clone();
    Ok(Template { data: launch.data, truth, authors })
}

/// What clients do: three publish, two of them at the same time, and one yanks. Whether the last was acknowledged.
fn work(truth: &Mutex<Truth>, authors: &[Author], name: &str) -> bool {
    let [one, two, three, ..] = authors else { return false };
    let first = one.version(name, "1.0.0");
    let is_there = matches!(one.publish(truth, &first), Answer::Done(_));
    thread::scope(|scope| {
        scope.spawn(|| two.publish(truth, &two.version(name, "1.0.0")));
        scope.spawn(|| three.publish(truth, &three.version(name, "1.0.0")));
    });
    // What may not be there cannot be yanked.
    let last =
        if is_there { one.yank(truth, &first) } else { one.publish(truth, &one.version(name, "1.1.0")) };
    matches!(last, Answer::Done(_))
}

/// Every fault that there can be, from what a registry does when nothing fails.
fn record(program: &Path, folder: &Path, template: &Template) -> Result<Vec<(Phase, Point)>> {
    let mut all = Vec::new();
    let mut add = |phase, found: Vec<Point>| {
        println!("{}: {} faults", Phase::name(phase), found.len());
        all.extend(found.into_iter().map(|point| (phase, point)));
    };
    let data = folder.join("record");
    for phase in [Phase::First, Phase::Start] {
        let output = folder.join("record-start");
        if phase == Phase::Start {
            copy(&template.data, &data)?;
        }
        let mut launch = Launch::new(program, &data);
        launch.under = Trace::Record.before(&data, &output);
        launch.start()?.kill();
        add(phase, points(&read(&output, &data)?, faults));
    }
    copy(&template.data, &data)?;
    let output = folder.join("record-work");
    let server = Launch::new(program, &data).start()?;
    let strace = Trace::Record.attach(server.process(), &data, &output)?;
    let truth = Mutex::new(template.truth.clone());
    work(&truth, &moved(&template.authors, &server), "during");
    let stopped = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    server.stop()?;
    drop(strace);
    let made = read(&output, &data)?;
    let (working, stopping): (Vec<_>, Vec<_>) = made.into_iter().partition(|one| one.at < stopped);
    add(Phase::Work, points(&working, faults));
    add(Phase::Stop, points(&stopping, faults));
    Ok(all)
}

/// What may become of a call.
fn faults(call: &str, is_lasting: bool) -> Vec<Fault> {
    let mut faults = vec![Fault::Error("EIO")];
    if ["write", "pwrite64", "ftruncate", "openat", "mkdir"].contains(&call) {
        faults.push(Fault::Error("ENOSPC"));
    }
    // Which files there are of the index does not matter to anything else.
    if is_lasting && call != "openat" {
        faults.push(Fault::Kill);
    }
    faults
}

/// Brings all of these about, several at a time, each in a copy of the template.
fn lanes<'all>(
    program: &Path,
    folder: &Path,
    template: &Template,
    wanted: &[&'all (Phase, Point)],
) -> Result<Vec<(&'all Point, Outcome)>> {
    let next = AtomicUsize::new(0);
    let next = &next;
    let lane = |number: usize| -> Result<Vec<(&'all Point, Outcome)>> {
        let data = folder.join(format!("lane-{number}"));
        let mut outcomes = Vec::new();
        while let Some((phase, point)) = wanted.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            let mut outcome = Outcome::default();
            if let Err(error) = fail(program, &data, template, *phase, point, &mut outcome) {
                outcome.violations.push(format!("{error:#}"));
            }
            outcomes.push((point, outcome));
        }
        Ok(outcomes)
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|number| scope.spawn(move || lane(number))).collect();
        let joined = lanes.into_iter().map(|lane| lane.join().ok().context("a lane panicked")?);
        Ok(joined.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })
}

/// Lets one call fail, kills the registry, and looks at what the next start finds.
fn fail(
    program: &Path,
    data: &Path,
    template: &Template,
    phase: Phase,
    point: &Point,
    outcome: &mut Outcome,
) -> Result<()> {
    let output = data.with_extension("strace");
    if data.exists() {
        std::fs::remove_dir_all(data)?;
    }
    if phase != Phase::First {
        copy(&template.data, data)?;
    }
    let launch = Launch::new(program, data);
    let trace = Trace::Inject(point);
    let (server, strace) = match phase {
        Phase::First | Phase::Start => {
            let under = trace.before(data, &output);
            (Launch { under, ..launch.clone() }.start(), None)
        }
        Phase::Work | Phase::Stop => {
            let server = launch.start()?;
            let strace = trace.attach(server.process(), data, &output)?;
            (Ok(server), Some(strace))
        }
    };
    // A registry that does not start must say why; one that was killed cannot.
    let unsaid = server.as_ref().err().filter(|_| point.fault != Fault::Kill).and_then(|error| {
        let words = format!("{error:#}");
        (words.contains("panicked") || !words.contains("error")).then_some(words)
    });
    let mut known = (phase != Phase::First).then(|| (template.truth.clone(), template.authors.clone()));
    let mut is_dead = server.is_err();
    if let Ok(server) = server {
        outcome.is_up = true;
        if known.is_none()
            && let Ok(key) = server.key()
        {
            known = invited(data, &server, Truth::new(key)).ok();
        }
        if let Some((truth, authors)) = &mut known {
            let mutex = Mutex::new(truth.clone());
            outcome.goes_on = work(&mutex, &moved(authors, &server), "during");
            if let Ok(note) = crate::e2e::http::get_body(server.address, "/log/v1/checkpoint") {
                lock(&mutex).told(&String::from_utf8_lossy(&note));
            }
            *truth = lock(&mutex).clone();
        }
        is_dead = !server.is_running();
        match phase {
            // Not to stop is what may come of this.
            Phase::Stop => drop(server.stop()),
            _ => server.kill(),
        }
    }
    drop(strace);
    let record = std::fs::read(&output).unwrap_or_default();
    outcome.is_reached = match point.fault {
        Fault::Error(_) => String::from_utf8_lossy(&record).contains("(INJECTED)"),
        // A registry that stops by itself does so with a status.
        Fault::Kill if phase == Phase::Stop => {
            is_dead || String::from_utf8_lossy(&record).contains("killed by SIGKILL")
        }
        Fault::Kill => is_dead,
    };
    outcome.goes_on &= outcome.is_reached && !is_dead;
    if let Some(words) = unsaid {
        // A number in its thread may be that of a call that wakes another thread. Without those nothing can go on.
        match is_lost_wake(&String::from_utf8_lossy(&record)) {
            true => outcome.is_lost_wake = true,
            false => outcome.violations.push(format!("the start does not say what is wrong: {words}")),
        }
    }

    let server = launch.start().context("the start after it")?;
    let (mut truth, authors) = match known {
        Some(known) => known,
        None => invited(data, &server, Truth::new(server.key()?)).context("nobody can be let in after it")?,
    };
    truth.verify(server.address, true)?;
    let mutex = Mutex::new(truth);
    if !work(&mutex, &moved(&authors, &server), "after") {
        bail!("nothing can be published after it");
    }
    let mut truth = lock(&mutex);
    truth.verify(server.address, true)?;
    outcome.violations.append(&mut truth.take_violations());
    server.kill();
    Ok(())
}

/// Whether a call that failed was one by which the runtime wakes a thread: on a descriptor that is no file at all.
fn is_lost_wake(record: &str) -> bool {
    let mut unfinished: BTreeMap<&str, &str> = BTreeMap::new();
    record.lines().any(|line| {
        let thread = line.split_whitespace().next().unwrap_or_default();
        if line.ends_with("<unfinished ...>") {
            unfinished.insert(thread, line);
        }
        // The other half of a call that another thread has cut in two says on what it was.
        let begun = if line.contains(" resumed>") { unfinished.get(thread).copied() } else { Some(line) };
        line.contains("(INJECTED)") && begun.is_some_and(|begun| begun.contains("<anon_inode:"))
    })
}

/// Authors of a new registry, if they can be let in.
fn invited(data: &Path, server: &Server, truth: Truth) -> Result<(Truth, Vec<Author>)> {
    let authors = Author::invite(server.address, &admin_token(data)?, 3)?;
    Ok((truth, authors))
}

fn moved(authors: &[Author], server: &Server) -> Vec<Author> {
    authors.iter().map(|author| author.at(server.address)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_that_wake_a_thread_are_excused() {
        let wake = "7 1.5 write(4<anon_inode:[eventfd]>, \"1\", 8) = -1 EIO (Input/output error) (INJECTED)";
        let key = "7 1.5 write(9</d/lane-1/.tmpab>, \"k\", 1) = -1 EIO (Input/output error) (INJECTED)";
        assert!(is_lost_wake(&format!("7 1.4 write(9</d/lane-1/a>, \"a\", 1) = 1\n{wake}")));
        assert!(!is_lost_wake(key));
        assert!(!is_lost_wake("7 1.4 write(4<anon_inode:[eventfd]>, \"1\", 8) = 8"));
        let halves = |seven: &str, eight: &str| {
            format!(
                "7 1.4 write({seven}, \"a\", 1 <unfinished ...>\n\
                 8 1.5 write({eight}, \"b\", 1 <unfinished ...>\n\
                 7 1.6 <... write resumed>) = -1 EIO (Input/output error) (INJECTED)\n\
                 8 1.7 <... write resumed>) = 1\n"
            )
        };
        let (wake, file) = ("4<anon_inode:[eventfd]>", "9</d/lane-1/.tmpab>");
        assert!(is_lost_wake(&halves(wake, file)));
        assert!(!is_lost_wake(&halves(file, wake)));
    }
}
