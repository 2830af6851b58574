//! A history such as a registry has after a while, made through its API, and everything that its clients were told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::registry::{Caller, Registry, size_of};

const ORGS: [&str; 3] = ["acme", "initech", "umbrella"];
/// The owner of each org, and one who only rates.
const USERS: [&str; 4] = ["ada", "ben", "cleo", "dan"];
const SKILLS: usize = 8;
/// Authors that publish at the same time.
const CROWD: usize = 6;

/// What clients were told: each checkpoint, and the receipt of each publication.
pub(crate) struct Told {
    folder: PathBuf,
    /// By size. A size has one checkpoint for ever.
    checkpoints: BTreeMap<u64, String>,
    receipts: Vec<PathBuf>,
}

impl Told {
    pub(crate) fn new(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, checkpoints: BTreeMap::new(), receipts: Vec::new() })
    }

    fn keep_checkpoint(&mut self, note: String) -> Result<u64> {
        let size = size_of(&note)?;
        if let Some(before) = self.checkpoints.get(&size) {
            if *before != note {
                bail!("two checkpoints for size {size}:\n{before}\n{note}");
            }
            return Ok(size);
        }
        std::fs::write(self.checkpoint_file(size), &note)?;
        self.checkpoints.insert(size, note);
        Ok(size)
    }

    fn keep_receipt(&mut self, receipt: &str) -> Result<()> {
        let file = self.folder.join(format!("receipt-{:04}", self.receipts.len()));
        std::fs::write(&file, receipt)?;
        self.receipts.push(file);
        let (_, note) = receipt.split_once("\n\n").context("a receipt has no checkpoint")?;
        self.keep_checkpoint(note.to_owned())?;
        Ok(())
    }

    /// The sizes that somebody saw, from the smallest.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        self.checkpoints.keys().copied().collect()
    }

    /// The file with the checkpoint of a size.
    pub(crate) fn checkpoint_file(&self, size: u64) -> PathBuf {
        self.folder.join(format!("checkpoint-{size:04}"))
    }

    /// The checkpoint of the greatest size up to this one.
    pub(crate) fn checkpoint_up_to(&self, size: u64) -> Result<(u64, &str)> {
        let found = self.checkpoints.range(..=size).next_back();
        found.map(|(size, note)| (*size, note.as_str())).context("nobody saw a checkpoint as small")
    }

    /// The files of all receipts.
    pub(crate) fn receipts(&self) -> &[PathBuf] {
        &self.receipts
    }
}

/// Those who make the history, with what they have made.
pub(crate) struct History {
    pub(crate) told: Told,
    admin: Caller,
    users: Vec<Caller>,
    /// The newest version of each skill, and whether it is yanked.
    skills: Vec<(String, String, bool)>,
    steps: usize,
}

impl History {
    /// Founds orgs, lets people in, and publishes the first version of each skill.
    pub(crate) fn begin(registry: &Registry, folder: &Path) -> Result<Self> {
        let token = registry.admin.clone().context("the first start told no admin token")?;
        let admin = Caller { address: registry.address, token };
        let told = Told::new(folder.to_owned())?;
        let mut history = Self { told, admin, users: Vec::new(), skills: Vec::new(), steps: 0 };
        for user in USERS {
            history.by_admin("POST", "/users", &json!({"name": user}))?;
            let scopes = json!(["read", "publish", "rate", "admin"]);
            let asked = json!({"label": "e2e", "user": user, "scopes": scopes});
            let made = history.by_admin("POST", "/tokens", &asked)?;
            let token = made["token"].as_str().context("no token was made")?.to_owned();
            history.users.push(Caller { address: registry.address, token });
        }
        for (number, org) in ORGS.into_iter().enumerate() {
            history.by(number, "POST", "/orgs", &json!({"name": org}))?;
            let member = USERS[(number + 1) % ORGS.len()];
            history.by(
                number,
                "PUT",
                &format!("/orgs/{org}/members/{member}"),
                &json!({"role": "reader"}),
            )?;
            let secret = json!({"secret": "0123456789abcdef0123456789abcdef"});
            history.by(number, "PUT", &format!("/orgs/{org}/signing-secret"), &secret)?;
            history.by(number, "DELETE", &format!("/orgs/{org}/signing-secret"), &Value::Null)?;
            for skill in 0..SKILLS {
                history.skills.push((format!("{org}/skill-{skill:02}"), String::new(), false));
            }
        }
        for skill in 0..history.skills.len() {
            let visibility = ["public", "private", "internal", "public"][skill % 4];
            history.publish(skill, "1.0.0", &json!({ "visibility": visibility }))?;
        }
        history.by_admin("PATCH", "/users/dan", &json!({"disabled": true}))?;
        history.by_admin("PATCH", "/users/dan", &json!({"disabled": false}))?;
        Ok(history)
    }

    /// After a restart the registry is somewhere else.
    pub(crate) fn move_to(&mut self, registry: &Registry) -> Result<()> {
        self.admin.address = registry.address;
        self.users.iter_mut().for_each(|user| user.address = registry.address);
        self.look()?;
        Ok(())
    }

    /// The token of the first skill's owner.
    pub(crate) fn owner(&self) -> &Caller {
        &self.users[0]
    }

    /// Does this and that, one after the other, until the log has so many entries.
    pub(crate) fn go_on_to(&mut self, size: u64) -> Result<()> {
        while self.look()? < size {
            self.step()?;
        }
        Ok(())
    }

    /// Lets many publish at the same time until the log has so many entries, and while they still do, does `then`.
    pub(crate) fn crowd(&mut self, size: u64, then: impl FnOnce()) -> Result<()> {
        let (is_over, number) = (AtomicBool::new(false), AtomicUsize::new(0));
        let users = self.users.clone();
        let publish = |author: usize| {
            let (caller, org) = (&users[author % ORGS.len()], ORGS[author % ORGS.len()]);
            let mut receipts = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let version = format!("1.0.{}", number.fetch_add(1, Ordering::Relaxed));
                // Its end is not a failure: the registry is stopped under the hands of its authors.
                let Ok(answer) = published(caller, &format!("{org}/crowd-{author}"), &version, &Value::Null)
                else {
                    break;
                };
                receipts.extend(answer["proof"].as_str().map(str::to_owned));
            }
            receipts
        };
        let receipts = thread::scope(|scope| -> Result<Vec<String>> {
            let authors: Vec<_> = (0..CROWD)
                .map(|author| {
                    scope.spawn({
                        let publish = &publish;
                        move || publish(author)
                    })
                })
                .collect();
            let mut seen = Ok(0);
            while seen.as_ref().is_ok_and(|seen| *seen < size)
                && !authors.iter().any(|author| author.is_finished())
            {
                seen = self.look();
            }
            then();
            is_over.store(true, Ordering::Relaxed);
            let joined = authors.into_iter().map(|author| author.join().ok().context("an author panicked"));
            let receipts = joined.collect::<Result<Vec<_>>>()?.concat();
            match seen? {
                seen if seen < size => bail!("the authors stopped at size {seen}"),
                _ => Ok(receipts),
            }
        })?;
        receipts.iter().try_for_each(|receipt| self.told.keep_receipt(receipt))
    }

    /// Asks for the proof of each skill's newest version.
    pub(crate) fn ask_for_receipts(&mut self) -> Result<()> {
        for (number, (skill, version, _)) in self.skills.iter().enumerate() {
            let owner = &self.users[number / SKILLS];
            let receipt =
                owner.text("GET", &format!("/skills/{skill}/versions/{version}/proof"), &Value::Null)?;
            self.told.keep_receipt(&receipt)?;
        }
        Ok(())
    }

    /// Keeps the newest checkpoint and gives its size.
    fn look(&mut self) -> Result<u64> {
        let note = super::http::get_body(self.admin.address, "/log/v1/checkpoint")?;
        self.told.keep_checkpoint(String::from_utf8(note)?)
    }

    fn by_admin(&mut self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let answer = self.admin.call(method, path, body)?;
        self.look()?;
        Ok(answer)
    }

    fn by(&mut self, user: usize, method: &str, path: &str, body: &Value) -> Result<Value> {
        let answer = self.users[user].call(method, path, body)?;
        self.look()?;
        Ok(answer)
    }

    fn publish(&mut self, skill: usize, version: &str, more: &Value) -> Result<()> {
        let id = self.skills[skill].0.clone();
        let answer = published(&self.users[skill / SKILLS], &id, version, more)?;
        self.told.keep_receipt(answer["proof"].as_str().context("a publication has no receipt")?)?;
        self.skills[skill] = (id, version.to_owned(), false);
        Ok(())
    }

    /// One of the things that happen in a registry.
    fn step(&mut self) -> Result<()> {
        let step = self.steps;
        self.steps += 1;
        let number = step % self.skills.len();
        let owner = number / SKILLS;
        let (skill, version, is_yanked) = self.skills[number].clone();
        let of_version = format!("/skills/{skill}/versions/{version}");
        match step % 7 {
            0 => {
                let method = if is_yanked { "DELETE" } else { "PUT" };
                let reason = if is_yanked { Value::Null } else { json!({"reason": "it is slow"}) };
                self.by(owner, method, &format!("{of_version}/yank"), &reason)?;
                self.skills[number].2 = !is_yanked;
            }
            1 => {
                self.by_admin("PUT", &format!("{of_version}/quarantine"), &json!({"reason": "looked at"}))?;
                self.by_admin("DELETE", &format!("{of_version}/quarantine"), &Value::Null)?;
            }
            2 => {
                // What was hidden once stays hidden in the log, and the other way round.
                for visibility in ["private", "public"] {
                    let body = json!({ "visibility": visibility });
                    self.by(owner, "PUT", &format!("/skills/{skill}/visibility"), &body)?;
                }
            }
            3 | 4 => {
                let rating = json!({"rating": 1.0 + (step % 41) as f64 / 10.0});
                self.by(owner, "POST", &format!("/skills/{skill}/rate"), &rating)?;
            }
            _ => self.publish(number, &format!("1.1.{step}"), &Value::Null)?,
        }
        Ok(())
    }
}

/// Publishes a version that no other has the code of.
fn published(caller: &Caller, id: &str, version: &str, more: &Value) -> Result<Value> {
    let name = id.rsplit('/').next().unwrap_or(id).replace('-', "_");
    let mut body = json!({
        "id": id,
        "version": version,
        "description": "Says its version",
        "tags": ["e2e"],
        "code": format!("def {name}():\n    return {version:?}\n"),
    });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    caller.call("POST", "/skills", &body)
}
