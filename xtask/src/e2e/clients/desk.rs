//! Somebody's desk: a home in which nothing is configured, a project, and one client.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail};

/// How long a call of a client may take. Many of them start slowly, and the machine may have other things to do.
const PATIENCE: Duration = Duration::from_secs(240);
/// Lines of an output that a failure shows.
const TAIL: usize = 30;
/// Programs of the system, `git` among them.
const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A client with everything that it needs.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    /// What the client is called on a command line.
    name: String,
    /// The program, and what comes before its arguments.
    program: Vec<PathBuf>,
    path: OsString,
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

/// What came of one call.
#[derive(Debug)]
pub(crate) struct Said {
    command: String,
    status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    /// A new desk below this folder. `node` is the folder of the Node that the client and what it starts will find.
    pub(crate) fn new(folder: &Path, name: &str, program: &[PathBuf], node: Option<&Path>) -> Result<Self> {
        let mut path = OsString::new();
        if let Some(node) = node {
            path.push(node);
            path.push(":");
        }
        path.push(SYSTEM);
        let desk = Self {
            name: name.to_owned(),
            program: program.to_vec(),
            path,
            folder: folder.to_owned(),
            variables: Vec::new(),
        };
        desk.make()?;
        Ok(desk)
    }

    /// The same desk, where something more is set.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut desk = self.clone();
        desk.variables.push((name.to_owned(), value.to_owned()));
        desk
    }

    /// Git sends a token as the password of whoever asks this registry, as people set that up.
    pub(crate) fn sign_in_to_git(&self, url: &str, token: &str) -> Result<()> {
        let (scheme, host) = url.split_once("://").context("an address has no scheme")?;
        Self::write(&self.home(".git-credentials"), &format!("{scheme}://token:{token}@{host}\n"))?;
        Self::write(&self.home(".gitconfig"), "[credential]\n\thelper = store\n")
    }

    /// Git sends a token in a header, by the variables of the lines that the registry tells.
    pub(crate) fn with_git_header(&self, url: &str, token: &str) -> Self {
        self.with("GIT_CONFIG_COUNT", "1")
            .with("GIT_CONFIG_KEY_0", &format!("http.{url}/.extraHeader"))
            .with("GIT_CONFIG_VALUE_0", &format!("Authorization: Bearer {token}"))
    }

    /// Another project of the same person.
    pub(crate) fn project(&self, name: &str) -> Result<Self> {
        let mut desk = self.clone();
        desk.folder = self.folder.join("more").join(name);
        for folder in ["project", "calls", "tmp"] {
            std::fs::create_dir_all(desk.folder.join(folder))?;
        }
        let home = desk.folder.join("home");
        if !home.exists() {
            std::os::unix::fs::symlink(self.folder.join("home"), home)?;
        }
        Ok(desk)
    }

    /// Somebody else with the same client.
    pub(crate) fn somebody(&self, name: &str) -> Result<Self> {
        let mut desk = self.clone();
        desk.folder = self.folder.join("others").join(name);
        desk.make()?;
        Ok(desk)
    }

    fn make(&self) -> Result<()> {
        // Some clients put skills only where an agent has been before.
        for folder in ["home/.claude", "project", "calls", "tmp"] {
            std::fs::create_dir_all(self.folder.join(folder))?;
        }
        Ok(())
    }

    /// A path in the project.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join("project").join(path)
    }

    /// A path in the home.
    pub(crate) fn home(&self, path: &str) -> PathBuf {
        self.folder.join("home").join(path)
    }

    /// Writes a file of the home or the project, with the folders above it.
    pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Calls the client in the project, without a terminal and without input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Said> {
        let (program, before) = self.program.split_first().context("a client has no program")?;
        let mut all: Vec<OsString> = before.iter().map(OsString::from).collect();
        all.extend(arguments.iter().map(OsString::from));
        self.start(&self.name, program, &all, arguments)
    }

    /// Calls another program with what this desk has.
    pub(crate) fn other(&self, program: &str, arguments: &[&str]) -> Result<Said> {
        let all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        self.start(program, Path::new(program), &all, arguments)
    }

    fn start(&self, name: &str, program: &Path, all: &[OsString], shown: &[&str]) -> Result<Said> {
        let seconds = PATIENCE.as_secs().to_string();
        // It ends the whole group, with everything that the client has started.
        let mut command = Command::new("timeout");
        command.args(["--kill-after", "5", &seconds]).arg(program).args(all);
        command.current_dir(self.folder.join("project")).env_clear();
        command.env("PATH", &self.path).env("HOME", self.folder.join("home"));
        command.env("TMPDIR", self.folder.join("tmp"));
        for (name, value) in QUIET {
            command.env(name, value);
        }
        let mut said = String::new();
        for (name, value) in &self.variables {
            command.env(name, value);
            said += &format!("{name}={value} ");
        }
        said += &std::iter::once(&name).chain(shown).map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        println!("    $ {said}");
        // Files, as whatever a client leaves running would hold a pipe open.
        let calls = self.folder.join("calls");
        let number = std::fs::read_dir(&calls)?.count() / 2;
        let (out, err) = (calls.join(format!("{number:03}.out")), calls.join(format!("{number:03}.err")));
        command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
        let began = Instant::now();
        let status = command.status().context("cannot start `timeout`")?;
        println!("      {} after {:.1} s", status, began.elapsed().as_secs_f64());
        let text = |path: &Path| -> Result<String> {
            let bytes = std::fs::read(path)?;
            Ok(plain(&String::from_utf8_lossy(&bytes)))
        };
        Ok(Said { command: said, status: status.code(), out: text(&out)?, err: text(&err)? })
    }
}

/// What every client is told: nobody looks at it, and it is to tell nobody.
const QUIET: &[(&str, &str)] = &[
    ("CI", "1"),
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ("CLAWHUB_DISABLE_TELEMETRY", "1"),
    ("DISABLE_AUTOUPDATER", "1"),
    ("DISABLE_TELEMETRY", "1"),
    ("DO_NOT_TRACK", "1"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LANG", "C.UTF-8"),
    ("NO_COLOR", "1"),
    ("NO_PROXY", "127.0.0.1,localhost"),
    ("TERM", "dumb"),
];

impl Said {
    /// It must have succeeded.
    pub(crate) fn done(self) -> Result<Self> {
        match self.status {
            Some(0) => Ok(self),
            _ => Err(self.wrong("it failed")),
        }
    }

    /// It must have failed, of itself.
    pub(crate) fn refused(self) -> Result<Self> {
        match self.status {
            Some(0) => Err(self.wrong("it should have failed")),
            Some(124 | 137) | None => Err(self.wrong("it did not come to an end")),
            Some(_) => Ok(self),
        }
    }

    /// It must have said this.
    pub(crate) fn says(self, words: &str) -> Result<Self> {
        if self.out.contains(words) || self.err.contains(words) {
            return Ok(self);
        }
        Err(self.wrong(&format!("it does not say `{words}`")))
    }

    /// It must not have said this.
    pub(crate) fn silent_about(self, words: &str) -> Result<Self> {
        if self.out.contains(words) || self.err.contains(words) {
            return Err(self.wrong(&format!("it says `{words}`")));
        }
        Ok(self)
    }

    /// What it printed as JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(self.out.trim())
            .map_err(|error| self.wrong(&format!("it prints no JSON: {error}")))
    }

    /// An error that shows the call with the end of what it printed.
    pub(crate) fn wrong(&self, why: &str) -> Error {
        let status = self.status.map_or_else(|| "a signal".to_owned(), |status| format!("status {status}"));
        let (out, err) = (tail(&self.out), tail(&self.err));
        Error::msg(format!(
            "{why}: `{}` ended with {status}\n  its output:\n{out}\n  its errors:\n{err}",
            self.command
        ))
    }
}

/// The last lines of a text, each moved to the right.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let shown = &lines[lines.len().saturating_sub(TAIL)..];
    shown.iter().map(|line| format!("    | {line}")).collect::<Vec<_>>().join("\n")
}

/// A text without the sequences that move the cursor of a terminal.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                if characters.next() == Some('[') {
                    characters.by_ref().find(|character| character.is_ascii_alphabetic());
                }
            }
            '\r' => plain.push('\n'),
            character => plain.push(character),
        }
    }
    plain
}

fn quoted(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '"', '\'', '$', '&', '{', '*']) {
        return word.to_owned();
    }
    format!("'{word}'")
}

/// Fails where there is something.
pub(crate) fn must_be_gone(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        bail!("`{}` is there", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Folder;

    #[test]
    fn a_desk_has_nothing_but_its_own() {
        let folder = Folder::new("desk").unwrap();
        let desk = Desk::new(folder.path(), "sh", &[PathBuf::from("/bin/sh")], None).unwrap();
        let said =
            desk.with("MORE", "yes").run(&["-c", "pwd; echo $HOME $MORE $CARGO"]).unwrap().done().unwrap();
        let home = folder.path().join("home");
        let project = folder.path().join("project").canonicalize().unwrap();
        assert_eq!(said.out, format!("{}\n{} yes\n", project.display(), home.display()));
        let error = desk.run(&["-c", "echo no >&2; exit 3"]).unwrap().done().unwrap_err().to_string();
        assert!(error.contains("ended with status 3") && error.contains("    | no"), "{error}");
        assert!(desk.run(&["-c", "true"]).unwrap().refused().is_err());
        desk.run(&["-c", "false"]).unwrap().refused().unwrap();
        assert!(desk.run(&["-c", "printf '\\033[31mred\\033[0m'"]).unwrap().says("red").is_ok());
    }
}
