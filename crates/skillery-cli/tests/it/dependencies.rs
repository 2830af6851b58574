//! What a skill needs comes with it, in versions that go together, and the lock says why.

use crate::support::{Place, Server, snapshot};

/// Publishes a folder that needs these.
fn publish(place: &Place, id: &str, version: &str, needs: &str) {
    let name = id.rsplit('/').next().unwrap();
    let folder = place.work().join("source").join(name);
    std::fs::create_dir_all(folder.join("scripts")).unwrap();
    let metadata = match needs {
        "" => String::new(),
        needs => format!("metadata:\n  skillery-dependencies: \"{needs}\"\n"),
    };
    let text =
        format!("---\nname: {name}\ndescription: The skill {name}.\n{metadata}---\n\n# {name} {version}\n");
    std::fs::write(folder.join("SKILL.md"), text).unwrap();
    std::fs::write(
        folder.join("scripts/greet.py"),
        "import words\ndef greet(who):\n    return words.HELLO + who\n",
    )
    .unwrap();
    std::fs::write(folder.join("scripts/words.py"), format!("HELLO = 'hello from {version}, '\n")).unwrap();
    place.run(["publish", folder.to_str().unwrap(), "--id", id, "--version", version]).ok();
}

fn registry(place: &Place) {
    publish(place, "acme/base", "1.0.0", "");
    publish(place, "acme/base", "1.4.0", "");
    publish(place, "acme/base", "2.0.0", "");
    publish(place, "acme/text", "1.0.0", "acme/base ^1");
    publish(place, "acme/app", "1.0.0", "acme/text ^1, acme/base >=1.0, <2");
    publish(place, "acme/odd", "1.0.0", "acme/text ^1, acme/base ^2");
    publish(place, "acme/lost", "1.0.0", "acme/gone ^1");
}

#[test]
fn what_a_skill_needs_comes_with_it() {
    let server = Server::start();
    let place = server.place();
    registry(&place);
    let installed = place.run(["install", "acme/app", "--json"]).ok().json();
    let versions: Vec<String> = installed["skills"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skill| format!("{}@{}", skill["id"].as_str().unwrap(), skill["version"].as_str().unwrap()))
        .collect();
    assert_eq!(versions, ["acme/app@1.0.0", "acme/base@1.4.0", "acme/text@1.0.0"]);
    let lock = place.read("skillery.lock");
    assert!(lock.contains("wanted = \"latest\""), "{lock}");
    assert!(lock.contains("needs = [\"acme/base >=1.0, <2\", \"acme/text ^1\"]"), "{lock}");
    let tree = place.run(["tree", "acme/app"]).ok();
    assert!(tree.stdout.contains("acme/base") && tree.stdout.contains("acme/text"), "{}", tree.stdout);

    // A newer one that fits is not taken as long as the lock has one, and with `update` it is.
    publish(&place, "acme/base", "1.5.0", "");
    let again = place.run(["install", "acme/text", "--json"]).ok().json();
    let named: Vec<&str> =
        again["skills"].as_array().unwrap().iter().map(|skill| skill["id"].as_str().unwrap()).collect();
    assert_eq!(named, ["acme/base", "acme/text"], "what it needs is named, locked or not, and nothing else");
    assert!(place.read("skillery.lock").contains("1.4.0"));
    place.run(["update"]).ok();
    let lock = place.read("skillery.lock");
    assert!(lock.contains("version = \"1.5.0\"") && !lock.contains("1.4.0"), "{lock}");

    // Elsewhere the lock alone says everything.
    let other = server.place();
    other.write("skillery.lock", &lock);
    let frozen = other.run(["install", "acme/app", "--frozen", "--json"]).ok().json();
    assert_eq!(frozen["skills"].as_array().unwrap().len(), 3);
    assert_eq!(other.read("skillery.lock"), lock);

    // A lock that lacks something is no lock.
    let lacking: String = lock
        .split("[[skill]]")
        .filter(|part| !part.contains("id = \"acme/base\""))
        .collect::<Vec<_>>()
        .join("[[skill]]");
    other.write("skillery.lock", &lacking);
    let refused = other.run(["install", "--frozen"]).fails(2);
    assert!(refused.stderr.contains("needs `acme/base`"), "{}", refused.stderr);
}

#[test]
fn what_does_not_go_together_is_explained() {
    let server = Server::start();
    let place = server.place();
    registry(&place);
    snapshot!("conflict", place.run(["install", "acme/odd"]).fails(2));
    snapshot!("missing", place.run(["install", "acme/lost"]).fails(2));
    // Nothing of it is there.
    let listed = place.run(["list", "--json"]).ok().json();
    assert_eq!(listed["skills"].as_array().unwrap().len(), 0, "{listed}");
    assert!(!place.work().join("skillery.lock").exists());
    // Whoever wants it anyway gets it alone.
    place.run(["install", "acme/odd", "--no-deps"]).ok();
}

#[test]
fn scripts_of_a_folder_are_steps() {
    let server = Server::start();
    let place = server.place();
    registry(&place);
    place.run(["install", "acme/base@1.4.0"]).ok();
    place.write(
        "flow.yaml",
        "name: flow\nsteps:\n  - name: hello\n    skill: acme/base#greet\n    inputs: {who: you}\n",
    );
    let ran = place.run(["workflow", "run", "flow.yaml", "--json"]).ok();
    assert!(ran.stdout.contains("hello from 1.4.0, you"), "{}", ran.stdout);
    place.write("flow.yaml", "name: flow\nsteps:\n  - name: hello\n    skill: acme/base\n    inputs: {}\n");
    let refused = place.run(["workflow", "run", "flow.yaml"]).fails(2);
    assert!(refused.stderr.contains("one of its scripts: greet, words"), "{}", refused.stderr);
}

#[cfg(unix)]
#[test]
fn one_folder_that_was_altered_is_in_nobodys_way() {
    let server = Server::start();
    let place = server.place();
    registry(&place);
    place.run(["install", "acme/app", "--no-lock"]).ok();
    place.publish("acme/alone", "1.0.0");
    place.run(["install", "acme/alone", "--no-lock"]).ok();
    let listed = place.run(["list", "--json"]).ok().json();
    let skills = listed["skills"].as_array().unwrap();
    let text = skills.iter().find(|skill| skill["id"] == "acme/text").unwrap();
    let folder = std::path::Path::new(text["path"].as_str().unwrap());
    std::os::unix::fs::symlink("SKILL.md", folder.join("link")).unwrap();
    let tree = place.run(["tree", "--json"]).ok().json();
    let problems: Vec<bool> =
        tree["skills"].as_array().unwrap().iter().map(|skill| skill["problem"].is_string()).collect();
    assert_eq!(problems, [false, false, false, true], "{tree}");
    let refused = place.run(["remove", "acme/base", "--no-lock"]).fails(1);
    assert!(refused.stderr.contains("needed by `acme/app`"), "{}", refused.stderr);
    place.run(["remove", "acme/alone"]).ok();
    place.run(["remove", "acme/app", "acme/text"]).ok();
    place.run(["remove", "acme/base"]).ok();
}
