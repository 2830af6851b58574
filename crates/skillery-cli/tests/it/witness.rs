//! `skillery witness`: what it prints, what it cosigns, and that no end of the process leads it back.

use std::sync::atomic::{AtomicU64, Ordering};

use skillery_core::Digest;
use skillery_core::tlog::{KeyKind, VerifierKey, parse_cosignatures};

use crate::support::{Place, signal, snapshot};
use crate::witnesses::{TestLog, WitnessServer, exchange, send};

#[test]
fn its_key_is_made_once_and_shown() {
    let place = Place::new();
    let arguments = ["witness", "key", "--data", "w", "--name", "witness.example/w1"];
    let first = place.run(arguments).ok().stdout.clone();
    let key: VerifierKey = first.trim().parse().unwrap();
    assert_eq!((key.name(), key.kind()), ("witness.example/w1", KeyKind::CosignatureV1));
    assert_eq!(place.run(["witness", "key", "--data", "w"]).ok().stdout, first);
    let shown = place.run(["witness", "key", "--data", "w", "--json"]).ok().json();
    assert_eq!(shown["key"], key.to_string());
    assert_eq!(shown["fingerprint"], key.fingerprint());
    let unnamed = place.run(["witness", "key", "--data", "other"]).ok().stdout.clone();
    assert!(unnamed.starts_with("skillery-witness/"), "{unnamed}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = place.work().join("w/witness-key");
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn what_it_needs_is_said() {
    let place = Place::new();
    snapshot!("no-log", place.run(["witness", "serve", "--data", "w"]).fails(2));
    snapshot!("bad-log", place.run(["witness", "serve", "--data", "w", "--log", "log.example"]).fails(2));
    place.write("witness.toml", "logs = []\nport = 1\n");
    snapshot!("bad-file", place.run(["witness", "serve", "--data", "w"]).fails(2));
}

#[test]
fn it_follows_the_logs_of_its_file() {
    let log = TestLog::honest();
    let place = Place::new();
    place.write("witness.toml", format!("logs = [\"{}\"]\nname = \"witness.example/w2\"\n", log.key()));
    let witness = WitnessServer::start_in(&place.work().join("w"), "127.0.0.1:0", &[]);
    assert_eq!(witness.key.name(), "witness.example/w2");
    let shown = exchange(&witness.url, "GET", "/", "").unwrap();
    assert_eq!(shown.text, format!("{}\n", witness.key));
    assert_eq!(witness.add(&log.request(0, 5)).unwrap().status, 200);
    // Named again, it is the same log.
    let mut witness = witness.kill_and_start(&[log.key()]);
    assert_eq!(witness.size(&log), 5);
    // A second one on the same folder could lead it back.
    let second = ["witness", "serve", "--data", "w", "--listen", "127.0.0.1:0"];
    let refused = place.run(second).fails(1);
    assert!(refused.stderr.contains("another witness uses the data folder"), "{}", refused.stderr);
    signal(witness.child.id(), "TERM");
    assert!(witness.child.wait().unwrap().success());
}

#[test]
fn forks_and_replays_are_refused_by_the_process_too() {
    let (log, fork) = (TestLog::honest(), TestLog::forked_at(3));
    let mut witness = WitnessServer::start(&[log.key()]);
    let request = log.request(0, 8);
    let answer = witness.add(&request).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    parse_cosignatures(&answer.text, &request.checkpoint, &[witness.key.clone()]).unwrap();
    for _ in 0..2 {
        for (request, status) in [
            (log.request(0, 8), 409),
            (log.request(0, 20), 409),
            (log.request(5, 8), 409),
            (fork.request(8, 8), 422),
            (fork.request(8, 20), 422),
        ] {
            assert_eq!(witness.add(&request).unwrap().status, status);
        }
        witness = witness.kill_and_start(&[log.key()]);
    }
    assert_eq!(witness.size(&log), 8);
}

#[test]
fn kill_9_between_remembering_and_answering_leads_nowhere_back() {
    let (log, fork) = (TestLog::honest(), TestLog::forked_at(0));
    let mut witness = WitnessServer::start(&[log.key()]);
    let file =
        witness.data.join("logs").join(format!("{}.checkpoint", Digest::of(log.key().name().as_bytes())));
    let mut size = 0;
    for step in 1..=8 {
        let next = size + step % 3 + 1;
        let before = std::fs::read(&file).ok();
        let unread = send(&witness.url, "POST", "/add-checkpoint", &log.request(size, next).to_string());
        // Nobody has read the answer, and may never.
        while std::fs::read(&file).ok() == before {
            std::hint::spin_loop();
        }
        witness = witness.kill_and_start(&[log.key()]);
        drop(unread);
        // It knows what it has cosigned, whoever else does.
        assert_eq!(witness.add(&log.request(size, next)).unwrap().text, format!("{next}\n"));
        assert_eq!(witness.add(&fork.request(next, next)).unwrap().status, 422);
        assert_eq!(witness.add(&fork.request(next, next + 1)).unwrap().status, 422);
        assert_eq!(witness.add(&log.request(next, next)).unwrap().status, 200);
        size = next;
    }
}

#[test]
fn kill_9_at_any_moment_takes_no_cosignature_back() {
    let log = TestLog::honest();
    let mut witness = WitnessServer::start(&[log.key()]);
    let mut size = 0;
    for round in 0..5_u64 {
        let child = witness.child.id();
        let mut acknowledged = size;
        let answered = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let (url, log, answered) = (witness.url.clone(), &log, &answered);
            let asking = scope.spawn(move || {
                let mut last = size;
                for next in size + 1..=40 {
                    let request = log.request(next - 1, next).to_string();
                    match exchange(&url, "POST", "/add-checkpoint", &request) {
                        Some(answer) if answer.status == 200 => last = next,
                        _ => break,
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                last
            });
            // Another moment of the work in each round.
            while answered.load(Ordering::SeqCst) < 2 + round && !asking.is_finished() {
                std::hint::spin_loop();
            }
            signal(child, "KILL");
            acknowledged = asking.join().unwrap();
        });
        witness = witness.kill_and_start(&[log.key()]);
        let known = witness.size(&log);
        assert!(known == acknowledged || known == acknowledged + 1, "{known}, {acknowledged}");
        size = known;
    }
}
