//! What each client finds: an org of its own with a few skills, so that what one does is nothing to another.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use skillery_core::bundle::{self, BundleFile};

use super::desk::Desk;
use super::files::Files;
use crate::e2e::http::{Message, exchange, host};
use crate::e2e::registry::{Caller, Registry, publish};

/// A folder with programs and all sorts of names, in three versions, of which the last is published later.
pub(crate) const GREETER: &str = "greeter";
/// A skill that was published as a function.
pub(crate) const ADDER: &str = "adder";
/// A folder whose newest version is yanked.
pub(crate) const SHAKY: &str = "shaky";
/// A folder that only members of the org see.
pub(crate) const VAULT: &str = "vault";

/// What anybody sees, and the version that is offered.
pub(crate) const OFFERED: [(&str, &str); 3] = [(GREETER, "1.1.0"), (ADDER, "1.0.0"), (SHAKY, "1.0.0")];
/// The version that is published while clients have an older one.
pub(crate) const NEXT: &str = "1.2.0";
/// The version that is yanked.
pub(crate) const YANKED: &str = "1.1.0";

/// An org, and who belongs to it.
pub(crate) struct Shelf {
    pub(crate) org: String,
    /// The end of each skill's name: some clients know names without their orgs.
    suffix: String,
    pub(crate) url: String,
    pub(crate) owner: Caller,
    /// Somebody who may read what the org keeps to itself, and no more.
    pub(crate) reader: Caller,
}

impl Shelf {
    /// Founds the org and publishes what clients are to find.
    pub(crate) fn stock(registry: &Registry, client: &str) -> Result<Self> {
        let org = &format!("team-{client}");
        let (owner, reader) = people(registry, org)?;
        let suffix = client.to_owned();
        let shelf = Self { org: org.to_owned(), suffix, url: registry.url.clone(), owner, reader };
        shelf.publish(GREETER, "1.0.0", "public")?;
        shelf.publish(GREETER, "1.1.0", "public")?;
        shelf.publish_function(ADDER, "1.0.0")?;
        shelf.publish(SHAKY, "1.0.0", "public")?;
        shelf.publish(SHAKY, YANKED, "public")?;
        shelf.yank(true)?;
        shelf.publish(VAULT, "1.0.0", "private")?;
        Ok(shelf)
    }

    /// The name of a skill.
    pub(crate) fn name(&self, skill: &str) -> String {
        format!("{skill}-{}", self.suffix)
    }

    /// The id of a skill.
    pub(crate) fn id(&self, skill: &str) -> String {
        format!("{}/{}", self.org, self.name(skill))
    }

    /// The address of a skill.
    pub(crate) fn of(&self, skill: &str) -> String {
        self.at(&self.name(skill))
    }

    /// An address of the registry in this org.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}/{}/{path}", self.url, self.org)
    }

    /// A word that only the descriptions of this org's skills have.
    pub(crate) fn word(&self) -> String {
        format!("words{}", self.org.replace('-', ""))
    }

    /// The folder of a version as its author has it.
    fn content(&self, skill: &str, version: &str) -> Vec<BundleFile> {
        let written = format!(
            "---\nname: {}\ndescription: Greets people by their names, with {} of version {version}.\n\
             license: MIT\n---\n\n# Greeting\n\nRun `scripts/greet.sh NAME`, see [words](references/words.md).\n",
            self.name(skill),
            self.word()
        );
        let greet = format!("#!/bin/sh\n# {version}\necho \"Hello, $1\"\n");
        let words = format!("Lines of Windows\r\nand of Unix\n{version}\n");
        let mut files: Vec<(&str, Vec<u8>)> = vec![
            ("SKILL.md", written.into_bytes()),
            ("scripts/greet.sh", greet.into_bytes()),
            ("scripts/lib/names.py", b"NAMES = ['Ada', 'Ben']\n".to_vec()),
            ("references/words.md", words.into_bytes()),
            ("references/größe.md", "Ünïcödé\n".as_bytes().to_vec()),
            ("assets/every-byte.bin", (0..=255).collect()),
            ("assets/empty.txt", Vec::new()),
            ("assets/With Space.txt", b"a space\n".to_vec()),
        ];
        if version == "1.1.0" {
            files.push(("references/gone-later.md", b"Only here\n".to_vec()));
        }
        let file = |(path, bytes): (&str, Vec<u8>)| {
            let executable = path.ends_with(".sh");
            BundleFile { path: path.to_owned(), executable, bytes }
        };
        files.into_iter().map(file).collect()
    }

    /// Writes the folder of a version.
    pub(crate) fn write(&self, folder: &Path, skill: &str, version: &str) -> Result<()> {
        for content in self.content(skill, version) {
            let file = folder.join(&content.path);
            std::fs::create_dir_all(file.parent().context("a file has no folder")?)?;
            std::fs::write(&file, content.bytes)?;
            if content.executable {
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
            }
        }
        Ok(())
    }

    /// Writes a version with these files too as a ZIP.
    pub(crate) fn write_archive(
        &self,
        file: &Path,
        skill: &str,
        version: &str,
        more: &[(&str, &[u8])],
    ) -> Result<()> {
        let more = more.iter().map(|(path, bytes)| BundleFile {
            path: (*path).to_owned(),
            executable: false,
            bytes: bytes.to_vec(),
        });
        let archive = bundle::pack(self.content(skill, version).into_iter().chain(more).collect())?;
        std::fs::write(file, archive).with_context(|| format!("cannot write `{}`", file.display()))
    }

    /// Publishes a version of a folder.
    pub(crate) fn publish(&self, skill: &str, version: &str, visibility: &str) -> Result<()> {
        let request = json!({"id": self.id(skill), "version": version, "visibility": visibility});
        match publish(&self.owner, &request, self.content(skill, version))? {
            200 | 201 => Ok(()),
            status => {
                bail!("`{skill}` {version} is answered with {status}, and nothing has to be approved here")
            }
        }
    }

    /// Takes the newest version of what is shaky back, or gives it again.
    pub(crate) fn yank(&self, is_yanked: bool) -> Result<()> {
        let path = format!("/skills/{}/versions/{YANKED}/yank", self.id(SHAKY));
        let (method, body) =
            if is_yanked { ("PUT", json!({"reason": "it shakes"})) } else { ("DELETE", Value::Null) };
        self.owner.call(method, &path, &body).map(drop)
    }

    fn publish_function(&self, skill: &str, version: &str) -> Result<()> {
        let function = self.name(skill).replace('-', "_");
        let code = format!("def {function}(a: int, b: int) -> int:\n    return a + b  # {version}\n");
        let description = format!("Adds two numbers, with {}", self.word());
        let body =
            json!({"id": self.id(skill), "version": version, "description": description, "code": code});
        self.owner.call("POST", "/skills", &body)?;
        Ok(())
    }

    /// The files that a version has, as the API tells.
    pub(crate) fn files(&self, skill: &str, version: &str) -> Result<Files> {
        Files::of_version(&self.version(skill, version)?)
    }

    fn version(&self, skill: &str, version: &str) -> Result<Value> {
        let path = format!("/skills/{}/versions/{version}", self.id(skill));
        self.owner.call("GET", &path, &Value::Null)
    }

    /// Fails unless this is what the registry says to type for a skill, in these words: of its latest version, or of this one.
    pub(crate) fn must_tell(
        &self,
        client: &str,
        skill: &str,
        version: Option<&str>,
        typed: &str,
    ) -> Result<()> {
        let version = version.map(|version| format!("?version={version}")).unwrap_or_default();
        let path = format!("/skills/{}/install{version}", self.id(skill));
        let told = self.owner.call("GET", &path, &Value::Null)?;
        let lines = told["lines"].as_array().context("no lines are told")?;
        let line = lines.iter().find(|line| line["client"].as_str() == Some(client));
        let command = line.and_then(|line| line["command"].as_str()).unwrap_or_default();
        // Variables may stand before it.
        let is_it =
            |part: &str| part.strip_suffix(typed).is_some_and(|rest| rest.is_empty() || rest.ends_with(' '));
        if command.split(" && ").any(is_it) {
            return Ok(());
        }
        bail!("`{typed}` is not what is told for `{client}`: `{command}`")
    }

    /// What the registry answers to somebody without a token: the status and the body.
    pub(crate) fn get(&self, target: &str) -> Result<(u16, Vec<u8>)> {
        let headers = host(self.owner.address);
        let request = Message { start: format!("GET {target} HTTP/1.1"), headers, body: Vec::new() };
        let answer = exchange(self.owner.address, &request)?;
        Ok((answer.status()?, answer.body))
    }

    /// Fails unless a folder has the files of a version, and no other but these of the client's own.
    pub(crate) fn must_have(&self, folder: &Path, skill: &str, version: &str, own: &[&str]) -> Result<()> {
        let found = Files::of_folder(folder, own)?;
        let expected = self.files(skill, version)?;
        let what = || format!("`{}` should be {skill} {version}", folder.display());
        found.must_be(&expected).with_context(what)
    }

    /// Fails unless the programs of a version are programs there.
    pub(crate) fn must_run(&self, desk: &Desk, folder: &Path, version: &str, own: &[&str]) -> Result<()> {
        Files::of_folder(folder, own)?.must_run_like(&self.files(GREETER, version)?)?;
        let script = folder.join("scripts/greet.sh");
        desk.other(&script.display().to_string(), &["Ada"])?.done()?.says("Hello, Ada").map(drop)
    }
}

/// Founds an org, and gives its owner and somebody who may only read what it keeps to itself.
pub(crate) fn people(registry: &Registry, org: &str) -> Result<(Caller, Caller)> {
    let token = registry.admin.clone().context("the first start told no admin token")?;
    let admin = Caller { address: registry.address, token };
    let member = |name: &str, scopes: &[&str]| Caller::of_new_user(&admin, &format!("{org}-{name}"), scopes);
    let owner = member("owner", &["read", "publish", "rate", "admin"])?;
    let reader = member("reader", &["read"])?;
    owner.call("POST", "/orgs", &json!({ "name": org }))?;
    owner.call("PUT", &format!("/orgs/{org}/members/{org}-reader"), &json!({"role": "reader"}))?;
    Ok((owner, reader))
}
