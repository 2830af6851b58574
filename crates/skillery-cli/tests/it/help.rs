//! The help of every command, as a person reads it.

use skillery_client::Require;

use crate::support::{Place, snapshot};

/// Every command, found in the help of the one above it.
fn commands(place: &Place, path: &[String]) -> Vec<Vec<String>> {
    let mut found = vec![path.to_vec()];
    let help = place.run(path.iter().map(String::as_str).chain(["--help"])).ok();
    let inner = help.stdout.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in inner.take_while(|line| line.starts_with("  ")) {
        let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
        let name = name.split_whitespace().next().unwrap_or_default();
        if name != "help" {
            found.extend(commands(place, &[path, &[name.to_owned()]].concat()));
        }
    }
    found
}

#[test]
fn every_command_explains_itself() {
    let place = Place::new();
    let all = commands(&place, &[]);
    assert!(all.len() > 50, "{}", all.len());
    for path in all {
        let run = place.run(path.iter().map(String::as_str).chain(["--help"])).ok();
        assert!(run.stdout.contains("\nExamples:\n"), "{path:?}");
        let name = std::iter::once("skillery".to_owned()).chain(path).collect::<Vec<_>>().join("-");
        snapshot!(name, run);
    }
}

#[test]
fn every_word_of_what_an_installation_demands_is_told() {
    let place = Place::new();
    let mut told: Vec<String> = ["install", "verify"]
        .into_iter()
        .map(|command| {
            place.run([command, "--help"]).ok().stdout.split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect();
    let error = place.run(["install", "acme/tool", "--require", "trusted"]).fails(2);
    told.push(error.stderr.clone());
    for text in &told {
        for word in Require::WORDS {
            let is_it = |part: &str| part.trim_matches(['`', ',']) == word;
            assert!(text.split_whitespace().any(is_it), "no `{word}` in {text}");
        }
    }
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");
    for name in ["guide.md", "design/signing.md"] {
        let text = std::fs::read_to_string(format!("{docs}{name}")).unwrap();
        for word in Require::WORDS {
            assert!(text.contains(&format!("\n| `{word}` ")), "no row for `{word}` in {name}");
        }
    }
}

#[test]
fn the_openapi_document_is_printed() {
    let run = Place::new().run(["openapi"]).ok();
    assert_eq!(run.json()["info"]["title"].as_str().map(str::is_empty), Some(false));
}

#[test]
fn completions_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = place.run(["completions", shell]).ok();
        assert!(run.stdout.contains("skillery") && run.stdout.contains("trending"), "{shell}");
    }
}

#[test]
fn no_command_is_wrong_usage() {
    snapshot!("no-command", Place::new().run::<&str>([]).fails(2));
}
