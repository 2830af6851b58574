//! Signatures of OpenSSF Model Signing over the files of a skill.

use crate::support::{Place, Server, snapshot};

const ID: &str = "acme/email_validator";

/// A key of the fixtures, under this name in the working folder.
fn put(place: &Place, fixture: &str, name: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../skillery-core/tests/fixtures/sign/pem");
    place.write(name, std::fs::read(format!("{folder}/{fixture}")).unwrap());
}

#[test]
fn the_files_of_an_installed_skill_are_signed_and_checked() {
    let server = Server::start();
    let place = server.place();
    for (fixture, name) in [
        ("p256.key", "key.pem"),
        ("p256.pub", "key.pub"),
        ("p384.pub", "other.pub"),
        ("ed25519.key", "edwards.pem"),
    ] {
        put(&place, fixture, name);
    }
    let sign = ["sign", ID, "--oms", "--key", "key.pem"];
    snapshot!("not-installed", place.run(sign).fails(4));
    place.publish(ID, "1.0.0");
    place.run(["install", ID]).ok();
    snapshot!("sign", place.run(sign).ok());
    snapshot!("sign-again", place.run(sign).fails(2));
    place.run(["sign", ID, "--oms", "skill.oms.sig", "--key", "key.pem", "--force"]).ok();
    let edwards = ["sign", ID, "--oms", "other.sig", "--key", "edwards.pem"];
    snapshot!("sign-edwards", place.run(edwards).fails(2));
    assert!(!place.work().join("other.sig").exists());
    snapshot!("sign-no-key", place.run(["sign", ID, "--oms", "other.sig"]).fails(2));

    let verify = ["verify", ID, "--oms", "skill.oms.sig", "--key", "key.pub"];
    snapshot!("verify", place.run(verify).ok());
    snapshot!("verify-json", place.run(verify.into_iter().chain(["--json"])).ok());
    snapshot!(
        "verify-other-key",
        place.run(["verify", ID, "--oms", "skill.oms.sig", "--key", "other.pub"]).fails(1)
    );
    snapshot!("verify-no-trust", place.run(["verify", ID, "--oms", "skill.oms.sig"]).fails(2));
    snapshot!("verify-all", place.run(["verify", "--oms", "skill.oms.sig", "--key", "key.pub"]).fails(2));

    // The same files where no library knows of them.
    let listed = place.run(["list", "--json"]).ok().json();
    let installed = std::path::PathBuf::from(listed["skills"][0]["path"].as_str().unwrap());
    let folder = place.work().join("skill");
    std::fs::create_dir_all(folder.join("scripts")).unwrap();
    for name in ["SKILL.md", "scripts/email_validator.py"] {
        std::fs::copy(installed.join(name), folder.join(name)).unwrap();
    }
    let verify = ["verify", "--folder", "skill", "--oms", "skill.oms.sig", "--key", "key.pub"];
    snapshot!("verify-folder", place.run(verify).ok());
    place.write("skill/scripts/more.py", "");
    snapshot!("verify-more", place.run(verify).fails(1));
    std::fs::remove_file(folder.join("scripts/more.py")).unwrap();
    place.write("skill/SKILL.md", "changed");
    snapshot!("verify-changed", place.run(verify).fails(1));
    std::fs::remove_file(folder.join("SKILL.md")).unwrap();
    snapshot!("verify-less", place.run(verify).fails(1));
    place.write("skill.oms.sig", "nonsense");
    snapshot!("verify-nonsense", place.run(verify).fails(1));

    // What was altered after it was installed is not signed.
    std::fs::write(installed.join("SKILL.md"), "changed").unwrap();
    snapshot!("sign-altered", place.run(["sign", ID, "--oms", "altered.sig", "--key", "key.pem"]).fails(1));
    assert!(!place.work().join("altered.sig").exists());
}
