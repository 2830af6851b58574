//! What is signed here is checked by Sigstore's own library for Node, and by the program of Model Signing.
//!
//! They come from npm and PyPI, so these tests look at them only where `SKILLERY_TEST_NODE` names a folder with
//! `@sigstore/verify` and `@sigstore/bundle` in its `node_modules`, and `SKILLERY_TEST_PYTHON` a Python that has
//! `model-signing` and `pyopenssl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ring::rand::SystemRandom;
use skillery_core::bundle::BundleFile;
use skillery_core::sign::dsse::Bundle;
use skillery_core::sign::oms::{self, SIGNATURE_FILE};
use skillery_core::sign::pem::PemPrivateKey;
use skillery_core::sign::statement::{Statement, StatementFile};
use skillery_core::{Digest, SkillId};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn pem(name: &str) -> PathBuf {
    tests().join("fixtures/sign/pem").join(name)
}

fn private(name: &str) -> PemPrivateKey {
    let text = fs::read_to_string(pem(&format!("{name}.key"))).unwrap();
    PemPrivateKey::from_pem(&text, &SystemRandom::new()).unwrap()
}

fn files() -> Vec<BundleFile> {
    [
        ("SKILL.md", "---\nname: adder\n---\n"),
        ("scripts/add.py", "pass\n"),
        ("scripts-2/größe.txt", "1\n"),
        (".gitignore", "x\n"),
    ]
    .map(|(path, content)| BundleFile { path: path.to_owned(), executable: false, bytes: content.into() })
    .into()
}

fn write(folder: &Path, files: &[BundleFile]) {
    for file in files {
        let path = folder.join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.bytes).unwrap();
    }
}

fn accepts(command: &mut Command) -> bool {
    let output = command.output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        assert!(said.contains("verified by "), "{said}");
        true
    } else {
        assert!(complained.starts_with("refused: "), "{complained}");
        false
    }
}

#[test]
fn sigstore_for_node_verifies_what_is_signed_here() {
    let Some(node) = std::env::var_os("SKILLERY_TEST_NODE") else {
        println!("passed over: SKILLERY_TEST_NODE is not set");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let (bundle, payload) = (place.path().join("bundle.json"), place.path().join("statement.json"));
    let id: SkillId = "acme/adder".parse().unwrap();
    let listed = files().iter().map(StatementFile::of).collect();
    let version = "1.0.0".parse().unwrap();
    let statement = Statement::new("skills.example.com", id, version, Digest::of(b""), listed)
        .unwrap()
        .to_bytes()
        .unwrap();
    let accepts = |key: &str| {
        let script = tests().join("interop/verify_dsse.mjs");
        accepts(Command::new("node").arg(script).args([&bundle, &pem(key), &payload]).current_dir(&node))
    };
    for (name, other) in [("ed25519", "p256"), ("p256", "ed25519")] {
        let signed = Bundle::sign(&statement, &private(name), &SystemRandom::new()).unwrap();
        fs::write(&bundle, signed.to_json().unwrap()).unwrap();
        fs::write(&payload, &statement).unwrap();
        assert!(accepts(&format!("{name}.pub")));
        assert!(!accepts(&format!("{other}.pub")));
        fs::write(&payload, b"other").unwrap();
        assert!(!accepts(&format!("{name}.pub")));
    }
}

#[test]
fn model_signing_verifies_what_is_signed_here() {
    let Some(python) = std::env::var_os("SKILLERY_TEST_PYTHON") else {
        println!("passed over: SKILLERY_TEST_PYTHON is not set");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let skill = place.path().join("adder");
    write(&skill, &files());
    let accepts = |key: &str| {
        let script = tests().join("interop/verify_oms.py");
        let mut command = Command::new(&python);
        accepts(command.arg(script).args([&skill, &skill.join(SIGNATURE_FILE)]).arg("--key").arg(pem(key)))
    };
    for (name, other) in [("p256", "p384"), ("p384", "p256")] {
        let signed = oms::sign("adder", &files(), &private(name), &SystemRandom::new()).unwrap();
        fs::write(skill.join(SIGNATURE_FILE), signed.json).unwrap();
        assert!(accepts(&format!("{name}.pub")));
        assert!(!accepts(&format!("{other}.pub")));
        fs::write(skill.join("SKILL.md"), "changed").unwrap();
        assert!(!accepts(&format!("{name}.pub")));
        write(&skill, &files());
        fs::write(skill.join("more"), "").unwrap();
        assert!(!accepts(&format!("{name}.pub")));
        fs::remove_file(skill.join("more")).unwrap();
    }
}
