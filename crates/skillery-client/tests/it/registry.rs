//! The client against a real registry: every route, and publishing, installing and verifying from end to end.

use skillery_client::publish::{SecretOutcome, publish};
use skillery_client::verify::SignatureState;
use skillery_client::{
    Client, Config, Draft, Home, InstallOptions, Keys, Library, LockedSkill, Page, Require, SearchQuery,
    Secret, SignWith, Sort,
};
use skillery_core::api::{CreateOrgRequest, CreateTokenRequest, CreateUserRequest, UpdateUserRequest};
use skillery_core::{
    Limits, Namespace, Rating, Role, Scope, Segment, SkillId, Version, VersionRequest, VersionStatus,
    Visibility,
};
use skillery_server::Settings;
use tokio::sync::oneshot;

use crate::TestHome;

/// A registry in a thread of this process, which stops with the test.
pub(crate) struct Registry {
    test: TestHome,
    data: std::path::PathBuf,
    config: Config,
    running: Option<(oneshot::Sender<()>, std::thread::JoinHandle<()>)>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Registry {
    pub(crate) async fn start() -> Self {
        let test = TestHome::new();
        let data = test.path().join("data");
        Self::start_in(test, data).await
    }

    /// Stops, puts this folder in the place of the data, and starts again, at another address.
    pub(crate) async fn restart_with(mut self, data: &std::path::Path) -> Self {
        self.stop();
        let test = std::mem::replace(&mut self.test, TestHome::new());
        Self::start_in(test, data.to_owned()).await
    }

    /// Copies the data of a registry that is stopped, without what it knows to have answered.
    pub(crate) fn copy_data(&mut self, name: &str) -> std::path::PathBuf {
        self.stop();
        let copy = self.test.path().join(name);
        let status = std::process::Command::new("cp").arg("-a").arg(self.data()).arg(&copy).status();
        assert!(status.unwrap().success());
        let _ = std::fs::remove_file(copy.join("log-checkpoint"));
        copy
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.data.clone()
    }

    pub(crate) fn url(&self) -> String {
        self.config.url.to_string()
    }

    pub(crate) fn config(&self) -> Config {
        self.config.clone()
    }

    /// Starts one whose operator has set other limits.
    pub(crate) async fn start_with(limits: Limits) -> Self {
        let test = TestHome::new();
        let data = test.path().join("data");
        Self::start_as(test, data, limits).await
    }

    pub(crate) async fn start_in(test: TestHome, data: std::path::PathBuf) -> Self {
        Self::start_as(test, data, Limits::default()).await
    }

    async fn start_as(test: TestHome, data: std::path::PathBuf, limits: Limits) -> Self {
        let token = "the-admin-token-of-these-tests-0123456789";
        let settings = Settings {
            data: data.clone(),
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_token: Some(Secret::new(token)),
            limits,
            ..Settings::default()
        };
        let (tell_url, url) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let on_ready = |ready: &skillery_server::Ready| tell_url.send(ready.url.clone()).unwrap();
            let stop = async move {
                let _ = stopped.await;
            };
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(skillery_server::serve(settings, on_ready, stop)).unwrap();
        });
        let config = Config {
            url: url.await.unwrap().parse().unwrap(),
            token: Some(Secret::new(token)),
            ..Config::default()
        };
        Self { test, data, config, running: Some((stop, thread)) }
    }

    pub(crate) fn admin(&self) -> Client {
        Client::new(&self.config).unwrap()
    }

    /// Asks it to stop, and waits until it has. Its folder stays.
    pub(crate) fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the registry panicked");
        }
    }

    pub(crate) fn with_wrong_token(&self) -> Client {
        let token = Some(Secret::new("sky_pat_wrong"));
        Client::new(&Config { token, ..self.config.clone() }).unwrap()
    }

    pub(crate) fn stranger(&self) -> Client {
        Client::new(&Config { token: None, ..self.config.clone() }).unwrap()
    }

    /// A new user with a token that may do this.
    pub(crate) async fn user(&self, name: &str, scopes: &[Scope]) -> Client {
        let admin = self.admin();
        admin.create_user(&CreateUserRequest { name: name.into(), site_admin: false }).await.unwrap();
        let request = CreateTokenRequest {
            user: Some(name.into()),
            scopes: scopes.to_vec(),
            ..CreateTokenRequest::default()
        };
        let token = Secret::new(admin.create_token(&request).await.unwrap().token);
        Client::new(&Config { token: Some(token), ..self.config.clone() }).unwrap()
    }

    pub(crate) fn home(&self, name: &str) -> Home {
        Home::at(self.test.path().join(name))
    }
}

pub(crate) fn id(text: &str) -> SkillId {
    text.parse().unwrap()
}

pub(crate) fn version(text: &str) -> Version {
    text.parse().unwrap()
}

pub(crate) fn draft(skill: &str, number: &str) -> Draft {
    Draft {
        description: "Says \"hello\"\nin two lines: é".into(),
        tags: vec!["greeting".into()],
        ..Draft::new(id(skill), version(number), format!("def hello():\r\n    return 'é {number}'\n"))
    }
}

pub(crate) const PLAIN: InstallOptions =
    InstallOptions { verify_signature: false, require: Require::LOGGED, offline: false };
const VERIFY: InstallOptions = InstallOptions { verify_signature: true, ..PLAIN };

#[tokio::test]
async fn publish_find_install_and_lock() {
    let registry = Registry::start().await;
    let (client, home) = (registry.admin(), registry.home("a"));
    let published =
        publish(&client, &home, draft("acme/text/hello", "1.0.0"), SignWith::default()).await.unwrap();
    assert!(published.created && published.signature.is_none() && published.secret.is_none());
    assert!(
        !publish(&client, &home, draft("acme/text/hello", "1.0.0"), SignWith::default())
            .await
            .unwrap()
            .created
    );
    publish(&client, &home, draft("acme/text/hello", "1.1.0+build.7"), SignWith::default()).await.unwrap();

    let query = SearchQuery { q: "hel".into(), sort: Some(Sort::Relevance), ..SearchQuery::default() };
    let found = registry.stranger().search(&query).await.unwrap();
    assert_eq!((found.total, found.skills[0].id.as_str()), (1, "acme/text/hello"));
    let facets = registry.stranger().facets(&query).await.unwrap();
    let namespaces: Vec<_> = facets.namespaces.iter().map(|one| (one.name.as_str(), one.count)).collect();
    assert_eq!(namespaces, [("acme", 1), ("acme/text", 1)]);
    assert_eq!(client.skill(&id("acme/text/hello")).await.unwrap().version, "1.1.0+build.7");

    let library = Library::new(home);
    // Another spelling of the id is the same skill.
    let installed = library
        .install(&registry.stranger(), &id("acme/text/hello"), &VersionRequest::Latest, PLAIN)
        .await
        .unwrap()
        .installed;
    assert_eq!(installed.manifest.version, version("1.1.0+build.7"));
    assert_eq!(library.verify(&installed).unwrap().signature_state, SignatureState::Unsigned);
    let view = library.compare(&client, &installed).await.unwrap();
    assert_eq!(view.status, VersionStatus::Published);

    let proof = library.proof_text(&installed).unwrap();
    let locked = LockedSkill::of(&installed.manifest, proof).unwrap();
    assert_eq!(locked.check_proof().unwrap(), installed.manifest.log_index.unwrap());
    let elsewhere = Library::new(registry.home("b"));
    let again = elsewhere.install_locked(&client, &locked, PLAIN).await.unwrap();
    assert!(again.added && !again.from_cache);
    assert!(!elsewhere.install_locked(&client, &locked, PLAIN).await.unwrap().added);
}

#[tokio::test]
async fn yanked_quarantined_and_private_versions() {
    let registry = Registry::start().await;
    let (client, home) = (registry.admin(), registry.home("a"));
    let hello = id("acme/hello");
    for number in ["1.0.0", "1.1.0", "1.2.0"] {
        publish(&client, &home, draft("acme/hello", number), SignWith::default()).await.unwrap();
    }
    let yanked = client.yank(&hello, &version("1.2.0"), "it shouts").await.unwrap();
    assert_eq!((yanked.status, yanked.reason.as_deref()), (VersionStatus::Yanked, Some("it shouts")));
    client.quarantine(&hello, &version("1.1.0"), "it steals").await.unwrap();

    let library = Library::new(home);
    let install =
        async |request: &str| library.install(&client, &hello, &request.parse().unwrap(), PLAIN).await;
    let latest = install("latest").await.unwrap();
    assert_eq!((latest.installed.manifest.version, latest.warning), (version("1.0.0"), None));
    assert!(install("1.2.0").await.unwrap().warning.unwrap().contains("it shouts"));
    assert_eq!(install("1.1.0").await.unwrap_err().code(), "version-quarantined");
    client.unyank(&hello, &version("1.2.0")).await.unwrap();
    client.unquarantine(&hello, &version("1.1.0")).await.unwrap();
    let listed = client.versions(&hello, Page { limit: Some(2), offset: Some(1) }).await.unwrap();
    assert_eq!((listed.total, listed.versions.len()), (3, 2));
    assert_eq!(client.version(&hello, &version("1.1.0")).await.unwrap().files.len(), 2);

    let current = library.rollback("hello", Some(&version("1.0.0"))).unwrap();
    assert!(current.current);
    let update = library.update(&client, "hello", &VersionRequest::Latest, PLAIN).await.unwrap();
    assert_eq!((update.from, update.to), (version("1.0.0"), version("1.2.0")));

    client.set_visibility(&hello, Visibility::Private).await.unwrap();
    assert_eq!(registry.stranger().skill(&hello).await.unwrap_err().code(), "skill-not-found");
}

#[tokio::test]
async fn a_secret_is_kept_and_registered_by_admins_only() {
    let registry = Registry::start().await;
    let (home, secret) = (registry.home("author"), Secret::new("my_signing_secret_key"));
    let author = registry.user("ann", &[Scope::Read, Scope::Publish, Scope::Admin]).await;
    let first = publish(
        &author,
        &home,
        draft("acme/hello", "1.0.0"),
        SignWith { secret: Some(&secret), ..SignWith::default() },
    )
    .await
    .unwrap();
    assert_eq!(first.secret, Some(SecretOutcome::Registered));
    let second = publish(
        &author,
        &home,
        draft("acme/hello", "1.0.1"),
        SignWith { secret: Some(&secret), ..SignWith::default() },
    )
    .await
    .unwrap();
    assert_eq!(second.secret, Some(SecretOutcome::AlreadyRegistered));
    assert_eq!(Keys::load(&home).unwrap().secrets(author.registry(), "acme"), std::slice::from_ref(&secret));
    let wrong = Secret::new("another");
    let error = publish(
        &author,
        &home,
        draft("acme/hello", "1.0.2"),
        SignWith { secret: Some(&wrong), ..SignWith::default() },
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), "signature-mismatch");
    assert_eq!(Keys::load(&home).unwrap().secrets(author.registry(), "acme"), std::slice::from_ref(&secret));

    // A publisher who is no admin: the secret stays here.
    let publisher = registry.user("bob", &[Scope::Read, Scope::Publish]).await;
    let beta: Namespace = "beta".parse().unwrap();
    let request = CreateOrgRequest { name: "beta".into(), owner: Some("ann".into()) };
    registry.admin().create_org(&request).await.unwrap();
    author.set_member(&beta, &"bob".parse().unwrap(), Role::Publisher).await.unwrap();
    let published = publish(
        &publisher,
        &registry.home("bob"),
        draft("beta/hello", "1.0.0"),
        SignWith { secret: Some(&secret), ..SignWith::default() },
    )
    .await
    .unwrap();
    assert_eq!(published.secret, Some(SecretOutcome::NotAdmin));
    assert!(!author.org(&"beta".parse().unwrap()).await.unwrap().signing_secret);

    // Members verify with what the registry hands out; strangers with what they were given.
    let hello = id("acme/hello");
    let member = Library::new(registry.home("member"));
    let installed = member.install(&author, &hello, &VersionRequest::Latest, VERIFY).await.unwrap().installed;
    assert_eq!(installed.manifest.signature_state, SignatureState::Verified);
    let outside = Library::new(registry.home("outside"));
    let stranger = registry.stranger();
    let error = outside.install(&stranger, &hello, &VersionRequest::Latest, VERIFY).await.unwrap_err();
    assert_eq!(error.code(), "secret-unknown");
    Keys::add(outside.home(), stranger.registry(), "acme", &secret).unwrap();
    outside.install(&stranger, &hello, &VersionRequest::Latest, VERIFY).await.unwrap();
}

#[tokio::test]
async fn ratings_accounts_and_the_log() {
    let registry = Registry::start().await;
    let admin = registry.admin();
    let ann = registry.user("ann", &[Scope::Read, Scope::Publish, Scope::Rate, Scope::Admin]).await;
    publish(&ann, &registry.home("ann"), draft("acme/hello", "1.0.0"), SignWith::default()).await.unwrap();
    let (hello, all) = (id("acme/hello"), Page::default());
    let rated = ann.rate(&hello, Rating::try_from(4.5).unwrap(), Some("fine")).await.unwrap();
    assert_eq!((rated.average_rating, rated.rating_count), (4.5, 1));
    assert_eq!(admin.ratings(&hello, all).await.unwrap().reviews[0].text, "fine");
    ann.unrate(&hello).await.unwrap();
    assert_eq!(admin.ratings(&hello, all).await.unwrap().count, 0);
    assert_eq!(
        registry.stranger().rate(&hello, Rating::try_from(4.0).unwrap(), None).await.unwrap_err().code(),
        "token-required"
    );

    let me = ann.whoami().await.unwrap();
    assert_eq!((me.user.as_str(), me.site_admin), ("ann", false));
    assert_eq!((me.memberships[0].namespace.as_str(), me.memberships[0].role), ("acme", Role::Owner));
    let (acme, email): (Segment, Namespace) = ("acme".parse().unwrap(), "acme/email".parse().unwrap());
    registry.user("bob", &[Scope::Read]).await;
    let bob: Segment = "bob".parse().unwrap();
    ann.set_member(&email, &bob, Role::Reviewer).await.unwrap();
    assert_eq!(ann.members(&email, all).await.unwrap().total, 2);
    let below = ann.namespaces(&"acme".parse().unwrap(), all).await.unwrap();
    assert_eq!((below.total, below.namespaces[0].namespace.as_str()), (1, "acme/email"));
    ann.remove_member(&email, &bob).await.unwrap();
    assert_eq!(ann.remove_member(&email, &bob).await.unwrap_err().code(), "member-not-found");
    ann.set_signing_secret(&acme, &Secret::new("s"), false).await.unwrap();
    assert_eq!(
        ann.set_signing_secret(&acme, &Secret::new("t"), true).await.unwrap_err().code(),
        "secret-exists"
    );
    ann.remove_signing_secret(&acme).await.unwrap();
    assert_eq!(admin.orgs(all).await.unwrap().total, 1);

    let tokens = admin.tokens(Some(&bob), all).await.unwrap();
    assert_eq!(tokens.total, 1);
    admin.revoke_token(&tokens.tokens[0].id).await.unwrap();
    assert_eq!(admin.revoke_token("..").await.unwrap_err().code(), "invalid-input");
    assert_eq!(admin.users(all).await.unwrap().total, 3);
    let disabled =
        admin.update_user(&"ann".parse().unwrap(), &UpdateUserRequest { disabled: true }).await.unwrap();
    assert!(disabled.disabled);
    assert_eq!(ann.whoami().await.unwrap_err().exit_class().code(), 3);
    let log = admin.log(1, Some(2)).await.unwrap();
    assert_eq!(log.entries.len(), 2);
    assert!(log.size > 10);
}
