//! The tables, and how older ones become these.
//!
//! A migration that has been released never changes; the next change is the next migration. The text runs on both
//! databases.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyPool, SqlSafeStr};

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
const PAGES: &str = include_str!("migrations/0014_pages.sql");

/// Brings the tables to the newest form. A database that a newer program has written is refused.
pub async fn run(pool: &AnyPool) -> Result<(), MigrateError> {
    let migrations = [
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
        (14, "pages", PAGES),
    ]
    .into_iter()
    .map(|(number, name, text)| {
        Migration::new(number, Cow::Borrowed(name), MigrationType::Simple, text.into_sql_str(), false)
    })
    .collect::<Vec<_>>();
    let migrator = Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT };
    let mut connection = pool.acquire().await?;
    migrator.run(&mut *connection).await
}
