//! What the registry knows of how skills are used, as people and programs read it.

use crate::support::{Place, Server, snapshot, until};

fn publish(place: &Place, name: &str, version: &str, needs: &str) {
    let code = format!(
        "# /// script\n# [tool.skillery]\n# skills = {needs}\n# ///\ndef {name}(text):\n    \"\"\"Says the text.\n\n    >>> {name}('a')\n    'a'\n    \"\"\"\n    return text\n"
    );
    let file = format!("{name}.py");
    place.write(&file, &code);
    place.run(["publish", &file, "--org", "acme", "--version", version, "--license", "MIT"]).ok();
}

/// Waits until it is written that one user has the skill.
fn wait_for_user(place: &Place, id: &str) {
    until(&format!("users of {id}"), || {
        let usage = place.run(["usage", id, "--json"]).ok().json();
        (usage["adoption"]["consumers"] == 1).then_some(())
    });
}

/// The words of the first line that begins with this one.
fn line_of<'text>(text: &'text str, first: &str) -> Vec<&'text str> {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.find(|words| words.first() == Some(&first)).unwrap_or_default()
}

#[test]
fn what_needs_what_and_how_it_is_used() {
    let server = Server::start();
    let place = server.place();
    publish(&place, "base", "1.0.0", "[]");
    publish(&place, "middle", "1.0.0", "['acme/base@^1']");
    publish(&place, "top", "1.0.0", "['acme/middle@>=1', 'gone/away']");
    snapshot!("dependencies", place.run(["dependencies", "acme/top"]).ok());
    snapshot!("dependencies-none", place.run(["dependencies", "acme/base"]).ok());
    snapshot!("dependencies-json", place.run(["dependencies", "acme/top", "--depth", "1", "--json"]).ok());
    snapshot!("dependents", place.run(["dependents", "acme/base"]).ok());
    snapshot!("dependents-none", place.run(["dependents", "acme/top"]).ok());
    snapshot!("impact", place.run(["impact", "acme/base", "--version", "2.0.0", "--limit", "1"]).ok());
    snapshot!("impact-json", place.run(["impact", "acme/base", "--version", "1.9.0", "--json"]).ok());
    snapshot!("dependents-of-nothing", place.run(["dependents", "acme/nothing"]).fails(4));

    snapshot!("health", place.run(["health", "acme/top"]).ok());
    let health = place.run(["health", "acme/top", "--version", "1.0.0", "--json"]).ok().json();
    assert_eq!(health["most"], 100);
    assert_eq!(health["parts"].as_array().unwrap().len(), 9);

    place.run(["install", "acme/base"]).ok();
    wait_for_user(&place, "acme/base");
    let usage = place.run(["usage", "acme/base"]).ok();
    for part in ["installs", "skillery", "in use, the last 28 days", "1.0.0", "published", "100 %"] {
        assert!(usage.stdout.contains(part), "{part}: {}", usage.stdout);
    }
    let usage = place.run(["usage", "acme/base", "--by", "month", "--days", "1", "--json"]).ok().json();
    assert_eq!(
        (&usage["installs"]["total"], &usage["adoption"]["consumers_share"]),
        (&1.into(), &1.0.into())
    );
    let usage = place.run(["usage", "--namespace", "acme", "--json"]).ok().json();
    assert_eq!((&usage["installs"]["of"], usage.get("adoption")), (&"acme".into(), None));
    let only = ["usage", "acme/base", "--version", "1.0.0", "--program"];
    let usage = place.run([&only[..], &["skillery", "--json"]].concat()).ok().json();
    assert_eq!(
        (&usage["installs"]["version"], &usage["installs"]["program"], &usage["installs"]["total"]),
        (&"1.0.0".into(), &"skillery".into(), &1.into())
    );
    let usage = place.run([&only[..], &["git"]].concat()).ok();
    assert_eq!(line_of(&usage.stdout, "version"), ["version", "1.0.0"]);
    assert_eq!(line_of(&usage.stdout, "program"), ["program", "git"]);
    assert_eq!(line_of(&usage.stdout, "installs"), ["installs", "0"]);
    place.run(["usage", "acme/base", "--version", "9.0.0"]).fails(4);
    place.run(["usage", "acme/base", "--program", "evil"]).fails(2);
    place.run(["usage", "--namespace", "acme", "--version", "1.0.0"]).fails(2);
    let usage = place.run(["usage", "--namespace", "acme", "--program", "git", "--json"]).ok().json();
    assert_eq!(usage["installs"]["total"], 0);
    snapshot!("usage-of-nothing", place.run(["usage"]).fails(2));
    snapshot!("usage-of-no-days", place.run(["usage", "acme/base", "--days", "0"]).fails(2));
}

#[test]
fn whose_skills_others_use() {
    // Boards are kept for a minute: those of a registry in which nothing has happened yet are another's.
    let empty = Server::start();
    snapshot!("leaderboard-empty", empty.place().run(["leaderboard", "--of", "teams"]).ok());
    let server = Server::start();
    let place = server.place();
    publish(&place, "tool", "1.0.0", "[]");
    place.run(["user", "create", "anna"]).ok();
    let made =
        place.run(["token", "create", "--user", "anna", "--scope", "read", "--json"]).ok().reveals().json();
    let mut anna = server.place();
    anna.set("REGISTRY_TOKEN", made["token"].as_str().unwrap());
    anna.run(["install", "acme/tool"]).ok();
    wait_for_user(&place, "acme/tool");
    snapshot!("leaderboard", anna.run(["leaderboard", "--of", "teams", "--period", "week"]).ok());
    let board = anna.run(["leaderboard", "--period", "all", "--json"]).ok().json();
    assert_eq!((&board["places"][0]["rank"], &board["places"][0]["consumers"]), (&1.into(), &1.into()));
    snapshot!("leaderboard-of-nobody", place.run(["leaderboard", "--of", "skills"]).fails(2));
    snapshot!("leaderboard-leave", place.run(["leaderboard", "--leave"]).ok());
    let board = anna.run(["leaderboard", "--period", "all", "--json"]).ok().json();
    assert_eq!(board["total"], 0);
    snapshot!("leaderboard-join", place.run(["leaderboard", "--join", "--json"]).ok());
    snapshot!("leaderboard-both", place.run(["leaderboard", "--join", "--leave"]).fails(2));
}

#[test]
fn a_namespace_says_what_is_told() {
    let server = Server::start();
    let place = server.place();
    publish(&place, "tool", "1.0.0", "[]");
    snapshot!("org-insight", place.run(["org", "insight", "acme"]).ok());
    snapshot!(
        "org-insight-set",
        place.run(["org", "insight", "acme", "--k", "10", "--leaderboards", "off"]).ok()
    );
    snapshot!("org-insight-below", place.run(["org", "insight", "acme/deep", "--k", "5"]).ok());
    // What is not named stays.
    let set = place.run(["org", "insight", "acme", "--k", "none", "--json"]).ok().json();
    assert_eq!((&set["k"], &set["leaderboards"]), (&serde_json::Value::Null, &false.into()));
    snapshot!("org-insight-wrong", place.run(["org", "insight", "acme", "--k", "0"]).fails(2));
    snapshot!("org-insight-nowhere", place.run(["org", "insight", "nowhere"]).fails(4));
}
