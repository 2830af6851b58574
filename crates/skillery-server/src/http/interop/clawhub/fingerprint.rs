//! Fingerprints: by which the program knows a folder again.
//!
//! One is the SHA-256 over a line for each file, in the order in which JavaScript sorts their paths. What the program leaves
//! out of it, this leaves out.

use std::collections::HashMap;
use std::fmt::Write;

use icu_collator::options::CollatorOptions;
use icu_collator::provider::{
    Baked, CollationDiacriticsV1, CollationJamoV1, CollationMetadataV1, CollationReorderingV1,
    CollationRootV1, CollationSpecialPrimariesV1, CollationTailoringV1,
};
use icu_collator::{Collator, CollatorPreferences};
use icu_normalizer::provider::{Baked as Normalizer, NormalizerNfdDataV1, NormalizerNfdTablesV1};
use icu_provider::{DataError, DataErrorKind, DataMarker, DataProvider, DataRequest, DataResponse};
use quick_cache::sync::Cache;
use skillery_core::api::FileSummary;
use skillery_core::{Digest, Version, VersionStatus};

use crate::app::App;
use crate::db::versions;
use crate::failure::{Failure, Result};

/// Bundles whose fingerprints are remembered at most.
const KEPT: usize = 50_000;
/// Versions whose files are read at once.
const READ: usize = 64;

/// The two that a folder can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prints {
    /// Of a folder that is to be published.
    pub published: Digest,
    /// Of one that was installed: a `skill-card.md` counts there.
    pub installed: Digest,
}

/// Fingerprints by the digest of the bundle. Neither ever changes.
pub struct Fingerprints(Cache<Digest, Prints>);

impl Default for Fingerprints {
    fn default() -> Self {
        Self(Cache::new(KEPT))
    }
}

/// The fingerprints of these files. Thousands take a while to sort: it blocks.
fn of(files: &[FileSummary]) -> Prints {
    let mut counted: Vec<(&str, Digest)> =
        files.iter().map(|file| (file.path.as_str(), file.digest)).filter(|(path, _)| counts(path)).collect();
    // What it takes for the same is told apart by its bytes.
    counted.sort_unstable();
    // It is tested that there is one.
    if let Ok(collator) = collator() {
        let collator = collator.as_borrowed();
        counted.sort_by(|left, right| collator.compare(left.0, right.0));
    }
    let is_card = |path: &str| path.eq_ignore_ascii_case("skill-card.md");
    Prints {
        installed: print(counted.iter()),
        published: print(counted.iter().filter(|(path, _)| !is_card(path))),
    }
}

fn print<'files>(files: impl Iterator<Item = &'files (&'files str, Digest)>) -> Digest {
    let mut lines = String::new();
    for (place, (path, digest)) in files.enumerate() {
        let separator = if place == 0 { "" } else { "\n" };
        // Writing to a text does not fail.
        let _ = write!(lines, "{separator}{path}:{digest}");
    }
    Digest::of(lines.as_bytes())
}

/// Whether the program looks at a file of this path: at no hidden one, and at none that npm has put there.
fn counts(path: &str) -> bool {
    path.split('/').all(|part| !part.starts_with('.') && part != "node_modules")
}

/// The order of `localeCompare` in English and in no language. Its data is a part of the program, so that making one costs next to nothing.
fn collator() -> std::result::Result<Collator, DataError> {
    Collator::try_new_unstable(&Root, CollatorPreferences::default(), CollatorOptions::default())
}

/// The data of the root collation and of no language, of which there would be a megabyte.
struct Root;

macro_rules! root_data {
    ($($marker:ty, $provider:expr;)*) => {$(
        impl DataProvider<$marker> for Root {
            fn load(&self, request: DataRequest) -> std::result::Result<DataResponse<$marker>, DataError> {
                DataProvider::<$marker>::load(&$provider, request)
            }
        }
    )*};
}
root_data! {
    CollationRootV1, Baked;
    CollationDiacriticsV1, Baked;
    CollationJamoV1, Baked;
    CollationMetadataV1, Baked;
    CollationReorderingV1, Baked;
    CollationSpecialPrimariesV1, Baked;
    NormalizerNfdDataV1, Normalizer;
    NormalizerNfdTablesV1, Normalizer;
}

impl DataProvider<CollationTailoringV1> for Root {
    fn load(
        &self,
        request: DataRequest,
    ) -> std::result::Result<DataResponse<CollationTailoringV1>, DataError> {
        Err(DataErrorKind::IdentifierNotFound.with_req(CollationTailoringV1::INFO, request))
    }
}

/// The version of a skill that a folder of this fingerprint is: the highest that is published, else that was yanked.
pub async fn version_of(app: &App, key: &str, wanted: Digest) -> Result<Option<Version>> {
    let mut rows = versions::digests(&app.db, key).await?;
    rows.retain(|(_, status, _)| matches!(status, VersionStatus::Published | VersionStatus::Yanked));
    rows.sort_by(|left, right| right.0.cmp(&left.0));
    rows.sort_by_key(|(_, status, _)| *status == VersionStatus::Yanked);
    for piece in rows.chunks(READ) {
        let mut prints: HashMap<Digest, Prints> = HashMap::with_capacity(piece.len());
        let mut unknown = Vec::new();
        for (version, _, digest) in piece {
            match app.fingerprints.0.get(digest) {
                Some(known) => drop(prints.insert(*digest, known)),
                None => unknown.push(version),
            }
        }
        for (digest, found) in read(app, key, &unknown).await? {
            app.fingerprints.0.insert(digest, found);
            prints.insert(digest, found);
        }
        let is_it = |digest: &Digest| {
            prints.get(digest).is_some_and(|prints| [prints.published, prints.installed].contains(&wanted))
        };
        if let Some((version, ..)) = piece.iter().find(|(_, _, digest)| is_it(digest)) {
            return Ok(Some(version.clone()));
        }
    }
    Ok(None)
}

async fn read(app: &App, key: &str, versions: &[&Version]) -> Result<Vec<(Digest, Prints)>> {
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let files = versions::files_of(&app.db, key, versions).await?;
    let sort = move || files.into_iter().map(|(digest, files)| (digest, of(&files))).collect();
    tokio::task::spawn_blocking(sort).await.map_err(Failure::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(contents: &[(&str, &str)]) -> Vec<FileSummary> {
        let file = |(path, content): &(&str, &str)| FileSummary {
            path: (*path).to_owned(),
            size: content.len() as u64,
            mode: "0644".to_owned(),
            digest: Digest::of(content.as_bytes()),
        };
        contents.iter().map(file).collect()
    }

    /// What the function of the program itself answers for these.
    #[test]
    fn they_are_those_of_the_program() {
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[("SKILL.md", "a")], "11db9ba9b64384be271043e21759e8ff61892d846bf808f74a0cb456a688d368"),
            (
                &[("SKILL.md", "a"), ("references/x.md", "b")],
                "a363375c9f5321c117185de7b7b83ae6760fa54bd098bf6bf8468ecd042a30fe",
            ),
            (
                &[
                    ("SKILL.md", "a"),
                    ("references/x.md", "b"),
                    ("Zeta.md", "c"),
                    ("a_b.md", "d"),
                    ("a-b.md", "e"),
                    ("A.md", "f"),
                    ("a.md", "g"),
                    ("scripts/10.sh", "h"),
                    ("scripts/2.sh", "i"),
                ],
                "1904a65920e5981e872b4d33cd6f57b681eb7a8f0306b8ec8ae02ce8051ffb01",
            ),
            (
                &[
                    ("SKILL.md", "a"),
                    ("é.md", "b"),
                    ("e.md", "c"),
                    ("f.md", "d"),
                    ("日本.md", "e"),
                    ("я.md", "f"),
                ],
                "2dc8b84354edc81ca1025963edfd97df9aa3e537a1257ba6ae3368fda84d9541",
            ),
        ];
        for (contents, expected) in cases {
            let mut shuffled = files(contents);
            shuffled.reverse();
            let prints = of(&shuffled);
            assert_eq!(prints.published.to_string(), expected, "{contents:?}");
            assert_eq!(prints.installed, prints.published);
        }
    }

    #[test]
    fn what_the_program_leaves_out_is_left_out() {
        let plain = of(&files(&[("SKILL.md", "a")]));
        let more = of(&files(&[
            ("SKILL.md", "a"),
            (".env", "b"),
            ("scripts/.hidden/x", "c"),
            ("node_modules/x/y.js", "d"),
            ("deep/node_modules/z.js", "e"),
            ("Skill-Card.md", "f"),
        ]));
        assert_eq!(more.published, plain.published);
        assert_ne!(more.installed, plain.installed);
        assert_ne!(of(&files(&[("SKILL.md", "a"), ("deep/skill-card.md", "b")])).published, plain.published);
    }
}
