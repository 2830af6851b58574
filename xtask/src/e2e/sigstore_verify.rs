//! `@sigstore/verify` of npm: Sigstore's own library looks at the bundles that the registry serves.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::authors::{Author, PLACES, base64_flips, flips, succeeded};
use super::npm::Npm;
use super::report::{Report, Tool, Verdict, quietly};
use super::world::World;
use crate::shell::is_there;

const NAME: &str = "@sigstore/verify";
const SCRIPT: &str = "crates/skillery-core/tests/interop/verify_dsse.mjs";

const ED25519: &str = "a version signed with Ed25519 in PEM";
const P256: &str = "a version signed with P-256 in PEM";

/// The installed library.
struct Sigstore {
    tool: Tool,
    packages: Npm,
    script: PathBuf,
}

/// Does all its checks, or says why it cannot.
pub(crate) fn check(world: &World, report: &mut Report) -> Result<()> {
    let sigstore = match prepare()? {
        Ok(sigstore) => sigstore,
        Err(why) => {
            [ED25519, P256].iter().for_each(|what| report.skip(NAME, what, &why));
            return Ok(());
        }
    };
    let p256 = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    for (what, skill, other, kind) in [
        (ED25519, "bundled_ed25519", &p256[..], &["ED25519"][..]),
        (P256, "bundled_p256", &["ED25519"][..], &p256[..]),
    ] {
        sigstore.version(world, report, (what, skill), kind, other);
    }
    Ok(())
}

/// Installs the library below the target folder, or takes the one that is there; where it cannot be had, says why.
fn prepare() -> Result<std::result::Result<Sigstore, String>> {
    if !is_there("openssl", "version") {
        return Ok(Err("there is no `openssl` to make keys with".to_owned()));
    }
    let packages = match Npm::prepare("node", "xtask/e2e/node")? {
        Ok(packages) => packages,
        Err(why) => return Ok(Err(why)),
    };
    let tool = packages.tool(NAME, Path::new("node"))?;
    let script = std::path::absolute(SCRIPT)?;
    Ok(Ok(Sigstore { tool, packages, script }))
}

impl Sigstore {
    /// Makes a key, publishes a version that is signed with it, and checks the bundle that is served.
    fn version(
        &self,
        world: &World,
        report: &mut Report,
        (what, skill): (&str, &str),
        kind: &[&str],
        other: &[&str],
    ) {
        report.check(&self.tool, what, |row| {
            let author = Author::new(world, skill)?;
            make_pem(&author, "key", kind)?;
            make_pem(&author, "other", other)?;
            make_pem(&author, "alike", kind)?;
            succeeded(&mut author.skillery(&["key", "enrol", "key.pem"]))?;
            let version = author.publish(skill, &[])?;
            author.install(&version)?;
            let bundle = version.get("signature?kind=dsse")?;
            let statement = version.get("statement")?;
            let key = std::fs::read(author.folder.join("key.pub"))?;
            let check = |bundle: &[u8], key: &[u8], statement: &[u8]| {
                self.verdict(&author.folder, bundle, key, statement)
            };
            row.accepts("the bundle and the statement that are served", check(&bundle, &key, &statement));
            let parsed: Value = serde_json::from_slice(&bundle)?;
            for (part, pointer) in
                [("payload", "/dsseEnvelope/payload"), ("signature", "/dsseEnvelope/signatures/0/sig")]
            {
                let text = parsed.pointer(pointer).and_then(Value::as_str);
                let text = text.with_context(|| format!("the bundle has no {part}"))?;
                for (at, changed) in base64_flips(text, PLACES)? {
                    let mut altered = parsed.clone();
                    *altered.pointer_mut(pointer).context("the bundle lost a part")? = changed.into();
                    let outcome = check(&serde_json::to_vec(&altered)?, &key, &statement);
                    row.refuses(&format!("the {part}, character {at}"), outcome);
                }
            }
            for (at, changed) in flips(&statement, 3)? {
                row.refuses(&format!("the statement, byte {at}"), check(&bundle, &key, &changed));
            }
            let pem = std::str::from_utf8(&key)?;
            let body = pem.lines().rfind(|line| !line.starts_with("---")).context("an empty key")?;
            for (at, changed) in base64_flips(body, 3)? {
                let outcome = check(&bundle, pem.replace(body, &changed).as_bytes(), &statement);
                row.refuses(&format!("the key, character {at} of its last line"), outcome);
            }
            for name in ["alike", "other"] {
                let key = std::fs::read(author.folder.join(format!("{name}.pub")))?;
                row.refuses(&format!("another key ({name})"), check(&bundle, &key, &statement));
            }
            Ok(())
        });
    }

    fn verdict(&self, folder: &Path, bundle: &[u8], key: &[u8], statement: &[u8]) -> Result<Verdict> {
        let mut check = Command::new("node");
        check.arg(&self.script).current_dir(&self.packages.folder);
        for (name, bytes) in [("bundle.json", bundle), ("checked.pub", key), ("statement", statement)] {
            let path = folder.join(name);
            std::fs::write(&path, bytes)?;
            check.arg(path);
        }
        let ended = quietly(&mut check)?;
        match (ended.status, ended.err.strip_prefix("refused: ")) {
            (Some(0), _) => Ok(Verdict::Accepted(ended.out)),
            (Some(1), Some(why)) => Ok(Verdict::Refused(why.to_owned())),
            _ => bail!("it cannot tell: {} {}", ended.out, ended.err),
        }
    }
}

/// Makes a key as anybody would, `NAME.pem` in PKCS#8, and its public half `NAME.pub`.
pub(crate) fn make_pem(author: &Author, name: &str, kind: &[&str]) -> Result<()> {
    let (private, public) = (format!("{name}.pem"), format!("{name}.pub"));
    let mut make = vec!["genpkey", "-out", &private, "-algorithm"];
    make.extend(kind);
    author.run("openssl", &make)?;
    author.run("openssl", &["pkey", "-in", &private, "-pubout", "-out", &public])?;
    Ok(())
}
