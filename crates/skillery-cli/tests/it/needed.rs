//! What others need: removed only when it is said, installed with whatever installs, and in the bill of materials.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;

use serde_json::{Value, json};

use crate::support::{PROGRAM, Place, Server, signal};

fn publish(place: &Place, id: &str, version: &str, needs: &[&str]) {
    let block = match needs {
        [] => String::new(),
        needs => format!("# /// script\n# [tool.skillery]\n# skills = {needs:?}\n# ///\n"),
    };
    let name = id.rsplit('/').next().unwrap();
    place.publish_code(id, version, &format!("{block}def {name}():\n    return '{version}'\n"));
}

fn registry() -> (Server, Place) {
    let server = Server::start();
    let place = server.place();
    publish(&place, "acme/base", "1.0.0", &[]);
    publish(&place, "acme/base", "1.1.0", &[]);
    publish(&place, "acme/text", "1.0.0", &["acme/base@^1"]);
    publish(&place, "acme/app", "1.0.0", &["acme/text@^1", "acme/base"]);
    (server, place)
}

fn installed(place: &Place) -> Vec<String> {
    let listed = place.run(["list", "--json"]).ok().json();
    let skills = listed["skills"].as_array().unwrap().iter();
    skills.map(|skill| skill["id"].as_str().unwrap().to_owned()).collect()
}

fn locked(place: &Place) -> Vec<String> {
    let lock = place.read("skillery.lock");
    lock.lines()
        .filter_map(|line| Some(line.strip_prefix("id = \"")?.strip_suffix('"')?.to_owned()))
        .collect()
}

#[test]
fn what_another_skill_needs_is_not_removed_unless_it_is_said() {
    let (server, place) = registry();
    place.run(["install", "acme/app"]).ok();
    let lock = place.read("skillery.lock");
    let refused = place.run(["remove", "acme/base"]).fails(1);
    assert!(
        refused.stderr.contains("`acme/base` is needed by `acme/app` 1.0.0, `acme/text` 1.0.0"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    // The library alone knows it, too.
    let refused = place.run(["remove", "acme/text", "--no-lock"]).fails(1);
    assert!(refused.stderr.contains("needed by `acme/app`"), "{}", refused.stderr);
    assert_eq!((place.read("skillery.lock"), installed(&place).len()), (lock.clone(), 3));
    // Another version of it will do.
    place.run(["install", "acme/base@1.0.0", "--no-lock"]).ok();
    place.run(["remove", "acme/base@1.0.0"]).ok();
    // So it does for who calls one of its scripts.
    publish(&place, "acme/caller", "1.0.0", &["acme/base@^1#greet"]);
    place.run(["install", "acme/caller", "acme/base@1.0.0", "--no-lock", "--no-deps"]).ok();
    place.run(["remove", "acme/app", "acme/text", "acme/base@1.1.0", "--no-lock"]).ok();
    let refused = place.run(["remove", "acme/base", "--no-lock"]).fails(1);
    assert!(refused.stderr.contains("needed by `acme/caller`"), "{}", refused.stderr);
    place.run(["remove", "acme/caller", "acme/base", "--no-lock"]).ok();
    place.run(["install", "--frozen"]).ok();
    // By force it goes, and the lock still is one that can be installed.
    place.run(["remove", "acme/base", "--force"]).ok();
    assert_eq!(installed(&place), ["acme/app", "acme/text"]);
    assert_eq!(locked(&place), ["acme/app", "acme/base", "acme/text"]);
    let other = server.place();
    other.write("skillery.lock", place.read("skillery.lock"));
    other.run(["install", "--frozen"]).ok();
    assert_eq!(installed(&other).len(), 3);
    // With who needs it, what only that needed is locked no more.
    place.run(["remove", "acme/app"]).ok();
    assert_eq!(locked(&place), Vec::<String>::new());
}

#[test]
fn a_bill_of_materials_says_what_needs_what_and_passes_over_what_is_hidden() {
    let (server, place) = registry();
    publish(&place, "acme/hidden", "1.0.0", &[]);
    place.run(["install", "acme/app", "acme/hidden"]).ok();
    let bill = place.run(["sbom"]).ok().json();
    let of = |name: &str| {
        let components = bill["components"].as_array().unwrap();
        let found = components.iter().find(|component| component["name"] == name).unwrap();
        assert_eq!(found["bom-ref"], found["purl"]);
        found["bom-ref"].clone()
    };
    assert_eq!(
        bill["dependencies"],
        json!([
            { "ref": of("app"), "dependsOn": [of("base"), of("text")] },
            { "ref": of("base") },
            { "ref": of("hidden") },
            { "ref": of("text"), "dependsOn": [of("base")] },
        ])
    );
    assert_eq!(place.run(["sbom", "--installed"]).ok().json(), bill, "files say the same as the lock");

    place.run(["visibility", "acme/hidden", "private"]).ok();
    let mut other = server.place();
    other.unset("REGISTRY_TOKEN");
    other.write("skillery.lock", place.read("skillery.lock"));
    let run = other.run(["sbom"]).ok();
    assert!(run.stderr.contains("acme/hidden 1.0.0"), "{}", run.stderr);
    let short = run.json();
    assert_eq!(short["dependencies"], bill["dependencies"]);
    let licenses: Vec<bool> = short["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|component| component["licenses"] == Value::Null)
        .collect();
    assert_eq!(licenses, [false, false, true, false], "{short}");
}

#[test]
fn several_processes_with_homes_of_their_own_lock_one_project() {
    let server = Server::start();
    let place = server.place();
    let names: Vec<String> = (0..6).map(|number| format!("acme/s{number}")).collect();
    for name in &names {
        publish(&place, name, "1.0.0", &[]);
    }
    let start = |name: &String| -> Child {
        let mut command = place.command(["install", name, "--agent", "claude-code"]);
        command.env("SKILLERY_HOME", place.work().parent().unwrap().join(format!("home-{}", &name[5..])));
        command.spawn().unwrap()
    };
    let running: Vec<Child> = names.iter().map(start).collect();
    for child in running {
        place.finish(child).ok();
    }
    assert_eq!(locked(&place), names);
    let record: Value = serde_json::from_str(&place.read(".skillery/agents.json")).unwrap();
    assert_eq!(record["placements"].as_object().unwrap().len(), names.len());
}

#[test]
fn a_request_stays_what_it_was() {
    let (_server, place) = registry();
    let wanted = |place: &Place| {
        let lock = place.read("skillery.lock");
        lock.lines().filter(|line| line.starts_with("wanted")).map(str::to_owned).collect::<Vec<_>>()
    };
    place.run(["install", "acme/base@^1.0.0", "--no-deps"]).ok();
    assert_eq!(wanted(&place), ["wanted = \"^1.0.0\""]);
    // An update does not forget that nobody wants version 2.
    publish(&place, "acme/base", "1.2.0", &[]);
    place.run(["update"]).ok();
    assert_eq!(wanted(&place), ["wanted = \"^1.0.0\""]);
    assert!(place.read("skillery.lock").contains("version = \"1.2.0\""));
    publish(&place, "acme/base", "2.0.0", &[]);
    place.run(["update"]).ok();
    assert!(place.read("skillery.lock").contains("version = \"1.2.0\""));
}

#[test]
fn a_locked_prerelease_of_a_lock_of_before_stays() {
    let server = Server::start();
    let place = server.place();
    publish(&place, "acme/base", "1.0.0", &[]);
    publish(&place, "acme/base", "2.0.0-rc.1", &[]);
    publish(&place, "acme/text", "1.0.0", &[]);
    place.run(["install", "acme/base@2.0.0-rc.1"]).ok();
    let lock = place.read("skillery.lock");
    let before = lock.replace("version = 2\n", "version = 1\n").replace("wanted = \"2.0.0-rc.1\"\n", "");
    assert_ne!(before, lock);
    place.write("skillery.lock", &before);
    place.run(["install", "acme/text"]).ok();
    let after = place.read("skillery.lock");
    assert!(after.contains("wanted = \"2.0.0-rc.1\"") && after.contains("version = 2\n"), "{after}");
}

#[test]
fn a_workflow_brings_what_its_skills_need() {
    let (_server, place) = registry();
    place.write("flow.yaml", "name: flow\nsteps:\n  - name: one\n    skill: acme/text\n    inputs: {}\n");
    let before = place.run(["install", "acme/base@1.0.0"]).ok();
    drop(before);
    place.run(["remove", "acme/base", "--no-lock"]).ok();
    let lock = place.read("skillery.lock");
    place.run(["workflow", "run", "flow.yaml", "--install"]).ok();
    assert_eq!(installed(&place), ["acme/base", "acme/text"]);
    // In the version that the project has locked; and the lock is what it was.
    let listed = place.run(["list", "--json"]).ok().json();
    assert_eq!(listed["skills"][0]["version"], "1.0.0");
    assert_eq!(place.read("skillery.lock"), lock);
}

#[cfg(unix)]
#[test]
fn a_file_whose_name_is_no_text_is_not_passed_over() {
    use std::os::unix::ffi::OsStrExt;

    let (_server, place) = registry();
    place.run(["install", "acme/base"]).ok();
    place.run(["verify", "acme/base"]).ok();
    let listed = place.run(["list", "--json"]).ok().json();
    let folder = std::path::PathBuf::from(listed["skills"][0]["path"].as_str().unwrap());
    std::fs::write(folder.join(std::ffi::OsStr::from_bytes(b"evil\xff.py")), "x").unwrap();
    let refused = place.run(["verify", "acme/base"]).fails(1);
    assert!(refused.stdout.contains("its name is no text"), "{}", refused.stdout);
}

#[cfg(unix)]
#[test]
fn who_waits_for_another_process_says_so_and_can_be_interrupted() {
    let (_server, place) = registry();
    place.run(["install", "acme/base"]).ok();
    std::fs::create_dir(place.work().join(".skillery")).unwrap();
    let other = std::fs::File::create(place.work().join(".skillery/project.lock")).unwrap();
    other.lock().unwrap();
    let start = || {
        let mut child = place.command(["remove", "acme/base"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert_eq!(
            lines.next().unwrap().unwrap(),
            "waiting for another process that changes `skillery.lock`"
        );
        (child, lines)
    };
    let (child, mut lines) = start();
    signal(child.id(), "INT");
    place.finish(child).fails(130);
    assert_eq!(lines.next().unwrap().unwrap(), "error: interrupted");
    assert_eq!(installed(&place), ["acme/base"]);
    let (child, _lines) = start();
    drop(other);
    place.finish(child).ok();
    assert_eq!((installed(&place), locked(&place)), (Vec::new(), Vec::new()));
    assert!(!place.work().join(".skillery").exists());
}

#[cfg(unix)]
#[test]
fn where_nothing_may_be_written_what_has_nothing_to_write_works() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    const NOBODY: u32 = 65_534;
    let (_server, place) = registry();
    place.run(["install", "acme/text", "--agent", "claude-code"]).ok();
    let lock = place.read("skillery.lock");
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(place.work(), mode(0o555)).unwrap();
    // Root may write everywhere.
    let is_root = std::fs::write(place.work().join("written"), "").is_ok();
    let mut program = Path::new(PROGRAM).to_owned();
    if is_root {
        // Others may not look into the folder that it was built in.
        program = place.work().parent().unwrap().join("program");
        std::fs::copy(PROGRAM, &program).unwrap();
        std::fs::remove_file(place.work().join("written")).unwrap();
        std::fs::set_permissions(place.work().parent().unwrap(), mode(0o755)).unwrap();
        let owned = std::process::Command::new("chown").args(["-R", "65534"]).arg(place.home()).status();
        assert!(owned.unwrap().success());
    }
    let run = |arguments: &[&str]| {
        let mut command = place.command_of(&program, arguments);
        if is_root {
            command.uid(NOBODY);
        }
        place.finish(command.spawn().unwrap())
    };
    run(&["install"]).ok();
    run(&["install", "acme/text"]).ok();
    run(&["install", "acme/text", "--agent", "claude-code"]).ok();
    run(&["update"]).ok();
    let refused = run(&["install", "acme/app"]).fails(1);
    assert!(refused.stderr.contains("write skillery.lock"), "{}", refused.stderr);
    assert_eq!(place.read("skillery.lock"), lock);
    std::fs::set_permissions(place.work(), mode(0o755)).unwrap();
}
