//! Where a workflow comes from: a file, or the name of one that was saved.

use std::path::{Path, PathBuf};

use skillery_client::{Home, SavedWorkflows};
use skillery_runner::{Document, LoadedWorkflow, Problem, WorkflowLoader};

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
    let (text, folder) = match name.to_str().filter(|text| is_name(text) && !name.exists()) {
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

/// Whether it may be the name of a saved workflow, and no file.
fn is_name(text: &str) -> bool {
    !text.contains(['/', '\\']) && Path::new(text).extension().is_none()
}

/// Finds workflows that are steps: beside the one that names them, or saved.
pub(super) fn loader(home: &Home, folder: PathBuf) -> WorkflowLoader {
    let saved = SavedWorkflows::new(home);
    WorkflowLoader::new(move |name, beside| {
        let (text, file, folder) = if is_name(name) {
            let text = saved.load(name).map_err(|error| error.to_string())?;
            (text, name.to_owned(), saved.folder())
        } else {
            let path = beside.unwrap_or(&folder).join(name);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
            let folder = path.parent().map(Path::to_owned).unwrap_or_default();
            (text, path.display().to_string(), folder)
        };
        let document = Document::parse(&text).map_err(|error| format!("`{file}`: {error}"))?;
        Ok(LoadedWorkflow { document, file, folder: Some(folder) })
    })
}

/// A failure for a document that is read and makes no sense.
pub(super) fn invalid(workflow: &str, problems: &[Problem]) -> Failure {
    let message = format!("workflow `{workflow}` cannot run");
    let failure = Failure::new(Exit::Usage, "invalid-workflow", message);
    problems.iter().fold(failure, |failure, problem| failure.because(problem.to_string()))
}
