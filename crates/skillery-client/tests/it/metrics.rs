//! What is remembered of executions: added up exactly, by many at once, through crashes, full disks and damage.

use std::time::Duration;

use skillery_client::library::{LocalSkill, local_id};
use skillery_client::metrics::{Execution, ExecutionStatus, MINIMUM_RUNS, Ranking, Recorder, SkillMetrics};
use skillery_client::{Library, Metrics};
use skillery_core::Rating;

use crate::TestHome;

fn execution(skill: &str, version: &str, status: ExecutionStatus, milliseconds: u64) -> Execution {
    Execution {
        id: local_id(skill).unwrap(),
        version: version.parse().unwrap(),
        status,
        latency: Some(Duration::from_millis(milliseconds)),
        share_with: None,
    }
}

fn succeed(metrics: &Metrics, skill: &str, milliseconds: u64) {
    metrics.record(&execution(skill, "1.0.0", ExecutionStatus::Success, milliseconds)).unwrap();
}

fn save(library: &Library, id: &str, version: &str) {
    let code = format!("def run():\n    return '{version}'\n");
    library.save(LocalSkill::new(local_id(id).unwrap(), version.parse().unwrap(), code)).unwrap();
}

fn ids(found: &[SkillMetrics]) -> Vec<&str> {
    found.iter().map(|skill| skill.id.as_str()).collect()
}

fn runs(metrics: &Metrics) -> u64 {
    metrics.all().unwrap().iter().map(|skill| skill.usage.runs).sum()
}

#[test]
fn executions_add_up_by_version_with_percentiles() {
    let test = TestHome::new();
    let (metrics, library) = (Metrics::new(&test.home()), Library::new(test.home()));
    assert!(metrics.all().unwrap().is_empty());
    assert!(!test.home().metrics_folder().exists(), "looking makes nothing");
    save(&library, "acme/tool", "1.0.0");
    save(&library, "acme/tool", "1.10.0");
    save(&library, "acme/tool", "1.9.0");
    // Nothing has run of what is only installed, and nothing is known of the rest.
    let fresh = metrics.get(&library, "tool", None).unwrap().unwrap();
    assert_eq!((fresh.id.as_str(), fresh.usage.runs, fresh.usage.success_rate), ("acme/tool", 0, None));
    assert!(metrics.get(&library, "other", None).unwrap().is_none());

    for milliseconds in 1..=100 {
        metrics.record(&execution("acme/tool", "1.9.0", ExecutionStatus::Success, milliseconds)).unwrap();
    }
    metrics.record(&execution("acme/tool", "1.10.0", ExecutionStatus::TimedOut, 60_000)).unwrap();
    metrics.record(&execution("acme/tool", "1.10.0", ExecutionStatus::Cancelled, 9_999_999)).unwrap();
    metrics
        .record(&Execution { latency: None, ..execution("acme/tool", "1.10.0", ExecutionStatus::Denied, 0) })
        .unwrap();

    let tool = metrics.get(&library, "tool", None).unwrap().unwrap();
    let usage = &tool.usage;
    assert_eq!((usage.runs, usage.succeeded, usage.failed, usage.cancelled), (103, 100, 2, 1));
    assert_eq!(usage.success_rate, Some(100.0 / 102.0));
    assert_eq!(usage.statuses["timed-out"] + usage.statuses["denied"], 2);
    assert!(usage.first_used.unwrap() < usage.last_used.unwrap());
    let versions: Vec<_> = tool.versions.iter().map(|version| version.version.as_str()).collect();
    assert_eq!(versions, ["1.10.0", "1.9.0"]);
    let latency = tool.versions[1].usage.latency.unwrap();
    assert_eq!((latency.count, latency.mean_ms, latency.min_ms, latency.max_ms), (100, 50.5, 1.0, 100.0));
    for (found, wanted) in [(latency.p50_ms, 50.0), (latency.p90_ms, 90.0), (latency.p99_ms, 99.0)] {
        assert!((found - wanted).abs() <= wanted / 100.0, "{found} is not {wanted}");
    }
    // One that was cancelled says nothing of time, and one whose time is not known is counted.
    assert_eq!(tool.versions[0].usage.latency.unwrap().count, 1);

    let one = metrics.get(&library, "tool", Some(&"1.9.0".parse().unwrap())).unwrap().unwrap();
    assert_eq!((one.usage.runs, one.versions.len()), (100, 1));
    let never = metrics.get(&library, "tool", Some(&"1.0.0".parse().unwrap())).unwrap().unwrap();
    assert_eq!((never.usage.runs, never.versions.len()), (0, 0));
    assert!(metrics.get(&library, "tool", Some(&"7.0.0".parse().unwrap())).unwrap().is_none());
    // What was removed is remembered, and folding again changes nothing.
    library.remove("acme/tool", None).unwrap();
    assert_eq!(metrics.get(&library, "to_ol", None).unwrap(), None);
    assert_eq!(metrics.get(&library, "tool", None).unwrap().unwrap(), tool);
}

#[test]
fn a_name_that_several_recorded_skills_have_is_not_guessed() {
    let test = TestHome::new();
    let (metrics, library) = (Metrics::new(&test.home()), Library::new(test.home()));
    succeed(&metrics, "acme/tool", 1);
    succeed(&metrics, "evil/to.ol", 1);
    succeed(&metrics, "evil/tool", 1);
    assert_eq!(metrics.get(&library, "tool", None).unwrap_err().code(), "ambiguous-name");
    assert_eq!(metrics.get(&library, "to_ol", None).unwrap().unwrap().id, "evil/to.ol");
    assert_eq!(metrics.get(&library, "Tool", None).unwrap_err().code(), "invalid-id");
    // The one that is installed is meant.
    save(&library, "acme/tool", "1.0.0");
    assert_eq!(metrics.get(&library, "tool", None).unwrap().unwrap().id, "acme/tool");
}

#[test]
fn many_write_fold_and_read_at_once_and_nothing_is_lost_or_counted_twice() {
    const WRITERS: u64 = 6;
    const EACH: u64 = 1_500;
    let test = TestHome::new();
    let metrics = Metrics::new(&test.home());
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let metrics = metrics.clone();
            scope.spawn(move || {
                for step in 0..EACH {
                    succeed(&metrics, &format!("acme/tool{}", number % 2), step % 50);
                }
            });
        }
        let metrics = metrics.clone();
        scope.spawn(move || {
            let mut before = 0;
            for _ in 0..50 {
                let now = runs(&metrics);
                assert!(now >= before && now <= WRITERS * EACH, "{before} {now}");
                before = now;
            }
        });
    });
    assert_eq!(runs(&metrics), WRITERS * EACH);
    // Everything is folded into one small file.
    let folder = test.home().metrics_folder();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [".lock", "summary.json"]);
    assert!(std::fs::metadata(folder.join("summary.json")).unwrap().len() < 10_000);
}

#[test]
fn the_file_is_folded_when_it_has_grown() {
    let test = TestHome::new();
    let metrics = Metrics::new(&test.home());
    let open = test.home().metrics_folder().join("executions.jsonl");
    let mut longest = 0;
    for _ in 0..3_000 {
        succeed(&metrics, "acme/a_skill_with_a_rather_long_name", 1);
        longest = longest.max(std::fs::metadata(&open).map_or(0, |metadata| metadata.len()));
    }
    assert!(longest < 300 * 1024, "{longest}");
    assert_eq!(runs(&metrics), 3_000);
}

#[test]
fn versions_that_were_used_longest_ago_are_forgotten() {
    let test = TestHome::new();
    let metrics = Metrics::new(&test.home());
    for number in 0..2_010 {
        metrics
            .record(&execution("acme/tool", &format!("1.0.{number}"), ExecutionStatus::Success, 1))
            .unwrap();
    }
    let versions = &metrics.all().unwrap()[0].versions;
    assert_eq!((versions.len(), versions[1_999].version.as_str()), (2_000, "1.0.10"));
}

#[test]
fn a_line_that_a_crash_cut_off_takes_no_other_with_it() {
    let test = TestHome::new();
    let metrics = Metrics::new(&test.home());
    let open = test.home().metrics_folder().join("executions.jsonl");
    succeed(&metrics, "acme/tool", 1);
    succeed(&metrics, "acme/tool", 1);
    let bytes = std::fs::read(&open).unwrap();
    std::fs::write(&open, &bytes[..bytes.len() - 20]).unwrap();
    succeed(&metrics, "acme/tool", 1);
    // After a loss of power a file may end in zeros.
    let mut bytes = std::fs::read(&open).unwrap();
    bytes.extend([0; 100]);
    bytes.extend(b"\n{\"at\":\"yesterday\"}\n\xff\xfe\n[]");
    std::fs::write(&open, bytes).unwrap();
    succeed(&metrics, "acme/tool", 1);
    assert_eq!(
        runs(&metrics),
        2,
        "the first, and the one after the last damage; zeros damage the line before them"
    );
    succeed(&metrics, "acme/tool", 1);
    assert_eq!(runs(&metrics), 3);
}

#[test]
fn a_crash_between_the_summary_and_the_removal_counts_once() {
    let test = TestHome::new();
    let metrics = Metrics::new(&test.home());
    let folder = test.home().metrics_folder();
    let (open, closed) = (folder.join("executions.jsonl"), folder.join("executions-1.jsonl"));
    succeed(&metrics, "acme/tool", 1);
    // Folding was interrupted before the summary.
    std::fs::rename(&open, &closed).unwrap();
    let bytes = std::fs::read(&closed).unwrap();
    succeed(&metrics, "acme/tool", 1);
    assert_eq!(runs(&metrics), 2);
    assert!(!closed.exists());
    // And after it.
    std::fs::write(&closed, &bytes).unwrap();
    assert_eq!(runs(&metrics), 2);
    assert!(!closed.exists());
    succeed(&metrics, "acme/tool", 1);
    assert_eq!(runs(&metrics), 3);
}

#[test]
fn a_damaged_summary_is_set_aside_and_a_newer_one_is_left_alone() {
    let test = TestHome::new();
    let metrics = Metrics::new(&test.home());
    let folder = test.home().metrics_folder();
    succeed(&metrics, "acme/tool", 1);
    assert_eq!(runs(&metrics), 1);
    std::fs::write(folder.join("summary.json"), "{\"skills\": {").unwrap();
    succeed(&metrics, "acme/tool", 1);
    assert_eq!(runs(&metrics), 1);
    assert!(folder.join("summary.damaged.json").exists());
    std::fs::write(folder.join("summary.json"), "{\"format\": 2}").unwrap();
    succeed(&metrics, "acme/tool", 1);
    assert_eq!(metrics.all().unwrap_err().code(), "bad-file");
    assert_eq!(std::fs::read_to_string(folder.join("summary.json")).unwrap(), "{\"format\": 2}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_no_run_from_going_on() {
    let test = TestHome::new();
    let metrics = Metrics::new(&test.home());
    let folder = test.home().metrics_folder();
    std::fs::create_dir_all(&folder).unwrap();
    // Whatever is written there answers that the disk is full.
    std::os::unix::fs::symlink("/dev/full", folder.join("executions.jsonl")).unwrap();
    let error = metrics.record(&execution("acme/tool", "1.0.0", ExecutionStatus::Success, 1)).unwrap_err();
    assert_eq!(error.code(), "disk");
    let recorder = Recorder::new(&test.home(), true);
    recorder.record("acme/tool", "1.0.0", "success", 1.0);
    recorder.record("acme/tool", "1.0.0", "success", 1.0);

    // Nor does a file where the folder should be.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    recorder.record("acme/tool", "1.0.0", "success", 1.0);
    assert!(metrics.record(&execution("acme/tool", "1.0.0", ExecutionStatus::Success, 1)).is_err());
}

#[test]
fn a_recorder_takes_what_steps_say() {
    let test = TestHome::new();
    let (metrics, recorder) = (Metrics::new(&test.home()), Recorder::new(&test.home(), false));
    recorder.record("shout", "1.0.0", "success", 12.5);
    recorder.record("acme/tool", "1.0.0", "of a later release", f64::NAN);
    for (skill, version, status) in [
        ("acme/tool", "1.0.0", "skipped"),
        ("", "1.0.0", "success"),
        ("acme/tool", "", "success"),
        ("a workflow", "1", "success"),
    ] {
        recorder.record(skill, version, status, 1.0);
    }
    let all = metrics.all().unwrap();
    assert_eq!(ids(&all), ["acme/tool", "local/shout"]);
    assert_eq!((all[0].usage.failed, all[0].usage.latency), (1, None));
    assert_eq!((all[1].usage.succeeded, all[1].usage.latency.unwrap().p50_ms), (1, 12.5));
    assert!("of a later release".parse::<ExecutionStatus>().unwrap_err().to_string().contains("`timed-out`"));
}

#[test]
fn the_best_come_first_and_what_cannot_be_compared_is_left_out() {
    let test = TestHome::new();
    let (metrics, library) = (Metrics::new(&test.home()), Library::new(test.home()));
    let top = |ranking| {
        let found = metrics.top(ranking, 10, MINIMUM_RUNS).unwrap();
        ids(&found).join(" ")
    };
    for _ in 0..6 {
        succeed(&metrics, "a/often", 40);
    }
    metrics.record(&execution("a/often", "1.0.0", ExecutionStatus::Failed, 40)).unwrap();
    for _ in 0..5 {
        succeed(&metrics, "a/fast", 2);
    }
    for _ in 0..5 {
        succeed(&metrics, "a/again", 2);
    }
    // Not often enough to say.
    succeed(&metrics, "a/once", 1);
    for id in ["a/often", "a/fast", "a/never"] {
        save(&library, id, "1.0.0");
    }
    let rate = |name: &str, rating: f64| {
        metrics.rate(&library, name, Rating::try_from(rating).unwrap(), None).unwrap();
    };
    rate("often", 3.0);
    rate("fast", 3.0);
    rate("never", 4.5);
    assert_eq!(
        top(Ranking::Usage),
        "a/often a/again a/fast a/once",
        "of two that ran as often, the last one"
    );
    assert_eq!(top(Ranking::SuccessRate), "a/again a/fast a/often");
    assert_eq!(top(Ranking::Latency), "a/again a/fast a/often");
    assert_eq!(top(Ranking::Rating), "a/never a/often a/fast");
    assert_eq!(ids(&metrics.top(Ranking::Latency, 1, 1).unwrap()), ["a/once"]);
    assert!("speed".parse::<Ranking>().unwrap_err().to_string().contains("`success_rate`"));
}

#[test]
fn ratings_are_of_installed_skills_and_survive_forgetting() {
    let test = TestHome::new();
    let (metrics, library) = (Metrics::new(&test.home()), Library::new(test.home()));
    let rating = |number: f64| Rating::try_from(number).unwrap();
    assert_eq!(metrics.rate(&library, "tool", rating(4.0), None).unwrap_err().code(), "not-installed");
    save(&library, "acme/tool", "1.0.0");
    metrics.rate(&library, "tool", rating(4.0), Some("good")).unwrap();
    metrics.rate(&library, "acme/to-ol", rating(2.0), None).unwrap_err();
    let rated = metrics.rate(&library, "acme/tool", rating(2.5), Some("  ")).unwrap();
    assert_eq!((f64::from(rated.rating), rated.review.as_deref()), (2.5, None));
    let long = "x".repeat(10_001);
    assert_eq!(metrics.rate(&library, "tool", rating(1.0), Some(&long)).unwrap_err().code(), "invalid-input");

    succeed(&metrics, "acme/tool", 1);
    succeed(&metrics, "acme/other", 1);
    assert_eq!(metrics.reset(Some("acme/other")).unwrap(), 1);
    assert_eq!(metrics.all().unwrap().len(), 1);
    assert_eq!(metrics.reset(None).unwrap(), 1);
    let tool = metrics.get(&library, "tool", None).unwrap().unwrap();
    assert_eq!((tool.usage.runs, tool.rating), (0, Some(rated)));
    assert_eq!(metrics.reset(None).unwrap(), 0);

    // Ratings that cannot be read are not lost by the next one.
    let file = test.home().metrics_folder().join("ratings.json");
    std::fs::write(&file, "{").unwrap();
    assert_eq!(metrics.rate(&library, "tool", rating(5.0), None).unwrap_err().code(), "bad-file");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{");
}
