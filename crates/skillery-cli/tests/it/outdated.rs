//! What is used beside what there is: `outdated`, and the bill of materials.

use crate::support::{Server, VALIDATOR, snapshot};

const ID: &str = "acme/email_validator";

#[test]
fn newer_versions_and_versions_that_were_taken_back_are_told() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.publish("acme/other", "2.0.0");
    place.run(["install", ID, "acme/other"]).ok();
    snapshot!("up-to-date", place.run(["outdated", "--exit-code"]).ok());
    for (version, more) in [("1.2.0", "# 1.2"), ("2.0.0", "# 2"), ("3.0.0-beta.1", "# 3")] {
        place.publish_code(ID, version, &format!("{VALIDATOR}\n{more}\n"));
    }
    snapshot!("outdated", place.run(["outdated"]).ok());
    snapshot!("outdated-all", place.run(["outdated", "--all", "--exit-code"]).fails(1));
    place.run(["yank", "acme/other", "2.0.0", "--reason", "loses mail"]).ok();
    snapshot!("yanked", place.run(["outdated", "other", "--json", "--exit-code"]).fails(1));
    place.run(["quarantine", ID, "1.0.0", "--reason", "steals mail"]).ok();
    snapshot!("quarantined", place.run(["outdated"]).ok());
    // What the lock file names, not what the library came to since.
    place.run(["install", ID, "--no-lock"]).ok();
    let current = |arguments: &[&str]| {
        let report = place.run(arguments.iter().chain(&["--json", "acme/email_validator"])).ok().json();
        (report["source"].clone(), report["skills"][0]["current"].clone())
    };
    assert_eq!(current(&["outdated"]), ("skillery.lock".into(), "1.0.0".into()));
    assert_eq!(current(&["outdated", "--installed"]), ("library".into(), "2.0.0".into()));
    snapshot!("not-used", place.run(["outdated", "acme/third"]).fails(4));
    let lock = place.read("skillery.lock");
    let digest = lock.lines().find_map(|line| line.strip_prefix("digest = ")).unwrap();
    place.write("skillery.lock", lock.replace(digest, &format!("\"{}\"", "0".repeat(64))));
    snapshot!("other-content", place.run(["outdated", ID]).ok());
    snapshot!("sbom-other-content", place.run(["sbom"]).fails(1));
}

#[test]
fn a_bill_of_materials_is_the_same_wherever_it_is_written() {
    let mut server = Server::start();
    let place = server.place();
    place.write("published.py", VALIDATOR);
    let publish =
        ["publish", "published.py", "--id", ID, "--version", "1.0.0", "--license", "MIT OR Apache-2.0"];
    place.run(publish.iter().chain(&["--author", "Ada"])).ok();
    place.publish("acme/team/other", "2.0.0+build.1");
    place.run(["install", ID, "acme/team/other"]).ok();
    let bill = place.run(["sbom"]).ok();
    snapshot!("sbom", place.run(["sbom", "--json"]).ok());
    let other = server.place();
    other.write("skillery.lock", place.read("skillery.lock"));
    assert_eq!(other.run(["sbom"]).ok().stdout, bill.stdout);
    assert!(server.stop());
    assert_eq!(place.run(["sbom", "--installed"]).ok().stdout, bill.stdout);
    place.run(["sbom", "--output", "bom.json"]).ok();
    assert_eq!(place.read("bom.json"), bill.stdout);
    other.run(["sbom"]).fails(5);
    let short = other.run(["sbom", "--offline"]).ok().json();
    assert_eq!(short["components"].as_array().unwrap().len(), 2);
    assert!(short["components"][0]["licenses"].is_null());
    assert_eq!(short["components"][0]["hashes"], bill.json()["components"][0]["hashes"]);
}
