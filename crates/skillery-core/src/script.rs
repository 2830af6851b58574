//! What a skill's Python file says of itself: the block of PEP 723 (`# /// script`), and in it the table
//! `[tool.skillery]`. Asking grants nothing: what a skill may do is for the caller's policy to say.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bundle::{BundleFile, SKILL_FILE};

/// Bytes of the block. One that is longer is refused.
const MAX_BLOCK: usize = 256 * 1024;
/// Entries of each list.
const MAX_ENTRIES: usize = 1_000;
const OPENING: &str = "# /// script";
const CLOSING: &str = "# ///";
/// The value of what has none.
const YES: &str = "yes";

/// What a skill asks for, and what it builds on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manifest {
    /// What it needs to do its work.
    pub permissions: Permissions,
    /// Skills that it calls: `org/name`, with `@version` or `@range` behind it where it matters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
}

/// What a skill needs beside processor time, the default of memory and seconds, and its own files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Permissions {
    /// Files and folders that it reads, absolute.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<PathBuf>,
    /// Files and folders that it writes to, absolute.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write: Vec<PathBuf>,
    /// Hosts that it connects to over TCP: `host:port`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Environment variables of the caller.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// Whether it starts other programs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub subprocess: bool,
    /// Bytes of memory, where the default is not enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Seconds for one attempt, where the default is not enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Packages from PyPI, each pinned and with its hashes, as in a requirements file of pip's:
    /// `six==1.16.0 --hash=sha256:…`. Everything that they need in turn must be listed too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Skills that it calls. They stand beside this table, as [`Manifest::skills`], and are filled in by who compares.
    #[serde(skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
}

/// Why what a file says of itself cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ManifestError {
    /// In the Python file, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    tool: Tool,
}

#[derive(Default, Deserialize)]
struct Tool {
    skillery: Option<Manifest>,
}

impl Manifest {
    /// Reads it from the source of a skill; nothing is asked for where there is no block.
    pub fn of_code(code: &str) -> Result<Self, ManifestError> {
        Ok(Self::find(code)?.unwrap_or_default())
    }

    /// Reads it from the source of a skill; none where the file has no `[tool.skillery]`, and so does not say.
    pub fn find(code: &str) -> Result<Option<Self>, ManifestError> {
        let Some((first_line, text)) = block(code)? else { return Ok(None) };
        let manifest = toml::from_str::<Block>(&text).map_err(|error| {
            let before =
                error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count());
            ManifestError { line: first_line + before, what: error.message().to_owned() }
        })?;
        let Some(manifest) = manifest.tool.skillery else { return Ok(None) };
        let Permissions { read, write, hosts, environment, packages, .. } = &manifest.permissions;
        let counts =
            [read.len(), write.len(), hosts.len(), environment.len(), packages.len(), manifest.skills.len()];
        if counts.iter().any(|count| *count > MAX_ENTRIES) {
            let what = format!("a list of `[tool.skillery]` has over {MAX_ENTRIES} entries");
            return Err(ManifestError { line: first_line, what });
        }
        Ok(Some(manifest))
    }

    /// All that it asks for, by what it is called.
    fn entries(self) -> Vec<(&'static str, String)> {
        let Permissions {
            read, write, hosts, environment, subprocess, memory_bytes, seconds, packages, ..
        } = self.permissions;
        let path = |path: PathBuf| path.display().to_string();
        let mut entries = Vec::new();
        entries.extend(read.into_iter().map(|read| ("read", path(read))));
        entries.extend(write.into_iter().map(|write| ("write", path(write))));
        entries.extend(hosts.into_iter().map(|host| ("hosts", host)));
        entries.extend(environment.into_iter().map(|name| ("environment", name)));
        entries.extend(subprocess.then(|| ("subprocess", YES.to_owned())));
        entries.extend(memory_bytes.map(|bytes| ("memory_bytes", bytes.to_string())));
        entries.extend(seconds.map(|seconds| ("seconds", seconds.to_string())));
        entries.extend(packages.into_iter().map(|package| ("packages", package)));
        entries.extend(self.skills.into_iter().map(|skill| ("skills", skill)));
        entries
    }
}

/// One thing that a file of a skill asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// The file.
    pub path: String,
    /// `read`, `write`, `hosts`, `environment`, `subprocess`, `memory_bytes`, `seconds`, `packages` or `skills`, as in
    /// `[tool.skillery]`; `allowed-tools` of `SKILL.md`; `program`, `undeclared` or `unreadable`.
    pub permission: &'static str,
    /// What of it; `yes` where there is nothing more to say.
    pub value: String,
}

/// What the files of a skill ask for.
///
/// Python that says nothing of itself may ask for anything at run time: `undeclared`. What is no Python and may be run is a
/// `program`. Where a file does not say it well, the value of `unreadable` is why.
pub fn asked(files: &[BundleFile], allowed_tools: Option<&str>) -> Vec<Asked> {
    let mut asked = Vec::new();
    for file in files {
        let mut ask = |permission, value: String| {
            asked.push(Asked { path: file.path.clone(), permission, value });
        };
        if !file.path.ends_with(".py") {
            if file.executable || file.bytes.starts_with(b"#!") {
                ask("program", YES.to_owned());
            }
            continue;
        }
        match std::str::from_utf8(&file.bytes).map(Manifest::find) {
            Ok(Ok(Some(manifest))) => {
                manifest.entries().into_iter().for_each(|(permission, value)| ask(permission, value));
            }
            Ok(Ok(None)) => ask("undeclared", YES.to_owned()),
            Ok(Err(error)) => ask("unreadable", error.to_string()),
            Err(error) => ask("unreadable", error.to_string()),
        }
    }
    asked.extend(tools(allowed_tools.unwrap_or_default()).map(|tool| Asked {
        path: SKILL_FILE.to_owned(),
        permission: "allowed-tools",
        value: tool.to_owned(),
    }));
    asked
}

/// Each tool with what stands behind it in parentheses, in which blanks and commas part nothing: `Bash(git add:*) Read`.
fn tools(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let parts = move |character: char| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && matches!(character, ' ' | ',')
    };
    text.split(parts).filter(|tool| !tool.is_empty())
}

/// The same, each as a word, in order: `host:api.example.com:443`. What a version has and the one before it has not is new.
/// More memory or time is no new permission, and skills that are called are dependencies.
pub fn asked_for(files: &[BundleFile], allowed_tools: Option<&str>) -> Vec<String> {
    let word = |asked: Asked| {
        let Asked { path, permission, value } = asked;
        Some(match permission {
            "memory_bytes" | "seconds" | "skills" => return None,
            "subprocess" => permission.to_owned(),
            "program" | "undeclared" | "unreadable" => format!("{permission}:{path}"),
            "hosts" => format!("host:{value}"),
            "packages" => format!("package:{}", value.split_whitespace().next().unwrap_or_default()),
            "allowed-tools" => format!("tool:{value}"),
            _ => format!("{permission}:{value}"),
        })
    };
    let words: BTreeSet<String> = asked(files, allowed_tools).into_iter().filter_map(word).collect();
    words.into_iter().collect()
}

/// The lines as Python has them: a line also ends with a carriage return alone.
fn lines(code: &str) -> Vec<&str> {
    let ends_with_return = code.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    ends_with_return.flat_map(|line| line.split('\r')).collect()
}

/// Whether a line is meant to open the block, by all but its spaces and case, and does not.
fn is_nearly_opening(line: &str) -> bool {
    let words = line.strip_prefix('#').and_then(|line| line.trim_start().strip_prefix("///"));
    words.is_some_and(|word| word.trim().eq_ignore_ascii_case("script")) && line.trim_end() != OPENING
}

/// The TOML of the block, and the number of its first line.
fn block(code: &str) -> Result<Option<(usize, String)>, ManifestError> {
    // A mark at the beginning of a file is no part of its first line.
    let lines = lines(code.strip_prefix('\u{feff}').unwrap_or(code));
    // Readers would take it for a block, and nothing of it would count.
    if let Some(at) = lines.iter().position(|line| is_nearly_opening(line)) {
        let what = format!("the block begins with `{OPENING}`, written exactly so");
        return Err(ManifestError { line: at + 1, what });
    }
    let mut openings =
        lines.iter().enumerate().filter(|(_, line)| line.trim_end() == OPENING).map(|(at, _)| at);
    let Some(opening) = openings.next() else { return Ok(None) };
    // As the specification has it: up to the last closing line of an unbroken run of comments.
    let run = lines[opening + 1..].iter().take_while(|line| **line == "#" || line.starts_with("# ")).count();
    let body = &lines[opening + 1..opening + 1 + run];
    let wrong = |line: usize, what: &str| Err(ManifestError { line: line + 1, what: what.to_owned() });
    let Some(closing) = body.iter().rposition(|line| line.trim_end() == CLOSING) else {
        return wrong(opening, "the block `# /// script` has no closing `# ///`");
    };
    if let Some(second) = openings.find(|at| *at > opening + 1 + closing) {
        return wrong(second, "there is a second block `# /// script`");
    }
    let mut text = String::new();
    for line in &body[..closing] {
        text.push_str(line.strip_prefix("# ").unwrap_or_default());
        text.push('\n');
    }
    if text.len() > MAX_BLOCK {
        return wrong(opening, "the block `# /// script` is too long");
    }
    Ok(Some((opening + 2, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read() {
        let code = "\
#!/usr/bin/env python3
# /// script
# requires-python = \">=3.9\"
# dependencies = [\"six\"]
#
# [tool.skillery]
# skills = [\"acme/slugify@^1\"]
#
# [tool.skillery.permissions]
# hosts = [\"api.example.com:443\"]
# subprocess = true
# ///
def main(): ...
";
        let manifest = Manifest::of_code(code).unwrap();
        assert_eq!(manifest.skills, ["acme/slugify@^1"]);
        assert_eq!(manifest.permissions.hosts, ["api.example.com:443"]);
        assert!(manifest.permissions.subprocess);
        assert_eq!(Manifest::of_code("def main(): ...\n").unwrap(), Manifest::default());
        assert_eq!(Manifest::find("# /// script\n# dependencies = []\n# ///\n").unwrap(), None);
        let asks_for_nothing = Manifest::find("# /// script\n# [tool.skillery]\n# ///\n").unwrap();
        assert_eq!(asks_for_nothing, Some(Manifest::default()));
        for end in ["\r\n", "\r"] {
            assert_eq!(Manifest::of_code(&code.replace('\n', end)).unwrap(), manifest);
        }
        let (_, without_first) = code.split_once('\n').unwrap();
        assert_eq!(Manifest::of_code(&format!("\u{feff}{without_first}")).unwrap(), manifest);
    }

    #[test]
    fn what_cannot_be_read_names_its_line() {
        let said = |code: &str| Manifest::of_code(code).unwrap_err().to_string();
        assert_eq!(
            said("x = 1\n# /// script\n# [tool]\n"),
            "line 2: the block `# /// script` has no closing `# ///`"
        );
        assert_eq!(
            said("# /// script\n# [tool.skillery]\n# skilz = []\n# ///\n"),
            "line 3: unknown field `skilz`, expected `permissions` or `skills`"
        );
        assert!(said("# /// script\n# a = \n# ///\n").starts_with("line 2: "));
        assert_eq!(
            said("# /// script\n# ///\nx = 1\n# /// script\n# ///\n"),
            "line 4: there is a second block `# /// script`"
        );
        assert_eq!(said("x = 1\r# /// script\r# a = \r# ///\r").split(':').next(), Some("line 3"));
        for opening in
            ["#/// script", "# ///script", "#///script", "#  /// script", "# /// Script", "#\t///  SCRIPT "]
        {
            assert_eq!(
                said(&format!("x = 1\n{opening}\n# [tool.skillery]\n# ///\n")),
                "line 2: the block begins with `# /// script`, written exactly so"
            );
        }
        for other in ["## /// script", "    # ///script", "# /// scripts", "# script", "# //// script"] {
            assert_eq!(Manifest::find(&format!("{other}\n")).unwrap(), None);
        }
    }

    #[test]
    fn what_is_asked_for_is_told_in_words() {
        let file = |path: &str, executable, text: &str| BundleFile {
            path: path.to_owned(),
            executable,
            bytes: text.as_bytes().to_vec(),
        };
        let manifest = "# /// script\n# [tool.skillery.permissions]\n# hosts = [\"api.example.com:443\"]\n# subprocess = true\n\
            # packages = [\"six==1.16.0 --hash=sha256:00\"]\n# ///\n";
        let files = [
            file("tool.py", false, manifest),
            file("other.py", false, "print(1)"),
            file("bad.py", false, "# /// script\n"),
            file("run.sh", true, "echo"),
            file("notes.md", false, "text"),
        ];
        assert_eq!(
            asked_for(&[], Some("Bash(rm build/, x) Read,Bash(git add:*) Edit(a")),
            ["tool:Bash(git add:*)", "tool:Bash(rm build/, x)", "tool:Edit(a", "tool:Read"]
        );
        // An open parenthesis makes one of all that follows.
        assert_eq!(asked_for(&[], Some("Edit(a Read")), ["tool:Edit(a Read"]);
        let asked = asked_for(&files, Some("Read Bash(git:*)"));
        assert_eq!(
            asked,
            [
                "host:api.example.com:443",
                "package:six==1.16.0",
                "program:run.sh",
                "subprocess",
                "tool:Bash(git:*)",
                "tool:Read",
                "undeclared:other.py",
                "unreadable:bad.py",
            ]
        );
    }
}
