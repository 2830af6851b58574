//! `skillery serve` and `skillery admin`, on the data that they keep.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{Place, Server, signal, snapshot, spawn_server};

#[test]
fn the_first_start_tells_the_token_once() {
    let mut place = Place::new();
    let data = place.work().join("data");
    place.replace(&data.display().to_string(), "[DATA]");
    let arguments = ["serve", "--data", "data", "--listen", "127.0.0.1:0"];
    let start = |place: &Place| {
        let mut child = place.command(arguments).stderr(Stdio::null()).spawn().unwrap();
        // The last line of what is printed says how to stop it.
        let mut lines = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while !lines.contains("Ctrl-C") {
            assert_ne!(stdout.read_line(&mut lines).unwrap(), 0, "{lines}");
        }
        (child, lines)
    };
    for name in ["first-start", "second-start"] {
        let (child, lines) = start(&place);
        signal(child.id(), "INT");
        let mut run = place.finish(child).ok();
        run.stdout = lines;
        snapshot!(name, if name == "first-start" { run.reveals() } else { run });
    }
    let token = std::fs::read_to_string(data.join("admin-token")).unwrap();
    assert!(token.starts_with("sky_"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(data.join("admin-token")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_token_that_was_set_has_no_file() {
    let mut place = Place::new();
    place.replace(&place.work().join("data").display().to_string(), "[DATA]");
    place.set("SKILLERY_ADMIN_TOKEN", "a token of more than thirty-two characters");
    for (name, form) in [("start-with-token", "--quiet"), ("json-start-with-token", "--json")] {
        let arguments = ["serve", "--data", "data", "--listen", "127.0.0.1:0", "--log-level", "error", form];
        let mut child = place.command(arguments).spawn().unwrap();
        // The last line of what is printed says how to stop it; the JSON is one line.
        let mut lines = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while !lines.contains("Ctrl-C") && !lines.starts_with('{') {
            assert_ne!(stdout.read_line(&mut lines).unwrap(), 0, "{lines}");
        }
        signal(child.id(), "TERM");
        let mut run = place.finish(child).ok();
        run.stdout = lines;
        snapshot!(name, run);
    }
    assert!(!place.work().join("data/admin-token").exists());
}

#[test]
fn it_stops_when_it_is_asked_to() {
    let mut server = Server::start();
    server.place().publish("acme/x", "1.0.0");
    assert!(server.stop());
    let (mut child, started) = spawn_server(&server.data, &[]);
    assert!(started["admin_token"].is_null());
    let mut place = server.place();
    place.set("REGISTRY_URL", started["url"].as_str().unwrap());
    place.run(["info", "acme/x"]).ok();
    signal(child.id(), "INT");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_flag_wins_over_a_variable_a_variable_over_the_file_and_the_file_over_the_default() {
    let mut place = Place::new();
    place.write("skillery.toml", "tls_cert = \"from-file.pem\"\nnamespaces = \"managed\"\n");
    place.replace(&place.work().join("data").display().to_string(), "[DATA]");
    // Half a pair of certificate and key is refused, so what was read shows in what is said.
    snapshot!("settings-file", place.run(["serve", "--data", "data"]).fails(2));
    place.write("skillery.toml", "colour = \"red\"\n");
    snapshot!("settings-unknown", place.run(["serve", "--data", "data"]).fails(2));
    place.set("SKILLERY_CONFIG", "missing.toml");
    snapshot!("settings-missing", place.run(["serve", "--data", "data"]).fails(2));
    place.unset("SKILLERY_CONFIG");
    std::fs::remove_file(place.work().join("skillery.toml")).unwrap();
    place.set("SKILLERY_LISTEN", "nowhere");
    snapshot!("settings-variable", place.run(["serve", "--data", "data"]).fails(2));
    place.unset("SKILLERY_LISTEN");
    place.set("SKILLERY_ADMIN_TOKEN", "too short");
    snapshot!("settings-short-token", place.run(["serve", "--data", "data"]).fails(2));
    place.unset("SKILLERY_ADMIN_TOKEN");
    snapshot!("settings-log-level", place.run(["serve", "--data", "data", "--log-level", "a=b=c"]).fails(2));
    assert!(!place.work().join("data").exists());
}

#[test]
fn the_file_in_the_data_folder_decides_who_makes_orgs() {
    let place = Place::new();
    let data = place.work().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("skillery.toml"), "anonymous_reads = false\n").unwrap();
    let (child, started) = spawn_server(&data, &[]);
    let url = started["url"].as_str().unwrap();
    place.run(["search", "--registry", url]).fails(3);
    signal(child.id(), "TERM");
    place.finish(child).reveals().ok();

    let (child, started) = spawn_server(&data, &["--anonymous-reads", "on"]);
    let url = started["url"].as_str().unwrap();
    place.run(["search", "--registry", url]).ok();
    signal(child.id(), "TERM");
    place.finish(child).ok();
}

#[test]
fn a_port_that_is_taken_is_told() {
    let server = Server::start();
    let place = server.place();
    let address = server.url.trim_start_matches("http://").trim_end_matches('/');
    let run = place.run(["serve", "--data", "data", "--listen", address, "--log-level", "off"]).fails(1);
    snapshot!("port-taken", run);
}

#[test]
fn the_log_is_text_or_json_and_holds_no_secret() {
    for (form, first) in [("text", ' '), ("json", '{')] {
        let place = Place::new();
        let mut child = place
            .command([
                "serve",
                "--data",
                "data",
                "--listen",
                "127.0.0.1:0",
                "--json",
                "--log",
                form,
                "--log-level",
                "debug",
            ])
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: serde_json::Value = serde_json::from_str(&line).unwrap();
        let token = started["admin_token"].as_str().unwrap();
        let url = started["url"].as_str().unwrap();
        place.run(["whoami", "--registry", url, "--token", token]).ok();
        place.run(["whoami", "--registry", url, "--token", "sky_pat_not-a-token"]).fails(3);
        signal(child.id(), "TERM");
        let run = place.finish(child).ok();
        assert!(!run.stderr.is_empty());
        if form == "json" {
            for line in run.stderr.lines() {
                assert!(
                    line.starts_with(first) && serde_json::from_str::<serde_json::Value>(line).is_ok(),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn data_is_backed_up_and_restored() {
    let mut server = Server::start();
    let place = server.place();
    place.publish("acme/x", "1.0.0");
    assert!(server.stop());
    let data = server.data.to_str().unwrap();
    let admin = |arguments: &[&str]| place.run(["admin"].iter().chain(arguments).chain(&["--data", data]));
    snapshot!("doctor", admin(&["doctor"]).ok());
    snapshot!("reindex", admin(&["reindex"]).ok());
    snapshot!("backup", admin(&["backup", "saved"]).ok());
    snapshot!("backup-again", admin(&["backup", "saved"]).fails(2));

    let restored = place.work().join("restored");
    let restore = ["admin", "restore", "saved", "--data", restored.to_str().unwrap()];
    snapshot!("restore", place.run(restore).ok());
    snapshot!("restore-again", place.run(restore).fails(2));
    let (child, started) = spawn_server(&restored, &[]);
    let url = started["url"].as_str().unwrap();
    place.run(["install", "acme/x", "--registry", url]).ok();
    signal(child.id(), "TERM");
    place.finish(child).ok();

    for arguments in [["doctor", "--json"], ["reindex", "--json"]] {
        snapshot!(format!("json-{}", arguments[0]), admin(&arguments).ok());
    }
    snapshot!("json-backup", admin(&["backup", "saved-again", "--json"]).ok());
    let again = ["admin", "restore", "saved-again", "--data", "restored-again", "--json"];
    snapshot!("json-restore", place.run(again).ok());
    snapshot!("no-registry", place.run(["admin", "doctor", "--data", "nothing-here"]).fails(2));

    // A content that is altered on disk is found.
    let blobs = restored.join("blobs");
    let blob = find_file(&blobs).unwrap();
    std::fs::write(blob, "altered").unwrap();
    snapshot!(
        "doctor-damaged",
        place.run(["admin", "doctor", "--data", restored.to_str().unwrap()]).fails(1)
    );
}

fn find_file(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries.iter().find_map(|path| if path.is_dir() { find_file(path) } else { Some(path.clone()) })
}
