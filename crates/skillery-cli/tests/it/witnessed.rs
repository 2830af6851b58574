//! Installing what witnesses have seen: a registry, real witnesses, and policies that want more or less of them.

use skillery_core::receipt::Receipt;
use skillery_core::tlog::{Checkpoint, KeyKind, Note, SigningKey, VerifierKey};

use crate::support::{Place, Server, snapshot};
use crate::witnesses::{Witnessed, exchange, lying_registry};

const ID: &str = "acme/email_validator";

/// The proof beside the installed version.
fn proof(place: &Place) -> Receipt {
    let listed = place.run(["list", "--json"]).ok().json();
    let file = listed["skills"][0]["proof_path"].as_str().unwrap();
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

fn code(place: &Place, arguments: &[&str]) -> String {
    place.run(arguments.iter().chain(&["--json"])).fails(1).error()["code"].as_str().unwrap().to_owned()
}

#[test]
fn one_of_two_witnesses_is_enough_where_the_policy_says_so() {
    let mut registry = Witnessed::start(2, 1);
    registry.witnesses[1].kill();
    let place =
        registry.place(&format!("{}group any-of-them any w0 w1\nquorum any-of-them\n", registry.policy()));
    place.publish(ID, "1.0.0");
    place.run(["install", ID]).ok();
    let key = registry.witnesses[0].key.clone();
    let cosigned = |place: &Place| {
        let receipt = proof(place);
        let (_, checkpoint) = receipt.verify(&registry.log).unwrap();
        let note: Note = receipt.checkpoint().parse().unwrap();
        let verified = note.verify(std::slice::from_ref(&key)).unwrap();
        assert!(verified[0].time.is_some());
        checkpoint.size
    };
    assert!(cosigned(&place) > 0);
    place.run(["verify"]).ok();

    // The proof travels with the lock, and does for another machine; what is on disk needs nobody.
    let other = registry.place(&format!("{}quorum w0\n", registry.policy()));
    other.write("skillery.lock", place.read("skillery.lock"));
    other.run(["install", "--frozen"]).ok();
    other.run(["install", "--frozen", "--offline"]).ok();
    // Who wants other witnesses is not content with that.
    std::fs::write(
        other.home().join("witnesses.policy"),
        format!("{}group both all w0 w1\nquorum both\n", registry.policy()),
    )
    .unwrap();
    assert_eq!(code(&other, &["install", ID, "--offline"]), "not-witnessed");

    // What was installed with less gets a proof with more.
    let mut third = registry.place(&format!("{}quorum w0\n", registry.policy()));
    third.set("SKILLERY_REQUIRE", "logged");
    third.run(["install", ID]).ok();
    third.set("SKILLERY_REQUIRE", "witnessed");
    third.run(["install", ID]).ok();
    assert!(cosigned(&third) > 0);
    third.run(["install", ID, "--offline"]).ok();
}

#[test]
fn one_witness_short_of_the_quorum_is_refused() {
    let mut registry = Witnessed::start(2, 1);
    registry.witnesses[1].kill();
    let place = registry.place(&format!("{}group both all w0 w1\nquorum both\n", registry.policy()));
    place.publish(ID, "1.0.0");
    snapshot!("one-short", place.run(["install", ID]).fails(1));
    assert!(place.run(["list", "--json"]).ok().json()["skills"].as_array().unwrap().is_empty());
    // It comes back, and is asked again.
    let log = registry.log.clone();
    let back = registry.witnesses.pop().unwrap().kill_and_start(&[&log]);
    registry.witnesses.push(back);
    place.publish("acme/other", "1.0.0");
    while place.run(["install", ID]).code != Some(0) {}
}

#[test]
fn witnesses_that_nobody_knows_do_not_count() {
    let registry = Witnessed::start(1, 1);
    let stranger = Witnessed::start(1, 1);
    let place = registry.place(&format!("{}quorum w0\n", stranger.policy()));
    place.publish(ID, "1.0.0");
    assert_eq!(code(&place, &["install", ID]), "not-witnessed");
    // Nor does a log that the policy does not name.
    let policy = format!("log {}\n{}quorum w0\n", stranger.log, registry.policy());
    let place = registry.place(&policy);
    snapshot!("other-log", place.run(["install", ID]).fails(1));
    let policy = format!("log {}\n{}quorum w0\n", registry.log, registry.policy());
    registry.place(&policy).run(["install", ID]).ok();
}

#[test]
fn cosignatures_that_are_too_old_are_refused() {
    let mut registry = Witnessed::start(1, 1);
    let mut place = registry.place(&format!("{}quorum w0\n", registry.policy()));
    place.publish(ID, "1.0.0");
    place.run(["install", ID]).ok();
    registry.witnesses[0].kill();
    place.run(["config", "set", "timeout", "2"]).ok();
    place.set("SKILLERY_LOG_MAX_AGE", "1s");
    // By and by they are.
    let mut runs = 0;
    let stale = loop {
        let run = place.run(["install", ID]);
        if run.code != Some(0) {
            break run;
        }
        runs += 1;
        assert!(runs < 1_000);
    };
    snapshot!("stale", stale.fails(1));
    place.set("SKILLERY_LOG_MAX_AGE", "1h");
    place.run(["install", ID]).ok();
    // What was published since has been seen by nobody.
    place.publish("acme/other", "1.0.0");
    place.run(["config", "set", "timeout", "1"]).ok();
    assert_eq!(code(&place, &["install", "acme/other"]), "not-witnessed");
    place.unset("SKILLERY_REQUIRE");
    place.run(["install", "acme/other"]).ok();
}

#[test]
fn without_a_policy_or_witnesses_nothing_is_witnessed() {
    let server = Server::start();
    let mut place = server.place();
    place.publish(ID, "1.0.0");
    snapshot!("no-policy", place.run(["install", ID, "--require", "witnessed"]).fails(1));
    place.write("none.policy", "quorum none\n");
    place.run(["config", "set", "log_policy", "none.policy"]).ok();
    snapshot!("quorum-none", place.run(["install", ID, "--require", "witnessed"]).fails(2));
    place.write("none.policy", "witness w0\n");
    snapshot!("policy-damaged", place.run(["install", ID, "--require", "witnessed"]).fails(2));
    let key = VerifierKey::new("w.example", KeyKind::CosignatureV1, [1; 32]).unwrap();
    place.write("none.policy", format!("witness w0 {key}\nquorum w0\n"));
    snapshot!("no-witnesses", place.run(["install", ID, "--require", "witnessed"]).fails(1));
    let shown = place.run(["config", "show", "--json"]).ok().json();
    assert_eq!(shown["log_policy"], place.work().join("none.policy").display().to_string());
    assert_eq!(shown["log_max_age_seconds"], 86_400);
    place.run(["config", "set", "log_max_age", "12h"]).ok();
    assert_eq!(place.run(["config", "show", "--json"]).ok().json()["log_max_age_seconds"], 43_200);
    for wrong in ["0", "-1", "1w", "h", "367d"] {
        place.run(["config", "set", "log_max_age", wrong]).fails(2);
    }
    place.set("SKILLERY_LOG_POLICY", "missing.policy");
    assert_eq!(code(&place, &["install", ID, "--require", "witnessed"]), "witness-policy-missing");
}

#[test]
fn another_log_that_was_shown_to_the_witnesses_is_found_out() {
    let registry = Witnessed::start(1, 1);
    let place = registry.place(&format!("{}quorum w0\n", registry.policy()));
    place.publish(ID, "1.0.0");
    // The operator has signed two histories, and shows this machine one and the witnesses the other.
    let key = |file: std::path::PathBuf| -> SigningKey {
        std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
    };
    let (log, witness) =
        (key(registry.server.data.join("log-key")), key(registry.witnesses[0].data.join("witness-key")));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let note = |size: u64| {
        let origin = registry.log.name().to_owned();
        let root = skillery_core::Digest::of(b"another history");
        let text = Checkpoint { origin, size, root, extensions: Vec::new() }.to_string();
        let signatures = vec![log.sign(&text).unwrap(), witness.cosign(&text, now).unwrap()];
        Note { text, signatures }.to_string()
    };
    let real = exchange(&registry.server.url, "GET", "/log/v1/checkpoint", "").unwrap().text;
    let size = Checkpoint::open(&real, &registry.log).unwrap().0.size;
    // What it shows of the log itself has no cosignature, and so the other question is asked.
    let plain = |note: &str| note.lines().take(5).map(|line| format!("{line}\n")).collect::<String>();
    let half = lying_registry(&registry.server.url, "/log/v1/checkpoint", plain(&real));
    for (forked, expected) in
        [(note(size), "log-forked"), (note(size - 1), "log-forked"), (note(size + 9), "log-broken")]
    {
        let lying = lying_registry(&half, "/api/v1/log/witnessed", forked);
        let mut place = registry.place(&format!("{}quorum w0\n", registry.policy()));
        place.set("REGISTRY_URL", &lying);
        place.set("SKILLERY_LOG_KEY", &registry.log.to_string());
        place.run(["config", "set", "timeout", "2"]).ok();
        assert_eq!(code(&place, &["install", ID]), expected);
        if expected == "log-forked" {
            // The evidence stays, and nothing more is believed.
            assert_eq!(code(&place, &["install", ID, "--require", "logged"]), expected);
        }
        assert!(place.run(["list", "--json"]).ok().json()["skills"].as_array().unwrap().is_empty());
    }
}
