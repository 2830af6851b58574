//! What of a diff is asked for, in the address of a page.

use std::str::FromStr;

use skillery_core::api::DiffSide;

use super::super::place::encoded;
use super::super::show::Count;
use crate::failure::Result;
use crate::http::call::{Call, invalid_parameter};
use crate::review::Against;

/// A line of a file of one of both versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Of which version the file is.
    pub side: DiffSide,
    /// The line, counted from 1; 0 stands for the whole file.
    pub line: u32,
    /// The file.
    pub path: String,
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || "it is a side, a line and a file, such as `new:12:SKILL.md`".to_owned();
        let mut parts = text.splitn(3, ':');
        let (Some(side), Some(line), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let line = line.parse().map_err(|_| wrong())?;
        match path.is_empty() {
            true => Err(wrong()),
            false => Ok(Self { side: side.parse()?, line, path: path.to_owned() }),
        }
    }
}

/// What of a diff is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The older version, if one was named.
    pub from: Option<Against>,
    /// Only this file.
    pub file: Option<String>,
    /// Rows of the file that come before.
    pub row: usize,
    /// Files that come before.
    pub offset: usize,
    /// Where somebody wants to say something.
    pub at: Option<At>,
    /// Whether all that the publisher says has changed is wanted, however much else that leaves no room for.
    pub is_told: bool,
}

impl Asked {
    /// By this call.
    pub fn of(call: &Call) -> Result<Self> {
        let at = call.parsed::<At>("at")?;
        // An empty choice of a menu is none.
        let from = call.parameter("from").map(|text| text.parse::<Against>()).transpose();
        Ok(Self {
            from: from.map_err(|error| invalid_parameter("from", &error.to_string()))?,
            file: call.parameter("file").or_else(|| at.as_ref().map(|at| at.path.clone())),
            row: call.parsed("row")?.unwrap_or(0),
            offset: call.parsed("offset")?.unwrap_or(0),
            at,
            is_told: call.parameter("told").is_some(),
        })
    }

    /// What is compared with.
    pub fn against(&self) -> Against {
        self.from.clone().unwrap_or_default()
    }

    fn address(&self, path: &str, more: &[(&str, String)]) -> String {
        let mut pairs: Vec<String> = Vec::new();
        match &self.from {
            Some(Against::Nothing) => pairs.push("from=none".to_owned()),
            Some(Against::Version(version)) => pairs.push(format!("from={}", encoded(&version.to_string()))),
            Some(Against::Before) | None => {}
        }
        pairs.extend(more.iter().map(|(name, value)| format!("{name}={}", encoded(value))));
        match pairs.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", pairs.join("&")),
        }
    }

    /// The page of all files.
    pub fn all(&self, path: &str) -> String {
        self.address(path, &[])
    }

    /// The same page, without a place where something is said.
    pub fn same(&self, path: &str) -> String {
        let mut more = Vec::new();
        if let Some(file) = &self.file {
            more.push(("file", file.clone()));
        }
        for (name, number) in [("row", self.row), ("offset", self.offset)] {
            if number > 0 {
                more.push((name, number.to_string()));
            }
        }
        self.address(path, &more)
    }

    /// One file, from this row on.
    pub fn file(&self, path: &str, file: &str, row: impl Count) -> String {
        let row = row.number();
        let mut more = vec![("file", file.to_owned())];
        if row > 0 {
            more.push(("row", row.to_string()));
        }
        self.address(path, &more)
    }

    /// The files from this one on.
    pub fn files(&self, path: &str, offset: impl Count) -> String {
        let offset = offset.number();
        let more = [("offset", offset.to_string())];
        self.address(path, if offset > 0 { &more } else { &[] })
    }

    /// Where something is said about a line, without the line: what comes before its side and number, and what behind.
    pub fn line(&self, file: &str) -> (String, String) {
        let start = self.address("", &[]);
        let start = if start.is_empty() { "?at=".to_owned() } else { format!("{start}&at=") };
        (start, format!(":{}", encoded(file)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_named_by_side_number_and_file() {
        let at = "old:12:a:b/c d.md".parse::<At>();
        assert_eq!(at, Ok(At { side: DiffSide::Old, line: 12, path: "a:b/c d.md".to_owned() }));
        for wrong in ["", "new", "new:1", "new:1:", "new:x:a", "both:1:a", "new:-1:a"] {
            assert!(wrong.parse::<At>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_keep_what_is_compared() {
        let asked = Asked { from: Some(Against::Nothing), file: Some("a&b".to_owned()), ..Asked::default() };
        assert_eq!(asked.same("/x"), "/x?from=none&file=a%26b");
        assert_eq!(asked.file("/x", "c d", 7_usize), "/x?from=none&file=c%20d&row=7");
        assert_eq!(asked.all("/x"), "/x?from=none");
        assert_eq!(Asked::default().line("a\"b"), ("?at=".to_owned(), ":a%22b".to_owned()));
    }
}
