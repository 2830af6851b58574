//! The signing secrets that this user holds, by registry and org, in a file for its owner only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skillery_core::token::Secret;

use crate::config::without_source_line;
use crate::error::{Error, Result};
use crate::files::{self, Readers};
use crate::home::Home;

/// Secrets that an org has had are kept, so that what was signed earlier still verifies; not without end.
const SECRETS_PER_ORG: usize = 8;

/// Signing secrets. `Debug` does not show them.
#[derive(Debug, Clone, Default)]
pub struct Keys(BTreeMap<String, BTreeMap<String, Vec<Secret>>>);

#[derive(Serialize, Deserialize, Default)]
#[serde(transparent)]
struct FileForm(BTreeMap<String, BTreeMap<String, Vec<String>>>);

impl Keys {
    /// What the file of this home holds; nothing when there is no file.
    pub fn load(home: &Home) -> Result<Self> {
        let path = home.keys_file();
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::disk("read the signing secrets")(error)),
        };
        let FileForm(registries) = toml::from_str(&text).map_err(|error| Error::BadFile {
            path: path.display().to_string(),
            source: without_source_line(&error, &text).into(),
        })?;
        let wrap = |secrets: Vec<String>| secrets.into_iter().map(Secret::new).collect();
        let wrap_orgs = |orgs: BTreeMap<String, Vec<String>>| {
            orgs.into_iter().map(|(org, list)| (org, wrap(list))).collect()
        };
        Ok(Self(registries.into_iter().map(|(registry, orgs)| (registry, wrap_orgs(orgs))).collect()))
    }

    /// The secrets of an org at a registry (see [`Client::registry`](crate::Client::registry)), the newest first.
    pub fn secrets(&self, registry: &str, org: &str) -> &[Secret] {
        self.0.get(registry).and_then(|orgs| orgs.get(&fold(org))).map_or(&[], Vec::as_slice)
    }

    /// Every registry and org that a secret is held for.
    pub fn orgs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .flat_map(|(registry, orgs)| orgs.keys().map(move |org| (registry.as_str(), org.as_str())))
    }

    /// Adds a secret as the newest of its org.
    pub fn add(home: &Home, registry: &str, org: &str, secret: &Secret) -> Result<()> {
        check(secret)?;
        Self::update(home, |keys| {
            let secrets = keys.0.entry(registry.to_owned()).or_default().entry(fold(org)).or_default();
            secrets.retain(|known| known != secret);
            secrets.insert(0, secret.clone());
            secrets.truncate(SECRETS_PER_ORG);
        })
    }

    /// Forgets the secrets of an org. Whether there were any.
    pub fn remove(home: &Home, registry: &str, org: &str) -> Result<bool> {
        let mut removed = false;
        Self::update(home, |keys| {
            if let Some(orgs) = keys.0.get_mut(registry) {
                removed = orgs.remove(&fold(org)).is_some();
                if orgs.is_empty() {
                    keys.0.remove(registry);
                }
            }
        })?;
        Ok(removed)
    }

    fn update(home: &Home, change: impl FnOnce(&mut Self)) -> Result<()> {
        let _lock = home.lock()?;
        let mut keys = Self::load(home)?;
        change(&mut keys);
        let unwrap =
            |secrets: &Vec<Secret>| secrets.iter().map(|secret| secret.expose().to_owned()).collect();
        let form = FileForm(
            keys.0
                .iter()
                .map(|(registry, orgs)| {
                    (registry.clone(), orgs.iter().map(|(org, list)| (org.clone(), unwrap(list))).collect())
                })
                .collect(),
        );
        let text = toml::to_string(&form).map_err(Error::internal("write the signing secrets as TOML"))?;
        files::write_atomically(&home.keys_file(), text.as_bytes(), Readers::Owner)
            .map_err(Error::disk(format!("write {}", home.keys_file().display())))
    }
}

/// A signing secret has 1 to 1,024 characters.
pub(crate) fn check(secret: &Secret) -> Result<()> {
    match secret.expose().chars().count() {
        1..=1_024 => Ok(()),
        _ => Err(Error::invalid("the signing secret", "it has 1 to 1024 characters")),
    }
}

/// Orgs that differ only by `-`, `_` and `.` are one.
fn fold(org: &str) -> String {
    org.replace(['_', '.'], "-")
}
