//! What versions need: as the registry tells it, as it does not, and as it lies.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use skillery_client::library::Together;
use skillery_client::publish::publish;
use skillery_client::resolve::Want;
use skillery_client::{Draft, Error, Library, Lockfile, SignWith};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::{Limits, VersionRequest};

use crate::proxy::Proxy;
use crate::registry::{PLAIN, Registry, draft, id, version};

async fn release(registry: &Registry, skill: &str, number: &str, needs: &str) {
    let code = match needs {
        "" => format!("def main():\n    return '{number}'\n"),
        needs => {
            format!("# /// script\n# [tool.skillery]\n# skills = [\"{needs}\"]\n# ///\ndef main(): ...\n")
        }
    };
    let draft = Draft { code, ..draft(skill, number) };
    publish(&registry.admin(), &registry.home("publisher"), draft, SignWith::default()).await.unwrap();
}

async fn install(library: &Library, proxy: &Proxy, wanted: &str) -> Result<Together, Error> {
    let wants = [Want { id: id(wanted), request: VersionRequest::Latest }];
    library
        .install_together(&proxy.client(), &wants, &Lockfile::default(), &BTreeSet::new(), PLAIN, &|_| ())
        .await
}

fn versions(together: &Together) -> Vec<String> {
    let manifests = together.installations.iter().map(|one| &one.installed.manifest);
    manifests.map(|manifest| format!("{}@{}", manifest.id, manifest.version)).collect()
}

/// Alters what the listing of the app says that it needs.
fn tells(proxy: &Proxy, needs: Option<Value>) {
    proxy.alters(move |path, status, body| {
        if !path.contains("acme/app/versions?") {
            return (status, body);
        }
        let mut said: Value = serde_json::from_slice(&body).unwrap();
        for version in said["versions"].as_array_mut().unwrap() {
            match &needs {
                Some(needs) => version["dependencies"] = needs.clone(),
                None => drop(version.as_object_mut().unwrap().remove("dependencies")),
            }
        }
        (status, said.to_string().into_bytes())
    });
}

#[tokio::test]
async fn a_registry_that_lies_about_needs_is_found_out_and_one_that_is_silent_is_not_asked() {
    let registry = Registry::start().await;
    release(&registry, "acme/base", "1.0.0", "").await;
    release(&registry, "acme/base", "2.0.0", "").await;
    release(&registry, "acme/evil", "1.0.0", "").await;
    release(&registry, "acme/app", "1.0.0", "acme/base@^1").await;
    let proxy = Proxy::start(registry.config()).await;
    let library = Library::new(registry.home("home"));
    // It leaves something out, adds something, or says something else.
    for lie in [json!({}), json!({ "acme/base": "^1", "acme/evil": "*" }), json!({ "acme/base": "^2" })] {
        tells(&proxy, Some(lie.clone()));
        let error = install(&library, &proxy, "acme/app").await.unwrap_err();
        assert_eq!(error.code(), "needs-differ", "{lie}: {error}");
        assert!(error.to_string().contains("`acme/app` 1.0.0"), "{error}");
        assert_eq!(library.list().unwrap(), [], "{lie}: nothing is installed");
    }
    // A version that was published before the registry looked: its own files say what it needs.
    tells(&proxy, None);
    let together = install(&library, &proxy, "acme/app").await.unwrap();
    assert_eq!(versions(&together), ["acme/app@1.0.0", "acme/base@1.0.0"]);
    let (_, needs) = together.needs.iter().find(|(skill, _)| skill.name() == "app").unwrap();
    assert_eq!(needs[0].text(), "acme/base ^1");
}

#[tokio::test]
async fn a_registry_says_how_long_its_pages_are() {
    let limits = Limits { page_rows: 3, default_page_rows: 2, ..Limits::default() };
    let registry = Registry::start_with(limits).await;
    for number in 1..=5 {
        release(&registry, "acme/base", &format!("1.{number}.0"), "").await;
    }
    let client = registry.admin();
    assert_eq!(client.all_versions(&id("acme/base")).await.unwrap().len(), 5);
    let newest = |request: &str| {
        let (client, request) = (client.clone(), request.parse().unwrap());
        async move { client.newest(&id("acme/base"), &request).await.unwrap() }
    };
    assert_eq!(newest("<1.2").await, Some(version("1.1.0")));
    assert_eq!(newest("latest").await, Some(version("1.5.0")));
    assert_eq!(newest("^2").await, None);
}

#[test]
fn what_an_operator_allows_beyond_the_defaults_is_accepted() {
    let limits = Limits::default();
    let skill_md = b"---\nname: big\ndescription: Big.\n---\n".to_vec();
    let file = |path: String, bytes| BundleFile { path, bytes, executable: false };
    let mut many: Vec<BundleFile> =
        (0..=limits.bundle_files).map(|number| file(format!("data/{number}.txt"), b"x".to_vec())).collect();
    many.push(file("SKILL.md".into(), skill_md.clone()));
    let large =
        vec![file("SKILL.md".into(), skill_md), file("data.bin".into(), vec![0; limits.file_bytes + 1])];
    for files in [many, large] {
        let (count, zip) = (files.len(), bundle::pack(files).unwrap());
        let checked = skillery_client::verify::check_bundle(
            id("acme/big"),
            version("1.0.0"),
            &zip,
            bundle::digest(&zip),
        );
        assert_eq!(checked.unwrap().files.len(), count);
    }
}

#[test]
fn a_path_that_could_be_published_once_is_still_read() {
    let check = |path: &str| {
        let file = |path: &str| BundleFile { path: path.to_owned(), executable: false, bytes: b"a".to_vec() };
        let zip = bundle::pack(vec![file("SKILL.md"), file(path)]).unwrap();
        // It would not be published today.
        bundle::admit(&zip, &Limits::default()).unwrap_err();
        let digest = bundle::digest(&zip);
        skillery_client::verify::check_bundle(id("acme/old"), version("1.0.0"), &zip, digest)
    };
    for path in ["docs/技\u{200d}能.md", "docs/a\u{fe0f}.md"] {
        assert!(check(path).unwrap().files.iter().any(|file| file.path == path));
    }
    assert_eq!(check("docs/a\u{202e}b.md").unwrap_err().code(), "bad-bundle");
}
