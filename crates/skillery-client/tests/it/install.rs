//! Installing from registries that lie, and from none at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use skillery_client::{
    Client, Error, InstallOptions, Installation, Keys, Library, LockedSkill, Require, Secret,
    verify::SignatureState,
};
use skillery_core::api::{DownloadResponse, VersionDetail, VersionSummary, VersionsResponse};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::time::Time;
use skillery_core::{
    Digest, SkillId, SkillKind, Version, VersionRequest, VersionStatus, Visibility, signature,
};

use crate::TestHome;
use crate::scripted::{Reply, Scripted};

const CODE: &str = "def email_validator(email):\n    return '@' in email\n";

fn id() -> SkillId {
    "acme/email_validator".parse().unwrap()
}

/// What a registry says about one version: true at first, until a test alters it.
#[derive(Clone)]
struct Says {
    download: DownloadResponse,
    detail: VersionDetail,
    /// The ZIP, of a folder.
    zip: Vec<u8>,
}

impl Says {
    fn truth(version: &str) -> Self {
        let version: Version = version.parse().unwrap();
        let files = bundle::from_code(&id(), &version, "Validates", "MIT", CODE);
        let digest = bundle::digest(&bundle::pack(files).unwrap());
        let code_hash = Digest::of(CODE.as_bytes());
        Self {
            download: DownloadResponse {
                id: id().into(),
                version: version.to_string(),
                code: CODE.into(),
                code_hash: code_hash.to_string(),
                kind: SkillKind::Function,
                bundle: None,
                signature: None,
                secret: None,
                digest: digest.to_string(),
                warning: None,
            },
            detail: VersionDetail {
                id: id(),
                summary: VersionSummary {
                    version,
                    status: VersionStatus::Published,
                    digest,
                    size: 1,
                    kind: SkillKind::Function,
                    code_hash,
                    publisher: "ann".into(),
                    created_at: Time::default(),
                    reason: None,
                    notice: None,
                    dependencies: Default::default(),
                    changelog: None,
                },
                description: "Validates".into(),
                tags: vec!["email".into()],
                author: "ann".into(),
                license: "MIT".into(),
                homepage: None,
                repository: None,
                visibility: Visibility::Public,
                files: Vec::new(),
                signatures: Vec::new(),
                findings: None,
                log_position: 1,
            },
            zip: Vec::new(),
        }
    }

    /// A folder, as this ZIP.
    fn folder(zip: Vec<u8>) -> Self {
        let mut says = Self::truth("1.0.0");
        let digest = Digest::of(&zip);
        let (download, summary) = (&mut says.download, &mut says.detail.summary);
        (download.kind, summary.kind) = (SkillKind::Folder, SkillKind::Folder);
        (summary.digest, summary.code_hash) = (digest, digest);
        (download.digest, download.code_hash) = (digest.to_string(), digest.to_string());
        download.code = String::new();
        Self { zip, ..says }
    }

    fn signed(version: &str, secret: &str) -> Self {
        let mut says = Self::truth(version);
        says.download.signature = Some(signature::sign(&id(), &Digest::of(CODE.as_bytes()), secret));
        says
    }
}

struct World {
    test: TestHome,
    server: Scripted,
    says: Arc<Mutex<Says>>,
    down: Arc<AtomicBool>,
}

impl World {
    async fn new(says: Says) -> Self {
        let says = Arc::new(Mutex::new(says));
        let down = Arc::new(AtomicBool::new(false));
        let (said, is_down) = (Arc::clone(&says), Arc::clone(&down));
        let server = Scripted::start(move |request, _| {
            if is_down.load(Ordering::SeqCst) {
                return Some(Reply::json(503, "{}").with("retry-after", "0"));
            }
            let says = said.lock().unwrap();
            if request.line.ends_with("/bundle") {
                return Some(Reply::json(200, says.zip.clone()));
            }
            Some(Reply::json(
                200,
                match request.line.split('?').next().unwrap().rsplit('/').next().unwrap() {
                    "download" => serde_json::to_string(&says.download).unwrap(),
                    "versions" => serde_json::to_string(&VersionsResponse {
                        id: id().into(),
                        total: 1,
                        latest: None,
                        versions: vec![says.detail.summary.clone()],
                    })
                    .unwrap(),
                    _ => serde_json::to_string(&says.detail).unwrap(),
                },
            ))
        })
        .await;
        Self { test: TestHome::new(), server, says, down }
    }

    fn library(&self) -> Library {
        Library::new(self.test.home())
    }

    fn client(&self) -> Client {
        self.server.client()
    }

    fn says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    fn goes_down(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    async fn install(&self, request: &str, options: InstallOptions) -> Result<Installation, Error> {
        let request: VersionRequest = request.parse().unwrap();
        self.library().install(&self.client(), &id(), &request, options).await
    }
}

/// The scripted registry has no log.
const PLAIN: InstallOptions =
    InstallOptions { verify_signature: false, require: Require::HASH, offline: false };
const VERIFY: InstallOptions = InstallOptions { verify_signature: true, ..PLAIN };
const OFFLINE: InstallOptions = InstallOptions { offline: true, ..PLAIN };

#[tokio::test]
async fn an_honest_answer_is_installed() {
    let world = World::new(Says::truth("1.0.0")).await;
    let installation = world.install("latest", PLAIN).await.unwrap();
    assert!(installation.added && !installation.from_cache && installation.installed.current);
    assert_eq!(std::fs::read_to_string(&installation.installed.code_path).unwrap(), CODE);
    assert_eq!(
        world.library().verify(&installation.installed).unwrap().signature_state,
        SignatureState::Unsigned
    );
    assert!(!world.install("1.0.0", PLAIN).await.unwrap().added);
}

type Lie = fn(&mut Says);

#[tokio::test]
async fn nothing_that_does_not_fit_is_installed() {
    let lies: [(&str, Lie); 10] = [
        ("digest-mismatch", |says| says.download.code += "import os"),
        ("code-hash-mismatch", |says| says.download.code_hash = Digest::of(b"x").to_string()),
        ("code-hash-mismatch", |says| says.detail.summary.code_hash = Digest::of(b"x")),
        ("digest-mismatch", |says| says.download.digest = Digest::of(b"x").to_string()),
        ("digest-mismatch", |says| says.detail.summary.digest = Digest::of(b"x")),
        ("digest-mismatch", |says| says.detail.license = "Apache-2.0".into()),
        ("bad-answer", |says| says.download.digest = "12".into()),
        ("bad-answer", |says| says.download.id = "evil/email_validator".into()),
        ("bad-answer", |says| says.download.id = "../../x".into()),
        ("bad-answer", |says| *says = Says::truth("6.6.6")),
    ];
    for (number, (code, lie)) in lies.into_iter().enumerate() {
        let mut says = Says::truth("1.0.0");
        lie(&mut says);
        let world = World::new(says).await;
        let error = world.install("1.0.0", PLAIN).await.unwrap_err();
        assert_eq!(error.code(), code, "{number}: {error}");
        assert!(world.library().list().unwrap().is_empty());
        assert!(!world.test.home().cache_folder().exists(), "a lie was kept");
    }
}

fn zip(paths: &[&str]) -> Vec<u8> {
    let file = |path: &&str| BundleFile { path: (*path).to_owned(), executable: false, bytes: b"x".to_vec() };
    bundle::pack(paths.iter().map(file).collect()).unwrap()
}

#[tokio::test]
async fn a_folder_of_a_registry_that_lies_is_not_installed() {
    let good = zip(&["SKILL.md", "skill.json"]);
    let world = World::new(Says::folder(good.clone())).await;
    let installed = world.install("latest", PLAIN).await.unwrap().installed;
    assert_eq!(std::fs::read(installed.path.join("skill.json")).unwrap(), b"x");
    assert_eq!(world.library().verify(&installed).unwrap().installed, installed);
    // The registry is away, and the library is gone: what was downloaded will do, unless somebody has been at it.
    world.goes_down();
    std::fs::remove_dir_all(world.test.home().library_folder()).unwrap();
    assert!(world.install("latest", PLAIN).await.unwrap().from_cache);

    // Another order of the same files, and a path out of the folder: both with the digest that is said.
    let text = |from: &str, to: &str| {
        let mut bytes = good.clone();
        for at in 0..bytes.len() - from.len() {
            if bytes[at..].starts_with(from.as_bytes()) {
                bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
            }
        }
        bytes
    };
    let mut other_digest = Says::folder(good.clone());
    other_digest.zip = zip(&["SKILL.md"]);
    let mut two_kinds = Says::folder(good.clone());
    two_kinds.detail.summary.kind = SkillKind::Function;
    for (code, says) in [
        ("digest-mismatch", other_digest),
        ("bad-answer", two_kinds),
        ("bad-bundle", Says::folder(text("skill.json", "AAAAA.json"))),
        ("bad-bundle", Says::folder(text("skill.json", "../../evil"))),
        ("bad-bundle", Says::folder(b"no archive".to_vec())),
        ("bad-bundle", Says::folder(zip(&[]))),
    ] {
        let world = World::new(says).await;
        let error = world.install("1.0.0", PLAIN).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(world.library().list().unwrap().is_empty());
        assert!(!world.test.home().cache_folder().exists(), "a lie was kept");
    }
}

#[tokio::test]
async fn a_registry_that_changes_a_version_is_found_out() {
    let world = World::new(Says::truth("1.0.0")).await;
    let before = world.install("1.0.0", PLAIN).await.unwrap();
    let mut other = Says::truth("1.0.0");
    other.detail.description = "Another".into();
    let files = bundle::from_code(&id(), &other.detail.summary.version, "Another", "MIT", CODE);
    other.detail.summary.digest = bundle::digest(&bundle::pack(files).unwrap());
    other.download.digest = other.detail.summary.digest.to_string();
    world.says(other);
    assert_eq!(world.install("1.0.0", PLAIN).await.unwrap_err().code(), "content-differs");
    assert_eq!(world.library().get("email_validator", None).unwrap(), before.installed);
    let error = world.library().compare(&world.client(), &before.installed).await.unwrap_err();
    assert_eq!(error.code(), "digest-mismatch");
    let locked = LockedSkill {
        digest: Digest::of(b"x"),
        ..LockedSkill::of(&before.installed.manifest, None).unwrap()
    };
    let error = world.library().install_locked(&world.client(), &locked, PLAIN).await.unwrap_err();
    assert_eq!(error.code(), "digest-mismatch");
}

#[tokio::test]
async fn signatures_are_checked_where_they_are_wanted() {
    let cases: [(&str, Says, Option<&str>, Option<&str>); 7] = [
        ("signature-missing", Says::truth("1.0.0"), Some("s"), None),
        ("secret-unknown", Says::signed("1.0.0", "s"), None, None),
        ("signature-mismatch", Says::signed("1.0.0", "s"), Some("another"), None),
        ("signature-mismatch", Says::signed("1.0.0", "s"), None, Some("another")),
        // What the user holds is believed, and not what the registry hands out.
        ("signature-mismatch", Says::signed("1.0.0", "s"), Some("another"), Some("s")),
        ("ok", Says::signed("1.0.0", "s"), None, Some("s")),
        ("ok", Says::signed("1.0.0", "s"), Some("s"), Some("another")),
    ];
    for (expected, mut says, held, handed_out) in cases {
        says.download.secret = handed_out.map(str::to_owned);
        let world = World::new(says).await;
        if let Some(secret) = held {
            let client = world.client();
            Keys::add(&world.test.home(), client.registry(), "acme", &Secret::new(secret)).unwrap();
        }
        let outcome = world.install("latest", VERIFY).await;
        assert_eq!(outcome.as_ref().map_or_else(Error::code, |_| "ok"), expected, "{held:?} {handed_out:?}");
        assert_eq!(world.library().list().unwrap().len(), usize::from(outcome.is_ok()));
        let everything = format!("{outcome:?}");
        assert!(!everything.contains("another"), "{everything}");
    }
}

#[tokio::test]
async fn what_was_downloaded_installs_without_the_registry() {
    let world = World::new(Says::truth("1.0.0")).await;
    assert_eq!(world.install("latest", OFFLINE).await.unwrap_err().code(), "not-cached");
    world.install("latest", PLAIN).await.unwrap();
    world.says(Says::truth("1.2.0"));
    let newer = world.install("latest", PLAIN).await.unwrap();
    world.says(Says::truth("2.0.0-rc.1"));
    world.install("2.0.0-rc.1", PLAIN).await.unwrap();
    world.goes_down();
    std::fs::remove_dir_all(world.test.home().library_folder()).unwrap();

    let installation = world.install("1.0.0", PLAIN).await.unwrap();
    assert!(installation.from_cache && installation.added);
    assert_eq!(installation.installed.manifest.version.to_string(), "1.0.0");
    assert_eq!(world.install("^1", PLAIN).await.unwrap().installed.manifest.version.to_string(), "1.2.0");
    let asked = world.server.lines().len();
    assert_eq!(
        world.install("latest", OFFLINE).await.unwrap().installed.manifest.version.to_string(),
        "1.2.0"
    );
    let locked = LockedSkill::of(&newer.installed.manifest, None).unwrap();
    world.library().install_locked(&world.client(), &locked, PLAIN).await.unwrap();
    world.library().remove("email_validator", Some(&"1.0.0".parse().unwrap())).unwrap();
    assert_eq!(world.server.lines().len(), asked, "nobody was to be asked");
    assert_eq!(world.install("1.0.0", PLAIN).await.unwrap_err().code(), "http-503");
    // What is cached is checked as if it had just come.
    std::fs::remove_dir_all(world.test.home().library_folder()).unwrap();
    for entry in walk(&world.test.home().cache_folder()) {
        let text = std::fs::read_to_string(&entry).unwrap();
        std::fs::write(&entry, text.replace("'@' in", "'!' in")).unwrap();
    }
    assert_eq!(world.install("^1", PLAIN).await.unwrap_err().code(), "digest-mismatch");
    assert!(world.library().list().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_cache_the_library_stands_in() {
    let world = World::new(Says::truth("1.0.0")).await;
    world.install("latest", PLAIN).await.unwrap();
    std::fs::remove_dir_all(world.test.home().cache_folder()).unwrap();
    world.goes_down();
    let installation = world.install("^1", PLAIN).await.unwrap();
    assert!(installation.from_cache && !installation.added);
}

#[tokio::test]
async fn a_verified_signature_stays_verified_offline_and_an_unverified_one_does_not_become_so() {
    let mut says = Says::signed("1.0.0", "s");
    says.download.secret = Some("s".into());
    let world = World::new(says).await;
    world.install("latest", PLAIN).await.unwrap();
    world.goes_down();
    let installed = world.install("latest", VERIFY).await.unwrap().installed;
    assert_eq!(world.library().code("email_validator", None, None, true).unwrap().code, CODE);
    std::fs::write(&installed.code_path, "steal()").unwrap();
    assert_eq!(
        world.library().code("email_validator", None, None, false).unwrap_err().code(),
        "code-hash-mismatch"
    );

    let world = World::new(Says::signed("1.0.0", "s")).await;
    world.install("latest", PLAIN).await.unwrap();
    world.goes_down();
    assert_eq!(world.install("latest", VERIFY).await.unwrap_err().code(), "secret-unknown");
    assert_eq!(
        world.library().code("email_validator", None, None, true).unwrap_err().code(),
        "secret-unknown"
    );
    world.library().code("email_validator", None, None, false).unwrap();
}

#[tokio::test]
async fn updates_go_up_and_only_up() {
    let world = World::new(Says::truth("1.0.0")).await;
    world.install("latest", PLAIN).await.unwrap();
    let (library, client) = (world.library(), world.client());
    let update = async |request: &str| {
        library.update(&client, "email_validator", &request.parse().unwrap(), PLAIN).await.unwrap()
    };
    assert!(update("latest").await.installation.is_none());
    world.says(Says::truth("2.0.0"));
    assert!(update("^1").await.installation.is_none());
    let updated = update("latest").await;
    assert_eq!((updated.from.to_string(), updated.to.to_string()), ("1.0.0".into(), "2.0.0".into()));
    world.says(Says::truth("1.5.0"));
    assert_eq!(update("latest").await.to.to_string(), "2.0.0");
    assert_eq!(library.get("email_validator", None).unwrap().manifest.version.to_string(), "2.0.0");
}

#[tokio::test]
async fn many_installers_leave_one_whole_version() {
    let world = World::new(Says::truth("1.0.0")).await;
    let mut installers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (library, client) = (world.library(), world.client());
        installers
            .spawn(async move { library.install(&client, &id(), &VersionRequest::Latest, PLAIN).await });
    }
    let added =
        installers.join_all().await.into_iter().filter(|outcome| outcome.as_ref().unwrap().added).count();
    assert_eq!(added, 1);
    let installed = world.library().get("email_validator", None).unwrap();
    world.library().verify(&installed).unwrap();
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] })
        .collect()
}
