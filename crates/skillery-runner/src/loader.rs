//! Where the workflows come from that are steps of others.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::document::Document;

/// A workflow that a step names.
#[derive(Debug)]
pub struct LoadedWorkflow {
    /// What it says.
    pub document: Document,
    /// What to call it in messages: its file, or its name.
    pub file: String,
    /// Where the workflows that it names itself are looked up.
    pub folder: Option<PathBuf>,
}

type Load = dyn Fn(&str, Option<&Path>) -> Result<LoadedWorkflow, String> + Send + Sync;

/// Finds the workflow that a step names, from the folder of the workflow that the step belongs to; that of the first
/// one is none. The text of its `Err` says why there is none. The default finds nothing.
#[derive(Clone, Default)]
pub struct WorkflowLoader(Option<Arc<Load>>);

impl WorkflowLoader {
    /// A loader that asks this function.
    pub fn new(
        load: impl Fn(&str, Option<&Path>) -> Result<LoadedWorkflow, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(load)))
    }

    /// A loader of files. What [`is_saved_name`] takes for a name is that of a workflow in `saved`, `<name>.yaml`; anything else is
    /// a path, from the folder of the workflow that names it. `folder` is that of the first.
    pub fn of_files(folder: PathBuf, saved: PathBuf) -> Self {
        Self::new(move |name, beside| {
            let (path, file) = if is_saved_name(name) {
                (saved.join(format!("{name}.yaml")), name.to_owned())
            } else {
                let path = beside.unwrap_or(&folder).join(name);
                let file = path.display().to_string();
                (path, file)
            };
            let text = Document::read_file(&path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound if is_saved_name(name) => {
                    "none was saved under this name".to_owned()
                }
                _ => format!("cannot read `{}`: {error}", path.display()),
            })?;
            let document = Document::parse(&text).map_err(|error| format!("`{file}`: {error}"))?;
            Ok(LoadedWorkflow { document, file, folder: path.parent().map(Path::to_owned) })
        })
    }

    /// Finds a workflow, or says why there is none.
    pub fn load(&self, name: &str, folder: Option<&Path>) -> Result<LoadedWorkflow, String> {
        match &self.0 {
            Some(load) => load(name, folder),
            None => Err("workflows as steps are not looked up here".to_owned()),
        }
    }
}

impl fmt::Debug for WorkflowLoader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("WorkflowLoader").finish_non_exhaustive()
    }
}

/// Whether a step's `workflow` is the name of one that was saved, and no file.
pub fn is_saved_name(text: &str) -> bool {
    // A name may have a dot in it, so that only these endings are those of files.
    let ending = Path::new(text).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let is_file = ["yaml", "yml", "json"].iter().any(|known| ending.eq_ignore_ascii_case(known));
    !text.contains(['/', '\\']) && !is_file
}
