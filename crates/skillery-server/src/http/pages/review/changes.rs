//! What is said of two versions and differs, as far as a page has room for it: the rest is counted.

use skillery_core::api::{DependencyDiff, DiffResponse, FieldDiff, PermissionDiff, VersionFinding};

/// Rows of a kind.
const ROWS: usize = 30;
/// Values of one permission.
const VALUES: usize = 20;
/// Characters of a value.
const VALUE: usize = 400;

/// A list of which some is left out.
#[derive(Debug)]
pub struct Few<T> {
    /// What is shown.
    pub shown: Vec<T>,
    /// How many are not.
    pub left: usize,
}

impl<T> Few<T> {
    fn of(mut all: Vec<T>, most: usize) -> Self {
        let left = all.len().saturating_sub(most);
        all.truncate(most);
        Self { shown: all, left }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shown.len() + self.left
    }
}

/// What a file asks to be allowed.
#[derive(Debug)]
pub struct Permission {
    /// The file.
    pub path: String,
    /// What.
    pub what: String,
    /// What is asked for now and was not.
    pub added: Few<String>,
    /// What was asked for and is not.
    pub removed: Few<String>,
}

/// What is said of two versions and differs.
#[derive(Debug)]
pub struct Changes {
    /// What their files ask to be allowed.
    pub permissions: Few<Permission>,
    /// What is said of them.
    pub fields: Few<FieldDiff>,
    /// What they need.
    pub dependencies: Few<DependencyDiff>,
    /// What is found in the newer one alone.
    pub findings: Few<VersionFinding>,
}

impl Changes {
    /// Of this diff.
    pub fn of(diff: DiffResponse) -> Self {
        let DiffResponse { permissions, fields, dependencies, findings, .. } = diff;
        // What is asked for anew comes before what is not asked for any more.
        let mut permissions: Vec<Permission> = permissions.into_iter().map(permission).collect();
        permissions.sort_by_key(|permission| permission.added.is_empty());
        let field = |field: FieldDiff| FieldDiff {
            field: field.field,
            before: field.before.as_deref().map(cut),
            after: field.after.as_deref().map(cut),
        };
        Self {
            permissions: Few::of(permissions, ROWS),
            fields: Few::of(fields.into_iter().map(field).collect(), ROWS),
            dependencies: Few::of(dependencies, ROWS),
            findings: Few::of(findings, ROWS),
        }
    }

    /// Whether there is nothing to say.
    pub fn is_nothing(&self) -> bool {
        self.permissions.is_empty()
            && self.fields.is_empty()
            && self.dependencies.is_empty()
            && self.findings.is_empty()
    }
}

fn permission(diff: PermissionDiff) -> Permission {
    let PermissionDiff { path, permission, added, removed } = diff;
    let what = match permission.as_str() {
        "read" => "read files",
        "write" => "write files",
        "hosts" => "reach hosts",
        "environment" => "read variables",
        "subprocess" => "start programs",
        "memory_bytes" => "memory, in bytes",
        "seconds" => "seconds",
        "packages" => "install packages",
        "skills" => "call skills",
        "allowed-tools" => "use tools unasked",
        "program" => "be run as a program",
        "undeclared" => "anything: it does not say what",
        "unreadable" => "cannot be read",
        other => other,
    };
    let values = |values: Vec<String>| Few::of(values.iter().map(|value| cut(value)).collect(), VALUES);
    Permission { path, what: what.to_owned(), added: values(added), removed: values(removed) }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{} … ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}
