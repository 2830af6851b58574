//! What runs beside requests, and how it goes, for whoever operates the registry.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use skillery_core::time::Time;

use crate::failure::Result;

macro_rules! jobs {
    ($($job:ident $name:literal $what:literal,)*) => {
        /// One of what runs beside requests.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Job {
            $(#[doc = $what] $job),*
        }

        impl Job {
            /// All of them, by name.
            pub const ALL: &[Self] = &[$(Self::$job),*];

            /// As it is called.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$job => $name),* }
            }

            /// The same in the audit, as what has done something.
            pub const fn via(self) -> &'static str {
                match self { $(Self::$job => concat!("job:", $name)),* }
            }

            /// What it does.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$job => $what),* }
            }
        }
    };
}

jobs! {
    Audit "audit" "sends the audit to the streams that were set up",
    Caches "caches" "drops from memory what any server has changed",
    Checkpoint "checkpoint" "keeps the newest checkpoint of the log",
    Contents "contents" "removes contents that no version needs, every hour",
    Counters "counters" "writes what was counted and what was refused",
    Deliveries "deliveries" "sends e-mail and webhooks",
    Digests "digests" "sends digests, and forgets old notifications",
    Insight "insight" "puts installs of days together, and removes old ones",
    Notifications "notifications" "tells people what has happened in the log",
    Reviews "reviews" "looks for versions that are due to be reviewed again, every hour",
    Search "search" "brings the search index to the end of the log",
    Tidy "tidy" "lets days leave the trend, every day, and old rows the audit, every hour",
    Witnesses "witnesses" "asks witnesses to cosign the log",
}

/// Everything that runs beside requests, since this server has started. What has several parts goes well where all of them do: a
/// part that is stuck turns seldom, and one that is well often.
#[derive(Default)]
pub struct Work(Mutex<BTreeMap<(Job, String), Course>>);

/// How one of them goes.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// Turns that it has taken.
    pub turns: u64,
    /// When the last one ended.
    pub last_at: Option<Time>,
    /// Whether that one failed.
    pub is_failing: bool,
    /// When one failed last, and why.
    pub last_error: Option<(Time, String)>,
    /// Which parts of it fail, where it has several.
    pub failing: Vec<String>,
}

impl Work {
    /// One has taken a turn, which ended so. A failure is told to whoever reads the messages of the server; each of them
    /// tries again.
    pub fn turned<T>(&self, job: Job, now: Time, outcome: &Result<T>) {
        self.part_turned(job, "", now, outcome);
    }

    /// The same of a part of one.
    pub fn part_turned<T>(&self, job: Job, part: &str, now: Time, outcome: &Result<T>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let course = all.entry((job, part.to_owned())).or_default();
        course.turns += 1;
        course.last_at = Some(now);
        course.is_failing = outcome.is_err();
        if let Err(failure) = outcome {
            let (name, cause) = (job.name(), failure.source.as_ref());
            tracing::warn!(job = name, %failure, ?cause, "a job has failed; it tries again");
            let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
            course.last_error = Some((now, format!("{failure}{cause}")));
        }
    }

    /// How this one goes, with all its parts.
    pub fn of(&self, job: Job) -> Course {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut whole = Course::default();
        // What fails now is told before what failed once.
        let mut told = (false, None);
        for ((_, part), course) in all.iter().filter(|((of, _), _)| *of == job) {
            whole.turns += course.turns;
            whole.last_at = whole.last_at.max(course.last_at);
            whole.is_failing |= course.is_failing;
            if course.is_failing && !part.is_empty() {
                whole.failing.push(part.clone());
            }
            if let Some((at, _)) = &course.last_error
                && (course.is_failing, Some(*at)) > told
            {
                told = (course.is_failing, Some(*at));
                whole.last_error.clone_from(&course.last_error);
            }
        }
        whole
    }
}
