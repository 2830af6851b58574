//! What a skill asks for in its manifest, beside what the policy grants it. It has what is both asked for and granted; where
//! something is asked for and not granted, nothing runs.
//!
//! A skill that says nothing of itself has all that it is granted: the policy is then the only word on it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use skillery_core::script::{Manifest, ManifestError, Permissions};

use crate::hosts::Host;
use crate::policy::{DEFAULT_SECONDS, Grants};
use crate::requirement::Requirement;

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What is asked for; none where the skill does not say.
    pub asks: Option<Permissions>,
    /// Of that, what is not granted.
    pub missing: Permissions,
    /// What the skill has.
    pub grants: Grants,
    /// Packages that it is given.
    pub(crate) packages: BTreeSet<Requirement>,
    /// Skills that it calls, as it writes them.
    pub(crate) skills: Vec<String>,
}

/// Compares what the code of a skill asks for with what it is granted. Which of the skills that it calls it must be granted
/// is not known without them: [`settle_all`](crate::settle_all) says that.
pub fn settle(code: &str, granted: &Grants) -> Result<Settled, ManifestError> {
    let Some(Manifest { permissions: mut asks, skills }) = Manifest::find(code)? else {
        let (missing, packages) = (Permissions::default(), BTreeSet::new());
        // It names no skills, so it calls none.
        let (grants, skills) = (Grants { skills: Vec::new(), ..granted.clone() }, Vec::new());
        return Ok(Settled { asks: None, missing, grants, packages, skills });
    };
    let wrong = |(value, what): (String, String)| ManifestError { line: line_of(code, &value), what };
    let bare = Grants::default();
    let memory_bytes = asks.memory_bytes.unwrap_or(bare.memory_bytes);
    let asked = Grants { memory_bytes, seconds: asks.seconds, ..bare.with(&asks) };
    asked.check().map_err(wrong)?;
    let mut packages = packages(&asks.packages).map_err(wrong)?;
    let missing = missing(&asks, granted);
    if !missing.packages.is_empty() {
        packages.clear();
    }
    let grants = Grants {
        read: without(&asked.read, &missing.read),
        write: without(&asked.write, &missing.write),
        hosts: without(&asked.hosts, &missing.hosts),
        environment: without(&asked.environment, &missing.environment),
        subprocess: asked.subprocess && !missing.subprocess,
        packages: !packages.is_empty(),
        skills: if skills.is_empty() { Vec::new() } else { granted.skills.clone() },
        memory_bytes: asks.memory_bytes.unwrap_or(granted.memory_bytes).min(granted.memory_bytes),
        seconds: match asks.seconds {
            Some(seconds) => Some(seconds.min(granted.seconds.unwrap_or(DEFAULT_SECONDS))),
            None => granted.seconds,
        },
    };
    asks.skills.clone_from(&skills);
    Ok(Settled { asks: Some(asks), missing, grants, packages, skills })
}

fn packages(asked: &[String]) -> Result<BTreeSet<Requirement>, (String, String)> {
    let mut found = BTreeSet::new();
    for text in asked {
        let requirement: Requirement =
            text.parse().map_err(|why| (text.clone(), format!("`{text}`: {why}")))?;
        if found.iter().any(|other: &Requirement| other.name == requirement.name) {
            return Err((text.clone(), format!("`{}` stands twice in `packages`", requirement.name)));
        }
        found.insert(requirement);
    }
    Ok(found)
}

/// The line of the manifest that a value stands in; the first of the block where that is not known.
fn line_of(code: &str, value: &str) -> usize {
    let lines = || code.lines().enumerate().filter(|(_, line)| line.starts_with('#'));
    let holds = lines().find(|(_, line)| line.contains(value));
    let opens = || lines().find(|(_, line)| line.trim_end() == "# /// script");
    holds.or_else(opens).map_or(1, |(at, _)| at + 1)
}

pub(crate) fn missing(asks: &Permissions, granted: &Grants) -> Permissions {
    let readable: Vec<&PathBuf> = granted.read.iter().chain(&granted.write).collect();
    let writable: Vec<&PathBuf> = granted.write.iter().collect();
    let hosts: BTreeSet<Host> = granted.hosts.iter().filter_map(|host| host.parse().ok()).collect();
    let is_known = |host: &String| host.parse().is_ok_and(|host| hosts.contains(&host));
    Permissions {
        read: rest(&asks.read, |path| is_covered(path, &readable)),
        write: rest(&asks.write, |path| is_covered(path, &writable)),
        hosts: rest(&asks.hosts, is_known),
        environment: rest(&asks.environment, |name| granted.environment.contains(name)),
        subprocess: asks.subprocess && !granted.subprocess,
        memory_bytes: asks.memory_bytes.filter(|bytes| *bytes > granted.memory_bytes),
        seconds: asks.seconds.filter(|seconds| *seconds > granted.seconds.unwrap_or(DEFAULT_SECONDS)),
        packages: rest(&asks.packages, |_| granted.packages),
        skills: Vec::new(),
    }
}

/// A path that a skill has and that leads out of what it is granted by now: a link was put there meanwhile.
#[cfg(target_os = "linux")]
pub(crate) fn astray<'a>(has: &'a Grants, granted: &Grants) -> Option<&'a PathBuf> {
    let readable: Vec<&PathBuf> = granted.read.iter().chain(&granted.write).collect();
    let writable: Vec<&PathBuf> = granted.write.iter().collect();
    let read = || has.read.iter().find(|path| !is_covered(path, &readable));
    read().or_else(|| has.write.iter().find(|path| !is_covered(path, &writable)))
}

fn rest<T: Clone>(all: &[T], is_fine: impl Fn(&T) -> bool) -> Vec<T> {
    all.iter().filter(|one| !is_fine(one)).cloned().collect()
}

fn without<T: Clone + PartialEq>(all: &[T], missing: &[T]) -> Vec<T> {
    rest(all, |one| missing.contains(one))
}

/// Whether a path lies in what is granted, as it is written and as it is on the disk: a link in a granted folder does not
/// lead out of it.
fn is_covered(path: &Path, granted: &[&PathBuf]) -> bool {
    let within = |folder: &&&PathBuf| {
        path == folder.as_path() || path.starts_with(folder) && real(path).starts_with(real(folder))
    };
    granted.iter().any(|folder| within(&folder))
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    for there in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (there.canonicalize(), path.strip_prefix(there)) {
            return real.join(rest);
        }
    }
    path.to_owned()
}

/// What is asked for in words, an entry for each thing.
pub fn in_words(asks: &Permissions) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(asks.read.iter().map(|path| format!("read `{}`", path.display())));
    words.extend(asks.write.iter().map(|path| format!("write `{}`", path.display())));
    words.extend(asks.hosts.iter().map(|host| format!("connect to `{host}`")));
    words.extend(asks.environment.iter().map(|name| format!("see the environment variable `{name}`")));
    words.extend(asks.subprocess.then(|| "start other programs".to_owned()));
    words.extend(asks.memory_bytes.map(|bytes| format!("have {bytes} bytes of memory")));
    words.extend(asks.seconds.map(|seconds| format!("take {seconds} s for an attempt")));
    let package = |text: &String| text.split_whitespace().next().unwrap_or_default().to_owned();
    words.extend(asks.packages.iter().map(|text| format!("have the package `{}`", package(text))));
    words.extend(asks.skills.iter().map(|skill| format!("call the skill `{skill}`")));
    words
}

/// What is granted in words, an entry for each thing that is not granted to everybody.
pub fn granted_in_words(grants: &Grants) -> Vec<String> {
    let Grants { read, write, hosts, environment, subprocess, packages, skills, memory_bytes, seconds } =
        grants.clone();
    let mut words = in_words(&Permissions {
        read,
        write,
        hosts,
        environment,
        subprocess,
        memory_bytes: (memory_bytes != Grants::default().memory_bytes).then_some(memory_bytes),
        seconds,
        packages: Vec::new(),
        skills: Vec::new(),
    });
    words.extend(skills.iter().map(|skill| format!("call `{skill}` and what is below it")));
    words.extend(packages.then(|| "have the packages that it asks for".to_owned()));
    words
}

/// What keeps a skill from running, with what the policy would have to say.
pub(crate) fn refusal(id: &str, granted: &Grants, missing: &Permissions) -> String {
    let mut entry = granted.with(missing).entry(id);
    entry.truncate(entry.trim_end().len());
    format!(
        "it asks for what the policy does not grant: {}; with this in the policy it has that:\n{entry}",
        in_words(missing).join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(permissions: &str) -> String {
        let lines: String = permissions.lines().map(|line| format!("# {line}\n")).collect();
        format!("'''Doc.'''\n# /// script\n# [tool.skillery.permissions]\n{lines}# ///\ndef main(): ...\n")
    }

    fn settled(permissions: &str, granted: &Grants) -> Settled {
        settle(&manifest(permissions), granted).unwrap()
    }

    #[test]
    fn a_skill_has_what_it_asks_for_and_is_granted() {
        let granted = Grants {
            read: vec!["/srv".into()],
            write: vec!["/var/data".into()],
            hosts: vec!["api.example.com:443".into()],
            environment: vec!["A".into(), "B".into()],
            subprocess: true,
            packages: true,
            skills: Vec::new(),
            memory_bytes: 1 << 30,
            seconds: Some(120),
        };
        let nothing = settled("", &granted);
        let bare = Grants { memory_bytes: 1 << 30, seconds: Some(120), ..Grants::default() };
        assert_eq!((nothing.missing, nothing.grants), (Permissions::default(), bare));
        let text = "
            read = ['/srv/tables', '/var/data/in']
            write = ['/var/data']
            hosts = ['API.example.com:443']
            environment = ['A']
            memory_bytes = 700000000
            seconds = 90";
        let some = settled(text, &granted);
        assert_eq!(some.missing, Permissions::default());
        assert_eq!(some.grants.read, [PathBuf::from("/srv/tables"), PathBuf::from("/var/data/in")]);
        assert_eq!((some.grants.memory_bytes, some.grants.seconds), (700_000_000, Some(90)));
        assert!(!some.grants.subprocess && !some.grants.packages);
        // Who does not say has what it is granted.
        assert_eq!(settle("def main(): ...", &granted).unwrap().grants, granted);
    }

    #[test]
    fn what_is_not_granted_is_missing_and_not_had() {
        let granted = Grants { read: vec!["/srv".into()], hosts: vec!["a:1".into()], ..Grants::default() };
        let text = "
            read = ['/srv/x', '/srvx']
            write = ['/srv/x']
            hosts = ['a:1', 'a:2', 'b:1']
            environment = ['A']
            subprocess = true
            memory_bytes = 536870913
            seconds = 61";
        let Settled { missing, grants, .. } = settled(text, &granted);
        assert_eq!(grants, Grants { read: vec!["/srv/x".into()], seconds: Some(60), ..granted.clone() });
        insta::assert_snapshot!(refusal("acme/x", &granted, &missing), @r#"
        it asks for what the policy does not grant: read `/srvx`, write `/srv/x`, connect to `a:2`, connect to `b:1`, see the environment variable `A`, start other programs, have 536870913 bytes of memory, take 61 s for an attempt; with this in the policy it has that:
        [skills."acme/x"]
        read = ["/srv", "/srvx"]
        write = ["/srv/x"]
        hosts = ["a:1", "a:2", "b:1"]
        environment = ["A"]
        subprocess = true
        memory_bytes = 536870913
        seconds = 61
        "#);
    }

    #[test]
    fn a_link_does_not_lead_out_of_what_is_granted() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let link = inside.path().join("link");
        std::os::unix::fs::symlink(outside.path(), &link).unwrap();
        let granted = Grants { write: vec![inside.path().to_owned()], ..Grants::default() };
        for path in [link.clone(), link.join("new")] {
            let text = format!("read = ['{}']", path.display());
            assert_eq!(settled(&text, &granted).missing.read, [path]);
        }
        // Who is granted the link itself has what it leads to.
        let granted = Grants { read: vec![link.clone()], ..Grants::default() };
        let text = format!("read = ['{}']", link.display());
        assert_eq!(settled(&text, &granted).missing, Permissions::default());
    }

    #[test]
    fn what_cannot_be_asked_for_names_its_line() {
        for (text, said) in [
            ("read = [\n  'data',\n]", "line 5: `data` is not an absolute path without `..`"),
            ("write = ['/proc/x']", "line 4: `/proc/x` is the sandbox's own, and cannot be granted"),
            ("hosts = ['example.com']", "line 4: `example.com`: a host is written `host:port`"),
            ("environment = ['A=B']", "line 4: `A=B` is not the name of an environment variable"),
            ("packages = ['six>=1.0']", "line 4: `six>=1.0`: it is not pinned; write `name==version`"),
            ("seconds = 0", "line 4: `seconds` is at least 1"),
            (
                "memory_bytes = 1",
                "line 4: `memory_bytes` is at least 67108864, which Python needs for itself",
            ),
        ] {
            let error = settle(&manifest(text), &Grants::default()).unwrap_err();
            assert_eq!(error.to_string(), said);
        }
    }
}
