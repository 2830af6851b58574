//! What a skill was kept from, told from what the kernel refused and from how Python failed.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::OnceLock;

use nix::errno::Errno;
use serde::Deserialize;

use crate::filter;
use crate::hosts::places;
use crate::policy::Rule;

/// One thing that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) rule: Rule,
    /// The system call, or the path.
    pub(crate) what: String,
}

/// Why an operation of Python's failed, as the worker saw it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Cause {
    #[serde(default)]
    pub(crate) memory: bool,
    /// Whether it was a call of a skill that the caller does not name.
    #[serde(default)]
    call: bool,
    #[serde(default)]
    errno: i32,
    /// Absolute, as the worker saw it.
    path: Option<String>,
    /// Whether it was a signal that could not be sent.
    #[serde(default)]
    signal: bool,
    /// Whether it was a socket that could not be made.
    #[serde(default)]
    socket: bool,
    /// The host, or its address, that was to be reached last, and its port; 0 where that is not known.
    #[serde(default)]
    address: Option<(String, u16)>,
    /// Whether something is there for the worker.
    #[serde(default)]
    seen: bool,
    /// Whether the folder of it is there for the worker.
    #[serde(default)]
    parent_seen: bool,
    /// Whether it was to be opened for writing; none where it was not to be opened.
    writing: Option<bool>,
}

impl Denial {
    /// For a system call that the filter refused.
    pub(crate) fn of_call(number: i64) -> Option<Self> {
        static REFUSED: OnceLock<BTreeMap<i64, (Rule, &'static str)>> = OnceLock::new();
        let (rule, name) = REFUSED.get_or_init(filter::refused).get(&number)?;
        Some(Self { rule: *rule, what: (*name).to_owned() })
    }

    /// For an error of Python's, if the sandbox is why it came.
    pub(crate) fn of_cause(cause: &Cause, calls: &[Self], hosts: &[String]) -> Option<Self> {
        if cause.call {
            return calls.iter().rfind(|call| call.rule == Rule::Skills).cloned();
        }
        let error = Errno::from_raw(cause.errno);
        if cause.socket && error == Errno::EACCES && cause.path.is_none() {
            return Some(Self { rule: Rule::Network, what: "socket".to_owned() });
        }
        if let Some(denial) = Self::of_host(cause, calls, hosts) {
            return Some(denial);
        }
        let is_no = matches!(error, Errno::EPERM | Errno::EACCES | Errno::EROFS);
        let Some(path) = &cause.path else {
            return match error {
                // Only these say no without a path.
                Errno::EPERM | Errno::EACCES | Errno::ENOSYS => calls.last().cloned().or_else(|| {
                    (error == Errno::EPERM && cause.signal)
                        .then(|| Self { rule: Rule::Signal, what: "kill".to_owned() })
                }),
                _ => None,
            };
        };
        let denied = |rule| Some(Self { rule, what: path.clone() });
        let path = Path::new(path);
        let is_absent = matches!(error, Errno::ENOENT | Errno::ENOTDIR) && !cause.seen;
        let is_hidden = is_absent && !cause.parent_seen;
        let is_program = cause.writing.is_none() && !cause.seen;
        if is_no && is_program && calls.last().is_some_and(|call| call.rule == Rule::Subprocess) {
            // Programs are files too.
            calls.last().cloned()
        } else if is_no && error != Errno::EROFS && path.starts_with("/proc") {
            denied(Rule::Processes)
        } else if is_absent && path.starts_with("/proc") {
            // Other processes are not there, whether the machine has them or not.
            let process = path.components().nth(2).and_then(|part| part.as_os_str().to_str());
            let is_process = process.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
            if is_process { denied(Rule::Processes) } else { None }
        } else if is_no {
            // What was not opened was to be changed.
            denied(if cause.writing.unwrap_or(cause.seen) { Rule::Write } else { Rule::Read })
        } else if is_hidden && path.parent().is_some_and(exists) || is_absent && exists(path) {
            denied(if cause.writing == Some(true) { Rule::Write } else { Rule::Read })
        } else {
            None
        }
    }
}

impl Denial {
    /// For a host that could not be found or reached, if that is because it is not granted.
    fn of_host(cause: &Cause, calls: &[Self], hosts: &[String]) -> Option<Self> {
        let error = Errno::from_raw(cause.errno);
        let (name, port) = cause.address.as_ref().filter(|_| cause.path.is_none())?;
        let is_why = match error {
            Errno::EPERM => calls.last().is_some_and(|call| call.rule == Rule::Network),
            Errno::EACCES | Errno::ECONNREFUSED | Errno::ENETUNREACH | Errno::EHOSTUNREACH => true,
            // Of the search for a name, whose errors have numbers of their own.
            _ => cause.errno < 0,
        };
        let places = places(hosts);
        let known = places.iter().find(|place| {
            place.name.as_deref() == Some(&name.to_ascii_lowercase())
                || name.parse::<IpAddr>().is_ok_and(|address| address == place.address)
        });
        let is_granted = known.is_some_and(|place| *port == 0 || place.ports.contains(port));
        let name = known.and_then(|place| place.name.as_ref()).unwrap_or(name);
        let what = match (*port, name.contains(':')) {
            (0, _) => name.clone(),
            (port, true) => format!("[{name}]:{port}"),
            (port, false) => format!("{name}:{port}"),
        };
        (is_why && !is_granted).then_some(Self { rule: Rule::Network, what })
    }
}

/// Whether something is there for the runner, which the worker does not see.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

impl fmt::Display for Denial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the sandbox denies {}: `{}`{}", self.rule, self.what, self.rule.hint())
    }
}
