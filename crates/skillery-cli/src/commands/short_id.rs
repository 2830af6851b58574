//! Ids as people type them: by their end.

use crate::failure::{Exit, Failure};

/// Characters of an id that are shown.
const SHORT: usize = 8;

/// The end of an id, by which a thread or a comment is called.
pub(crate) fn short(id: &str) -> &str {
    id.char_indices().rev().nth(SHORT - 1).map_or(id, |(start, _)| &id[start..])
}

/// The one of these ids that ends so. `what` it is of `of`, and `show` lists them.
pub(crate) fn one_of<'a>(
    what: &str,
    of: &str,
    ids: impl Iterator<Item = &'a str>,
    end: &str,
    show: &str,
) -> Result<&'a str, Failure> {
    let mut found = ids.filter(|id| !end.is_empty() && id.ends_with(end));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => {
            let message = format!("the ids of several {what}s end in `{end}`");
            let code = format!("ambiguous-{what}");
            Err(Failure::new(Exit::Usage, &code, &message).hint("give more of the id"))
        }
        (None, _) => {
            let message = format!("{of} has no {what} `{end}`");
            let show = format!("`{show}` lists them");
            Err(Failure::new(Exit::NotFound, "comment-not-found", &message).hint(&show))
        }
    }
}
