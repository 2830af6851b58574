//! Another key for the log, from the outermost door: the operator's command, clients that follow, witnesses that are told.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;
use skillery_core::tlog::{Note, VerifierKey};

use crate::support::{Place, Run, Server, snapshot};
use crate::witnesses::{Witnessed, exchange, log_key, lying_registry};

const ID: &str = "acme/email_validator";
const SAID: &str = "was handed over from its key";

/// Runs a command of the operator on this data.
fn admin(place: &Place, command: &str, data: &Path) -> Run {
    place.run(["admin", command, "--data", &data.display().to_string()])
}

/// Stops it, rotates its key, and starts it again where it was.
fn rotate(server: &mut Server) -> VerifierKey {
    assert!(server.stop());
    admin(&Place::new(), "rotate-log-key", &server.data).ok();
    server.start_again_here();
    log_key(&server.url)
}

fn installs(place: &Place, version: &str) -> Run {
    place.run(["install", &format!("{ID}@{version}")])
}

#[test]
fn the_log_is_handed_over_and_clients_follow() {
    let mut server = Server::start();
    let place = server.place();
    let old = log_key(&server.url);
    place.publish(ID, "1.0.0");
    installs(&place, "1.0.0").ok();
    place.run(["log", "prove", &format!("{ID}@1.0.0"), "--output", "proof"]).ok();
    place.run(["log", "monitor"]).ok();
    let lock = place.read("skillery.lock");
    assert!(lock.contains(&old.to_string()));
    snapshot!("none-yet", place.run(["log", "rotations"]).ok());
    snapshot!("while-it-runs", admin(&place, "rotate-log-key", &server.data).fails(1));
    assert!(server.stop());
    snapshot!("rotated", admin(&place, "rotate-log-key", &server.data).ok());
    snapshot!("doctor", admin(&place, "doctor", &server.data).ok());
    server.start_again_here();
    let new = log_key(&server.url);
    assert_ne!(old, new);

    place.publish(ID, "1.1.0");
    snapshot!("followed", installs(&place, "1.1.0").ok());
    let again = installs(&place, "1.0.0").ok();
    assert!(!again.stderr.contains(SAID), "it is said once: {}", again.stderr);
    snapshot!("rotations", place.run(["log", "rotations"]).ok());
    assert_eq!(place.run(["log", "rotations", "--json"]).ok().json()["key"], new.to_string());
    let monitor = place.run(["log", "monitor", "--json"]).ok().json();
    assert_eq!(monitor["violations"], serde_json::json!([]));
    let listed = place.run(["log", "list"]).ok();
    assert!(listed.stdout.contains("log.key-rotated"), "{}", listed.stdout);

    // Another machine with the key from before in its configuration, which a second rotation makes older still.
    let newest = rotate(&mut server);
    let mut other = server.place();
    // The key in a file belongs to the registry in it.
    other.unset("REGISTRY_URL");
    other.run(["config", "set", "url", &server.url]).ok();
    other.run(["config", "set", "log_key", &old.to_string()]).ok();
    snapshot!("followed-configured", installs(&other, "1.0.0").ok());
    assert!(!installs(&other, "1.1.0").ok().stderr.contains(SAID));
    other.run(["config", "set", "log_key", &newest.to_string()]).ok();
    installs(&other, "1.0.0").ok();
    // And one that was given a lock file from before.
    let locked = server.place();
    locked.write("skillery.lock", &lock);
    let frozen = locked.run(["install", "--frozen"]).ok();
    assert!(frozen.stderr.contains(SAID), "{}", frozen.stderr);

    // What was proven before is proven still, without a registry.
    place.run(["log", "show"]).ok();
    assert!(server.stop());
    place.run(["verify"]).ok();
    place.run(["log", "verify", "proof"]).ok();
    place.write("skillery.lock", &lock);
    place.run(["log", "verify"]).ok();
    place.run(["install", "--frozen", "--offline"]).ok();
    other.run(["verify"]).ok();
    let elsewhere = Place::new();
    elsewhere.write("skillery.lock", &lock);
    elsewhere.run(["log", "verify"]).ok();
    elsewhere.write("proof", place.read("proof"));
    elsewhere.run(["log", "verify", "proof", "--log-key", &old.to_string()]).ok();
    elsewhere.run(["log", "verify", "proof", "--log-key", &new.to_string()]).fails(1);
}

#[test]
fn a_chain_that_does_not_hold_is_refused() {
    let mut server = Server::start();
    let mut place = server.place();
    place.publish(ID, "1.0.0");
    installs(&place, "1.0.0").ok();
    let pinned = place.run(["log", "show", "--json"]).ok().json()["key"].clone();
    rotate(&mut server);
    place.publish("acme/other", "1.0.0");
    let shown = exchange(&server.url, "GET", "/api/v1/log/key", "").unwrap().text;
    let mut shown: Value = serde_json::from_str(&shown).unwrap();
    let mut note: Note = shown["rotations"][0].as_str().unwrap().parse().unwrap();
    note.signatures[0].signature[5] ^= 1;
    shown["rotations"][0] = note.to_string().into();
    // The address of the registry is what the pinned key belongs to.
    let lying = lying_registry(&server.url, "/api/v1/log/key", shown.to_string());
    place.run(["log", "pin", pinned.as_str().unwrap(), "--registry", &lying]).ok();
    place.replace(&lying, "[LYING]");
    let refused = place.run(["install", "acme/other", "--registry", &lying]);
    let refused = snapshot!("not-handed-over", refused.fails(1));
    assert!(!refused.stderr.contains(SAID));
    let listed = place.run(["list", "--json"]).ok().json();
    assert_eq!(listed["skills"].as_array().unwrap().len(), 1);
    place.run(["install", "acme/other"]).ok();
}

#[test]
fn a_backup_goes_on_under_the_new_key() {
    let mut server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    installs(&place, "1.0.0").ok();
    let new = rotate(&mut server);
    let backup = place.work().join("backup");
    let data = server.data.display().to_string();
    place.run(["admin", "backup", &backup.display().to_string(), "--data", &data]).ok();
    assert!(server.stop());
    std::fs::remove_dir_all(&server.data).unwrap();
    place.run(["admin", "restore", &backup.display().to_string(), "--data", &data]).ok();
    admin(&place, "doctor", &server.data).ok();
    server.start_again_here();
    assert_eq!(log_key(&server.url), new);
    place.publish(ID, "1.1.0");
    let followed = installs(&place, "1.1.0").ok();
    assert!(followed.stderr.contains(SAID), "{}", followed.stderr);
}

#[test]
fn a_restore_that_was_announced_needs_no_new_first_contact() {
    let mut server = Server::start();
    let mut place = server.place();
    let old = log_key(&server.url);
    place.publish(ID, "1.0.0");
    place.run(["log", "prove", &format!("{ID}@1.0.0"), "--output", "proof"]).ok();
    let new = rotate(&mut server);
    installs(&place, "1.0.0").ok();
    let backup = place.work().join("backup");
    let data = server.data.display().to_string();
    place.run(["admin", "backup", &backup.display().to_string(), "--data", &data]).ok();
    place.publish(ID, "1.1.0");
    place.publish("acme/lost", "1.0.0");
    installs(&place, "1.1.0").ok();
    assert!(server.stop());
    std::fs::remove_dir_all(&server.data).unwrap();
    place.run(["admin", "restore", &backup.display().to_string(), "--data", &data]).ok();
    server.start_again_here();
    for number in ["2.0.0", "2.1.0", "2.2.0"] {
        server.place().publish(ID, number);
    }
    let refused = place.run(["install", &format!("{ID}@2.0.0"), "--json"]).fails(1);
    assert!(refused.stderr.contains("log-forked"), "{}", refused.stderr);
    // No other key, and not the same, stands against evidence; what was pinned stays.
    place.run(["log", "evidence"]).fails(1);
    let other = Server::start();
    snapshot!("pin-against-evidence", place.run(["log", "pin", &log_key(&other.url).to_string()]).fails(1));
    place.run(["log", "pin", &new.to_string()]).fails(1);
    place.run(["log", "evidence"]).fails(1);
    snapshot!("forgotten-but-for-the-key", place.run(["log", "forget", "--keep-key"]).ok());
    place.run(["log", "evidence"]).ok();
    let followed = installs(&place, "2.0.0").ok();
    assert!(!followed.stderr.contains("first contact"), "{}", followed.stderr);
    let shown = place.run(["log", "show"]).ok();
    assert!(shown.stdout.contains("before") && !shown.stdout.contains("just now"), "{}", shown.stdout);
    // Keys from before are kept, too, and prove what was proven.
    place.run(["log", "verify", "proof"]).ok();
    assert_eq!(
        place.run(["log", "rotations", "--json"]).ok().json()["rotations"][0]["from"],
        old.to_string()
    );

    // Another log at the same address is none of this key.
    let home = place.home();
    let logs = home.join("logs");
    let folders = || std::fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    assert_eq!(folders().len(), 1);
    place.run(["log", "forget", "--keep-key"]).ok();
    let names = || {
        let entries = std::fs::read_dir(&folders()[0]).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), [".lock", "key", "rotations.json"]);
    assert!(server.stop());
    std::fs::remove_dir_all(&server.data).unwrap();
    server.start_again_here();
    place.unset("REGISTRY_TOKEN");
    let strange = place.run(["log", "show", "--json"]).fails(1);
    assert!(strange.stderr.contains("log-key"), "{}", strange.stderr);
    // Nothing is changed while somebody else, who has asked for a checkpoint, may be about to keep it.
    let lock = std::fs::File::options().write(true).open(folders()[0].join(".lock")).unwrap();
    for arguments in [&["log", "pin", &log_key(&other.url).to_string()][..], &["log", "forget"]] {
        let before = names();
        lock.lock().unwrap();
        let mut child = place.command(arguments).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(700));
        assert_eq!((child.try_wait().unwrap(), names()), (None, before));
        lock.unlock().unwrap();
        assert!(child.wait().unwrap().success());
    }
    // Without the key, the next contact is the first one. The lock stays: it is the same file for whoever waits for it.
    assert_eq!(names(), [".lock"]);
    let there = std::fs::metadata(folders()[0].join(".lock")).unwrap();
    assert_eq!(there.ino(), lock.metadata().unwrap().ino());
    let first = place.run(["log", "show"]).ok();
    assert!(first.stdout.contains("just now"), "{}", first.stdout);
}

#[test]
fn witnesses_are_given_the_new_key() {
    let mut registry = Witnessed::start(1, 1);
    let old = registry.log.clone();
    // The policy names the log by the key of before.
    let policy = format!("log {old}\n{}quorum w0\n", registry.policy());
    let place = registry.place(&policy);
    place.publish(ID, "1.0.0");
    installs(&place, "1.0.0").ok();
    let new = rotate(&mut registry.server);
    place.publish(ID, "1.1.0");
    // It does not know the new key, and cosigns nothing.
    place.run(["config", "set", "timeout", "2"]).ok();
    let refused = place.run(["install", &format!("{ID}@1.1.0"), "--json"]).fails(1);
    assert!(refused.stderr.contains("not-witnessed"), "{}", refused.stderr);
    // What it has cosigned before counts.
    installs(&registry.place(&policy), "1.0.0").ok();
    place.run(["verify"]).ok();
    place.run(["config", "set", "timeout", "10"]).ok();
    // Its operator looks at how the log came to its key, and puts the new one in the place of the old one.
    let shown = place.run(["log", "rotations", "--json"]).ok().json();
    assert_eq!(
        (&shown["key"], &shown["rotations"][0]["from"]),
        (&new.to_string().into(), &old.to_string().into())
    );
    let witness = registry.witnesses.pop().unwrap().kill_and_start(&[&new]);
    registry.witnesses.push(witness);
    while installs(&place, "1.1.0").code != Some(0) {}
    place.run(["verify"]).ok();
    // Somebody with the old key gets nothing cosigned any more.
    let note = exchange(&registry.server.url, "GET", "/log/v1/checkpoint", "").unwrap().text;
    let note: Note = note.parse().unwrap();
    assert!(note.verify(&[new]).is_ok() && note.verify(&[old]).is_err());
}

/// Runs the command and kills it as soon as this is so, or lets it end before.
fn killed_when(place: &Place, data: &Path, is_so: impl Fn() -> bool) {
    let data = data.display().to_string();
    let mut child = place.command(["admin", "rotate-log-key", "--data", &data]).spawn().unwrap();
    while !is_so() && child.try_wait().unwrap().is_none() {}
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn a_rotation_that_is_killed_leaves_one_key_or_the_other() {
    let mut server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    let first = log_key(&server.url);
    let mut last = first.clone();
    let (next, old) = (server.data.join("log-key.new"), server.data.join("log-key.old"));
    let wal = server.data.join("registry.sqlite-wal");
    for (round, step) in (0..2).flat_map(|round| (0..4).map(move |step| (round, step))) {
        assert!(server.stop());
        let _ = std::fs::remove_file(&old);
        match step {
            0 => killed_when(&place, &server.data, || next.exists()),
            1 => killed_when(&place, &server.data, || {
                next.exists() && wal.metadata().is_ok_and(|wal| wal.len() > 0)
            }),
            2 => killed_when(&place, &server.data, || old.exists()),
            _ => killed_when(&place, &server.data, || old.exists() && !next.exists()),
        }
        if round == 0 {
            // Once more, and it is done; by the server itself otherwise, where the log was handed over.
            admin(&place, "rotate-log-key", &server.data).ok();
            assert!(!next.exists());
        }
        server.start_again_here();
        let key = log_key(&server.url);
        assert!(round == 1 || key != last, "{step}");
        last = key;
        place.publish(ID, &format!("1.{round}.1{step}"));
    }
    // One chain from the first key to the last.
    let shown = place.run(["log", "rotations", "--json"]).ok().json();
    let rotations = shown["rotations"].as_array().unwrap();
    assert_eq!(rotations.first().unwrap()["from"], first.to_string());
    assert_eq!(rotations.last().unwrap()["to"], last.to_string());
    let monitor = place.run(["log", "monitor", "--json"]).ok().json();
    assert_eq!(monitor["violations"], serde_json::json!([]));
    admin(&place, "doctor", &server.data).ok();
}
