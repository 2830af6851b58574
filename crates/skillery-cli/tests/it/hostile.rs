//! A registry may hold texts that try to take over the terminal of whoever looks.

use crate::support::{Server, VALIDATOR};

const HOSTILE: &str = "good\u{1b}]0;owned\u{7}\u{1b}[2J \u{202e}live\u{9b}31m\u{200b}";

#[test]
fn texts_of_others_do_not_reach_the_terminal_as_commands() {
    let server = Server::start();
    let place = server.place();
    place.write("skill.py", VALIDATOR);
    // What the registry refuses to hold cannot hurt; what it holds must be shown harmlessly.
    let _ =
        place.run(["publish", "skill.py", "--org", "acme", "--version", "1.0.0", "--description", HOSTILE]);
    let _ = place.run([
        "publish",
        "skill.py",
        "--org",
        "acme",
        "--version",
        "1.0.1",
        "--description",
        "\u{202e}evil",
    ]);
    place.publish("acme/skill", "1.0.2");
    let _ = place.run(["rate", "acme/skill", "1", "--review", HOSTILE]);
    let _ = place.run(["rate", "acme/skill", "1", "--review", "one\n\u{202e}two\u{2066}three"]);
    let _ = place.run(["yank", "acme/skill", "1.0.2", "--reason", HOSTILE]);
    let _ = place.run(["yank", "acme/skill", "1.0.2", "--undo"]);
    for arguments in [
        vec!["search"],
        vec!["search", "--json"],
        vec!["trending"],
        vec!["leaderboard"],
        vec!["usage", "acme/tool"],
        vec!["health", "acme/tool", "--version", "1.0.0"],
        vec!["dependencies", "acme/tool"],
        vec!["dependents", "acme/tool"],
        vec!["info", "acme/skill"],
        vec!["info", "acme/skill", "--json"],
        vec!["reviews", "acme/skill"],
        vec!["reviews", "acme/skill", "--json"],
        vec!["install", "acme/skill"],
        vec!["list"],
        vec!["info", HOSTILE],
        vec!["search", "--sort", HOSTILE],
        vec!["search", "--registry", HOSTILE],
        vec![HOSTILE],
        vec!["token", "revoke", HOSTILE],
        vec!["publish", HOSTILE, "--org", "acme", "--version", "1.0.0"],
    ] {
        let run = place.run(&arguments);
        for text in [&run.stdout, &run.stderr] {
            let harmful = text.chars().find(|character| {
                (character.is_control() && *character != '\n')
                    || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}')
            });
            assert_eq!(harmful, None, "{arguments:?}: {text:?}");
        }
    }
}
