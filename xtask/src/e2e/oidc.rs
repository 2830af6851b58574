//! `oidc-provider` and `oauth2-mock-server` of npm: people sign in there, and builds publish with what they sign.
//!
//! `oidc-provider` is a certified one that says what it means. The other signs whatever it is given, also what no provider
//! would. The registry and the programs of people and builds are ours; the scripts in `xtask/e2e/oidc` only bring them
//! together, and what they see is judged here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::npm::Npm;
use super::report::{Report, Row, Verdict, quietly};
use crate::shell::is_there;

const FROM: &str = "xtask/e2e/oidc";
const SCRIPTS: [&str; 7] =
    ["check.mjs", "login.mjs", "trusted.mjs", "registry.mjs", "providers.mjs", "browser.mjs", "verdict.mjs"];
const PROVIDER: &str = "oidc-provider";
const MOCK: &str = "oauth2-mock-server";

/// What is checked with which, and what the script calls it.
const PARTS: [(&str, &str, &str); 4] = [
    (PROVIDER, "login", "people sign in with `skillery login --oidc` and with a browser"),
    (PROVIDER, "provider", "a build publishes with its token"),
    (MOCK, "builds", "a build publishes with its token, and no other does"),
    (MOCK, "keys", "builds publish while the issuer changes its keys"),
];

/// One thing that the script has tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tried {
    must: Must,
    how: String,
    outcome: Outcome,
    words: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Must {
    Accept,
    Refuse,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Accepted,
    Refused,
    Unclear,
}

/// Does all its checks, or says why it cannot.
pub(crate) fn check(program: &Path, report: &mut Report) -> Result<()> {
    let (packages, node) = match prepare()? {
        Ok(found) => found,
        Err(why) => {
            PARTS.iter().for_each(|(name, _, what)| report.skip(name, what, &why));
            return Ok(());
        }
    };
    for (name, part, what) in PARTS {
        let tool = packages.tool(name, &node)?;
        report.check(&tool, what, |row| {
            let mut script = Command::new(&node);
            script.arg("check.mjs").arg(program).arg(part).current_dir(&packages.folder);
            let ended = quietly(&mut script)?;
            for line in ended.out.lines() {
                let tried = serde_json::from_str(line).with_context(|| format!("it says `{line}`"))?;
                judge(row, tried);
            }
            match ended.status {
                Some(0) => Ok(()),
                _ => bail!("it did not come to its end: {}", ended.err),
            }
        });
    }
    Ok(())
}

fn judge(row: &mut Row, tried: Tried) {
    let outcome = match tried.outcome {
        Outcome::Accepted => Ok(Verdict::Accepted(tried.words)),
        Outcome::Refused => Ok(Verdict::Refused(tried.words)),
        Outcome::Unclear => Err(anyhow::Error::msg(tried.words)),
    };
    match tried.must {
        Must::Accept => row.accepts(&tried.how, outcome),
        Must::Refuse => row.refuses(&tried.how, outcome),
    }
}

/// The packages with the scripts beside them, and the Node among them. That of Debian is too old for `oidc-provider`.
fn prepare() -> Result<std::result::Result<(Npm, PathBuf), String>> {
    let packages = match Npm::prepare("oidc", FROM)? {
        Ok(packages) => packages,
        Err(why) => return Ok(Err(why)),
    };
    let node = packages.folder.join("node_modules/.bin/node");
    if !is_there(&node.display().to_string(), "--version") {
        return Ok(Err("npm has no Node for this machine".to_owned()));
    }
    // Modules are looked for from where a script lies.
    for name in SCRIPTS {
        std::fs::copy(Path::new(FROM).join(name), packages.folder.join(name))?;
    }
    Ok(Ok((packages, node)))
}
