//! The statement as it stands in JSON.

use serde::{Deserialize, Serialize};

use super::{PREDICATE_TYPE, STATEMENT_TYPE, Statement, StatementError, StatementFile};
use crate::time::Time;
use crate::{Digest, Namespace, Segment, SkillId, Version};

/// The statement as it stands in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(rename = "_type")]
    kind: String,
    subject: [Subject; 1],
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectDigest {
    sha256: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    registry: String,
    namespace: Namespace,
    name: Segment,
    version: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<Time>,
    files: Vec<File>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    builder: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: String,
    /// `0644` or `0755`, as people write it; JSON has no octal numbers.
    mode: String,
    size: u64,
    sha256: Digest,
}

impl Document {
    /// What stands in JSON for this statement.
    pub(super) fn of(statement: &Statement) -> Result<Self, StatementError> {
        let files = statement.files.iter().map(|file| File {
            path: file.path.clone(),
            mode: format!("{:04o}", file.mode),
            size: file.size,
            sha256: file.sha256,
        });
        Ok(Self {
            kind: STATEMENT_TYPE.to_owned(),
            subject: [Subject {
                name: format!("{}@{}", statement.id, statement.version),
                digest: SubjectDigest { sha256: statement.bundle },
            }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate {
                registry: statement.registry.clone(),
                namespace: statement.id.namespace(),
                name: statement.id.name().parse()?,
                version: statement.version.clone(),
                created: statement.created,
                files: files.collect(),
                builder: statement.builder.clone(),
            },
        })
    }

    /// The statement, whose types and subject are right and whose other rules are not yet checked.
    pub(super) fn into_statement(self) -> Result<Statement, StatementError> {
        for (found, expected) in [(self.kind, STATEMENT_TYPE), (self.predicate_type, PREDICATE_TYPE)] {
            if found != expected {
                return Err(StatementError::Type { found: found.escape_debug().to_string(), expected });
            }
        }
        let [subject] = self.subject;
        let predicate = self.predicate;
        let id = SkillId::new(&predicate.namespace, &predicate.name)?;
        let rest = format!("{id}@{}", predicate.version);
        if subject.name != rest {
            return Err(StatementError::Subject { subject: subject.name.escape_debug().to_string(), rest });
        }
        let files = predicate.files.into_iter().map(|file| {
            let mode = match file.mode.as_str() {
                "0644" => 0o644,
                "0755" => 0o755,
                _ => return Err(StatementError::Mode(file.path.escape_debug().to_string())),
            };
            Ok(StatementFile { path: file.path, mode, size: file.size, sha256: file.sha256 })
        });
        Ok(Statement {
            registry: predicate.registry,
            id,
            version: predicate.version,
            bundle: subject.digest.sha256,
            files: files.collect::<Result<_, _>>()?,
            created: predicate.created,
            builder: predicate.builder,
        })
    }
}
