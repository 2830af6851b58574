//! What is said of two versions and differs, as far as a page has room for it: the rest is counted.

use super::super::show::{cut, weight};
use skillery_core::api::{DependencyDiff, DiffResponse, FieldDiff, PermissionDiff, VersionFinding};

/// Rows of a kind.
const ROWS: usize = 30;
/// Values of one permission.
const VALUES: usize = 20;
/// Characters of a value.
const VALUE: usize = 400;
/// The part of the room that what is asked to be allowed has, and the part that each other kind has. Authors choose all of it, and
/// no kind pushes another one out.
const ALLOWED: usize = 3;
const OTHERS: usize = 7;
/// Findings that are shown beside what changed.
const FINDINGS: usize = 8;
/// What a row and a value of it have around their texts.
const ROW: usize = 180;
const AROUND: usize = 32;

/// A list of which some is left out.
#[derive(Debug)]
pub struct Few<T> {
    /// What is shown.
    pub shown: Vec<T>,
    /// How many are not.
    pub left: usize,
}

impl<T> Few<T> {
    /// As many as there is room for.
    fn fitting(mut all: Vec<T>, most: usize, room: &mut usize, weight: impl Fn(&T) -> usize) -> Self {
        let fits = |one: &&T| match room.checked_sub(weight(one)) {
            Some(left) => {
                *room = left;
                true
            }
            None => {
                *room = 0;
                false
            }
        };
        let (total, shown) = (all.len(), all.iter().take(most).take_while(fits).count());
        all.truncate(shown);
        Self { shown: all, left: total - shown }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
    /// Of this diff, where a page has so many bytes of HTML for it and for the files below it.
    pub fn of(diff: DiffResponse, room: usize) -> Self {
        let DiffResponse { permissions, fields, dependencies, findings, .. } = diff;
        // What is asked for anew comes before what is not asked for any more.
        let mut permissions = permissions;
        permissions.sort_by_key(|permission| permission.added.is_empty());
        let mut allowed = room / ALLOWED;
        let rows = Few::fitting(permissions, ROWS, &mut allowed, |row| ROW + weight(&row.path));
        let shown = rows.shown.into_iter().map(|row| permission(row, &mut allowed)).collect();
        let permissions = Few { shown, left: rows.left };
        let field = |field: FieldDiff| FieldDiff {
            field: field.field,
            before: field.before.as_deref().map(short),
            after: field.after.as_deref().map(short),
        };
        Self {
            permissions,
            fields: Few::fitting(
                fields.into_iter().map(field).collect(),
                ROWS,
                &mut (room / OTHERS),
                field_weight,
            ),
            dependencies: Few::fitting(dependencies, ROWS, &mut (room / OTHERS), need_weight),
            findings: Few::fitting(findings, FINDINGS, &mut (room / OTHERS), finding_weight),
        }
    }

    /// Bytes of HTML that it takes, at most nearly.
    pub fn weight(&self) -> usize {
        let texts = |texts: &[String]| texts.iter().map(|text| AROUND + weight(text)).sum::<usize>();
        let permissions = self
            .permissions
            .shown
            .iter()
            .map(|row| ROW + weight(&row.path) + texts(&row.added.shown) + texts(&row.removed.shown));
        permissions.sum::<usize>()
            + self.fields.shown.iter().map(field_weight).sum::<usize>()
            + self.dependencies.shown.iter().map(need_weight).sum::<usize>()
            + self.findings.shown.iter().map(finding_weight).sum::<usize>()
    }

    /// Whether there is nothing to say.
    pub fn is_nothing(&self) -> bool {
        self.permissions.is_empty()
            && self.fields.is_empty()
            && self.dependencies.is_empty()
            && self.findings.is_empty()
    }
}

fn both(before: Option<&String>, after: Option<&String>) -> usize {
    [before, after].into_iter().flatten().map(|text| AROUND + weight(text)).sum()
}

fn field_weight(row: &FieldDiff) -> usize {
    AROUND + both(row.before.as_ref(), row.after.as_ref())
}

fn need_weight(row: &DependencyDiff) -> usize {
    ROW / 2 + 2 * weight(&row.id) + both(row.before.as_ref(), row.after.as_ref())
}

fn finding_weight(row: &VersionFinding) -> usize {
    ROW + weight(&row.message) + weight(&row.path)
}

fn permission(diff: PermissionDiff, room: &mut usize) -> Permission {
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
    let mut values = |values: Vec<String>| {
        let values = values.iter().map(|value| short(value)).collect();
        Few::fitting(values, VALUES, room, |value: &String| AROUND + weight(value))
    };
    let (added, removed) = (values(added), values(removed));
    Permission { path, what: what.to_owned(), added, removed }
}

fn short(text: &str) -> String {
    match cut(text, VALUE) {
        Some((start, left)) => format!("{start} … (and {left} characters)"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_has_a_bounded_size_and_the_rest_is_counted() {
        const MOST: usize = 9_000;
        let row = |number: usize| PermissionDiff {
            path: format!("scripts/{number}.py"),
            permission: "hosts".to_owned(),
            added: (0..60).map(|value| format!("{value}{}", "\"".repeat(900))).collect(),
            removed: vec!["<".repeat(900); 60],
        };
        let mut room = MOST;
        let rows: Vec<Permission> = (0..40).map(|number| permission(row(number), &mut room)).collect();
        let weights = rows.iter().flat_map(|row| row.added.shown.iter().chain(&row.removed.shown));
        assert!(weights.map(|value| weight(value)).sum::<usize>() < MOST);
        assert!(rows.iter().all(|row| row.added.len() == 60 && row.removed.len() == 60));
        assert!(rows[0].added.left > 0 && rows[39].added.shown.is_empty() && !rows[39].added.is_empty());
    }
}
