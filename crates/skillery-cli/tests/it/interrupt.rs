//! Ctrl-C, and worse: the old state or the new one, and nothing between.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::support::{Place, Server, VALIDATOR, signal};

const ID: &str = "acme/email_validator";

/// Stands before a registry and passes everything on, until a download is asked for: that is never answered. The
/// channel says when one was asked for.
fn silent_before_downloads(registry: &str) -> (String, Receiver<()>) {
    let target = registry.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (asked, was_asked) = channel();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (asked, registry) = (asked.clone(), TcpStream::connect(&target).unwrap());
            let (mut back_from, mut back_to) = (registry.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut back_from, &mut back_to));
            thread::spawn(move || forward(client, registry, &asked));
        }
    });
    (address, was_asked)
}

fn forward(mut client: TcpStream, mut registry: TcpStream, asked: &std::sync::mpsc::Sender<()>) {
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = client.read(&mut bytes) {
        if String::from_utf8_lossy(&bytes[..count]).contains("/download") {
            let _ = asked.send(());
            // Held open: the other end waits for an answer until it is ended.
            let _ = client.read(&mut bytes);
            return;
        }
        if registry.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

fn state(place: &Place) -> (String, String) {
    let listed = place.run(["list", "--all", "--json"]).ok().json();
    (listed.to_string(), place.read("skillery.lock"))
}

#[test]
fn an_interrupted_install_leaves_the_old_state() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.run(["install", ID]).ok();
    place.publish_code(ID, "1.1.0", &format!("{VALIDATOR}\n# newer\n"));
    let before = state(&place);

    for (name, code) in [("INT", Some(130)), ("TERM", Some(130)), ("KILL", None)] {
        let (proxy, asked) = silent_before_downloads(&server.url);
        let child = place.command(["install", ID, "--registry", &proxy]).spawn().unwrap();
        asked.recv().unwrap();
        signal(child.id(), name);
        let run = place.finish(child);
        assert_eq!(run.code, code, "{}", run.report());
        assert_eq!(run.stdout, "");
        assert_eq!(run.stderr, if name == "KILL" { "" } else { "error: interrupted\n" });
        assert_eq!(state(&place), before, "{name}");
        place.run(["verify"]).ok();
    }

    // Nothing was left behind that keeps the next one from working.
    place.run(["install", ID]).ok();
    assert_ne!(state(&place), before);
    place.run(["verify"]).ok();
}

#[test]
fn an_interrupted_workflow_ends_what_it_runs() {
    let server = Server::start();
    let place = server.place();
    let code = "import pathlib, time\n\ndef sleeper(path):\n    pathlib.Path(path).write_text('started')\n    time.sleep(600)\n";
    place.publish_code("acme/sleeper", "1.0.0", code);
    place.run(["install", "acme/sleeper"]).ok();
    // The other end of a named pipe says when the step runs.
    let pipe = place.work().join("started");
    assert!(std::process::Command::new("mkfifo").args(["-m", "666"]).arg(&pipe).status().unwrap().success());
    place.write(
        "sleep.json",
        r#"{"name": "sleep", "steps": [{"name": "sleep", "skill": "sleeper", "inputs": {"path": "${path}"}}]}"#,
    );
    place.write("policy.toml", format!("[skills.'acme/sleeper']\nwrite = ['{}']\n", pipe.display()));
    let input = format!("path={}", pipe.display());
    let run = ["workflow", "run", "sleep.json", "--policy", "policy.toml", "--input", &input, "--json"];
    let child = place.command(run).spawn().unwrap();
    assert_eq!(std::fs::read_to_string(&pipe).unwrap(), "started");
    signal(child.id(), "INT");
    let run = place.finish(child).fails(130);
    assert_eq!(run.json()["status"], "cancelled");
    assert_eq!(run.json()["steps"][0]["status"], "cancelled");
}
