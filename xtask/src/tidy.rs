//! Rules of the source tree that no compiler knows. Each says what it is for, so that it can be argued with.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::Say;

/// Lines of code in one file, tests at its end not counted. Longer ones hide what they are about.
const MAX_LINES: usize = 500;

/// Which crates of ours a crate may use. Dependencies fan out from core.
const LAYERS: &[(&str, &[&str])] = &[
    ("crates/skillery-core", &[]),
    ("crates/skillery-client", &["skillery-core"]),
    ("crates/skillery-runner", &["skillery-core"]),
    ("crates/skillery-mcp", &["skillery-core"]),
    ("crates/skillery-server", &["skillery-core", "skillery-mcp"]),
    (
        "crates/skillery-cli",
        &["skillery-core", "skillery-client", "skillery-mcp", "skillery-runner", "skillery-server"],
    ),
    ("crates/skillery-py", &["skillery-core", "skillery-client", "skillery-runner"]),
    ("bench", &["skillery-core", "skillery-client", "skillery-runner", "skillery-server"]),
    ("xtask", &["skillery-core"]),
    ("fuzz", &["skillery-core"]),
];

/// The folder that alone knows SQL.
const DATABASE: &str = "crates/skillery-server/src/db/";

/// Gives the places of a file that break it.
type Rule = fn(&File) -> Vec<String>;

/// A file of the tree.
struct File {
    path: String,
    text: String,
}

/// Checks all rules and lists every place that breaks one.
pub(crate) fn run() -> Result<()> {
    let files = files()?;
    let rules: [(&str, Rule); 7] = [
        ("a file has at most 500 lines", long_files),
        ("only `db/` knows SQL", sql_elsewhere),
        ("every crate takes the lints of the workspace", lints),
        ("versions of dependencies stand in the root only", versions),
        ("dependencies fan out from core", layers),
        ("nothing is left to be done in a comment", leftovers),
        ("no path of somebody's machine", private_paths),
    ];
    let mut broken = Vec::new();
    for (rule, check) in rules {
        for file in &files {
            broken.extend(check(file).into_iter().map(|place| format!("{place}: {rule}")));
        }
    }
    if !files.iter().any(|file| file.path == "CHANGELOG.md" && file.text.contains("Unreleased")) {
        broken.push("CHANGELOG.md: has a section `Unreleased`".to_owned());
    }
    for place in &broken {
        println!("{place}");
    }
    if !broken.is_empty() {
        bail!("{} places are not tidy", broken.len());
    }
    println!("{} files are tidy", files.len());
    Ok(())
}

/// What other people wrote, and the rules do not apply to.
const FOREIGN: &str = "bench/data/";

/// Every text file of ours that is or would be committed.
fn files() -> Result<Vec<File>> {
    let list = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output_text()?;
    let read = |path: &str| {
        let text = std::fs::read_to_string(path).ok()?;
        Some(File { path: path.to_owned(), text })
    };
    Ok(list
        .split('\0')
        .filter(|path| !path.is_empty() && !path.starts_with(FOREIGN))
        .filter_map(read)
        .collect())
}

impl File {
    fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// The lines before the tests, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]")
    }

    fn place(&self, line: usize) -> String {
        format!("{}:{}", self.path, line + 1)
    }

    /// The places of lines that have one of these texts.
    fn find(&self, texts: &[&str]) -> Vec<String> {
        let lines = self.text.lines().enumerate();
        let found = lines.filter(|(_, line)| texts.iter().any(|text| line.contains(text)));
        found.map(|(number, _)| self.place(number)).collect()
    }
}

fn long_files(file: &File) -> Vec<String> {
    let counted = (file.is("rs") || file.is("py")) && !file.is_test();
    let lines = file.code().count();
    if counted && lines > MAX_LINES { vec![format!("{} ({lines} lines)", file.path)] } else { Vec::new() }
}

fn sql_elsewhere(file: &File) -> Vec<String> {
    if !file.is("rs")
        || file.is_test()
        || file.path.starts_with(DATABASE)
        || !file.path.starts_with("crates/")
    {
        return Vec::new();
    }
    let begins =
        ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ", "ALTER TABLE ", "PRAGMA "];
    let is_sql = |line: &str| {
        line.contains("sqlx::query") || begins.iter().any(|begin| line.contains(&format!("\"{begin}")))
    };
    file.code().filter(|(_, line)| is_sql(line)).map(|(number, _)| file.place(number)).collect()
}

fn lints(file: &File) -> Vec<String> {
    let of_a_crate = file.path.ends_with("/Cargo.toml");
    let inherits = file.text.contains("[lints]\nworkspace = true");
    if of_a_crate && !inherits { vec![file.path.clone()] } else { Vec::new() }
}

/// The lines of a crate's sections of dependencies whose heading has this end.
fn dependencies<'a>(file: &'a File, heading: &str) -> Vec<(usize, &'a str)> {
    if !file.path.ends_with("/Cargo.toml") {
        return Vec::new();
    }
    let mut inside = false;
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.ends_with(heading);
        } else if inside && !line.trim().is_empty() && !line.starts_with('#') {
            found.push((number, line));
        }
    }
    found
}

fn versions(file: &File) -> Vec<String> {
    // A workspace of its own.
    if file.path == "fuzz/Cargo.toml" {
        return Vec::new();
    }
    let elsewhere = dependencies(file, "dependencies]")
        .into_iter()
        .filter(|(_, line)| !line.contains("workspace = true"));
    elsewhere.map(|(number, _)| file.place(number)).collect()
}

fn layers(file: &File) -> Vec<String> {
    let Some(folder) = file.path.strip_suffix("/Cargo.toml") else { return Vec::new() };
    let allowed = LAYERS.iter().find(|(name, _)| *name == folder).map_or(&[][..], |(_, allowed)| allowed);
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
    // Tests may use more: those of the client talk to a real server.
    let used = ["[dependencies]", ".dependencies]"].map(|heading| dependencies(file, heading));
    used.into_iter()
        .flatten()
        .filter(|(_, line)| line.starts_with("skillery-") && !allowed.contains(&name(line).as_str()))
        .map(|(number, _)| file.place(number))
        .collect()
}

fn leftovers(file: &File) -> Vec<String> {
    // Put together here, so that this file has none of them.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let is_left = |line: &str| line.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word));
    let left = file.text.lines().enumerate().filter(|(_, line)| is_left(line));
    left.map(|(number, _)| file.place(number)).collect()
}

fn private_paths(file: &File) -> Vec<String> {
    file.find(&[
        concat!("/work", "/"),
        concat!("/ro", "ot/"),
        concat!("/home", "/"),
        concat!("/Use", "rs/"),
        concat!("/.libr", "ary"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn length_counts_what_stands_before_the_tests() {
        let long = "let x = 1;\n".repeat(MAX_LINES + 1);
        assert_eq!(long_files(&file("crates/a/src/b.rs", &long)).len(), 1);
        assert!(long_files(&file("crates/a/tests/b.rs", &long)).is_empty());
        let tests = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}");
        assert!(long_files(&file("crates/a/src/b.rs", &tests)).is_empty());
    }

    #[test]
    fn sql_belongs_into_one_folder() {
        let text = "let text = \"SELECT 1\";\n";
        assert_eq!(
            sql_elsewhere(&file("crates/skillery-server/src/http/a.rs", text)),
            ["crates/skillery-server/src/http/a.rs:1"]
        );
        assert!(sql_elsewhere(&file("crates/skillery-server/src/db/a.rs", text)).is_empty());
        assert!(sql_elsewhere(&file("crates/a/src/b.rs", "// SELECT nothing")).is_empty());
    }

    #[test]
    fn manifests() {
        let text = "[dependencies]\nserde.workspace = true\nrand = \"1\"\nskillery-server.workspace = true\n[features]\nx = []\n";
        let manifest = file("crates/skillery-client/Cargo.toml", text);
        assert_eq!(lints(&manifest), ["crates/skillery-client/Cargo.toml"]);
        assert_eq!(versions(&manifest), ["crates/skillery-client/Cargo.toml:3"]);
        assert_eq!(layers(&manifest), ["crates/skillery-client/Cargo.toml:4"]);
    }
}
