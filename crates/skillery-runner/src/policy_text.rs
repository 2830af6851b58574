//! Changing a policy as people write it: entries come, change and go, and comments stay. Pure.

use std::fmt;

use skillery_core::id::LOCAL_NAMESPACE;
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use crate::policy::{Grants, Policy};

/// Whom an entry of a policy is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// One skill, by its id.
    Skill(String),
    /// A namespace and all below it.
    Namespace(String),
}

impl Entry {
    /// What counts for it now: its own entry, or the nearest above.
    pub fn grants<'a>(&self, policy: &'a Policy) -> &'a Grants {
        match self {
            Self::Skill(id) => policy.grants(id),
            Self::Namespace(namespace) => policy.grants_below(namespace),
        }
    }

    fn section(&self) -> &'static str {
        match self {
            Self::Skill(_) => "skills",
            Self::Namespace(_) => "namespaces",
        }
    }

    /// The key, as it stands there where it does.
    fn key<'a>(&'a self, entries: &dyn TableLike) -> &'a str {
        match self {
            Self::Namespace(namespace) => namespace,
            Self::Skill(id) => {
                let bare = id.strip_prefix(LOCAL_NAMESPACE).and_then(|rest| rest.strip_prefix('/'));
                match bare {
                    Some(bare) if entries.contains_key(bare) && !entries.contains_key(id) => bare,
                    _ => id,
                }
            }
        }
    }
}

/// A namespace ends with a slash, as it is written for people.
impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skill(id) => formatter.write_str(id),
            Self::Namespace(namespace) => write!(formatter, "{namespace}/"),
        }
    }
}

/// The text of a policy with this entry instead of the one that it may have; without it where there are no grants. What
/// would not be a policy is refused.
pub fn set_entry(text: &str, entry: &Entry, grants: Option<&Grants>) -> Result<String, String> {
    Policy::parse(text)?;
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    let mut section = Table::new();
    section.set_implicit(true);
    let section = document.entry(entry.section()).or_insert(Item::Table(section));
    let no_table = || format!("`{}` is not a table", entry.section());
    let entries = section.as_table_like_mut().ok_or_else(no_table)?;
    let key = entry.key(entries);
    match grants {
        None => {
            entries.remove(key);
        }
        Some(grants) => {
            let present = entries.entry(key).or_insert(Item::Table(Table::new()));
            fill(present.as_table_like_mut().ok_or_else(no_table)?, grants)?;
            if let Some(inline) = present.as_inline_table_mut() {
                inline.fmt();
            }
        }
    }
    let changed = document.to_string();
    Policy::parse(&changed)?;
    Ok(changed)
}

/// Makes the fields of an entry say this; what says it already stays as it is.
fn fill(entry: &mut dyn TableLike, grants: &Grants) -> Result<(), String> {
    let fields = toml::to_string(grants).map_err(|error| error.to_string())?;
    let fields: DocumentMut = fields.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    let gone: Vec<String> =
        entry.iter().map(|(key, _)| key.to_owned()).filter(|key| !fields.contains_key(key)).collect();
    for key in gone {
        entry.remove(&key);
    }
    for (key, item) in fields.iter() {
        let Some(value) = item.as_value() else { continue };
        match entry.get_mut(key).and_then(Item::as_value_mut) {
            Some(Value::Array(present)) if value.is_array() => adjust(present, value.as_array()),
            Some(present) => {
                let decor = present.decor().clone();
                *present = value.clone();
                *present.decor_mut() = decor;
            }
            None => {
                entry.insert(key, item.clone());
            }
        }
    }
    Ok(())
}

/// Makes a list of texts say this; what stays keeps its comments.
fn adjust(present: &mut Array, wanted: Option<&Array>) {
    let texts = |array: &Array| -> Vec<String> {
        array.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let wanted = wanted.map(texts).unwrap_or_default();
    present.retain(|value| value.as_str().is_some_and(|text| wanted.iter().any(|one| one == text)));
    let kept = texts(present);
    present.extend(wanted.into_iter().filter(|text| !kept.contains(text)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# What mine may do.
[default]
seconds = 30 # enough

[skills.\"acme/report\"]
# Tables only.
read = [
  '/srv/tables', # big
]
subprocess = true

[skills]
mine = { seconds = 5 }
";

    fn skill(id: &str) -> Entry {
        Entry::Skill(id.to_owned())
    }

    #[test]
    fn comments_stay() {
        let policy = Policy::parse(TEXT).unwrap();
        let report =
            Grants { hosts: vec!["a:1".into()], subprocess: false, ..policy.grants("acme/report").clone() };
        let text = set_entry(TEXT, &skill("acme/report"), Some(&report)).unwrap();
        let mine = Grants { packages: true, ..policy.grants("local/mine").clone() };
        let text = set_entry(&text, &skill("local/mine"), Some(&mine)).unwrap();
        let data = Grants { write: vec!["/srv/out".into()], memory_bytes: 1 << 30, ..Grants::default() };
        let text = set_entry(&text, &Entry::Namespace("acme/data".into()), Some(&data)).unwrap();
        insta::assert_snapshot!(text, @r#"
        # What mine may do.
        [default]
        seconds = 30 # enough

        [skills."acme/report"]
        # Tables only.
        read = [
          '/srv/tables', # big
        ]
        hosts = ["a:1"]

        [namespaces."acme/data"]
        write = ["/srv/out"]
        memory_bytes = 1073741824

        [skills]
        mine = { seconds = 5, packages = true }
        "#);
        let policy = Policy::parse(&text).unwrap();
        assert_eq!(policy.grants("acme/report"), &report);
        assert_eq!(policy.grants("mine"), &mine);
        assert_eq!(policy.grants("acme/data/x"), &data);
        let text = set_entry(&text, &skill("acme/report"), None).unwrap();
        assert_eq!(Policy::parse(&text).unwrap().grants("acme/report"), &policy.default);
        // An entry alone, and nothing but what is needed.
        assert_eq!(
            set_entry("", &skill("acme/x"), Some(&mine)).unwrap(),
            "[skills.\"acme/x\"]\npackages = true\nseconds = 5\n"
        );
        assert_eq!(set_entry("", &skill("acme/x"), None).unwrap(), "");
    }

    #[test]
    fn what_is_no_policy_is_not_changed() {
        let nothing = Grants::default();
        assert!(set_entry("[skills", &skill("acme/x"), Some(&nothing)).is_err());
        assert!(set_entry("[skillz]", &skill("acme/x"), Some(&nothing)).is_err());
        let bad = Grants { hosts: vec!["everywhere".into()], ..Grants::default() };
        let error = set_entry("", &skill("acme/x"), Some(&bad)).unwrap_err();
        assert_eq!(error, "`acme/x`: `everywhere`: a host is written `host:port`");
    }
}
