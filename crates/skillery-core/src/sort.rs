//! In which order skills are found.

use crate::words::word_enum;

word_enum! {
    /// The order of what a search finds. Ties are always broken the same way, so that pages fit together.
    Sort {
        /// The best match first; the default with words.
        Relevance = "relevance",
        /// The most installed first; the default without words.
        Installs = "installs",
        /// The most installed in the last seven days first.
        Trending = "trending",
        /// The best rated first, of these the most often rated.
        Rating = "rating",
        /// The last published first.
        Updated = "updated",
        /// By id.
        Name = "name",
    }
}

impl Sort {
    /// The order of who names none: by what is searched for.
    pub fn usual(words: &str) -> Self {
        if words.trim().is_empty() { Self::Installs } else { Self::Relevance }
    }
}
