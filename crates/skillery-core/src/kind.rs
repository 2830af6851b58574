//! What a version is: one function, or a folder of files.

use crate::words::word_enum;

word_enum! {
    /// What a version was published as.
    SkillKind {
        /// One Python source; `SKILL.md` was made from what is said about it.
        Function = "function",
        /// A folder with a `SKILL.md` of its own.
        Folder = "folder",
    }
}

impl SkillKind {
    /// Whether it is a function: what every version was before there were folders.
    pub fn is_function(&self) -> bool {
        *self == Self::Function
    }
}

/// A function, as what was written before there were folders says nothing.
impl Default for SkillKind {
    fn default() -> Self {
        Self::Function
    }
}
