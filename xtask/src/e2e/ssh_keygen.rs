//! OpenSSH's `ssh-keygen -Y verify`, and `sha256sum` for the files: what anybody has who knows nothing of us.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use skillery_core::sign::sshsig::RELEASE_NAMESPACE;

use super::authors::{
    Author, NAME, ORG, PLACES, Published, base64_flips, flips, ours, succeeded, with_flipped_file,
};
use super::report::{Report, Row, Tool, Verdict, quietly};
use super::world::World;
use crate::guard::{Guarded, temporary_folder};
use crate::shell::is_there;

const TOOL: &str = "ssh-keygen";
const KEY: &str = "a version signed with a key in a file";
const FILES: &str = "its files, with sha256sum";
const CERTIFICATE: &str = "signed with a certificate of the company";
const AGENT: &str = "signed with a key that only ssh-agent has";

/// Does all its checks, or says why it cannot.
pub(crate) fn check(world: &World, report: &mut Report) -> Result<()> {
    // `ssh-keygen` alone cannot be asked for its version.
    if !is_there("ssh", "-V") {
        let skip = |what: &&str| report.skip(TOOL, what, "OpenSSH is not installed");
        [KEY, FILES, CERTIFICATE, AGENT].iter().for_each(skip);
        return Ok(());
    }
    let said = quietly(Command::new("ssh").arg("-V"))?;
    let version = said.err.split([',', ' ']).next().unwrap_or_default().replace("OpenSSH_", "");
    let tool = Tool { name: TOOL, version };
    key(world, report, &tool);
    certificate(world, report, &tool);
    agent(world, report, &tool);
    Ok(())
}

/// The three files that somebody fetches who wants to know.
struct Fetched {
    statement: Vec<u8>,
    signature: Vec<u8>,
    signers: Vec<u8>,
    folder: PathBuf,
}

impl Fetched {
    fn new(published: &Published, folder: &Path) -> Result<Self> {
        Ok(Self {
            statement: published.get("statement")?,
            signature: published.get("signature")?,
            signers: published.allowed_signers()?,
            folder: folder.to_owned(),
        })
    }

    /// What the program says of these, in place of those that were fetched.
    fn verify(&self, statement: &[u8], signature: &[u8], signers: &[u8], signer: &str) -> Result<Verdict> {
        let put = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
            let path = self.folder.join(name);
            std::fs::write(&path, bytes)?;
            Ok(path)
        };
        let (statement, signature) = (put("statement", statement)?, put("signature", signature)?);
        let mut verify = Command::new("ssh-keygen");
        verify.args(["-Y", "verify", "-I", signer, "-n", RELEASE_NAMESPACE, "-f"]);
        verify.arg(put("signers", signers)?).arg("-s").arg(signature);
        verify.stdin(File::open(statement)?).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ended = verify.spawn().context("cannot start `ssh-keygen`")?.wait_with_output()?;
        let text = String::from_utf8_lossy(&[ended.stderr, ended.stdout].concat()).trim().replace('\n', "; ");
        match ended.status.code() {
            Some(0) if text.contains("Good \"skill-release@v1\" signature") => Ok(Verdict::Accepted(text)),
            // This is its only code for a failure. Anything that it did not even look at is not refused.
            Some(255) if !text.contains("No such file") && !text.contains("usage:") => {
                Ok(Verdict::Refused(text))
            }
            code => bail!("it cannot tell ({code:?}): {text}"),
        }
    }

    /// What was fetched, and then the same with a byte flipped in each part. The public key is that of the line in the
    /// file of signers that has to fit.
    fn check(&self, row: &mut Row, public_key: &Path) -> Result<()> {
        let Self { statement, signature, signers, .. } = self;
        row.accepts("as it was served", self.verify(statement, signature, signers, NAME));
        for (at, changed) in flips(statement, PLACES)? {
            let outcome = self.verify(&changed, signature, signers, NAME);
            row.refuses(&format!("the statement, byte {at}"), outcome);
        }
        // The armour around it does not count.
        let text = std::str::from_utf8(signature)?;
        let (begin, rest) = text.split_once("SIGNATURE-----\n").context("the signature has no armour")?;
        let (armoured, end) = rest.split_once("\n-----END").context("its armour does not end")?;
        for (at, changed) in base64_flips(armoured, PLACES)? {
            let changed = format!("{begin}SIGNATURE-----\n{changed}\n-----END{end}");
            let outcome = self.verify(statement, changed.as_bytes(), signers, NAME);
            row.refuses(&format!("the signature, character {at}"), outcome);
        }
        let line = std::fs::read_to_string(public_key)?;
        let key = line.split(' ').nth(1).context("a public key without a key")?;
        let served = std::str::from_utf8(signers)?;
        if served.matches(key).count() != 1 {
            bail!("the key is not once in the file of signers");
        }
        for (at, changed) in base64_flips(key, PLACES)? {
            let changed = served.replace(key, &changed);
            let outcome = self.verify(statement, signature, changed.as_bytes(), NAME);
            row.refuses(&format!("the key in allowed_signers, character {at}"), outcome);
        }
        row.refuses("the name of another", self.verify(statement, signature, signers, "ben"));
        Ok(())
    }
}

fn make_key(author: &Author, name: &str) -> Result<()> {
    author.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name])?;
    Ok(())
}

fn key(world: &World, report: &mut Report, tool: &Tool) {
    let mut published = None;
    report.check(tool, KEY, |row| {
        let author = Author::new(world, "keyed")?;
        make_key(&author, "id")?;
        succeeded(&mut author.skillery(&["key", "enrol", "id"]))?;
        let version = author.publish("signed_with_key", &[])?;
        let fetched = Fetched::new(&version, &author.folder)?;
        fetched.check(row, &author.folder.join("id.pub"))?;
        published = Some((author, version, fetched.statement));
        Ok(())
    });
    report.check(tool, FILES, |row| {
        let (author, version, statement) = published.context("nothing was published")?;
        let folder = author.install(&version)?;
        let (sums, files) = sums(&statement)?;
        let list = author.folder.join("sums");
        std::fs::write(&list, sums)?;
        row.accepts("as they were installed", sha256sum(&folder, &list));
        for file in files {
            let outcome = with_flipped_file(&folder.join(&file), || sha256sum(&folder, &list));
            row.refuses(&format!("a byte of {file}"), outcome);
        }
        Ok(())
    });
}

/// The digests of a statement, as `sha256sum` reads them, and the paths of its files.
fn sums(statement: &[u8]) -> Result<(String, Vec<String>)> {
    let statement: Value = serde_json::from_slice(statement)?;
    let files = statement["predicate"]["files"].as_array().context("the statement lists no files")?;
    let (mut sums, mut paths) = (String::new(), Vec::new());
    for file in files {
        let text = |key: &str| file[key].as_str().with_context(|| format!("a file has no {key}"));
        sums += &format!("{}  {}\n", text("sha256")?, text("path")?);
        paths.push(text("path")?.to_owned());
    }
    Ok((sums, paths))
}

fn sha256sum(folder: &Path, list: &Path) -> Result<Verdict> {
    let mut check = Command::new("sha256sum");
    ours(check.args(["--strict", "--check"]).arg(list).current_dir(folder), 1)
}

fn certificate(world: &World, report: &mut Report, tool: &Tool) {
    report.check(tool, CERTIFICATE, |row| {
        let author = Author::new(world, "certified")?;
        make_key(&author, "company")?;
        make_key(&author, "id")?;
        succeeded(&mut author.skillery(&["key", "enrol", "company", "--authority", ORG]))?;
        author.run(
            "ssh-keygen",
            &["-q", "-s", "company", "-I", "e2e", "-n", NAME, "-V", "-1h:+1h", "id.pub"],
        )?;
        let version = author.publish("signed_with_certificate", &["--key", "id-cert.pub"])?;
        Fetched::new(&version, &author.folder)?.check(row, &author.folder.join("company.pub"))?;
        author.install(&version)?;

        // A certificate for the same key from somebody whom the company does not know.
        make_key(&author, "stranger")?;
        author.run("ssh-keygen", &["-q", "-s", "stranger", "-I", "e2e", "-n", NAME, "id.pub"])?;
        let mut publish = author.publish_command("signed_by_stranger")?;
        row.refuses(
            "the registry: a certificate of a stranger",
            ours(publish.args(["--key", "id-cert.pub"]), 2),
        );
        Ok(())
    });
}

fn agent(world: &World, report: &mut Report, tool: &Tool) {
    report.check(tool, AGENT, |row| {
        let author = Author::new(world, "agent")?;
        make_key(&author, "id")?;
        let folder = temporary_folder("e2e-agent")?;
        let socket = folder.join("socket");
        let mut serve = Command::new("ssh-agent");
        serve.arg("-D").arg("-a").arg(&socket);
        let agent = Guarded::start(&serve, "TERM", &folder)?;
        agent.wait_for("ssh-agent", || socket.exists().then_some(()))?;
        let mut add = Command::new("ssh-add");
        add.args(["-q", "id"]).current_dir(&author.folder).env("SSH_AUTH_SOCK", &socket);
        succeeded(&mut add)?;
        // From here on nobody but the agent has it.
        std::fs::remove_file(author.folder.join("id"))?;

        succeeded(author.skillery(&["key", "enrol", "id.pub"]).env("SSH_AUTH_SOCK", &socket))?;
        succeeded(author.publish_command("signed_by_agent")?.env("SSH_AUTH_SOCK", &socket))?;
        let version = author.published("signed_by_agent");
        Fetched::new(&version, &author.folder)?.check(row, &author.folder.join("id.pub"))?;
        author.install(&version)?;

        drop(agent);
        let mut publish = author.publish_command("signed_by_nobody")?;
        row.refuses("publishing without the agent", ours(publish.env("SSH_AUTH_SOCK", &socket), 2));
        Ok(())
    });
}
