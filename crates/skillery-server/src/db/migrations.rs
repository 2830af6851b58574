//! The tables, and how older ones become these.
//!
//! A migration that has been released never changes; the next change is the next migration. The text runs on both
//! databases, but for what the order of bytes is called.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyPool, AssertSqlSafe, SqlSafeStr};

use super::Backend;

const FIRST: &str = include_str!("migrations/0001_first.sql");
const USAGE: &str = include_str!("migrations/0002_usage.sql");
const TREE: &str = include_str!("migrations/0003_tree.sql");
const WITNESS: &str = include_str!("migrations/0004_witness.sql");
const OIDC: &str = include_str!("migrations/0005_oidc.sql");
const SIGNING: &str = include_str!("migrations/0006_signing.sql");
const APPROVALS: &str = include_str!("migrations/0007_approvals.sql");
const ROTATION: &str = include_str!("migrations/0008_rotation.sql");
const SURFACES: &str = include_str!("migrations/0009_surfaces.sql");
const FOLDERS: &str = include_str!("migrations/0010_folders.sql");
const GIT: &str = include_str!("migrations/0011_git.sql");
const CLAWHUB: &str = include_str!("migrations/0012_clawhub.sql");
const NAMES: &str = include_str!("migrations/0013_names.sql");
const PAGES: &str = include_str!("migrations/0014_pages.sql");
const GATES: &str = include_str!("migrations/0015_gates.sql");
const USER_INSTALLS: &str = include_str!("migrations/0016_user_installs.sql");
const AUDIT: &str = include_str!("migrations/0017_audit.sql");
const COMMENTS: &str = include_str!("migrations/0018_comments.sql");
const REVIEW: &str = include_str!("migrations/0019_review.sql");
const INSIGHT: &str = include_str!("migrations/0020_insight.sql");
const NOTIFICATIONS: &str = include_str!("migrations/0021_notifications.sql");
const INSIGHT_WISHES: &str = include_str!("migrations/0025_insight_wishes.sql");

/// Brings the tables to the newest form. A database that a newer program has written is refused.
pub async fn run(pool: &AnyPool, backend: Backend) -> Result<(), MigrateError> {
    run_some(pool, all(backend)).await
}

async fn run_some(pool: &AnyPool, migrations: Vec<Migration>) -> Result<(), MigrateError> {
    let migrator = Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT };
    let mut connection = pool.acquire().await?;
    migrator.run(&mut *connection).await
}

fn all(backend: Backend) -> Vec<Migration> {
    [
        (1, "first", FIRST),
        (2, "usage", USAGE),
        (3, "tree", TREE),
        (4, "witness", WITNESS),
        (5, "oidc", OIDC),
        (6, "signing", SIGNING),
        (7, "approvals", APPROVALS),
        (8, "rotation", ROTATION),
        (9, "surfaces", SURFACES),
        (10, "folders", FOLDERS),
        (11, "git", GIT),
        (12, "clawhub", CLAWHUB),
        (13, "names", NAMES),
        (14, "pages", PAGES),
        (15, "gates", GATES),
        (16, "user installs", USER_INSTALLS),
        (17, "audit", AUDIT),
        (18, "comments", COMMENTS),
        (19, "review", REVIEW),
        (20, "insight", INSIGHT),
        (21, "notifications", NOTIFICATIONS),
        (25, "insight wishes", INSIGHT_WISHES),
    ]
    .into_iter()
    .map(|(number, name, text)| {
        let text = text.replace(Backend::Postgres.by_bytes(), backend.by_bytes());
        let text = AssertSqlSafe(text).into_sql_str();
        Migration::new(number, Cow::Borrowed(name), MigrationType::Simple, text, false)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use sqlx::Row;
    use sqlx::any::AnyPoolOptions;

    use super::*;

    #[tokio::test]
    async fn what_a_function_of_before_needs_is_not_told() {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
        let before = all(Backend::Sqlite).into_iter().filter(|migration| migration.version < 10).collect();
        run_some(&pool, before).await.unwrap();
        sqlx::query("PRAGMA foreign_keys = OFF").execute(&pool).await.unwrap();
        // As a program does that knows of no needs: before, and beside the new one.
        let put = "INSERT INTO versions (skill, version, status, digest, size, code_hash, description, tags, author, license, \
            files, words, publisher, created_at, log_position) \
            VALUES ('acme/x', $1, 'published', '', 0, '', '', '[]', '', '', '[]', '', 'u', 0, 0)";
        sqlx::query(put).bind("1.0.0").execute(&pool).await.unwrap();
        run(&pool, Backend::Sqlite).await.unwrap();
        sqlx::query(put).bind("2.0.0").execute(&pool).await.unwrap();
        let rows = sqlx::query("SELECT dependencies FROM versions").fetch_all(&pool).await.unwrap();
        let told: Vec<Option<String>> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(told, [None, None]);
    }
}
