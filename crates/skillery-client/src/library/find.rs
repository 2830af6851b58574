//! Finding what is installed, by id or by bare name.

use skillery_core::{Segment, SkillId, Version, VersionRequest};

use crate::error::{Error, Result};
use crate::library::{Installed, Library};

impl Library {
    /// The current version of every skill, by id.
    pub fn list(&self) -> Result<Vec<Installed>> {
        let mut found = Vec::new();
        for id in self.store.skills()? {
            found.extend(self.store.versions(&id)?.into_iter().find(|version| version.current));
        }
        Ok(found)
    }

    /// Which skill is meant: an id, or a name that only one skill of the library has. `-`, `_` and `.` compare equal.
    pub fn find(&self, name: &str) -> Result<SkillId> {
        let mut candidates = if name.contains('/') {
            let id: SkillId = name.parse()?;
            let installed = self.store.versions(&id)?;
            installed.into_iter().next().map(|version| version.manifest.id).into_iter().collect()
        } else {
            let wanted = fold(name.parse::<Segment>()?.as_str());
            let mut skills = self.store.skills()?;
            skills.retain(|id| fold(id.name()) == wanted);
            skills
        };
        match candidates.len() {
            0 => Err(Error::NotInstalled { name: name.to_owned() }),
            1 => Ok(candidates.remove(0)),
            _ => Err(Error::Ambiguous { name: name.to_owned(), candidates }),
        }
    }

    /// An installed version: the current one where none is named, the highest that fits where a range is.
    pub fn get(&self, name: &str, version: Option<&VersionRequest>) -> Result<Installed> {
        let id = self.find(name)?;
        let present = self.store.versions(&id)?;
        let numbers: Vec<&Version> = present.iter().map(|version| &version.manifest.version).collect();
        let chosen = match version {
            None => present.iter().find(|version| version.current),
            Some(request) => {
                let number = request.choose(numbers.iter().copied());
                present.iter().find(|version| Some(&version.manifest.version) == number)
            }
        };
        chosen.cloned().ok_or_else(|| Error::VersionNotInstalled {
            id,
            request: version.map_or_else(|| "latest".to_owned(), ToString::to_string),
            present: numbers.into_iter().cloned().collect(),
        })
    }

    /// All installed versions of a skill, the highest first.
    pub fn versions(&self, name: &str) -> Result<Vec<Installed>> {
        self.store.versions(&self.find(name)?)
    }
}

/// `-`, `_` and `.` compare equal.
pub(crate) fn fold(name: &str) -> String {
    name.replace(['_', '.'], "-")
}
