//! Approvals: demanded by namespaces and by whoever installs, given by reviewers, counted from the log.

use serde_json::{Value, json};
use skillery_client::publish::publish;
use skillery_client::sign::enrol;
use skillery_client::{
    ApprovalFilter, Client, Error, InstallOptions, Installation, Library, Page, Require, SignWith, Signer,
    Verdict,
};
use skillery_core::api::DecisionRequest;
use skillery_core::{Decision, Digest, Namespace, PublishPolicy, Role, Scope, VersionRequest, VersionStatus};

use crate::proxy::Proxy;
use crate::registry::{PLAIN, Registry, draft, id, version};
use crate::signing::{key, publisher};

const APPROVED: InstallOptions =
    InstallOptions { require: Require { approved: true, ..Require::SIGNED }, ..PLAIN };

async fn install(
    library: &Library,
    client: &Client,
    number: &str,
    options: InstallOptions,
) -> Result<Installation, Error> {
    let request: VersionRequest = number.parse().unwrap();
    library.install(client, &id("acme/hello"), &request, options).await
}

fn acme() -> Namespace {
    "acme".parse().unwrap()
}

async fn reviewer(registry: &Registry, name: &str) -> Client {
    let client = registry.user(name, &[Scope::Read, Scope::Review]).await;
    registry.admin().set_member(&acme(), &name.parse().unwrap(), Role::Reviewer).await.unwrap();
    client
}

/// An author whose key is enrolled, and a version of hers without a policy.
async fn author(registry: &Registry) -> (Client, Signer) {
    let home = registry.home("author");
    publish(&registry.admin(), &home, draft("acme/hello", "0.9.0"), SignWith::default()).await.unwrap();
    let anna = publisher(registry, "anna").await;
    let signer = key(registry.home("keys").path(), "key", &["-t", "ed25519", "-N", ""]);
    enrol(&anna, &home, &signer, "key", None).await.unwrap();
    (anna, signer)
}

fn decided(decision: Decision, digest: Option<Digest>) -> DecisionRequest {
    let comment = if decision == Decision::Rejected { "sends addresses away" } else { "" };
    DecisionRequest { decision, digest, comment: comment.to_owned(), signature: None }
}

#[tokio::test]
async fn what_others_approved_installs_where_approvals_are_demanded_and_nothing_else() {
    let registry = Registry::start().await;
    let home = registry.home("author");
    let (anna, signer) = author(&registry).await;
    let (rita, rob) = (reviewer(&registry, "rita").await, reviewer(&registry, "rob").await);
    let with = SignWith { signer: Some(&signer), ..SignWith::default() };
    let library = Library::new(registry.home("reader"));
    let (stranger, hello) = (registry.stranger(), id("acme/hello"));

    // Nobody demanded anything when it was published; one other person will do.
    publish(&anna, &home, draft("acme/hello", "1.0.0"), with).await.unwrap();
    let error = install(&library, &stranger, "1.0.0", APPROVED).await.unwrap_err();
    assert_eq!(error.code(), "not-approved", "{error}");
    assert!(error.to_string().contains("1 by a reviewer or above is demanded"), "{error}");
    let error = anna.decide(&hello, &version("1.0.0"), &decided(Decision::Approved, None)).await.unwrap_err();
    assert_eq!(error.code(), "insufficient-scope", "{error}");
    rita.decide(&hello, &version("1.0.0"), &decided(Decision::Approved, None)).await.unwrap();
    let approved = install(&library, &stranger, "1.0.0", APPROVED).await.unwrap().installed.manifest.approved;
    let approved = approved.unwrap();
    assert_eq!((approved.demanded, approved.log_indexes.len()), (PublishPolicy::LEAST, 1));

    let two = PublishPolicy { approvals: 2, ..PublishPolicy::LEAST };
    registry.admin().set_approval_policy(&acme(), &two).await.unwrap();
    assert_eq!(rita.approval_policy(&acme()).await.unwrap().demanded, Some(two.clone()));
    publish(&anna, &home, draft("acme/hello", "1.1.0"), with).await.unwrap();
    let error = install(&library, &stranger, "1.1.0", PLAIN).await.unwrap_err();
    assert_eq!(error.code(), "version-not-found");
    assert_eq!(
        install(&library, &stranger, "^1", PLAIN).await.unwrap().installed.manifest.version,
        version("1.0.0")
    );

    // Reviewers try it, and are told that it waits.
    let trial = Library::new(registry.home("rita"));
    let error = install(&trial, &rita, "1.1.0", APPROVED).await.unwrap_err();
    assert!(error.to_string().contains("it waits for approval"), "{error}");
    let looked_at = trial.reviewed_digest(&rita, &hello, &version("1.1.0")).await.unwrap();
    let tried = install(&trial, &rita, "1.1.0", PLAIN).await.unwrap();
    assert_eq!(tried.warning.as_deref(), Some("acme/hello 1.1.0 waits for approval"));
    assert_eq!(tried.installed.manifest.digest, looked_at);
    assert_eq!(trial.reviewed_digest(&rita, &hello, &version("1.1.0")).await.unwrap(), looked_at);
    // Without the registry, it is for nobody who does not name it.
    let offline = InstallOptions { offline: true, ..PLAIN };
    assert_eq!(install(&trial, &rita, "^1", offline).await.unwrap_err().code(), "not-cached");
    let again = install(&trial, &rita, "1.1.0", offline).await.unwrap();
    let warning = "acme/hello 1.1.0 waited for approval when it was downloaded";
    assert_eq!(again.warning.as_deref(), Some(warning));
    let other = decided(Decision::Approved, Some(Digest::of(b"other")));
    let error = rita.decide(&hello, &version("1.1.0"), &other).await.unwrap_err();
    assert_eq!(error.code(), "status-conflict", "{error}");
    for client in [&rita, &rob] {
        assert_eq!(client.pending(&ApprovalFilter::default(), Page::default()).await.unwrap().total, 1);
        let request = decided(Decision::Approved, Some(looked_at));
        client.decide(&hello, &version("1.1.0"), &request).await.unwrap();
    }
    let in_acme = ApprovalFilter { namespace: Some(acme()), ..ApprovalFilter::default() };
    assert_eq!(rita.pending(&in_acme, Page::default()).await.unwrap().total, 0);
    let approved = install(&library, &stranger, "1.1.0", APPROVED).await.unwrap().installed.manifest.approved;
    let approved = approved.unwrap();
    assert_eq!((approved.demanded.clone(), approved.log_indexes.len()), (two.clone(), 2));
    // What was tried is installed already, and was not found to be approved; now it is.
    assert!(install(&trial, &rita, "1.1.0", APPROVED).await.unwrap().installed.manifest.approved.is_some());

    // What is rejected is for nobody, not even to try.
    publish(&anna, &home, draft("acme/hello", "1.2.0"), with).await.unwrap();
    rob.decide(&hello, &version("1.2.0"), &decided(Decision::Rejected, None)).await.unwrap();
    assert_eq!(install(&library, &stranger, "1.2.0", PLAIN).await.unwrap_err().code(), "version-not-found");
    assert!(install(&trial, &rita, "1.2.0", PLAIN).await.is_err());
    let removed = registry.admin().remove_approval_policy(&acme()).await.unwrap();
    assert_eq!((removed.demanded, removed.policies), (None, Vec::new()));
}

#[tokio::test]
async fn a_registry_that_lies_has_nobody_decide_about_something_else() {
    let registry = Registry::start().await;
    let home = registry.home("author");
    let (anna, signer) = author(&registry).await;
    let with = SignWith { signer: Some(&signer), ..SignWith::default() };
    registry.admin().set_approval_policy(&acme(), &PublishPolicy::LEAST).await.unwrap();
    publish(&anna, &home, draft("acme/hello", "1.0.0"), with).await.unwrap();
    let proxy = Proxy::start(registry.config()).await;
    let lies = |end: &'static str, lie: &Value| {
        let lie = lie.as_object().unwrap().clone();
        proxy.alters(move |path, status, body| {
            let Ok(mut said) = serde_json::from_slice::<Value>(&body) else { return (status, body) };
            if path.ends_with(end) {
                said.as_object_mut().unwrap().extend(lie.clone());
            }
            (status, said.to_string().into_bytes())
        });
    };
    let library = Library::new(registry.home("admin"));
    let decide = async |digest: Option<Digest>, signer: Option<&Signer>| {
        let verdict = Verdict { decision: Decision::Approved, comment: "", digest, signer };
        library.decide(&proxy.client(), &id("acme/hello"), &version("1.0.0"), verdict).await
    };
    let other = Digest::of(b"other");
    for (lie, code) in [
        (json!({ "digest": other }), "not-logged"),
        (json!({ "code_hash": other }), "not-logged"),
        (json!({ "digest": other, "status": "rejected" }), "not-logged"),
        (json!({ "digest": other, "status": "quarantined" }), "not-logged"),
        (json!({ "id": "acme/evil" }), "bad-answer"),
        (json!({ "version": "0.9.0" }), "bad-answer"),
        (json!({ "status": "published" }), "version-withdrawn"),
        (json!({ "status": "yanked" }), "version-withdrawn"),
    ] {
        lies("/versions/1.0.0", &lie);
        for signer in [None, Some(&signer)] {
            let error = decide(None, signer).await.unwrap_err();
            assert_eq!(error.code(), code, "{lie}: {error}");
        }
    }
    // Nor is anything signed about another one, whatever was looked at.
    for lie in [json!({ "id": "acme/evil" }), json!({ "version": "0.9.0" })] {
        lies("/versions/1.0.0/approvals", &lie);
        for digest in [None, Some(other)] {
            let error = decide(digest, Some(&signer)).await.unwrap_err();
            assert_eq!(error.code(), "bad-answer", "{lie}: {error}");
        }
    }
    let standing = registry.admin().approvals(&id("acme/hello"), &version("1.0.0")).await.unwrap();
    assert_eq!((standing.status, standing.given), (VersionStatus::Pending, 0));
    // Of what nobody gets any more an honest registry says why it is too late.
    lies("nowhere", &json!({}));
    let rejected = decided(Decision::Rejected, None);
    registry.admin().decide(&id("acme/hello"), &version("1.0.0"), &rejected).await.unwrap();
    let error = decide(None, None).await.unwrap_err();
    assert_eq!(error.code(), "status-conflict", "{error}");
    assert!(error.to_string().contains("is rejected"), "{error}");
    registry.admin().quarantine(&id("acme/hello"), &version("0.9.0"), "it leaks").await.unwrap();
    let verdict = Verdict { decision: Decision::Approved, comment: "", digest: None, signer: None };
    let error = library.decide(&proxy.client(), &id("acme/hello"), &version("0.9.0"), verdict).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), "status-conflict", "{error}");
    assert!(error.to_string().contains("is quarantined"), "{error}");
}

#[tokio::test]
async fn what_the_registry_releases_is_approved_for_clients_too() {
    let registry = Registry::start().await;
    let home = registry.home("author");
    let (anna, signer) = author(&registry).await;
    let (rita, rob) = (reviewer(&registry, "rita").await, reviewer(&registry, "rob").await);
    let with = SignWith { signer: Some(&signer), ..SignWith::default() };
    let (admin, hello) = (registry.admin(), id("acme/hello"));
    let library = Library::new(registry.home("reader"));
    let policy = |approvals, role| PublishPolicy { approvals, role, ..PublishPolicy::LEAST };
    let approve = async |client: &Client, number: &str| {
        let request = decided(Decision::Approved, None);
        client.decide(&hello, &version(number), &request).await.unwrap().status
    };
    // Loosened while it waits: it is released by what is demanded then, and counted by that.
    admin.set_approval_policy(&acme(), &policy(2, Role::Reviewer)).await.unwrap();
    publish(&anna, &home, draft("acme/hello", "1.0.0"), with).await.unwrap();
    admin.set_approval_policy(&acme(), &policy(1, Role::Reviewer)).await.unwrap();
    assert_eq!(approve(&rita, "1.0.0").await, VersionStatus::Published);
    let approved = install(&library, &registry.stranger(), "1.0.0", APPROVED).await.unwrap();
    let approved = approved.installed.manifest.approved.unwrap();
    assert_eq!((approved.demanded, approved.log_indexes.len()), (policy(1, Role::Reviewer), 1));
    // Tightened while it waits, by roles: who has approved as less says so again.
    publish(&anna, &home, draft("acme/hello", "1.1.0"), with).await.unwrap();
    admin.set_approval_policy(&acme(), &policy(2, Role::Reviewer)).await.unwrap();
    assert_eq!(approve(&rita, "1.1.0").await, VersionStatus::Pending);
    admin.set_approval_policy(&acme(), &policy(2, Role::Admin)).await.unwrap();
    for name in ["rita", "rob"] {
        admin.set_member(&acme(), &name.parse().unwrap(), Role::Admin).await.unwrap();
    }
    assert_eq!(approve(&rob, "1.1.0").await, VersionStatus::Pending);
    assert_eq!(approve(&rita, "1.1.0").await, VersionStatus::Published);
    let approved = install(&library, &registry.stranger(), "1.1.0", APPROVED).await.unwrap();
    let approved = approved.installed.manifest.approved.unwrap();
    assert_eq!((approved.demanded, approved.log_indexes.len()), (policy(2, Role::Admin), 2));
}

#[tokio::test]
async fn a_registry_that_hands_out_what_waits_is_not_believed() {
    let registry = Registry::start().await;
    let home = registry.home("author");
    let (anna, signer) = author(&registry).await;
    let one = PublishPolicy::LEAST;
    registry.admin().set_approval_policy(&acme(), &one).await.unwrap();
    let with = SignWith { signer: Some(&signer), ..SignWith::default() };
    publish(&anna, &home, draft("acme/hello", "1.0.0"), with).await.unwrap();
    // In between, an admin's token is put on; what is told of the version is not what the log says.
    let proxy = Proxy::start(registry.config()).await;
    proxy.alters(|path, status, body| {
        let Ok(mut said) = serde_json::from_slice::<Value>(&body) else { return (status, body) };
        if path.contains("/download") {
            said["warning"] = Value::Null;
        } else if path.ends_with("/versions/1.0.0") {
            said["status"] = "published".into();
        } else {
            return (status, body);
        }
        (status, said.to_string().into_bytes())
    });
    let library = Library::new(registry.home("reader"));
    let error = install(&library, &proxy.client(), "1.0.0", PLAIN).await.unwrap_err();
    assert_eq!(error.code(), "version-withdrawn", "{error}");
    assert!(error.to_string().contains("waits for approval (entry"), "{error}");
    assert_eq!(library.list().unwrap(), []);
    // Nor is what waits something else, which the registry may warn of.
    proxy.alters(|path, status, body| {
        let Ok(mut said) = serde_json::from_slice::<Value>(&body) else { return (status, body) };
        if !path.ends_with("/versions/1.0.0") {
            return (status, body);
        }
        said["status"] = "yanked".into();
        (status, said.to_string().into_bytes())
    });
    let error = install(&library, &proxy.client(), "1.0.0", PLAIN).await.unwrap_err();
    assert_eq!(error.code(), "version-withdrawn", "{error}");
    // Who updates has named no version, and is offered none that waits, whatever the listing says.
    proxy.alters(|_, status, body| (status, body));
    install(&library, &proxy.client(), "0.9.0", PLAIN).await.unwrap();
    proxy.alters(|path, status, body| {
        let Ok(mut said) = serde_json::from_slice::<Value>(&body) else { return (status, body) };
        if !path.contains("/versions?") {
            return (status, body);
        }
        for version in said["versions"].as_array_mut().unwrap() {
            version["status"] = "published".into();
        }
        (status, said.to_string().into_bytes())
    });
    let updated = library.update(&proxy.client(), "acme/hello", &VersionRequest::Latest, PLAIN).await;
    assert_eq!(updated.unwrap_err().code(), "version-withdrawn");
    proxy.alters(|_, status, body| (status, body));
    let warning = install(&library, &proxy.client(), "1.0.0", PLAIN).await.unwrap().warning;
    assert_eq!(warning.as_deref(), Some("acme/hello 1.0.0 waits for approval"));
}

#[tokio::test]
async fn what_approves_a_version_is_kept_beside_it_and_counted_again_without_anybody() {
    let mut registry = Registry::start().await;
    let home = registry.home("author");
    let (anna, signer) = author(&registry).await;
    let (rita, rob) = (reviewer(&registry, "rita").await, reviewer(&registry, "rob").await);
    let two = PublishPolicy { approvals: 2, ..PublishPolicy::LEAST };
    registry.admin().set_approval_policy(&acme(), &two).await.unwrap();
    let with = SignWith { signer: Some(&signer), ..SignWith::default() };
    publish(&anna, &home, draft("acme/hello", "1.0.0"), with).await.unwrap();
    let hello = id("acme/hello");
    for client in [&rita, &rob] {
        client.decide(&hello, &version("1.0.0"), &decided(Decision::Approved, None)).await.unwrap();
    }
    let (library, stranger) = (Library::new(registry.home("reader")), registry.stranger());
    let installed = install(&library, &stranger, "1.0.0", APPROVED).await.unwrap().installed;
    // Demanding less afterwards takes nothing away.
    install(&library, &stranger, "1.0.0", PLAIN).await.unwrap();
    registry.stop();
    let offline = Library::new(registry.home("reader"));
    let check = || {
        let installed = offline.get("acme/hello", None)?;
        offline.verify_required(&stranger, &installed, APPROVED.require)
    };
    let approved = check().unwrap().approved.unwrap();
    assert_eq!((approved.demanded.clone(), approved.log_indexes.len()), (two.clone(), 2));
    assert_eq!(Some(approved), installed.manifest.approved);
    let from_cache = InstallOptions { offline: true, ..APPROVED };
    install(&offline, &stranger, "1.0.0", from_cache).await.unwrap();

    let mut names = installed.manifest.kept_files.keys();
    let name = names.find(|name| name.starts_with("skill.approvals.")).unwrap();
    let file = installed.path.join(name);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(*name, format!("skill.approvals.{}.json", &Digest::of(text.as_bytes()).to_string()[..16]));
    let kept: Value = serde_json::from_str(&text).unwrap();
    // Publication, two approvals, release, policy, two roles.
    assert_eq!(kept["entries"].as_array().unwrap().len(), 7);
    let manifest = installed.path.join("skill.json");
    let said = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&file, format!("{text} ")).unwrap();
    assert_eq!(check().unwrap_err().code(), "signature-altered");
    // Nor do other entries count whose digest stands in the manifest: none of them can be left out, or be another's.
    for left_out in 0..7 {
        let mut less = kept.clone();
        less["entries"].as_array_mut().unwrap().remove(left_out);
        let less = less.to_string();
        let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
        std::fs::write(&file, &less).unwrap();
        std::fs::write(&manifest, said.replace(&digest(&text), &digest(&less))).unwrap();
        assert_eq!(check().unwrap_err().code(), "not-approved", "{left_out}");
    }
    std::fs::write(&file, &text).unwrap();
    std::fs::write(&manifest, &said).unwrap();
    check().unwrap();
    // Who writes into the library names no other registry, whose key would be the one that stands there.
    let url = registry.config().url.to_string();
    std::fs::write(&manifest, said.replace(url.trim_end_matches('/'), "http://127.0.0.1:9")).unwrap();
    assert_eq!(check().unwrap_err().code(), "log-key-unknown");
    std::fs::write(&manifest, &said).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(check().unwrap_err().code(), "signature-altered");
}
