//! Packages that skills ask for: the one form that is allowed, in which nothing is left to chance. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const HASH: &str = "--hash=sha256:";
const MAX_HASHES: usize = 200;
const MAX_WORD: usize = 128;

/// One package in one version, with the digests that its files may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Requirement {
    /// In the form that package indexes compare names in.
    pub(crate) name: String,
    pub(crate) version: String,
    /// Sorted; never none.
    hashes: Vec<String>,
}

impl FromStr for Requirement {
    type Err = String;

    /// `name==version --hash=sha256:…`, with as many hashes as the version has files. Nothing else that a requirements
    /// file may hold: no ranges, no addresses, no options.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        if first.starts_with('-') {
            return Err("options are not allowed".to_owned());
        }
        if text.contains(['@', ';', '[', '/', '\\', '#', ',', '\n', '\r']) {
            return Err(
                "only `name==version --hash=sha256:…` is allowed: no address, path, extra, marker or comment"
                    .to_owned(),
            );
        }
        let (name, version) = first.split_once("==").ok_or("it is not pinned; write `name==version`")?;
        let name = parse_name(name)?;
        if !is_version(version) {
            return Err("no exact version stands behind the `==`".to_owned());
        }
        let mut hashes = words.map(parse_hash).collect::<Result<Vec<_>, _>>()?;
        if hashes.is_empty() {
            return Err(
                "it has no hash; add `--hash=sha256:…` for each file that may be installed".to_owned()
            );
        }
        if hashes.len() > MAX_HASHES {
            return Err(format!("it has over {MAX_HASHES} hashes"));
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(Self { name, version: version.to_owned(), hashes })
    }
}

impl Requirement {
    /// Whether a folder of installed packages has this one in it, by the name of one of its entries. The version is not
    /// compared: to the tool that installed it, `1.0` and `1.0.0` are the same.
    pub(crate) fn is_installed_as(&self, entry: &str) -> bool {
        let whole = entry.strip_suffix(".dist-info").and_then(|whole| whole.rsplit_once('-'));
        whole.is_some_and(|(name, _)| parse_name(name).is_ok_and(|name| name == self.name))
    }
}

impl TryFrom<String> for Requirement {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Requirement> for String {
    fn from(requirement: Requirement) -> Self {
        requirement.to_string()
    }
}

fn parse_name(name: &str) -> Result<String, String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = |at: Option<&u8>| at.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    if bytes.len() > MAX_WORD
        || !bytes.iter().copied().all(inner)
        || !ends(bytes.first())
        || !ends(bytes.last())
    {
        return Err(format!("`{name}` is not the name of a package"));
    }
    let mut normal = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            other => normal.push(other.to_ascii_lowercase()),
        }
    }
    Ok(normal)
}

fn is_version(version: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'!' | b'+' | b'-' | b'_');
    let first = version.bytes().next();
    version.len() <= MAX_WORD
        && version.bytes().all(allowed)
        && first.is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn parse_hash(word: &str) -> Result<String, String> {
    let Some(digest) = word.strip_prefix(HASH) else {
        return Err(format!("`{word}` is not allowed; only `{HASH}…` may stand behind the version"));
    };
    match digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(digest.to_ascii_lowercase()),
        false => Err(format!("`{word}` is not a SHA-256 digest of 64 hexadecimal digits")),
    }
}

/// As it stands in a requirements file.
impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}=={}", self.name, self.version)?;
        self.hashes.iter().try_for_each(|digest| write!(formatter, " {HASH}{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_known_by_its_entry() {
        let one: Requirement = format!("some-package==1.0 {HASH}{}", "a".repeat(64)).parse().unwrap();
        for (entry, is_it) in [
            ("some_package-1.0.dist-info", true),
            ("Some.Package-1.0.0.dist-info", true),
            ("some_package", false),
            ("some_package-1.0.data", false),
            ("some-1.0.dist-info", false),
        ] {
            assert_eq!(one.is_installed_as(entry), is_it, "{entry}");
        }
    }

    #[test]
    fn what_is_pinned_and_hashed_is_allowed_and_nothing_else() {
        let (low, high) = ("a".repeat(64), "F".repeat(64));
        let two: Requirement = format!("Some_.Package==1.0  {HASH}{high} {HASH}{low}").parse().unwrap();
        assert_eq!(two.to_string(), format!("some-package==1.0 {HASH}{low} {HASH}{}", high.to_lowercase()));
        for (text, said) in [
            ("six", "not pinned"),
            ("six>=1.0", "not pinned"),
            ("six==1.16.0", "has no hash"),
            ("six==1.*", "no exact version"),
            ("six==", "no exact version"),
            ("six===1.0", "no exact version"),
            ("--index-url==https:x", "options"),
            ("-r==x", "options"),
            ("six @ https://example.com/six.whl", "only `name==version"),
            ("git+https://example.com/six", "only `name==version"),
            ("./six.whl", "only `name==version"),
            ("six[extra]==1.0", "only `name==version"),
            ("six==1.0; python_version<'3'", "only `name==version"),
            ("six==1.0 --index-url=x", "only `--hash=sha256:"),
            ("six==1.0 --hash=md5:00", "only `--hash=sha256:"),
            ("six==1.0 --hash=sha256:00", "not a SHA-256 digest"),
            ("-six==1.0", "options"),
            ("s x==1.0", "not pinned"),
            ("", "not pinned"),
        ] {
            let error = text.parse::<Requirement>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!(format!("six==1.0 {HASH}{low}\nevil==1.0").parse::<Requirement>().is_err());
    }
}
