//! What can be proven: signatures by authors' own keys, and the log, from the outermost door.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Place, Server, snapshot};

const ID: &str = "acme/email_validator";

/// An SSH key in the working folder.
fn make_key(place: &Place, name: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name])
        .current_dir(place.work())
        .status();
    assert!(made.unwrap().success());
}

#[test]
fn an_enrolled_key_signs_what_is_published() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "0.9.0");
    snapshot!("sign-no-key", place.run(["sign", &format!("{ID}@0.9.0")]).fails(2));
    make_key(&place, "id_test");
    snapshot!("key-enrol", place.run(["key", "enrol", "id_test", "--label", "laptop"]).ok());
    snapshot!("key-enrol-again", place.run(["key", "enrol", "id_test"]).fails(2));
    snapshot!("key-list", place.run(["key", "list"]).ok());
    place.write("email_validator.py", crate::support::VALIDATOR);
    snapshot!(
        "publish-signed",
        place.run(["publish", "email_validator.py", "--id", ID, "--version", "1.0.0"]).ok()
    );
    let unsigned = ["publish", "email_validator.py", "--id", ID, "--version", "1.1.0", "--no-sign"];
    assert!(place.run(unsigned).ok().stdout.contains("published"));

    let reader = server.place();
    snapshot!("install-signed", reader.run(["install", &format!("{ID}@1.0.0"), "--require", "signed"]).ok());
    snapshot!(
        "install-unsigned",
        reader.run(["install", &format!("{ID}@1.1.0"), "--require", "signed"]).fails(1)
    );
    reader.run(["config", "set", "require", "signed"]).ok();
    reader.run(["install", &format!("{ID}@1.1.0")]).fails(1);
    snapshot!("sign", place.run(["sign", &format!("{ID}@1.1.0")]).ok());
    reader.run(["install", &format!("{ID}@1.1.0")]).ok();
    snapshot!("sign-range", place.run(["sign", &format!("{ID}@^1")]).fails(2));

    let listed = place.run(["key", "list", "--json"]).ok().json();
    let fingerprint = listed["enrolled"][0]["fingerprint"].as_str().unwrap();
    snapshot!("key-revoke", place.run(["key", "revoke", fingerprint]).ok());
    let again = ["publish", "email_validator.py", "--id", ID, "--version", "1.2.0"];
    snapshot!("publish-revoked", place.run(again).fails(2));
    // What was signed before still counts.
    let late = server.place();
    late.run(["install", &format!("{ID}@1.0.0"), "--require", "signed"]).ok();
}

#[test]
fn what_is_signed_is_checked_again_without_a_network() {
    let server = Server::start();
    let place = server.place();
    make_key(&place, "id_test");
    place.run(["key", "enrol", "id_test"]).ok();
    place.write("email_validator.py", crate::support::VALIDATOR);
    place.run(["publish", "email_validator.py", "--id", ID, "--version", "1.0.0"]).ok();
    let reader = server.place();
    reader.run(["install", ID]).ok();
    snapshot!("verify-not-kept", reader.run(["verify", "--require", "signed"]).fails(1));
    reader.run(["install", ID, "--require", "signed"]).ok();
    let lock = std::fs::read_to_string(reader.work().join("skillery.lock")).unwrap();
    assert!(lock.contains("statement = "), "{lock}");
    drop(server);
    snapshot!("verify-signed", reader.run(["verify", "--require", "signed"]).ok());
    let listed = reader.run(["list", "--json"]).ok().json();
    let folder = PathBuf::from(listed["skills"][0]["path"].as_str().unwrap());
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name != "skill.statement.json" && !name.starts_with("skill.signature.") {
            continue;
        }
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        std::fs::write(&path, bad).unwrap();
        let failed = reader.run(["verify", "--require", "signed", "--json"]).fails(1);
        assert!(failed.stdout.contains(&name), "{}", failed.stdout);
        std::fs::write(&path, good).unwrap();
        seen += 1;
    }
    assert_eq!(seen, 3);
    reader.run(["verify", "--require", "signed"]).ok();
}

#[test]
fn the_readmes_check_needs_nothing_of_ours() {
    let server = Server::start();
    let place = server.place();
    make_key(&place, "id_test");
    place.publish("acme/other", "1.0.0");
    place.run(["key", "enrol", "id_test"]).ok();
    place.publish(ID, "1.0.0");
    place.run(["install", ID]).ok();
    let installed = place.run(["list", "--json"]).ok().json();
    let folder = installed["skills"][0]["path"].as_str().unwrap().to_owned();
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let section = readme.split("## Check it without Skillery").nth(1).unwrap();
    let script = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let check = || {
        Command::new("sh")
            .args(["-eu", "-c", script])
            .current_dir(place.work())
            .env("REGISTRY", &server.url)
            .envs([
                ("SKILL", ID),
                ("VERSION", "1.0.0"),
                ("NAMESPACE", "acme"),
                ("SIGNER", "admin"),
                ("FOLDER", &folder),
            ])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let output = check();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Good \"skill-release@v1\" signature for admin"), "{said}");
    assert!(said.contains("SKILL.md: OK") && said.contains("scripts/email_validator.py: OK"), "{said}");
    // One byte, and it fails.
    let code = format!("{folder}/scripts/email_validator.py");
    let text = std::fs::read_to_string(&code).unwrap();
    std::fs::write(&code, text.replace("Validates", "Validatez")).unwrap();
    assert!(!check().status.success());
}

#[test]
fn the_log_is_followed_proven_and_watched() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.publish_code("acme/hidden", "1.0.0", "def hidden():\n    return 1\n");
    place.run(["visibility", "acme/hidden", "private"]).ok();
    place.publish_code("acme/hidden", "1.1.0", "def hidden():\n    return 2\n");
    snapshot!("log-show", place.run(["log", "show"]).ok());
    snapshot!("log-show-again", place.run(["log", "show"]).ok());
    snapshot!("log-show-entry", place.run(["log", "show", "5"]).ok());
    snapshot!("log-show-behind", place.run(["log", "show", "4711"]).fails(2));
    let shown = place.run(["log", "show", "--json"]).ok().json();
    let key = shown["key"].as_str().unwrap();

    snapshot!("log-monitor", place.run(["log", "monitor"]).ok());
    snapshot!("log-monitor-again", place.run(["log", "monitor"]).ok());
    let mut stranger = server.place();
    stranger.unset("REGISTRY_TOKEN");
    snapshot!("log-monitor-stranger", stranger.run(["log", "monitor"]).ok());
    snapshot!("log-show-hidden", stranger.run(["log", "show", "7"]).ok());
    snapshot!("log-show-opened", place.run(["log", "show", "7"]).ok());

    snapshot!("log-prove", place.run(["log", "prove", &format!("{ID}@1.0.0"), "--output", "proof"]).ok());
    snapshot!("log-verify", place.run(["log", "verify", "proof"]).ok());
    // Somewhere else, with the key alone.
    let elsewhere = Place::new();
    elsewhere.write("proof", place.read("proof"));
    elsewhere.write("altered", place.read("proof").replace("index 5", "index 4"));
    elsewhere.run(["log", "verify", "proof", "--log-key", key]).ok();
    snapshot!("log-verify-altered", elsewhere.run(["log", "verify", "altered", "--log-key", key]).fails(1));
    snapshot!("log-verify-no-key", elsewhere.run(["log", "verify", "proof"]).fails(2));
    place.run(["install", ID]).ok();
    elsewhere.write("skillery.lock", place.read("skillery.lock"));
    snapshot!("log-verify-lock", elsewhere.run(["log", "verify"]).ok());
    elsewhere.write(
        "skillery.lock",
        place.read("skillery.lock").replace("log_index = 5", "log_index = 6").replacen('A', "B", 1),
    );
    elsewhere.run(["log", "verify"]).fails(1);

    snapshot!("log-evidence-none", place.run(["log", "evidence"]).ok());
    let another = Server::start();
    let other = another.place().run(["log", "show", "--json"]).ok().json();
    place.run(["log", "pin", other["key"].as_str().unwrap()]).ok();
    snapshot!("log-other-key", place.run(["log", "show"]).fails(1));
    place.run(["log", "forget"]).ok();
    place.run(["log", "show"]).ok();
    let bad = place.run(["log", "pin", "nonsense"]).fails(2);
    assert!(bad.stderr.contains("nonsense"), "{}", bad.stderr);
    let json: Value = place.run(["log", "monitor", "--json"]).ok().json();
    assert_eq!(json["violations"], serde_json::json!([]));
}
