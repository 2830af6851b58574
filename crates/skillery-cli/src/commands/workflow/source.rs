//! Where a workflow comes from: a file, or the name of one that was saved.

use std::path::{Path, PathBuf};

use skillery_client::{Home, SavedWorkflows};
use skillery_runner::{Document, Problem, WorkflowLoader, is_saved_name};

use crate::failure::{Exit, Failure};
use crate::session::Session;

/// A workflow that was read.
pub(super) struct Source {
    pub(super) document: Document,
    pub(super) text: String,
    /// Where the workflows that are its steps are looked up.
    pub(super) folder: PathBuf,
}

/// Reads a file, or a saved workflow where there is no file of that name and it has none's form.
pub(super) fn read(session: &Session, name: &Path) -> Result<Source, Failure> {
    let saved = SavedWorkflows::new(&session.home()?);
    let (text, folder) = match name.to_str().filter(|text| is_saved_name(text) && !name.exists()) {
        Some(text) => (saved.load(text)?, saved.folder()),
        None => {
            let text = std::fs::read_to_string(name).map_err(|error| Failure::file("read", name, &error))?;
            (text, name.parent().map(Path::to_owned).unwrap_or_default())
        }
    };
    let document = Document::parse(&text).map_err(|error| {
        let message = format!("`{}` is not a workflow", name.display());
        Failure::new(Exit::Usage, "invalid-workflow", message).cause(&error)
    })?;
    Ok(Source { document, text, folder })
}

/// Finds workflows that are steps: beside the one that names them, or saved.
pub(super) fn loader(home: &Home, folder: PathBuf) -> WorkflowLoader {
    WorkflowLoader::of_files(folder, SavedWorkflows::new(home).folder())
}

/// A failure for a document that is read and makes no sense.
pub(super) fn invalid(workflow: &str, problems: &[Problem]) -> Failure {
    let message = format!("workflow `{workflow}` cannot run");
    let failure = Failure::new(Exit::Usage, "invalid-workflow", message);
    problems.iter().fold(failure, |failure, problem| failure.because(problem.to_string()))
}
