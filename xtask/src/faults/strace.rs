//! `strace`: what system calls a registry makes on its files, and how one of them fails.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::guard::{Guarded, temporary_folder};

/// Calls that change something on a disk, and `openat`, which may.
pub(crate) const CALLS: &str = "openat,write,pwrite64,fsync,fdatasync,syncfs,ftruncate,rename,renameat,renameat2,unlink,\
                                unlinkat,mkdir,mkdirat,linkat";

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not done, and this error is its answer.
    Error(&'static str),
    /// The process is killed before it is done.
    Kill,
}

/// One call that a fault is for.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) call: String,
    /// On this file below the data folder; any file otherwise.
    pub(crate) file: Option<PathBuf>,
    /// The so manieth of each thread.
    pub(crate) number: usize,
    pub(crate) fault: Fault,
}

impl std::fmt::Display for Point {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file = self.file.as_deref().map_or("any file".into(), Path::to_string_lossy);
        write!(formatter, "{:?} at {} {} of {file}", self.fault, self.call, self.number)
    }
}

impl Point {
    /// Arguments that make it happen to a registry with this data folder.
    fn arguments(&self, data: &Path) -> Vec<OsString> {
        let mut arguments = vec!["-e".into(), format!("trace={}", self.call).into()];
        let what = match self.fault {
            Fault::Error(error) => format!("error={error}"),
            Fault::Kill => "signal=KILL".to_owned(),
        };
        arguments.extend(["-e".into(), format!("inject={}:{what}:when={}", self.call, self.number).into()]);
        if let Some(file) = &self.file {
            arguments.extend(["-P".into(), data.join(file).into()]);
        }
        arguments
    }
}

/// What `strace` is to do.
#[derive(Debug, Clone)]
pub(crate) enum Trace<'point> {
    /// Write down all calls.
    Record,
    /// Bring this about.
    Inject(&'point Point),
}

impl Trace<'_> {
    fn arguments(&self, data: &Path, output: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = ["-f", "-y", "-ttt", "-o"].map(OsString::from).into();
        arguments.push(output.into());
        arguments.extend(match self {
            Self::Record => vec!["-e".into(), format!("trace={CALLS}").into()],
            Self::Inject(point) => point.arguments(data),
        });
        arguments
    }

    /// The words before a program that is to run under it. The program stays the child of who starts it.
    pub(crate) fn before(&self, data: &Path, output: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = ["strace", "-D"].map(OsString::from).into();
        // Without it every call stops twice. With it no signal is sent.
        if !matches!(self, Self::Inject(Point { fault: Fault::Kill, .. })) {
            words.push("--seccomp-bpf".into());
        }
        words.extend(self.arguments(data, output));
        words
    }

    /// Does it to a process that runs, from now on.
    pub(crate) fn attach(&self, process: &str, data: &Path, output: &Path) -> Result<Guarded> {
        let outputs = temporary_folder("faults-strace")?;
        let mut strace = Command::new("strace");
        strace.args(self.arguments(data, output)).args(["-p", process]);
        let strace = Guarded::start(&strace, "INT", &outputs)?;
        strace.wait_for("strace", || {
            let words = std::fs::read_to_string(outputs.join("log")).ok()?;
            words.contains(" attached").then_some(())
        })?;
        Ok(strace)
    }
}

/// A call that was made.
#[derive(Debug)]
pub(crate) struct Made {
    thread: String,
    call: String,
    /// Below the data folder.
    file: PathBuf,
    /// Its number among the calls of this kind of its thread, and among those on the same file.
    number: usize,
    number_on_file: usize,
    /// Seconds since 1970.
    pub(crate) at: f64,
}

/// The calls on files in the data folder that a record has.
pub(crate) fn read(record: &Path, data: &Path) -> Result<Vec<Made>> {
    let text = std::fs::read(record).with_context(|| format!("cannot read `{}`", record.display()))?;
    let mut numbers: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut on_file: BTreeMap<(String, String, PathBuf), usize> = BTreeMap::new();
    let mut all = Vec::new();
    for line in String::from_utf8_lossy(&text).lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(at)) = (words.next(), words.next()) else { continue };
        let Some((call, arguments)) = words.next().and_then(|_| line.split_once(at)?.1.split_once('('))
        else {
            continue;
        };
        let call = call.trim();
        if !CALLS.split(',').any(|known| known == call) {
            continue;
        }
        let number = numbers.entry((thread.to_owned(), call.to_owned())).or_default();
        *number += 1;
        // A call names its file, or a descriptor whose file stands behind it.
        let is_named = !["write", "pwrite64", "fsync", "fdatasync", "syncfs", "ftruncate"].contains(&call);
        let (begin, end) = if is_named { ('"', '"') } else { ('<', '>') };
        let path = arguments.split_once(begin).and_then(|(_, rest)| Some(rest.split_once(end)?.0));
        let Some(file) = path.and_then(|path| Path::new(path).strip_prefix(data).ok()) else { continue };
        let place = (thread.to_owned(), call.to_owned(), file.to_owned());
        let number_on_file = on_file.entry(place).or_default();
        *number_on_file += 1;
        all.push(Made {
            thread: thread.to_owned(),
            call: call.to_owned(),
            file: file.to_owned(),
            number: *number,
            number_on_file: *number_on_file,
            at: at.parse()?,
        });
    }
    Ok(all)
}

impl Made {
    /// Whether the file is called the same in the next run. The index gives its files random names, and so do those that
    /// are renamed to `log-key` and its like.
    fn is_lasting(&self) -> bool {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        !(name.starts_with(".tmp") || self.file.starts_with("index") && name.len() > 30)
    }
}

/// Where each of these calls can be made to fail: by its number on its file, or, where the file has another name each time, by
/// its number in its thread.
pub(crate) fn points(made: &[Made], faults: impl Fn(&str, bool) -> Vec<Fault>) -> Vec<Point> {
    let mut places = BTreeMap::new();
    for one in made {
        let key = if one.is_lasting() {
            (one.call.clone(), Some(one.file.clone()), one.number_on_file)
        } else {
            (one.call.clone(), None, one.number)
        };
        places.entry(key).or_insert(&one.thread);
    }
    let point = |(call, file, number): (String, Option<PathBuf>, usize)| {
        faults(&call, file.is_some()).into_iter().map(move |fault| Point {
            call: call.clone(),
            file: file.clone(),
            number,
            fault,
        })
    };
    places.into_keys().flat_map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_thread_and_file() {
        let folder = temporary_folder("faults-test").unwrap();
        let record = folder.join("record");
        let text = "7 1.5 openat(AT_FDCWD</x>, \"/d/registry.sqlite\", O_RDWR) = 3</d/registry.sqlite>\n\
                    7 2.5 pwrite64(3</d/registry.sqlite-wal>, \"a\"..., 24, 0) = 24\n\
                    7 2.6 write(9<pipe:[1]>, \"a\", 1) = 1\n\
                    7 2.7 <... write resumed>) = 1\n\
                    8 3.5 pwrite64(3</d/registry.sqlite-wal>, \"(\"..., 24, 0 <unfinished ...>\n\
                    7 3.6 pwrite64(3</d/registry.sqlite>, \"a\"..., 24, 0) = 24\n\
                    7 3.7 pwrite64(3</d/registry.sqlite-wal>, \"a\"..., 24, 0) = 24\n\
                    7 3.8 +++ exited with 0 +++\n";
        std::fs::write(&record, text).unwrap();
        let made = read(&record, Path::new("/d")).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let points = points(&made, |_, _| vec![Fault::Kill]);
        let shown: Vec<_> = points.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "Kill at openat 1 of registry.sqlite",
                "Kill at pwrite64 1 of registry.sqlite",
                "Kill at pwrite64 1 of registry.sqlite-wal",
                "Kill at pwrite64 2 of registry.sqlite-wal",
            ]
        );
    }
}
