//! `model-signing` of PyPI, the program of OpenSSF Model Signing: it checks what we sign, and we check what it signs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::authors::{Author, base64_flips, ours, succeeded, with_flipped_file};
use super::packages::{MODEL_SIGNING, Packages};
use super::report::{Report, Row, Tool, Verdict, quietly};
use super::sigstore_verify::make_pem;
use super::world::World;
use crate::shell::is_there;

const NAME: &str = "model-signing";
const SCRIPT: &str = "crates/skillery-core/tests/interop/verify_oms.py";
const OURS: &str = "what `skillery sign --oms` writes";
const THEIRS: &str = "what it signs, with `skillery verify --oms`";
const PLACES: usize = 5;
const CHAIN: &str = "what it signs with a certificate, with `skillery verify --oms`";
const P256: [&str; 3] = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// The installed program.
struct ModelSigning {
    tool: Tool,
    packages: Packages,
    script: PathBuf,
}

/// Does all its checks, or says why it cannot.
pub(crate) fn check(world: &World, report: &mut Report) -> Result<()> {
    let packages = match is_there("openssl", "version") {
        true => Packages::prepare(MODEL_SIGNING)?,
        false => Err("there is no `openssl` to make keys with".to_owned()),
    };
    let packages = match packages {
        Ok(packages) => packages,
        Err(why) => {
            [OURS, THEIRS, CHAIN].iter().for_each(|what| report.skip(NAME, what, &why));
            return Ok(());
        }
    };
    let (tool, script) = (packages.tool(NAME)?, std::path::absolute(SCRIPT)?);
    let program = ModelSigning { tool, packages, script };
    program.ours(world, report);
    program.theirs(world, report);
    program.chain(world, report);
    Ok(())
}

/// An installed skill, its files in a folder of their own, and keys.
struct Scene {
    author: Author,
    id: String,
    /// The files of the version without those that the library puts beside them.
    files: PathBuf,
}

impl Scene {
    fn new(world: &World, name: &str) -> Result<Self> {
        let author = Author::new(world, name)?;
        for key in ["key", "alike"] {
            make_pem(&author, key, &P256)?;
        }
        make_pem(&author, "enrolled", &["ED25519"])?;
        succeeded(&mut author.skillery(&["key", "enrol", "enrolled.pem"]))?;
        let version = author.publish(name, &[])?;
        let installed = author.install(&version)?;
        let files = author.folder.join("files");
        author.run("cp", &["-R", &installed.display().to_string(), "files"])?;
        // What the library has put beside them: what is known of the version, its proof, signatures, and what they rest on.
        for entry in std::fs::read_dir(&files)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("skill.") {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { author, id: version.id, files })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.author.folder.join(name)
    }

    /// What has to be refused: a byte of the signature and of what it signs, of each file, one more and one less.
    fn refusals(&self, row: &mut Row, check: impl Fn(&str) -> Result<Verdict>) -> Result<()> {
        let bundle: Value = serde_json::from_slice(&std::fs::read(self.file("skill.oms.sig"))?)?;
        for (part, pointer) in
            [("payload", "/dsseEnvelope/payload"), ("signature", "/dsseEnvelope/signatures/0/sig")]
        {
            let text = bundle.pointer(pointer).and_then(Value::as_str);
            for (at, changed) in base64_flips(text.with_context(|| format!("there is no {part}"))?, PLACES)? {
                let mut altered = bundle.clone();
                *altered.pointer_mut(pointer).context("the bundle lost a part")? = changed.into();
                std::fs::write(self.file("altered.sig"), serde_json::to_vec(&altered)?)?;
                row.refuses(&format!("the {part}, character {at}"), check("altered.sig"));
            }
        }
        for name in names(&self.files)? {
            let outcome = with_flipped_file(&self.files.join(&name), || check("skill.oms.sig"));
            row.refuses(&format!("a byte of {name}"), outcome);
        }
        let more = self.files.join("scripts/more.py");
        std::fs::write(&more, "")?;
        row.refuses("a file more", check("skill.oms.sig"));
        std::fs::remove_file(more)?;
        let (skill, away) = (self.files.join("SKILL.md"), self.file("away"));
        std::fs::rename(&skill, &away)?;
        row.refuses("a file less", check("skill.oms.sig"));
        std::fs::rename(away, skill)?;
        row.accepts("all put back", check("skill.oms.sig"));
        Ok(())
    }

    /// What our program says of the folder.
    fn our_verdict(&self, signature: &str, trust: [&str; 2]) -> Result<Verdict> {
        let verify = ["verify", "--folder", "files", "--oms", signature, trust[0], trust[1]];
        ours(&mut self.author.skillery(&verify), 1)
    }
}

impl ModelSigning {
    fn ours(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, OURS, |row| {
            let scene = Scene::new(world, "modelled")?;
            succeeded(&mut scene.author.skillery(&["sign", &scene.id, "--oms", "--key", "key.pem"]))?;
            let check = |signature: &str, key: &str| self.verdict(&scene, signature, key);
            row.accepts("the files and the signature", check("skill.oms.sig", "key.pub"));
            row.refuses("another key", check("skill.oms.sig", "alike.pub"));
            row.accepts("by its own command", self.command(&scene, "key.pub"));
            row.refuses("by its own command, another key", self.command(&scene, "alike.pub"));
            let main = scene.files.join("scripts/modelled.py");
            let outcome = with_flipped_file(&main, || self.command(&scene, "key.pub"));
            row.refuses("by its own command, a byte of scripts/modelled.py", outcome);
            scene.refusals(row, |signature| check(signature, "key.pub"))?;
            let mut again = scene.author.skillery(&["sign", &scene.id, "--oms", "--key", "key.pem"]);
            row.refuses("signing over the file that is there", ours(&mut again, 2));
            let edwards = ["sign", &scene.id, "--oms", "other.sig", "--key", "enrolled.pem"];
            row.refuses(
                "signing with Ed25519, which it does not know",
                ours(&mut scene.author.skillery(&edwards), 2),
            );
            Ok(())
        });
    }

    fn theirs(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, THEIRS, |row| {
            let scene = Scene::new(world, "modelled_by_others")?;
            self.sign(&scene, &["key", "files", "--private_key", "key.pem"])?;
            let check = |signature: &str| scene.our_verdict(signature, ["--key", "key.pub"]);
            row.accepts("its own verdict", self.verdict(&scene, "skill.oms.sig", "key.pub"));
            row.accepts("the folder", check("skill.oms.sig"));
            let installed = ["verify", &scene.id, "--oms", "skill.oms.sig", "--key", "key.pub"];
            row.accepts("the installed skill", ours(&mut scene.author.skillery(&installed), 1));
            row.refuses("another key", scene.our_verdict("skill.oms.sig", ["--key", "alike.pub"]));
            scene.refusals(row, check)
        });
    }

    fn chain(&self, world: &World, report: &mut Report) {
        report.check(&self.tool, CHAIN, |row| {
            let scene = Scene::new(world, "modelled_with_chain")?;
            for authority in ["root", "stranger"] {
                make_pem(&scene.author, authority, &P256)?;
                let (key, out) = (format!("{authority}.pem"), format!("{authority}.crt"));
                let subject = format!("/CN={authority}");
                let make =
                    ["req", "-new", "-x509", "-key", &key, "-subj", &subject, "-days", "2", "-out", &out];
                scene.author.run("openssl", &make)?;
            }
            let usage = "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n";
            std::fs::write(scene.file("leaf.cnf"), usage)?;
            let request = ["req", "-new", "-key", "key.pem", "-subj", "/CN=Ada", "-out", "leaf.csr"];
            scene.author.run("openssl", &request)?;
            let mut issue = vec!["x509", "-req", "-in", "leaf.csr", "-CA", "root.crt", "-CAkey", "root.pem"];
            issue.extend(["-CAcreateserial", "-days", "1", "-extfile", "leaf.cnf", "-out", "leaf.crt"]);
            scene.author.run("openssl", &issue)?;
            let mut sign = vec!["certificate", "files", "--private_key", "key.pem"];
            sign.extend(["--signing_certificate", "leaf.crt", "--certificate_chain", "root.crt"]);
            self.sign(&scene, &sign)?;
            let check = |signature: &str| scene.our_verdict(signature, ["--roots", "root.crt"]);
            row.accepts("the folder", check("skill.oms.sig"));
            row.refuses("another authority", scene.our_verdict("skill.oms.sig", ["--roots", "stranger.crt"]));
            row.refuses("its bare key", scene.our_verdict("skill.oms.sig", ["--key", "key.pub"]));
            scene.refusals(row, check)
        });
    }

    /// Lets it sign, into the file that ours has as its default.
    fn sign(&self, scene: &Scene, how: &[&str]) -> Result<()> {
        let mut sign = Command::new(self.packages.program("model_signing"));
        sign.arg("sign").args(how).args(["--signature", "skill.oms.sig"]);
        succeeded(sign.current_dir(&scene.author.folder))?;
        Ok(())
    }

    /// What its command says of the folder, as people would ask it. It does not tell refusals from troubles otherwise.
    fn command(&self, scene: &Scene, key: &str) -> Result<Verdict> {
        let mut verify = Command::new(self.packages.program("model_signing"));
        verify.args(["verify", "key", "files", "--signature", "skill.oms.sig", "--public_key", key]);
        let ended = quietly(verify.current_dir(&scene.author.folder))?;
        match (ended.status, ended.err.contains("Verification failed")) {
            (Some(0), _) => Ok(Verdict::Accepted(ended.out)),
            (Some(1), true) => Ok(Verdict::Refused(ended.err.replace('\n', "; "))),
            _ => bail!("it cannot tell: {} {}", ended.out, ended.err),
        }
    }

    /// What it says of the folder.
    fn verdict(&self, scene: &Scene, signature: &str, key: &str) -> Result<Verdict> {
        let mut check = Command::new(self.packages.program("python"));
        check.arg(&self.script).args(["files", signature, "--key", key]);
        let ended = quietly(check.current_dir(&scene.author.folder))?;
        match (ended.status, ended.err.lines().find_map(|line| line.strip_prefix("refused: "))) {
            (Some(0), _) => Ok(Verdict::Accepted(ended.out)),
            (Some(1), Some(why)) => Ok(Verdict::Refused(why.to_owned())),
            _ => bail!("it cannot tell: {} {}", ended.out, ended.err),
        }
    }
}

/// The paths of all files below a folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut find = Command::new("find");
    let found = succeeded(find.args([".", "-type", "f"]).current_dir(folder))?;
    Ok(found.lines().map(|path| path.trim_start_matches("./").to_owned()).collect())
}
