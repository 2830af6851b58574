//! What may be named as a source: a path, or the address of a repository, whose password is never shown.

use std::path::{Component, Path, PathBuf};

use skillery_core::bundle::SKILL_FILE;
use skillery_core::token::Secret;
use url::Url;

use super::error::ImportError;

/// The schemes that repositories are fetched by. Others, such as `ext::`, run programs.
pub(super) const SCHEMES: [&str; 5] = ["https", "http", "ssh", "file", "git"];

/// Where skills come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A folder: one skill, or a folder of them.
    Folder(PathBuf),
    /// A ZIP archive.
    Archive(PathBuf),
    /// A Git repository.
    Git(Repository),
}

/// A Git repository, at one of its refs.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The address, which may hold a password.
    pub(super) url: Secret,
    /// The address without what only its owner may know.
    pub(super) shown: String,
    /// A branch, a tag or a commit; what the repository itself offers when left out.
    pub(super) reference: Option<String>,
    /// What must not appear in what `git` says, each with what is put there instead.
    pub(super) secrets: Vec<(Secret, &'static str)>,
}

impl Source {
    /// Reads what a person named. Whether a path is a folder is looked up.
    pub fn parse(named: &Path) -> Result<Self, ImportError> {
        let Some(text) = named.to_str() else { return Self::path(named) };
        if text.is_empty() || text.starts_with('-') {
            return Err(ImportError::bad_source(text, "it is empty, or looks like an option"));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            if !SCHEMES.contains(&scheme) {
                let known = SCHEMES.join(", ");
                let reason = format!("repositories are fetched by {known}, and not in this way");
                return Err(ImportError::bad_source(&without_userinfo(text), reason));
            }
            return Repository::parse(text).map(Self::Git);
        }
        if is_scp_like(text) {
            return Repository::parse(text).map(Self::Git);
        }
        Self::path(named)
    }

    fn path(named: &Path) -> Result<Self, ImportError> {
        let Ok(metadata) = std::fs::metadata(named) else { return Err(ImportError::not_there(named)) };
        if metadata.is_dir() {
            return Ok(Self::Folder(named.to_owned()));
        }
        if !metadata.is_file() {
            let shown = named.display().to_string();
            return Err(ImportError::bad_source(&shown, "it is neither a folder nor a file"));
        }
        if named.file_name().is_some_and(|name| name.eq_ignore_ascii_case(SKILL_FILE)) {
            let folder = named.parent().filter(|folder| !folder.as_os_str().is_empty());
            return Ok(Self::Folder(folder.unwrap_or(Path::new(".")).to_owned()));
        }
        Ok(Self::Archive(named.to_owned()))
    }

    /// The source as it may be shown.
    pub fn shown(&self) -> String {
        match self {
            Self::Folder(path) | Self::Archive(path) => path.display().to_string(),
            Self::Git(repository) => match &repository.reference {
                Some(reference) => format!("{}#{reference}", repository.shown),
                None => repository.shown.clone(),
            },
        }
    }
}

impl Repository {
    fn parse(text: &str) -> Result<Self, ImportError> {
        let (address, reference) = match text.split_once('#') {
            Some((address, reference)) => (address, Some(reference.to_owned())),
            None => (text, None),
        };
        let bad = |reason: &str| ImportError::bad_source(&without_userinfo(address), reason);
        if address.contains(|character: char| character.is_control() || character.is_whitespace()) {
            return Err(bad("the address has blanks or controls"));
        }
        if reference.as_deref().is_some_and(|reference| !is_reference(reference)) {
            return Err(bad("what stands behind `#` is no branch, tag or commit"));
        }
        let mut secrets: Vec<(String, &'static str)> = Vec::new();
        let mut shown = address.to_owned();
        if address.contains("://") {
            let url = Url::parse(address).map_err(|_| bad("it is no URL"))?;
            let has_host = url.host_str().is_some_and(|host| !host.is_empty() && !host.starts_with('-'));
            if url.scheme() != "file" && !has_host {
                return Err(bad("the address has no host"));
            }
            // A token may stand in the place of the user. For SSH the user is `git`, and no secret.
            let is_secret = url.password().is_some()
                || !url.username().is_empty() && matches!(url.scheme(), "http" | "https");
            if is_secret {
                shown = without_userinfo(address);
                let userinfo = userinfo(address).unwrap_or_default();
                secrets.push((format!("{userinfo}@"), "***@"));
                let last = userinfo.split_once(':').map_or(userinfo, |(_, password)| password);
                let decoded = percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned();
                secrets.extend([last.to_owned(), decoded].map(|secret| (secret, "***")));
                secrets.retain(|(secret, _)| !secret.is_empty());
            }
        }
        let secrets = secrets.into_iter().map(|(secret, instead)| (Secret::new(secret), instead)).collect();
        Ok(Self { url: Secret::new(address), shown: super::error::safe(&shown), reference, secrets })
    }

    /// What `git` said, without secrets.
    pub(super) fn redacted(&self, text: &str) -> String {
        let replaced =
            |text: String, (secret, instead): &(Secret, &'static str)| text.replace(secret.expose(), instead);
        super::error::safe(&self.secrets.iter().fold(text.to_owned(), replaced))
    }
}

/// A folder within a source: relative, and not above it.
pub(super) fn check_inner(inner: &Path) -> Result<(), ImportError> {
    let good = inner.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    match good && inner.components().next().is_some() {
        true => Ok(()),
        false => Err(ImportError::bad_source(
            &inner.display().to_string(),
            "the path within a source is relative, without `..`",
        )),
    }
}

/// `git@host:path`: a user, and a colon before the first slash.
fn is_scp_like(text: &str) -> bool {
    let Some((host, path)) = text.split_once(':') else { return false };
    let Some((user, host)) = host.split_once('@') else { return false };
    let plain = |part: &str| !part.is_empty() && !part.starts_with('-') && !part.contains(['/', '\\']);
    plain(user) && plain(host) && !path.is_empty()
}

/// The rules of Git for the names of refs, as far as they keep a name from being an option, a pattern or a pair.
fn is_reference(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && !text.starts_with(['-', '+', '/'])
        && !text.contains("..")
        && !text.contains("@{")
        && !text.chars().any(|character| {
            character.is_control() || character.is_whitespace() || "~^:?*[\\#".contains(character)
        })
}

/// What stands before the host of an address. The last `@` of the authority ends it, as for whoever connects.
fn userinfo(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    authority.rsplit_once('@').map(|(userinfo, _)| userinfo)
}

fn without_userinfo(address: &str) -> String {
    match userinfo(address) {
        Some(userinfo) => address.replacen(&format!("{userinfo}@"), "***@", 1),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Source, String> {
        Source::parse(Path::new(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_known_and_their_passwords_are_not_shown() {
        for (text, shown) in [
            ("https://host.example/a/b.git#v1.0", "https://host.example/a/b.git#v1.0"),
            ("https://me:hunter2@host.example/a", "https://***@host.example/a"),
            ("https://hunter2@host.example/a#main", "https://***@host.example/a#main"),
            ("ssh://git@host.example/a", "ssh://git@host.example/a"),
            ("ssh://git:hunter2@host.example/a", "ssh://***@host.example/a"),
            ("git@host.example:a/b.git", "git@host.example:a/b.git"),
            ("file:///srv/a", "file:///srv/a"),
        ] {
            let source = parse(text).unwrap();
            assert!(matches!(source, Source::Git(_)), "{text}");
            assert_eq!(source.shown(), shown);
            assert!(!format!("{source:?}").contains("hunter2"), "{source:?}");
        }
        let Source::Git(repository) = parse("https://me:hunter%32@host.example/a").unwrap() else { panic!() };
        let said = "fatal: 'https://me:hunter%32@host.example/a' and hunter2 \u{1b}[31m";
        assert_eq!(repository.redacted(said), "fatal: 'https://***@host.example/a' and *** \\u{1b}[31m");
    }

    #[test]
    fn what_is_no_source_says_so() {
        for text in [
            "",
            "-x",
            "--upload-pack=touch x",
            "ext::sh -c touch% x",
            "ext://x",
            "ftp://me:hunter2@host.example/a",
            "https://",
            "https://-x/a",
            "https://host.example/a b",
            "https://host.example/a#",
            "https://host.example/a#--upload-pack=x",
            "https://host.example/a#a:b",
            "https://host.example/a#+a",
            "https://host.example/a#a..b",
            "ssh://-oProxyCommand=x/a",
            "git@-oProxyCommand=x:a",
            "nowhere",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_path_within_does_not_lead_out() {
        for (path, good) in [
            ("skills/a", true),
            ("./a", true),
            ("..", false),
            ("a/../../b", false),
            ("/a", false),
            ("", false),
        ] {
            assert_eq!(check_inner(Path::new(path)).is_ok(), good, "{path}");
        }
    }
}
