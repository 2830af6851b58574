//! Skills that a skill builds on.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bundle::{self, BundleFile};
use crate::id::IdError;
use crate::limits::MAX_DEPENDENCIES;
use crate::lint::{Strictness, lint};
use crate::version::VersionError;
use crate::{Limits, SkillId, SkillKind, SkillName, SkillReference, VersionRequest, script};

/// Why a text is no dependency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// The id is none.
    #[error("a dependency is no id of a skill: {0}")]
    BadId(IdError),
    /// The range is none.
    #[error("the range of `{0}` is none: {1}")]
    BadRange(SkillId, VersionError),
    /// The skill was named before, if with other signs between its words.
    #[error("`{0}` is named twice")]
    Twice(SkillId),
    /// A list has nothing between two commas.
    #[error("there is nothing between two commas")]
    Empty,
    /// Over a hundred.
    #[error("there are more than {MAX_DEPENDENCIES} dependencies")]
    TooMany,
}

/// Skills that a skill needs, with the versions of each that fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependencies(BTreeMap<SkillId, VersionRequest>);

impl Dependencies {
    /// What a skill declares: a folder in `skillery.toml` or in `SKILL.md`, a function in the block of its code. What cannot be
    /// read is passed over, as whoever publishes was told of it.
    pub fn declared(kind: SkillKind, id: &SkillId, files: &[BundleFile]) -> Self {
        match kind {
            SkillKind::Folder => {
                lint(files, None, Strictness::Lenient, &Limits::default()).manifest.dependencies
            }
            SkillKind::Function => {
                let code = bundle::code_of(files, id).and_then(|code| String::from_utf8(code).ok());
                code.map(|code| Self::of_code(&code)).unwrap_or_default()
            }
        }
    }

    /// The skills that the block `# /// script` of a function lists, in `[tool.skillery] skills`. One that is named without its
    /// namespace is whichever the caller has, and so none that could be brought along.
    pub fn of_code(code: &str) -> Self {
        let mut dependencies = Self::default();
        // Most code has no block, and is not taken apart for it.
        if !code.contains("/// script") {
            return dependencies;
        }
        for listed in script::Manifest::of_code(code).unwrap_or_default().skills {
            if let Ok(SkillReference { name: SkillName::Id(id), version, .. }) = listed.parse() {
                // Two lines about one skill, or two scripts of it: the first counts.
                let _ = dependencies.add(id, version);
            }
        }
        dependencies
    }

    /// Adds one.
    pub fn add(&mut self, id: SkillId, wanted: VersionRequest) -> Result<(), DependencyError> {
        if self.find(&id).is_some() {
            return Err(DependencyError::Twice(id));
        }
        if self.0.len() >= MAX_DEPENDENCIES {
            return Err(DependencyError::TooMany);
        }
        self.0.insert(id, wanted);
        Ok(())
    }

    /// What is wanted of a skill, whichever signs stand between the words of its id.
    pub fn find(&self, id: &SkillId) -> Option<(&SkillId, &VersionRequest)> {
        self.0.get_key_value(id).or_else(|| {
            let key = id.key();
            self.0.iter().find(|(other, _)| other.key() == key)
        })
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&SkillId, &VersionRequest)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads an id and a range apart.
    pub fn one(id: &str, range: &str) -> Result<(SkillId, VersionRequest), DependencyError> {
        let id: SkillId = id.trim().parse().map_err(DependencyError::BadId)?;
        match range.trim().parse() {
            Ok(wanted) => Ok((id, wanted)),
            Err(error) => Err(DependencyError::BadRange(id, error)),
        }
    }

    /// Reads a list such as `acme/base ^1.2, acme/tools >=2, <3`: a comma that no id follows belongs to a range.
    pub fn parse_list(text: &str) -> Result<Self, DependencyError> {
        let mut dependencies = Self::default();
        if text.trim().is_empty() {
            return Ok(dependencies);
        }
        let mut pieces = text.split(',').map(str::trim).peekable();
        while let Some(piece) = pieces.next() {
            if piece.is_empty() {
                return Err(DependencyError::Empty);
            }
            let (id, range) = piece.split_once(char::is_whitespace).unwrap_or((piece, ""));
            let mut range = range.to_owned();
            while let Some(next) = pieces.next_if(|next| !next.contains('/') && !next.is_empty()) {
                range.push_str(", ");
                range.push_str(next);
            }
            let (id, wanted) = Self::one(id, &range)?;
            dependencies.add(id, wanted)?;
        }
        Ok(dependencies)
    }
}

impl Serialize for Dependencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(id, wanted)| (id, wanted.to_string())))
    }
}

impl<'de> Deserialize<'de> for Dependencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
        let mut dependencies = Self::default();
        for (id, range) in texts {
            let (id, wanted) = Self::one(&id, &range).map_err(serde::de::Error::custom)?;
            dependencies.add(id, wanted).map_err(serde::de::Error::custom)?;
        }
        Ok(dependencies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> String {
        match Dependencies::parse_list(text) {
            Ok(dependencies) => serde_json::to_string(&dependencies).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn lists_are_read_and_bad_ones_say_why() {
        let cases = [
            "",
            "acme/base ^1.2, acme/tools ~2",
            "acme/base >=1, <3, acme/tools",
            "acme/base 1.2.0",
            "acme/email/base   latest",
            "base ^1",
            "acme/base ^1,",
            ", acme/base",
            "acme/base one",
            "acme/a_b ^1, acme/a-b ^2",
            "acme/base@^1",
        ];
        let said: Vec<String> = cases.iter().map(|text| format!("{text:?}: {}", list(text))).collect();
        insta::assert_snapshot!(said.join("\n"));
        let many: Vec<String> = (0..101).map(|number| format!("acme/s{number}")).collect();
        assert_eq!(Dependencies::parse_list(&many.join(",")), Err(DependencyError::TooMany));
    }

    #[test]
    fn scripts_of_a_folder_are_dependencies_too() {
        let code = "# /// script\n# [tool.skillery]\n# skills = [\"acme/pdf#extract\", \"acme/pdf#fill\", \"acme/x@^1#y\", \"z\"]\n# ///\n";
        let found = Dependencies::of_code(code);
        assert_eq!(serde_json::to_string(&found).unwrap(), r#"{"acme/pdf":"latest","acme/x":"^1"}"#);
    }

    #[test]
    fn json_round_trips() {
        let dependencies = Dependencies::parse_list("acme/base ^1.2, acme/tools 1.0.0, acme/x").unwrap();
        let text = serde_json::to_string(&dependencies).unwrap();
        assert_eq!(serde_json::from_str::<Dependencies>(&text).unwrap(), dependencies);
        assert!(serde_json::from_str::<Dependencies>(r#"{"acme/a_b":"1","acme/a-b":"1"}"#).is_err());
    }
}
