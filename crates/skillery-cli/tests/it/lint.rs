//! `skillery lint`, through the program.

use std::io::Write as _;

use crate::support::{Place, snapshot};

const GOOD: &str = "---\nname: my-skill\ndescription: Does it\n---\n\n# How\n\nRead [this](docs/how.md).\n";
const BAD: &str = "---\nname: My_Skill\ndescription: Use when: asked\nversion: 1\n---\n";
const ODD: &str = "---\nname: odd\ndescription: Does it\nversion: 1.0.0\nmetadata: {a: 1}\n---\nSee [x](gone.md)\u{200b}.\n";

fn write(place: &Place, path: &str, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(place.work().join(path).parent().unwrap()).unwrap();
    place.write(path, text);
}

fn with_skills() -> Place {
    let place = Place::new();
    write(&place, "my-skill/SKILL.md", GOOD);
    write(&place, "my-skill/docs/how.md", "So.\n");
    write(&place, "more/bad/SKILL.md", BAD);
    write(&place, "more/odd/SKILL.md", ODD);
    write(&place, "more/odd/run.sh", "#!/bin/sh\n");
    write(&place, "more/odd/skillery.toml", "[skill]\nnamespace = \"acme\"\nvresion = \"1.0.0\"\n");
    place
}

#[test]
fn a_good_skill_has_nothing_to_be_said() {
    let place = with_skills();
    snapshot!("lint-good", place.run(["lint", "my-skill"]).ok());
    let report = place.run(["lint", "my-skill/SKILL.md", "--json"]).ok().json();
    assert_eq!((&report["ok"], &report["skills"][0]["skill"]["name"]), (&true.into(), &"my-skill".into()));
    // Within the folder the folder's name is known all the same.
    let run = place.command(["lint"]).current_dir(place.work().join("my-skill")).output().unwrap();
    assert!(run.status.success(), "{run:?}");
}

#[test]
fn everything_wrong_is_told_with_its_place() {
    let place = with_skills();
    snapshot!("lint-bad", place.run(["lint", "."]).fails(1));
    snapshot!("lint-lenient", place.run(["lint", "--lenient", "more/odd"]).fails(1));
    snapshot!("lint-json", place.run(["lint", "more/odd", "--json"]).fails(1));
    snapshot!("lint-colours", place.run(["lint", "more/odd", "--color", "always"]).fails(1));
}

#[test]
fn warnings_alone_are_no_failure() {
    let place = with_skills();
    write(&place, "more/odd/skillery.toml", "[skill]\nnamespace = \"acme\"\n");
    place.run(["lint", "--strict", "more/odd"]).fails(1);
    snapshot!("lint-warnings", place.run(["lint", "--lenient", "more/odd"]).ok());
}

#[test]
fn sarif_is_for_code_scanning() {
    let place = with_skills();
    write(&place, "more/a b/SKILL.md", "no front matter\n");
    let run = place.run(["lint", "more", "--sarif"]).fails(1);
    let document = run.json();
    let run = &document["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.len() > 30);
    for result in run["results"].as_array().unwrap() {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    let mut shown = document.clone();
    shown["runs"][0]["tool"]["driver"]["rules"] = rules[..1].into();
    shown["runs"][0]["tool"]["driver"]["semanticVersion"] = "[VERSION]".into();
    insta::assert_json_snapshot!("lint-sarif", shown);
    snapshot!("lint-two-forms", place.run(["lint", "--sarif", "--json"]).fails(2));
}

#[test]
fn archives_are_looked_at() {
    let place = with_skills();
    let zip = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, text)| skillery_core::bundle::BundleFile {
            path: (*path).to_owned(),
            executable: false,
            bytes: text.as_bytes().to_vec(),
        });
        skillery_core::bundle::pack(files.collect()).unwrap()
    };
    place.write("good.zip", zip(&[("SKILL.md", GOOD), ("docs/how.md", "So.\n")]));
    place.write("wrapped.zip", zip(&[("my-skill/SKILL.md", GOOD)]));
    place.write("no.zip", "no archive");
    let mut cut = zip(&[("SKILL.md", GOOD)]);
    cut.write_all(b"junk").unwrap();
    place.write("cut.zip", cut);
    place.run(["lint", "good.zip"]).ok();
    snapshot!("lint-archives", place.run(["lint", "good.zip", "wrapped.zip", "no.zip", "cut.zip"]).fails(1));
}

#[test]
fn what_is_not_there_or_no_skill_says_so() {
    let place = with_skills();
    snapshot!("lint-missing", place.run(["lint", "nowhere"]).fails(4));
    write(&place, "empty/README.md", "x");
    snapshot!("lint-no-skill", place.run(["lint", "empty"]).fails(1));
    place.run(["lint", "--strict", "--lenient"]).fails(2);
}

#[cfg(unix)]
#[test]
fn a_link_is_told_and_not_followed() {
    let place = with_skills();
    place.write("secret", "do not read");
    std::os::unix::fs::symlink("../secret", place.work().join("my-skill/link")).unwrap();
    let run = place.run(["lint", "my-skill"]).fails(1);
    assert!(
        run.stdout.contains("my-skill/link: error[not-regular]: a symbolic link is no regular file"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_hostile_skill_does_not_reach_the_terminal() {
    let place = Place::new();
    let text = "---\nname: \"a\\e[31mb\"\ndescription: x\n\"k\\e]0;x\\a\": 1\n---\n[x](\u{1b}[2J)\n";
    write(&place, "x/SKILL.md", text);
    let run = place.run(["lint", "x"]).fails(1);
    assert!(!run.stdout.contains('\u{1b}'), "{:?}", run.stdout);
    place.run(["lint", "x", "--json"]).fails(1).json();
}
