//! `skillery import`, from a folder, an archive and a repository, against a real registry.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use skillery_core::bundle::{BundleFile, pack};

use crate::support::{Place, Server, files_below, snapshot};

fn skill(name: &str, text: &str) -> String {
    format!("---\nname: {name}\ndescription: Does {name}. Use it when asked.\n---\n\n# How\n\n{text}\n")
}

fn write(place: &Place, path: &str, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(place.work().join(path).parent().unwrap()).unwrap();
    place.write(path, text);
}

/// Three skills in a folder, one of which says what it is.
fn collection(place: &Place, folder: &str) {
    write(place, &format!("{folder}/README.md"), "Skills.\n");
    write(place, &format!("{folder}/alpha/SKILL.md"), skill("alpha", "So."));
    write(place, &format!("{folder}/more/beta/SKILL.md"), skill("beta", "Thus."));
    write(place, &format!("{folder}/more/beta/scripts/run.sh"), "#!/bin/sh\necho beta\n");
    write(place, &format!("{folder}/more/beta/.gitignore"), "*.log\n");
    write(place, &format!("{folder}/gamma/SKILL.md"), skill("gamma", "Hence."));
    write(place, &format!("{folder}/gamma/skillery.toml"), "[skill]\nversion = \"0.3.0\"\n");
    set_executable(&place.work().join(folder).join("more/beta/scripts/run.sh"));
}

fn set_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// What became of each skill, by its id or its folder: `published 1.0.0`.
fn outcomes(report: &Value) -> Vec<String> {
    let one = |row: &Value| {
        let name = row["id"].as_str().or(row["path"].as_str()).unwrap();
        let version = row["version"].as_str().map(|version| format!(" {version}")).unwrap_or_default();
        format!("{name} {}{version}", row["outcome"].as_str().unwrap())
    };
    report["skills"].as_array().unwrap().iter().map(one).collect()
}

/// Every file below a folder of the working folder, packed as others pack.
fn zipped(place: &Place, folder: &str, inside: &str) -> Vec<u8> {
    let files = files_below(&place.work().join(folder)).into_iter();
    let packed = files.map(|(name, (bytes, _))| {
        let executable = name.ends_with(".sh");
        BundleFile { path: format!("{inside}{name}"), executable, bytes }
    });
    pack(packed.collect()).unwrap()
}

/// Runs Git in a folder, as somebody who has configured nothing.
fn git(folder: &Path, arguments: &[&str]) -> String {
    git_with_input(folder, arguments, "")
}

fn git_with_input(folder: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(folder: &Path) -> String {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", "change"]);
    git(folder, &["rev-parse", "HEAD"])
}

/// Nothing that was fetched or unpacked is left behind.
fn assert_tidy(temporary: &Path) {
    let left: Vec<PathBuf> =
        std::fs::read_dir(temporary).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_folder_is_taken_over_and_then_what_has_changed() {
    let server = Server::start();
    let place = server.place();
    collection(&place, "skills");
    let import = ["import", "skills", "--namespace", "acme"];
    snapshot!("dry-run", place.run(import.into_iter().chain(["--dry-run"])).ok());
    place.run(["info", "acme/alpha"]).fails(4);
    snapshot!("first", place.run(import).ok());
    place.run(["info", "acme/beta"]).ok();
    snapshot!("again", place.run(import).ok());
    // By another way it is the same skill.
    let one = place.run(["import", "skills/alpha/SKILL.md", "--namespace", "acme", "--json"]).ok().json();
    assert_eq!(outcomes(&one), ["acme/alpha unchanged 1.0.0"]);

    write(&place, "skills/alpha/SKILL.md", skill("alpha", "Otherwise."));
    write(&place, "skills/more/delta/SKILL.md", skill("delta", "New."));
    let report = place.run(import.into_iter().chain(["--json", "--tag", "imported"])).ok().json();
    let expected = [
        "acme/alpha published 1.0.1",
        "acme/gamma unchanged 0.3.0",
        "acme/beta unchanged 1.0.0",
        "acme/delta published 1.0.0",
    ];
    assert_eq!(outcomes(&report), expected);
    let shown = place.run(["info", "acme/delta", "--json"]).ok();
    assert!(shown.stdout.contains("\"imported\""), "{}", shown.report());
    // What was there before is there again: no new version.
    write(&place, "skills/alpha/SKILL.md", skill("alpha", "So."));
    let back = place.run(import.into_iter().chain(["--json"])).ok().json();
    assert_eq!(outcomes(&back)[0], "acme/alpha unchanged 1.0.0");

    // A folder that names its version is that or none, unless somebody else wrote it.
    write(&place, "skills/gamma/SKILL.md", skill("gamma", "Changed."));
    let report = place.run(import.into_iter().chain(["--json"])).fails(1).json();
    assert_eq!(outcomes(&report)[1], "acme/gamma refused");
    assert!(report["skills"][1]["reasons"][0].as_str().unwrap().contains("0.3.0"), "{report}");
    let lenient = place.run(import.into_iter().chain(["--json", "--lenient"])).ok().json();
    assert_eq!(outcomes(&lenient)[1], "acme/gamma published 0.3.1");
    let all = place.run(import.into_iter().chain(["--json", "--lenient", "--version", "2.0.0"])).ok().json();
    assert_eq!(outcomes(&all)[0], "acme/alpha unchanged 1.0.0");
}

#[test]
fn bad_skills_are_refused_and_the_others_go_on() {
    let server = Server::start();
    let place = server.place();
    collection(&place, "skills");
    write(&place, "skills/bad/SKILL.md", "---\nname: Bad_Name\ndescription: x\nversion: 1\n---\n\nSo.\n");
    write(&place, "skills/none/SKILL.md", "no front matter\n");
    write(&place, "skills/twice/SKILL.md", skill("alpha", "Another."));
    write(&place, "skills/foreign/SKILL.md", skill("foreign", "Elsewhere."));
    write(&place, "skills/foreign/skillery.toml", "[skill]\nnamespace = \"payments\"\n");
    write(&place, "skills/large/SKILL.md", skill("large", "Not here."));
    write(
        &place,
        "skills/large/model.bin",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
    );
    write(&place, "skills/linked/SKILL.md", skill("linked", "Look."));
    std::os::unix::fs::symlink("/etc/passwd", place.work().join("skills/linked/secret")).unwrap();
    write(&place, "skills/\u{1b}[31m/SKILL.md", "no front matter\n");
    let run = place.run(["import", "skills", "--namespace", "acme"]).fails(1);
    assert!(!run.stdout.contains('\u{1b}'), "{:?}", run.stdout);
    snapshot!("bad", run);
    place.run(["info", "acme/alpha"]).fails(4);
    place.run(["info", "acme/gamma"]).ok();
    let report = place.run(["import", "skills", "--namespace", "acme", "--json"]).fails(1).json();
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!((count("found"), count("unchanged"), count("refused")), (10, 2, 8));
    assert_eq!((&report["ok"], &report["complete"]), (&false.into(), &true.into()));
    let lenient =
        place.run(["import", "skills", "--namespace", "acme", "--json", "--lenient"]).fails(1).json();
    assert!(outcomes(&lenient).contains(&"acme/bad-name published 1.0.0".to_owned()), "{lenient}");
}

#[test]
fn an_archive_is_the_folder_that_was_packed() {
    let server = Server::start();
    let mut place = server.place();
    let temporary = place.work().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    place.set("TMPDIR", &temporary.display().to_string());
    collection(&place, "skills");
    place.write("skills.zip", zipped(&place, "skills", "skills-main/"));
    place.write("one.zip", zipped(&place, "skills/alpha", ""));
    let import = |source: &str| place.run(["import", source, "--namespace", "acme", "--json"]);
    assert_eq!(outcomes(&import("one.zip").ok().json()), ["acme/alpha published 1.0.0"]);
    let all = ["acme/alpha unchanged 1.0.0", "acme/gamma published 0.3.0", "acme/beta published 1.0.0"];
    let report = import("skills.zip").ok().json();
    assert_eq!(outcomes(&report), all);
    assert_eq!(report["skills"][2]["path"], "more/beta");
    // The bytes are those of the folder, and so is the digest.
    assert_eq!(import("skills").ok().json()["unchanged"], 3);
    let part = place.run(["import", "skills.zip", "--path", "more", "--namespace", "acme", "--json"]).ok();
    assert_eq!(outcomes(&part.json()), ["acme/beta unchanged 1.0.0"]);
    for (path, code) in [("../x", 2), ("/etc", 2), ("nowhere", 4), ("README.md", 2)] {
        let run = place.run(["import", "skills.zip", "--path", path, "--namespace", "acme"]).fails(code);
        assert!(run.stdout.is_empty(), "{}", run.report());
    }
    assert_tidy(&temporary);
}

#[test]
fn a_hostile_archive_leaves_nothing() {
    let server = Server::start();
    let mut place = server.place();
    let temporary = place.work().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    place.set("TMPDIR", &temporary.display().to_string());
    let file = |path: &str, text: String| BundleFile {
        path: path.to_owned(),
        executable: false,
        bytes: text.into_bytes(),
    };
    let good = || file("alpha/SKILL.md", skill("alpha", "So."));
    // The names are of one length, so that what the archive says of itself still fits.
    let renamed = |from: &str, to: &str| {
        let zip = pack(vec![good(), file(from, "x".to_owned())]).unwrap();
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let mut bytes = zip.clone();
        for at in 0..=zip.len() - from.len() {
            if &zip[at..at + from.len()] == from {
                bytes[at..at + from.len()].copy_from_slice(to);
            }
        }
        bytes
    };
    place.write("leaving.zip", renamed("aa/aa/evil", "../../evil"));
    place.write("rooted.zip", renamed("aaaa/evil", "/tmp/evil"));
    place.write("colliding.zip", pack(vec![good(), file("alpha/skill.MD", "x".to_owned())]).unwrap());
    place.write("cut.zip", &pack(vec![good()]).unwrap()[..100]);
    place.write("bomb.zip", pack(vec![good(), file("alpha/x", "0".repeat(17 << 20))]).unwrap());
    place.write("no.zip", "no archive");
    place.write("empty.zip", pack(vec![file("README.md", "x".to_owned())]).unwrap());
    for (archive, code) in [
        ("leaving.zip", "invalid-archive"),
        ("rooted.zip", "invalid-archive"),
        ("colliding.zip", "invalid-archive"),
        ("cut.zip", "invalid-archive"),
        ("bomb.zip", "invalid-archive"),
        ("no.zip", "invalid-archive"),
        ("empty.zip", "no-skill"),
    ] {
        let run = place.run(["import", archive, "--namespace", "acme", "--json"]).fails(2);
        assert_eq!(run.error()["code"], code, "{archive}: {}", run.report());
    }
    place.run(["info", "acme/alpha"]).fails(4);
    assert_tidy(&temporary);
    assert!(!place.work().join("evil").exists() && !place.work().join("../evil").exists());
}

#[test]
fn a_repository_is_fetched_by_git() {
    let server = Server::start();
    let mut place = server.place();
    let temporary = place.work().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    place.set("TMPDIR", &temporary.display().to_string());
    collection(&place, "origin/skills");
    write(&place, "origin/.gitattributes", "*.md text eol=crlf\n*.bin filter=mine\n");
    write(&place, "origin/skills/gamma/model.bin", "bytes\n");
    write(&place, "origin/other/SKILL.md", skill("other", "Not among them."));
    let origin = place.work().join("origin");
    git(&origin, &["init", "-q"]);
    // A hook and a filter of whoever imports must not run.
    place.write("hook", "#!/bin/sh\ntouch \"$HOME/ran\"\n");
    set_executable(&place.work().join("hook"));
    let first = commit(&origin);
    git(&origin, &["tag", "v1"]);
    let url = format!("file://{}", origin.display());
    place.replace(&url, "[ORIGIN]");
    place.replace(&first, "[COMMIT]");
    let import = |source: &str, more: &[&str]| {
        let arguments = ["import", source, "--path", "skills", "--namespace", "acme", "--json"];
        place.run(arguments.into_iter().chain(more.iter().copied()))
    };
    let hook = place.work().join("hook");
    std::fs::write(
        place.work().parent().unwrap().join(".gitconfig"),
        format!(
            "[core]\n\tautocrlf = true\n\thooksPath = {0}\n[filter \"mine\"]\n\tsmudge = {1}\n\trequired = true\n",
            place.work().display(),
            hook.display()
        ),
    )
    .unwrap();
    std::fs::rename(&hook, place.work().join("post-checkout")).unwrap();
    let report = import(&url, &[]).ok().json();
    assert_eq!(report["commit"], first.as_str());
    let new = ["acme/alpha published 1.0.0", "acme/gamma published 0.3.0", "acme/beta published 1.0.0"];
    assert_eq!(outcomes(&report), new);
    assert!(!place.work().parent().unwrap().join("ran").exists());
    // It is what lies in the folder.
    let folder = place.run(["import", "origin/skills", "--namespace", "acme", "--json"]).ok().json();
    assert_eq!(folder["unchanged"], 3);
    assert_eq!(import(&url, &[]).ok().json()["unchanged"], 3);

    write(&place, "origin/skills/alpha/SKILL.md", skill("alpha", "Changed."));
    let second = commit(&origin);
    git(&origin, &["checkout", "-q", "-b", "next"]);
    write(&place, "origin/skills/alpha/SKILL.md", skill("alpha", "Next."));
    commit(&origin);
    git(&origin, &["checkout", "-q", "main"]);
    // A tag and a commit, a branch, and what the repository itself offers.
    for (reference, expected) in [
        ("#v1", "acme/alpha unchanged 1.0.0"),
        (format!("#{first}").as_str(), "acme/alpha unchanged 1.0.0"),
        ("", "acme/alpha published 1.0.1"),
        (format!("#{second}").as_str(), "acme/alpha unchanged 1.0.1"),
        ("#next", "acme/alpha published 1.0.2"),
    ] {
        let report = import(&format!("{url}{reference}"), &[]).ok().json();
        assert_eq!(outcomes(&report)[0], expected, "{reference}");
    }
    snapshot!("git-no-ref", place.run(["import", &format!("{url}#nowhere"), "--namespace", "acme"]).fails(1));
    let nowhere = place.run(["import", &url, "--path", "nowhere", "--namespace", "acme", "--json"]).fails(4);
    assert_eq!(nowhere.error()["code"], "source-not-found");

    // Links lead nowhere, whether to a skill or within one.
    std::os::unix::fs::symlink("/etc", origin.join("etc")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", origin.join("skills/alpha/link")).unwrap();
    commit(&origin);
    place.run(["import", &url, "--path", "etc", "--namespace", "acme"]).fails(2);
    let report = import(&url, &[]).fails(1).json();
    assert_eq!(outcomes(&report)[0], "acme/alpha refused");
    assert_tidy(&temporary);
}

#[test]
fn a_repository_that_is_larger_than_it_looks_is_not_written_out() {
    let server = Server::start();
    let mut place = server.place();
    let temporary = place.work().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    place.set("TMPDIR", &temporary.display().to_string());
    let origin = place.work().join("origin");
    std::fs::create_dir(&origin).unwrap();
    git(&origin, &["init", "-q"]);
    // A million files, which are eight objects.
    let mut object = git_with_input(&origin, &["hash-object", "-w", "--stdin"], "x");
    for level in 0..6 {
        let kind = if level == 0 { "100644 blob" } else { "040000 tree" };
        let tree: String = (0..10).map(|name| format!("{kind} {object}\t{name}\n")).collect();
        object = git_with_input(&origin, &["mktree"], &tree);
    }
    let commit = git(&origin, &["commit-tree", "-m", "many", &object]);
    git(&origin, &["update-ref", "HEAD", &commit]);
    let url = format!("file://{}", origin.display());
    let run = place.run(["import", &url, "--namespace", "acme", "--json"]).fails(2);
    assert_eq!(run.error()["code"], "source-too-large");
    // Of a part that is not too much, what is wrong is that there is no skill.
    let run = place.run(["import", &url, "--path", "0/1/2", "--namespace", "acme", "--json"]).fails(2);
    assert_eq!(run.error()["code"], "no-skill");
    assert_tidy(&temporary);
}

#[test]
fn what_is_no_repository_says_so_and_shows_no_password() {
    let server = Server::start();
    let mut place = server.place();
    let import =
        |place: &Place, source: &str| place.run(["import", "--namespace", "acme", "--json", "--", source]);
    // Nobody listens there.
    for source in ["http://ada:hunter2@127.0.0.1:9/skills.git", "http://hunter2@127.0.0.1:9/skills.git"] {
        let run = import(&place, source).fails(1);
        assert_eq!(run.error()["code"], "git-failed");
        assert!(!run.report().contains("hunter2"), "{}", run.report());
    }
    for source in [
        "-x",
        "--upload-pack=touch ran",
        "ext::sh -c touch% ran",
        "ext://x",
        "http://127.0.0.1:9/x#--all",
        "ftp://ada:hunter2@x/y",
    ] {
        let run = import(&place, source);
        assert!(matches!(run.code, Some(2 | 4)), "{}", run.report());
        assert!(!run.report().contains("hunter2"), "{}", run.report());
    }
    assert!(!place.work().join("ran").exists());
    assert_eq!(import(&place, "nowhere").fails(4).error()["code"], "source-not-found");
    place.set("PATH", "/nowhere");
    snapshot!("no-git", place.run(["import", "https://git.example.com/skills.git"]).fails(1));
}

#[test]
fn what_was_done_is_told_when_the_registry_goes_away() {
    let mut server = Server::start();
    let place = server.place();
    collection(&place, "skills");
    server.stop();
    let run = place.run(["import", "skills", "--namespace", "acme", "--json"]).fails(5);
    assert_eq!((&run.json()["complete"], &run.json()["found"]), (&false.into(), &3.into()));
    assert_eq!(run.error()["code"], "registry-unreachable");
    let mut place = Place::new();
    collection(&place, "skills");
    snapshot!("no-namespace", place.run(["import", "skills", "--dry-run"]).fails(2));
    place.run(["import", "skills", "--namespace", "acme"]).fails(3);
    place.set("REGISTRY_TOKEN", "a-token");
    place.run(["import", "skills", "--strict", "--lenient"]).fails(2);
}

#[test]
fn what_is_imported_is_signed_with_the_enrolled_key() {
    let server = Server::start();
    let place = server.place();
    let keygen = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "id_test"];
    assert!(Command::new("ssh-keygen").args(keygen).current_dir(place.work()).status().unwrap().success());
    place.run(["import", "nowhere", "--sign"]).fails(2);
    place.run(["key", "enrol", "id_test"]).ok();
    write(&place, "skills/alpha/SKILL.md", skill("alpha", "So."));
    write(&place, "skills/beta/SKILL.md", skill("beta", "Thus."));
    let import = |folder: &str, more: &[&str]| {
        let arguments = ["import", folder, "--namespace", "acme", "--json"];
        place.run(arguments.into_iter().chain(more.iter().copied())).ok().json()
    };
    let signed = import("skills/alpha", &[]);
    assert!(signed["skills"][0]["signed_with"].as_str().unwrap().starts_with("SHA256:"), "{signed}");
    assert_eq!(import("skills/beta", &["--no-sign"])["skills"][0]["signed_with"], Value::Null);
    let user = server.place();
    user.run(["install", "acme/alpha", "--require", "signed"]).ok();
    user.run(["install", "acme/beta", "--require", "signed"]).fails(1);
}

#[test]
fn signatures_of_others_are_demanded() {
    let server = Server::start();
    let place = server.place();
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/../skillery-core/tests/fixtures/sign/pem");
    for (fixture, name) in [("p256.key", "key.pem"), ("p256.pub", "key.pub"), ("p384.pub", "other.pub")] {
        place.write(name, std::fs::read(format!("{keys}/{fixture}")).unwrap());
    }
    // What the library holds is signed, and put where it came from.
    write(&place, "skills/alpha/SKILL.md", skill("alpha", "So."));
    place.run(["import", "skills", "--namespace", "acme"]).ok();
    place.run(["install", "acme/alpha"]).ok();
    place.run(["sign", "acme/alpha", "--oms", "skills/alpha/skill.oms.sig", "--key", "key.pem"]).ok();
    write(&place, "skills/beta/SKILL.md", skill("beta", "Unsigned."));
    let import =
        |key: &str| place.run(["import", "skills", "--namespace", "acme", "--oms-key", key, "--json"]);
    let report = import("key.pub").fails(1).json();
    assert_eq!(outcomes(&report), ["acme/alpha published 1.0.1", "acme/beta refused"]);
    assert!(report["skills"][1]["reasons"][0].as_str().unwrap().contains("not signed"), "{report}");
    assert_eq!(import("other.pub").fails(1).json()["refused"], 2);
    write(&place, "skills/alpha/more.md", "Not signed.\n");
    let report = import("key.pub").fails(1).json();
    assert!(report["skills"][0]["reasons"][0].as_str().unwrap().contains("more.md"), "{report}");
}
