//! How a skill is named on the command line: `org/name`, or `org/name@version` with a version or a range; of the
//! library also by its bare name.

use std::fmt;
use std::str::FromStr;

use skillery_core::{Segment, SkillId, VersionRequest};

/// A skill, and which version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The skill.
    pub(crate) id: SkillId,
    /// Which version; the latest when none was named.
    pub(crate) request: VersionRequest,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, request) = split(text)?;
        Ok(Self { id: parse(id)?, request: request.map_or(Ok(VersionRequest::Latest), parse)? })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            VersionRequest::Latest => self.id.fmt(formatter),
            request => write!(formatter, "{}@{request}", self.id),
        }
    }
}

/// A skill of the library, and which version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstalledName {
    /// `org/name`, or the name alone.
    pub(crate) name: String,
    /// Which version; what none means is the command's to say.
    pub(crate) request: Option<VersionRequest>,
}

impl FromStr for InstalledName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, request) = split(text)?;
        if name.contains('/') {
            parse::<SkillId>(name)?;
        } else {
            parse::<Segment>(name)?;
        }
        Ok(Self { name: name.to_owned(), request: request.map(parse).transpose()? })
    }
}

fn split(text: &str) -> Result<(&str, Option<&str>), String> {
    match text.split_once('@') {
        Some((_, "")) => Err("nothing stands behind the `@`".to_owned()),
        Some((name, request)) => Ok((name, Some(request))),
        None => Ok((text, None)),
    }
}

fn parse<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_behind_an_at() {
        for text in ["acme/x", "acme/x@1.0.0", "acme/y/x@^1", "acme/x@>=1, <3"] {
            let wanted: Wanted = text.parse().unwrap();
            assert_eq!(wanted.to_string(), text);
        }
        for text in ["x", "acme/x@", "acme/x@one", "@1.0.0", "acme/x@1@2"] {
            assert!(text.parse::<Wanted>().is_err(), "{text}");
        }
    }
}
