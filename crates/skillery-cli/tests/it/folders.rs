//! Folders from the author's disk to the user's: published, installed, verified, and what does not fit refused.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::{Place, Server, files_below, snapshot};

const SKILL: &str = "\
---
name: form-filler
description: Fills in forms. Use it when somebody sends one.
license: MIT
---

# Forms

Run [the script](scripts/form_filler.py).
";

const SCRIPT: &str = "#!/usr/bin/env python3\ndef form_filler(name):\n    return 'filled for ' + name\n";

/// A folder with files that are called like those that the library keeps beside.
fn folder(place: &Place) -> std::path::PathBuf {
    let folder = place.work().join("form-filler");
    for (path, bytes) in [
        ("SKILL.md", SKILL.as_bytes()),
        ("scripts/form_filler.py", SCRIPT.as_bytes()),
        ("assets/picture.bin", &[0, 159, 146, 150]),
        ("skill.json", b"{\"mine\": true}"),
        ("skill.tlog-proof", b"not a proof"),
        ("skill.signature.x.sshsig", b"not a signature"),
        ("form-filler/SKILL.md", b"within"),
    ] {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    set_mode(&folder.join("scripts/form_filler.py"), 0o755);
    folder
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn installed_path(run: &Value) -> std::path::PathBuf {
    run["skills"][0]["path"].as_str().unwrap().into()
}

#[test]
fn a_folder_comes_as_it_was_published() {
    let server = Server::start();
    let author = server.place();
    let source = folder(&author);
    snapshot!(
        "dry_run",
        author.run(["publish", "form-filler", "--org", "acme", "--version", "1.0.0", "--dry-run"]).ok()
    );
    author.run(["info", "acme/form-filler"]).fails(4);
    snapshot!(
        "publish",
        author.run(["publish", "./form-filler", "--namespace", "acme", "--version", "1.0.0"]).ok()
    );
    // The same again, by its `SKILL.md`.
    let again = author
        .run(["publish", "form-filler/SKILL.md", "--org", "acme", "--version", "1.0.0", "--json"])
        .ok()
        .json();
    assert_eq!((&again["created"], &again["code_hash"]), (&Value::Bool(false), &again["digest"]));

    // What changed may be said later.
    author
        .run([
            "publish",
            "form-filler",
            "--org",
            "acme",
            "--version",
            "1.0.0",
            "--changelog",
            "Fills in more.",
        ])
        .ok();
    let shown = author.run(["info", "acme/form-filler", "--json"]).ok().json();
    assert_eq!(shown["version"]["changelog"], "Fills in more.");

    let user = server.place();
    let installed = user.run(["install", "acme/form-filler", "--json"]).ok().json();
    let path = installed_path(&installed);
    assert_eq!(path.file_name().unwrap(), "form-filler");
    assert_eq!(files_below(&path), files_below(&source));
    assert_eq!(installed["skills"][0]["digest"], again["digest"]);
    user.run(["verify", "acme/form-filler"]).ok();
    user.wait_for_installs("acme/form-filler", 1);
    // What the lock names, and what was downloaded earlier, will do without the registry.
    assert!(user.read("skillery.lock").contains(again["digest"].as_str().unwrap()));
    std::fs::remove_dir_all(user.home().join("library")).unwrap();
    let offline = user.run(["install", "acme/form-filler", "--offline", "--json"]).ok().json();
    assert_eq!(files_below(&installed_path(&offline)), files_below(&source));

    // What Python leaves behind changes nothing; anything else does.
    std::fs::create_dir(path.join("scripts/__pycache__")).unwrap();
    std::fs::write(path.join("scripts/__pycache__/x.pyc"), "x").unwrap();
    user.run(["verify", "acme/form-filler"]).ok();
    for (name, change) in [("skill.json", "{}"), ("more.md", "more")] {
        let before = std::fs::read(path.join(name)).ok();
        std::fs::write(path.join(name), change).unwrap();
        assert!(user.run(["verify", "acme/form-filler"]).fails(1).report().contains("digest"));
        match before {
            Some(before) => std::fs::write(path.join(name), before).unwrap(),
            None => std::fs::remove_file(path.join(name)).unwrap(),
        }
        user.run(["verify", "acme/form-filler"]).ok();
    }
    set_mode(&path.join("scripts/form_filler.py"), 0o644);
    user.run(["verify", "acme/form-filler"]).fails(1);
    // A damaged copy is replaced.
    user.run(["install", "acme/form-filler"]).ok();
    user.run(["verify", "acme/form-filler"]).ok();

    // The next version, and back.
    std::fs::write(source.join("skillery.toml"), "[skill]\nid = \"acme/form-filler\"\nversion = \"1.1.0\"\n")
        .unwrap();
    author.run(["publish", "form-filler"]).ok();
    user.run(["update", "acme/form-filler"]).ok();
    let listed = user.run(["list", "--json"]).ok().json();
    assert_eq!(
        (&listed["skills"][0]["version"], &listed["skills"][0]["kind"]),
        (&"1.1.0".into(), &"folder".into())
    );
    user.run(["remove", "acme/form-filler"]).ok();
    user.run(["install", "acme/form-filler@1.0.0"]).ok();
}

#[test]
fn a_folder_goes_back_to_the_version_before() {
    let server = Server::start();
    let (author, user) = (server.place(), server.place());
    let source = folder(&author);
    author.run(["publish", "form-filler", "--org", "acme", "--version", "1.0.0"]).ok();
    let first = files_below(&source);
    // The next has a file more and one less, another script and another mode.
    std::fs::write(source.join("more.md"), "more").unwrap();
    let gone = first.keys().find(|name| !name.starts_with("scripts/") && *name != "SKILL.md").unwrap();
    std::fs::remove_file(source.join(gone)).unwrap();
    std::fs::write(source.join("scripts/form_filler.py"), "def form_filler(name):\n    return 'second'\n")
        .unwrap();
    set_mode(&source.join("scripts/form_filler.py"), 0o644);
    author.run(["publish", "form-filler", "--org", "acme", "--version", "1.1.0"]).ok();
    let second = files_below(&source);
    assert_ne!(first, second);

    user.write(
        "flow.yaml",
        "name: flow\nsteps:\n  - name: fill\n    skill: acme/form-filler\n    inputs: {name: Ada}\n",
    );
    let is_current = |version: &str, files: &BTreeMap<String, (Vec<u8>, bool)>, output: &str| {
        let listed = user.run(["list", "--json"]).ok().json();
        assert_eq!(listed["skills"][0]["version"], version);
        assert_eq!(files_below(&installed_path(&listed)), *files);
        user.run(["verify", "acme/form-filler"]).ok();
        let run = user.run(["workflow", "run", "flow.yaml", "--json"]).ok();
        assert!(run.stdout.contains(output), "{}", run.report());
    };
    let placed = user.work().join(".claude/skills/form-filler");
    user.run(["install", "acme/form-filler@1.0.0", "--agent", "claude-code"]).ok();
    user.run(["install", "acme/form-filler", "--agent", "claude-code"]).ok();
    is_current("1.1.0", &second, "second");
    assert_eq!(files_below(&placed), second);

    // As `rollback_skill` of Python does it, with nothing said and with the version.
    let library = skillery_client::Library::new(skillery_client::Home::at(user.home()));
    let back = library.rollback("form-filler", None).unwrap();
    assert_eq!((back.manifest.version.to_string(), back.current), ("1.0.0".to_owned(), true));
    is_current("1.0.0", &first, "filled for Ada");
    assert_eq!(library.rollback("form-filler", None).unwrap_err().code(), "version-not-installed");
    library.rollback("acme/form-filler", Some(&"1.1.0".parse().unwrap())).unwrap();
    is_current("1.1.0", &second, "second");

    // On the command line, with the folder of the agent.
    user.run(["install", "acme/form-filler@1.0.0", "--agent", "claude-code"]).ok();
    is_current("1.0.0", &first, "filled for Ada");
    assert_eq!(files_below(&placed), first);

    // Where the registry goes back, everybody does.
    author.run(["yank", "acme/form-filler", "1.1.0", "--reason", "it is wrong"]).ok();
    let other = server.place();
    let installed = other.run(["install", "acme/form-filler", "--json"]).ok().json();
    assert_eq!(files_below(&installed_path(&installed)), first);
    author.run(["yank", "acme/form-filler", "1.1.0", "--undo"]).ok();
    let installed = other.run(["update", "acme/form-filler", "--json"]).ok().json();
    assert!(installed.to_string().contains("1.1.0"), "{installed}");
}

#[test]
fn a_folder_with_a_script_can_be_a_step() {
    let server = Server::start();
    let place = server.place();
    folder(&place);
    place.run(["publish", "form-filler", "--org", "acme", "--version", "1.0.0"]).ok();
    place.run(["install", "acme/form-filler"]).ok();
    place.write(
        "flow.yaml",
        "name: flow\nsteps:\n  - name: fill\n    skill: acme/form-filler\n    inputs: {name: Ada}\n",
    );
    let run = place.run(["workflow", "run", "flow.yaml", "--json"]).ok();
    assert!(run.stdout.contains("filled for Ada"), "{}", run.report());
    // One without is read, not run.
    place.write("form-filler/skillery.toml", "[skill]\nid = \"acme/form-filler\"\nversion = \"1.1.0\"\n");
    std::fs::remove_dir_all(place.work().join("form-filler/scripts")).unwrap();
    place.run(["publish", "form-filler"]).ok();
    place.run(["update", "acme/form-filler"]).ok();
    let run = place.run(["workflow", "run", "flow.yaml", "--json"]);
    assert!(run.code != Some(0) && run.report().contains("folder without"), "{}", run.report());
}

#[test]
fn what_is_wrong_is_shown_before_anything_is_sent() {
    let mut place = Place::new();
    place.set("REGISTRY_URL", "http://127.0.0.1:9");
    place.set("REGISTRY_TOKEN", "a-token");
    std::fs::create_dir(place.work().join("wrong")).unwrap();
    place.write(
        "wrong/SKILL.md",
        "---\nname: Wrong_Name\ndescription: x\nversion: 1\n---\n\nSee [it](nowhere.md).\n",
    );
    snapshot!("wrong", place.run(["publish", "wrong", "--org", "acme", "--version", "1.0.0"]).fails(2));
    let error = place
        .run(["publish", "wrong", "--id", "acme/other", "--version", "1.0.0", "--json"])
        .fails(2)
        .error();
    assert_eq!(error["code"], "invalid-bundle");
    assert!(
        error["causes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|cause| cause.as_str().unwrap().contains("name-mismatch"))
    );
    // Leniently it would be sent.
    place.run(["publish", "wrong", "--id", "acme/wrong-name", "--version", "1.0.0", "--lenient"]).fails(5);
    std::os::unix::fs::symlink("/etc/passwd", place.work().join("wrong/link")).unwrap();
    let run = place
        .run(["publish", "wrong", "--id", "acme/wrong-name", "--version", "1.0.0", "--lenient"])
        .fails(2);
    assert!(run.report().contains("not-regular"), "{}", run.report());
    std::fs::create_dir(place.work().join("empty")).unwrap();
    let run = place.run(["publish", "empty", "--org", "acme", "--version", "1.0.0"]).fails(2);
    assert!(run.report().contains("skill-file-missing"), "{}", run.report());
    folder(&place);
    for (arguments, reason) in [
        (vec!["publish", "form-filler", "--org", "acme"], "the version is missing"),
        (
            vec!["publish", "form-filler", "--org", "acme", "--version", "1.0.0", "--license", "MIT"],
            "is for functions",
        ),
        (vec!["publish", "form-filler/scripts/form_filler.py", "--org", "acme"], "the version is missing"),
    ] {
        assert!(place.run(arguments).fails(2).report().contains(reason), "{reason}");
    }
}

/// Sends these bytes as they are, and reads what comes back until there is no more.
fn raw(server: &Server, head: &str, body: &[u8], ends_early: bool) -> String {
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        format!("{head}host: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n", server.admin_token);
    stream.write_all(head.as_bytes()).unwrap();
    // Whoever is refused may hear of it before everything is sent.
    let _ = stream.write_all(body);
    // Whoever hangs up while it is answered may hear nothing.
    if ends_early {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn form(zip: &[u8]) -> Vec<u8> {
    let request = r#"{"id":"acme/form-filler","version":"1.0.0"}"#;
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n{request}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"bundle\"\r\nContent-Type: application/zip\r\n\r\n"
    );
    [head.as_bytes(), zip, b"\r\n--b--\r\n"].concat()
}

#[test]
fn lies_about_the_length_and_too_much() {
    let server = Server::start();
    let begin = "POST /api/v1/skills HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=b\r\n";
    let said = |length: usize| format!("{begin}content-length: {length}\r\n");
    let body = form(b"no zip");
    for (name, head, body, status) in [
        ("as it is", said(body.len()), body.clone(), "422"),
        ("less than it is", said(body.len() - 40), body.clone(), "400"),
        ("more than it is", said(body.len() + 40), body.clone(), "400"),
        ("51 MiB", said(form(&vec![0; 51 << 20]).len()), form(&vec![0; 51 << 20]), "413"),
        ("said to be 100 GiB", said(100 << 30), body.clone(), "413"),
        (
            "said to be 100 GiB, and asking first",
            format!("{}expect: 100-continue\r\n", said(100 << 30)),
            Vec::new(),
            "413",
        ),
    ] {
        let ends_early = name == "more than it is";
        let answer = raw(&server, &head, &body, ends_early);
        // The form itself is whole then, and may be judged before its connection is seen to end.
        let is_told = answer.starts_with(&format!("HTTP/1.1 {status}"))
            || (ends_early && answer.starts_with("HTTP/1.1 422"));
        assert!(is_told || (ends_early && answer.is_empty()), "{name}: {answer:.300}");
    }
    // It is none the worse for it.
    let place = server.place();
    folder(&place);
    place.run(["publish", "form-filler", "--org", "acme", "--version", "1.0.0"]).ok();
}
