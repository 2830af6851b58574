//! Workflows that were saved by name: one text each. What stands in them is for the runner to know.

use std::io;
use std::path::PathBuf;

use fs_err as fs;
use skillery_core::Segment;

use crate::error::{Error, Result};
use crate::files::{self, Readers};
use crate::home::Home;

const EXTENSION: &str = "yaml";

/// The saved workflows of one home.
#[derive(Debug, Clone)]
pub struct SavedWorkflows {
    folder: PathBuf,
}

impl SavedWorkflows {
    /// Those of this home. Nothing is read or made yet.
    pub fn new(home: &Home) -> Self {
        Self { folder: home.workflows_folder() }
    }

    /// Where they are kept.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    fn file(&self, name: &str) -> Result<PathBuf> {
        // Names are those of skills, so that none leads out of the folder and no two differ by capitals alone.
        let name: Segment = name.parse()?;
        Ok(self.folder.join(format!("{name}.{EXTENSION}")))
    }

    /// Saves a text under a name; what was saved under it before is replaced.
    pub fn save(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.file(name)?;
        files::create_private_folder(&self.folder)
            .map_err(Error::disk(format!("make {}", self.folder.display())))?;
        files::write_atomically(&file, text.as_bytes(), Readers::Owner)
            .map_err(Error::disk("save a workflow"))?;
        Ok(file)
    }

    /// The text that was saved under a name.
    pub fn load(&self, name: &str) -> Result<String> {
        match fs::read_to_string(self.file(name)?) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::WorkflowNotSaved { name: name.to_owned() })
            }
            Err(error) => Err(Error::disk("read a saved workflow")(error)),
        }
    }

    /// The names under which there is something, in their order.
    pub fn list(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::disk("read the saved workflows"))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::disk("read the saved workflows"))?.path();
            let is_workflow = path.extension().is_some_and(|extension| extension == EXTENSION);
            let name = path.file_stem().and_then(|name| name.to_str()).filter(|_| is_workflow);
            names.extend(name.filter(|name| name.parse::<Segment>().is_ok()).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Forgets a name; whether there was something under it.
    pub fn delete(&self, name: &str) -> Result<bool> {
        match fs::remove_file(self.file(name)?) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::disk("delete a saved workflow")(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let saved = SavedWorkflows::new(&Home::at(folder.path()));
        assert_eq!(saved.list().unwrap(), Vec::<String>::new());
        saved.save("daily_report", "name: a").unwrap();
        saved.save("daily_report", "name: b").unwrap();
        saved.save("another", "name: c").unwrap();
        assert_eq!(saved.list().unwrap(), ["another", "daily_report"]);
        assert_eq!(saved.load("daily_report").unwrap(), "name: b");
        assert!(saved.delete("another").unwrap());
        assert!(!saved.delete("another").unwrap());
        assert_eq!(saved.load("another").unwrap_err().code(), "workflow-not-found");
        for name in ["", "../escape", "a/b", ".hidden", "Capital"] {
            assert!(saved.save(name, "x").is_err(), "{name}");
        }
    }
}
