//! What the user thinks of installed skills. It stays on this machine; a registry's ratings are another thing.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use skillery_core::time::Time;
use skillery_core::{Limits, Rating};

use crate::error::{Error, Result};
use crate::files::{self, Readers};
use crate::library::Library;
use crate::metrics::{Metrics, now};

const FILE: &str = "ratings.json";

/// The user's rating of a skill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LocalRating {
    /// From 1 to 5, to one decimal.
    pub rating: Rating,
    /// What the user wrote, if something.
    pub review: Option<String>,
    /// When it was given.
    pub rated_at: Time,
}

/// By skill.
pub(super) type Ratings = BTreeMap<String, LocalRating>;

impl Metrics {
    /// Rates an installed skill, in place of an earlier rating.
    pub fn rate(
        &self,
        library: &Library,
        name: &str,
        rating: Rating,
        review: Option<&str>,
    ) -> Result<LocalRating> {
        let review = review.map(str::trim).filter(|review| !review.is_empty());
        let limit = Limits::default().review_length;
        if review.is_some_and(|review| review.chars().count() > limit) {
            return Err(Error::invalid("`review`", format!("it is longer than {limit} characters")));
        }
        let id = library.find(name)?;
        let rated = LocalRating { rating, review: review.map(str::to_owned), rated_at: now() };
        let _lock = self.lock()?;
        let mut ratings = read(&self.folder)?;
        ratings.insert(id.to_string(), rated.clone());
        let bytes = serde_json::to_vec(&ratings).map_err(Error::internal("write ratings"))?;
        files::write_atomically(&self.folder.join(FILE), &bytes, Readers::Owner)
            .map_err(Error::disk("write ratings"))?;
        Ok(rated)
    }
}

/// All ratings. A file that cannot be understood is not overwritten.
pub(super) fn read(folder: &Path) -> Result<Ratings> {
    let path = folder.join(FILE);
    match fs_err::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| Error::BadFile { path: path.display().to_string(), source: error.into() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Ratings::new()),
        Err(error) => Err(Error::disk("read ratings")(error)),
    }
}
