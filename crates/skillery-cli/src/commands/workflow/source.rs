//! Where a workflow comes from: a file, or the name of one that was saved.

use std::io::Read;
use std::path::{Path, PathBuf};

use skillery_client::{Home, SavedWorkflows};
use skillery_runner::{Document, Problem, WorkflowLoader, is_saved_name};

use crate::failure::{Exit, Failure};
use crate::session::Session;

/// Bytes of a workflow's text; the document says so too, but only of what is in memory.
const MAX_TEXT: u64 = 16 * 1024 * 1024;

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
            let text = read_text(name, MAX_TEXT)?;
            (text, name.parent().map(Path::to_owned).unwrap_or_default())
        }
    };
    let document = Document::parse(&text).map_err(|error| {
        let message = format!("`{}` is not a workflow", name.display());
        Failure::new(Exit::Usage, "invalid-workflow", message).cause(&error)
    })?;
    Ok(Source { document, text, folder })
}

/// Reads a file of at most so many bytes. No more than that is read, as a device may have no end.
pub(super) fn read_at_most(file: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::file("read", file, &error);
    let mut bytes = Vec::new();
    std::fs::File::open(file).map_err(failed)?.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(Failure::usage(format!("`{}` has over {most} bytes, which is the most", file.display())));
    }
    Ok(bytes)
}

/// As [`read_at_most`], for texts.
pub(super) fn read_text(file: &Path, most: u64) -> Result<String, Failure> {
    String::from_utf8(read_at_most(file, most)?).map_err(|error| {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, error.utf8_error());
        Failure::file("read", file, &error)
    })
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
