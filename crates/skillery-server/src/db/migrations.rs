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
const TALK: &str = include_str!("migrations/0022_talk.sql");
const KEPT: &str = include_str!("migrations/0023_kept.sql");
const STAGES: &str = include_str!("migrations/0024_approvals.sql");
const INSIGHT_WISHES: &str = include_str!("migrations/0025_insight_wishes.sql");
const PLACES: &str = include_str!("migrations/0027_places.sql");
const FINDINGS: &str = include_str!("migrations/0028_findings.sql");
const TURNS: &str = include_str!("migrations/0029_turns.sql");
const REPORTS: &str = include_str!("migrations/0030_reports.sql");
const TRIES: &str = include_str!("migrations/0031_tries.sql");
const ONLY_FORCED: &str = include_str!("migrations/0032_only_forced.sql");
const YANKS: &str = include_str!("migrations/0033_yanks.sql");
const UNDELIVERED: &str = include_str!("migrations/0034_undelivered.sql");
const DECIDED: &str = include_str!("migrations/0036_decided.sql");

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
        (22, "talk", TALK),
        (23, "kept", KEPT),
        (24, "stages", STAGES),
        (25, "insight wishes", INSIGHT_WISHES),
        (27, "places", PLACES),
        (28, "findings", FINDINGS),
        (29, "turns", TURNS),
        (30, "reports", REPORTS),
        (31, "tries", TRIES),
        (32, "only_forced", ONLY_FORCED),
        (33, "yanks", YANKS),
        (34, "undelivered", UNDELIVERED),
        (36, "decided", DECIDED),
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
    use skillery_core::approval::{AutoMark, AutoReason};
    use sqlx::Row;
    use sqlx::any::AnyPoolOptions;

    use super::*;
    use crate::db::{approvals, gates, oidc};

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

    #[tokio::test]
    async fn marks_get_their_reasons_and_signed_reviews_their_entries() {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
        let before = all(Backend::Sqlite).into_iter().filter(|migration| migration.version < 24).collect();
        run_some(&pool, before).await.unwrap();
        let body = r#"{"actor":"u","kind":"version.published","passed":[{"group":3,"policy":5,"reason":"group"}],"v":1}"#;
        let trusted =
            r#"{"actor":"u","kind":"publisher.trusted","namespace":"acme","publisher":"p-1","v":1}"#;
        for text in [
            "PRAGMA foreign_keys = OFF".to_owned(),
            "INSERT INTO versions (skill, version, status, digest, size, code_hash, description, tags, author, license, \
             files, words, publisher, created_at, log_position) \
             VALUES ('acme/x', '1.0.0', 'published', '', 0, '', '', '[]', '', '', '[]', '', 'u', 0, 7)"
                .to_owned(),
            format!("INSERT INTO log (idx, at, kind, actor, body) VALUES (7, 0, 'version.published', 'u', '{body}')"),
            format!("INSERT INTO log (idx, at, kind, actor, body) VALUES (4, 0, 'publisher.trusted', 'u', '{trusted}')"),
            "INSERT INTO log (idx, at, kind, actor, body) VALUES (9, 0, 'version.approved', 'u', '{}')".to_owned(),
            "INSERT INTO gates (skill, version, passed, counts_from) VALUES ('acme/x', '1.0.0', '5', 0)".to_owned(),
            "INSERT INTO gates (skill, version, passed, counts_from) VALUES ('acme/x', '1.1.0', '', 0)".to_owned(),
            "INSERT INTO decisions (skill, version, user_id, decision, comment, at, log_index, role, member, signing_key, \
             statement, signature) VALUES ('acme/x', '1.0.0', 'u', 'approved', '', 0, 9, 'reviewer', 2, 'k', 's', 'g')"
                .to_owned(),
            "INSERT INTO publishers (id, namespace, org, user_id, issuer, kind, repository, claims, created_at) \
             VALUES ('p-1', 'acme', 'acme', 'bot', 'i', 'github', 'r', '{}', 0)"
                .to_owned(),
        ] {
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&pool).await.unwrap();
        }
        run(&pool, Backend::Sqlite).await.unwrap();
        let gate = gates::find(&pool, "acme/x", &"1.0.0".parse().unwrap()).await.unwrap();
        let mark = AutoMark { policy: 5, reason: AutoReason::Group, group: Some(3), publisher: None };
        assert_eq!(gate.passed, [mark]);
        assert_eq!(gates::find(&pool, "acme/x", &"1.1.0".parse().unwrap()).await.unwrap().passed, []);
        let reviews = approvals::signed_reviews(&pool, "acme/x", &"1.0.0".parse().unwrap()).await.unwrap();
        assert_eq!((reviews.len(), reviews[0].0, reviews[0].1.as_str()), (1, 9, "k"));
        assert_eq!(oidc::trusted_in(&pool, "bot").await.unwrap(), Some(("acme".to_owned(), 4)));
    }

    #[tokio::test]
    async fn reports_of_before_go_where_they_belong_now() {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
        let before = all(Backend::Sqlite).into_iter().filter(|migration| migration.version < 22).collect();
        run_some(&pool, before).await.unwrap();
        sqlx::raw_sql(
            "PRAGMA foreign_keys = OFF; \
             INSERT INTO users (id, name, key, site_admin, created_at) VALUES ('boss', 'boss', 'boss', 1, 0), \
             ('member', 'member', 'member', 0, 0), ('stranger', 'stranger', 'stranger', 0, 0); \
             INSERT INTO members (namespace, user_id, org, role) VALUES ('acme/deep', 'member', 'acme', 'reader'); \
             INSERT INTO skills (key, number, id, namespace, org, visibility, created_at, updated_at, rating_sum, rating_count, \
             stars_1, stars_2, stars_3, stars_4, stars_5, install_count, install_position) \
             VALUES ('acme/x', 1, 'acme/x', 'acme', 'acme', 'public', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0); \
             INSERT INTO comments (id, skill, user_id, text, at) VALUES ('c1', 'acme/x', 'member', '', 0), \
             ('c2', 'acme/x', 'stranger', '', 0); \
             INSERT INTO abuse_reports (id, skill, namespace, kind, target, user_id, reason, text, at) VALUES \
             ('1', 'acme/x', 'acme', 'skill', '', 'stranger', 'spam', '', 0), \
             ('2', 'acme/x', 'acme', 'comment', 'c1', 'stranger', 'spam', '', 0), \
             ('3', 'acme/x', 'acme', 'comment', 'c2', 'member', 'spam', '', 0), \
             ('4', 'acme/x', 'acme', 'review', 'boss', 'stranger', 'spam', '', 0), \
             ('5', 'acme/x', 'acme', 'review', 'stranger', 'member', 'spam', '', 0)",
        )
        .execute(&pool)
        .await
        .unwrap();
        run(&pool, Backend::Sqlite).await.unwrap();
        let text = "SELECT accused, for_registry FROM abuse_reports ORDER BY id";
        let rows = sqlx::query(text).fetch_all(&pool).await.unwrap();
        let found: Vec<(Option<String>, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let of = |accused: &str, for_registry| (Some(accused.to_owned()), for_registry);
        assert_eq!(found, [(None, 1), of("member", 1), of("stranger", 0), of("boss", 1), of("stranger", 0)]);
    }
}
