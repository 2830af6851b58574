//! The running registry: what every request and every job shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use skillery_core::event::Event;
use skillery_core::{Digest, Namespace, SkillId};
use skillery_mcp::Manifest;
use tokio::sync::watch;

use crate::access::Identity;
use crate::audit::{self, Denials, Reports};
use crate::blobs::Blobs;
use crate::bootstrap;
use crate::cache::Ready;
use crate::counters::Counters;
use crate::db::{self, Db};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::folder_lock;
use crate::http::interop::{Fingerprints, GitState};
use crate::http::limiter::Limiter;
use crate::http::pages::{ByLength, ByRoom, Rendered, Shows};
use crate::insight::{Boards, Content, Kept};
use crate::jobs::Work;
use crate::metrics::Metrics;
use crate::notify::{Due, Mailer, MailerError};
use crate::oidc::Issuers;
use crate::outbound::Outbound;
use crate::publish::{Publishing, Rules};
use crate::search::Search;
use crate::secrets::{SecretKey, SecretKeyError, make_private_folder};
use crate::settings::{Settings, SettingsError};
use crate::signing_secret::SigningSecret;
use crate::tlog::{self, LogError, LogKey, LogKeyError, Seen, TileCache};
use crate::totals::Totals;
use crate::turns::Turns;
use crate::uploads::Uploads;

/// Callers that are remembered at most.
const IDENTITIES: usize = 20_000;

/// Who reads much of the audit at a time: fewer than there are connections to read with.
const AUDITING: usize = 2;

/// Orgs whose signing secrets are remembered at most.
const ORGS: usize = 10_000;

/// Versions of which it is remembered what their files say for their health.
const HEALTH: usize = 20_000;

/// Versions of which it is remembered what their files are, as they usually are, and bytes that they take at most.
const MANIFESTS: usize = 8_000;
const MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

/// Texts that are remembered as HTML, and bytes that they take at most.
const RENDERED: usize = 4_000;
const RENDERED_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes that a diff takes, as it is laid out on a page that is full.
const DIFF_BYTES: u64 = 64 * 1024;

/// The registry.
pub struct App {
    /// How it runs.
    pub settings: Settings,
    /// Time and randomness.
    pub environment: Environment,
    /// The database.
    pub db: Arc<Db>,
    /// Contents.
    pub blobs: Blobs,
    /// What concurrent publishes do together.
    pub publishing: Publishing,
    /// Bundles that are being received.
    pub uploads: Uploads,
    /// Turns to read bundles, for whoever reads files of them.
    pub reading: Turns,
    /// Turns to read much of the audit at once.
    pub auditing: Turns,
    /// Reports about the audit that were made just now.
    pub reports: Reports,
    /// The search index.
    pub search: Search,
    /// Ready answers.
    pub ready: Arc<Ready>,
    /// Who has called before.
    pub identities: Arc<Identities>,
    /// What the files of versions are, by id and version: what the Model Context Protocol lists of skills.
    pub manifests: Cache<String, Arc<Manifest>, BySize>,
    /// Leaderboards that were made just now.
    pub boards: Arc<Boards>,
    /// What was found out of how skills are used just now.
    pub insight: Arc<Kept>,
    /// What takes long to count, as it was counted just now.
    pub totals: Totals,
    /// What the files of versions say for their health, by id and digest.
    pub health: Cache<String, Content>,
    /// What authors wrote in Markdown, as HTML, by the digest of the bundle and the id; comments by that of the text.
    pub rendered: Cache<String, Rendered, ByLength>,
    /// What changed from one version to another, as it is laid out on a page for whoever may have both.
    pub diffs: Cache<String, Arc<Shows>, ByRoom>,
    /// Signing secrets by org, with the epoch of the identities at which they were looked up.
    pub signing_secrets: Cache<String, (u64, Option<Arc<SigningSecret>>)>,
    /// What is counted and not written yet.
    pub counters: Counters,
    /// What was refused and is not written yet.
    pub denials: Denials,
    /// Asks addresses that others have named.
    pub outbound: Outbound,
    /// Sends mail, where there is a mail server.
    pub mailer: Option<Mailer>,
    /// Wakes whoever sends mail and calls webhooks.
    pub due: Due,
    /// Up to which entry of the log everybody was told, as far as this server knows.
    pub notify_cursor: AtomicI64,
    /// Encrypts the secrets that the registry must be able to read again.
    pub secret_key: SecretKey,
    /// Signs the log's checkpoints.
    pub log_key: Arc<LogKey>,
    /// By what ClawHub's clients know folders again.
    pub fingerprints: Fingerprints,
    /// Whole tiles of the log.
    pub tiles: TileCache,
    /// The newest checkpoint that was answered.
    pub seen: Seen,
    /// Issuers of identity tokens, and their keys.
    pub oidc: Issuers,
    /// Slows down who asks too much.
    pub limiter: Limiter,
    /// Repositories that were loaded.
    pub git: GitState,
    /// What operators watch.
    pub metrics: Metrics,
    /// How what runs beside requests goes.
    pub work: Work,
    draining: AtomicBool,
    stop: watch::Sender<bool>,
    /// Held as long as the app lives; the system releases it when the process ends, however it ends.
    _lock: std::fs::File,
}

/// Counts what a manifest takes in memory.
#[derive(Debug, Clone)]
pub struct BySize;

impl Weighter<String, Arc<Manifest>> for BySize {
    fn weight(&self, _: &String, manifest: &Arc<Manifest>) -> u64 {
        manifest.size() as u64
    }
}

/// Callers by the hash of their token, as long as nothing changes what callers may do.
pub struct Identities {
    epoch: AtomicU64,
    cache: Cache<Digest, (u64, Arc<Identity>)>,
}

impl Default for Identities {
    fn default() -> Self {
        Self { epoch: AtomicU64::new(0), cache: Cache::new(IDENTITIES) }
    }
}

impl Identities {
    /// How often access has changed. Read it before loading an identity.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The identity of this token, if it is remembered.
    pub fn get(&self, hash: &Digest) -> Option<Arc<Identity>> {
        self.cache.get(hash).filter(|(epoch, _)| *epoch == self.epoch()).map(|(_, identity)| identity)
    }

    /// Remembers an identity that was loaded at this epoch.
    pub fn keep(&self, hash: Digest, epoch: u64, identity: Arc<Identity>) {
        self.cache.insert(hash, (epoch, identity));
    }

    fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }
}

/// The registry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings do not go together.
    #[error("the settings cannot be used")]
    Settings(#[from] SettingsError),
    /// A folder or file cannot be made or read.
    #[error("cannot use `{path}`", path = .path.display())]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process uses the same data folder.
    #[error("another server uses the data folder `{path}`", path = .0.display())]
    InUse(std::path::PathBuf),
    /// The database.
    #[error("cannot open the database")]
    Database(#[source] db::OpenError),
    /// The key of the signing secrets.
    #[error("cannot use the secret key")]
    SecretKey(#[from] SecretKeyError),
    /// The mail server.
    #[error("cannot make ready to send mail")]
    Mail(#[from] MailerError),
    /// The key of the log.
    #[error("cannot use the log key")]
    LogKey(#[from] LogKeyError),
    /// The log is not what it must be.
    #[error("the log cannot be gone on with")]
    Log(#[from] LogError),
    /// Something later.
    #[error("cannot prepare the registry")]
    Prepare(#[from] Failure),
}

impl From<db::OpenError> for StartError {
    fn from(error: db::OpenError) -> Self {
        match error {
            db::OpenError::Unsigned => LogError::Unsigned.into(),
            other => Self::Database(other),
        }
    }
}

impl App {
    /// Opens everything. The second part tells what the first start made.
    pub async fn open(
        settings: Settings,
        environment: Environment,
    ) -> Result<(Arc<Self>, bootstrap::AdminToken), StartError> {
        settings.check()?;
        let file_error = |path: std::path::PathBuf| move |source| StartError::File { path, source };
        make_private_folder(&settings.data).map_err(file_error(settings.data.clone()))?;
        let lock = lock(&settings)?;
        let ready = Arc::new(Ready::new(settings.cache_megabytes.max(1) * 1024 * 1024));
        let identities = Arc::new(Identities::default());
        let (boards, insight) = (Arc::new(Boards::default()), Arc::new(Kept::default()));
        let on_commit = {
            let (ready, identities) = (Arc::clone(&ready), Arc::clone(&identities));
            let (boards, insight) = (Arc::clone(&boards), Arc::clone(&insight));
            move |entries: &[db::Committed]| {
                entries.iter().for_each(|entry| {
                    let skill = entry.event.skill().map(SkillId::key);
                    forget(&ready, &identities, (&boards, &insight), skill.as_deref(), &entry.event)
                });
            }
        };
        let fitting = tlog::fitting(&settings, &environment).await?;
        if fitting.is_next {
            fitting.key.put_in_place(&settings.log_key_file())?;
            tracing::warn!("the log key was being rotated; the new key is in its place now");
        }
        let log_key = fitting.key;
        let db = Db::open(&settings, &environment, Arc::clone(&log_key), fitting.unsigned, on_commit).await?;
        let (tiles, seen) = (TileCache::default(), Seen::new(settings.seen_file()));
        // Before anything is appended: what does not fit must not be signed on.
        let size = tlog::check(&db, &tiles, &log_key).await??;
        seen.check(&db, &tiles, size).await??;
        let blob_folder = settings.blob_folder();
        let blobs = Blobs::open_with_journal(&blob_folder, &settings.journal_folder())
            .map_err(file_error(blob_folder))?;
        let secret_key = SecretKey::open(&settings.secret_key_file(), &environment)?;
        let registry = bootstrap::genesis(&db, &environment, &secret_key).await?;
        let admin_token = bootstrap::admin_token(&db, &environment, &settings).await?;
        let search = Search::open(&settings.index_folder(), &registry, &db).await?;
        let mailer = Mailer::open(&settings)?;
        let outbound = Outbound::new(settings.outbound_allow.clone());
        let publishing = Publishing::new(
            &db,
            Rules { policy: settings.namespaces, versions: settings.limits.versions_per_skill as i64 },
        );
        let uploads = Uploads::new(settings.data.clone(), &settings.limits);
        let limiter = Limiter::new(&settings.limits);
        let (stop, _) = watch::channel(false);
        let diff_bytes = settings.cache_megabytes.max(1) * 1024 * 1024 / 8;
        let git = GitState::new(settings.cache_megabytes.max(1) * 1024 * 1024 / 4);
        let app = Self {
            settings,
            environment,
            db,
            blobs,
            publishing,
            uploads,
            reading: Turns::default(),
            auditing: Turns::of(AUDITING),
            reports: audit::reports(),
            search,
            ready,
            identities,
            manifests: Cache::with_weighter(MANIFESTS, MANIFEST_BYTES, BySize),
            boards,
            insight,
            totals: Totals::default(),
            health: Cache::new(HEALTH),
            rendered: Cache::with_weighter(RENDERED, RENDERED_BYTES, ByLength),
            diffs: Cache::with_weighter((diff_bytes / DIFF_BYTES) as usize, diff_bytes, ByRoom),
            signing_secrets: Cache::new(ORGS),
            counters: Counters::default(),
            denials: Denials::default(),
            outbound,
            mailer,
            due: Due::default(),
            notify_cursor: AtomicI64::new(0),
            secret_key,
            log_key,
            fingerprints: Fingerprints::default(),
            tiles,
            seen,
            oidc: Issuers::default(),
            limiter,
            git,
            metrics: Metrics::default(),
            work: Work::default(),
            draining: AtomicBool::new(false),
            stop,
            _lock: lock,
        };
        Ok((Arc::new(app), admin_token))
    }

    /// A change was committed somewhere: what is remembered of it must go.
    pub fn forget(&self, skill: Option<&str>, event: &Event) {
        forget(&self.ready, &self.identities, (&self.boards, &self.insight), skill, event);
    }

    /// New requests should go elsewhere: readiness says so from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether new requests should go elsewhere.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire) || self.is_stopping()
    }

    /// Tells everything that runs beside requests to end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether the app is to end.
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until the app is to end.
    pub async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|stopping| *stopping).await;
    }
}

/// One process for each data folder: two would spoil each other's index.
fn lock(settings: &Settings) -> Result<std::fs::File, StartError> {
    let file_error = |source| StartError::File { path: settings.data.join("lock"), source };
    folder_lock::take(&settings.data)
        .map_err(file_error)?
        .ok_or_else(|| StartError::InUse(settings.data.clone()))
}

fn forget(
    ready: &Ready,
    identities: &Identities,
    (boards, insight): (&Boards, &Kept),
    skill: Option<&str>,
    event: &Event,
) {
    if matches!(
        event,
        Event::VisibilityChanged { .. }
            | Event::UserListed { .. }
            | Event::UserDisabled { .. }
            | Event::VersionQuarantined { .. }
            | Event::InsightSet { .. }
            | Event::Unknown
    ) {
        boards.forget();
    }
    if matches!(event, Event::Unknown) {
        insight.graph_changed();
        ready.changed();
    }
    if let Event::MemberSet { namespace, .. } | Event::MemberRemoved { namespace, .. } = event
        && let Ok(namespace) = namespace.parse::<Namespace>()
    {
        ready.org_changed(&namespace.key());
    }
    if let Some(skill) = skill {
        ready.content.raise(skill);
        let is_opinion = matches!(
            event,
            Event::SkillRated { .. }
                | Event::SkillUnrated { .. }
                | Event::SkillStarred { .. }
                | Event::SkillUnstarred { .. }
        ) || event.is_said();
        if let Some((namespace, _)) = skill.rsplit_once('/').filter(|_| !is_opinion) {
            ready.place_changed(namespace);
            insight.graph_changed();
        }
    }
    if event.changes_access() {
        identities.forget_all();
    }
}
