//! Configuration and keys: what overrides what, who may read the files, and what is never shown.

use std::time::Duration;

use skillery_client::{Config, ConfigLayer, Keys, Secret};

use crate::TestHome;

fn layer(variables: &[(&str, &str)]) -> skillery_client::Result<ConfigLayer> {
    ConfigLayer::from_variables(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn what_is_not_set_stays_and_the_environment_overrides() {
    let test = TestHome::new();
    let home = test.home();
    ConfigLayer::update(&home, |file| {
        file.url = Some("https://registry.example.com/".parse().unwrap());
        file.token = Some(Secret::new("first"));
        file.timeout = Some(Duration::from_secs(60));
    })
    .unwrap();
    let file = ConfigLayer::update(&home, |file| {
        file.merge(ConfigLayer { org: Some("acme/email".parse().unwrap()), ..ConfigLayer::default() });
    })
    .unwrap();
    assert_eq!(ConfigLayer::read(&home).unwrap(), file);
    let environment = layer(&[
        ("REGISTRY_TOKEN", "second"),
        ("SKILLERY_TOKEN", "third"),
        ("SKILLERY_REGISTRY", "http://localhost:1/base/api/v1/"),
        ("REGISTRY_URL", " "),
        ("REGISTRY_VERIFY_SIGNATURE", "True"),
    ])
    .unwrap();
    let config = Config::default().with(&file).with(&environment);
    assert_eq!(config.url.as_str(), "http://localhost:1/base");
    assert_eq!(config.token.as_ref().unwrap().expose(), "second");
    assert_eq!(config.org.as_ref().unwrap().as_str(), "acme/email");
    assert!(config.verify_signature);
    assert_eq!(config.timeout, Duration::from_secs(60));
    assert!(!format!("{config:?} {file:?}").contains("first"));
    assert!(!format!("{config:?}").contains("second"));
}

#[test]
fn bad_settings_name_themselves() {
    let answers: Vec<String> = [
        ("REGISTRY_URL", "registry.example.com"),
        ("REGISTRY_URL", "ftp://registry.example.com"),
        ("REGISTRY_URL", "https://user:pass@registry.example.com"),
        ("REGISTRY_TOKEN", "two words"),
        ("REGISTRY_ORG", "Acme"),
        ("REGISTRY_VERIFY_SIGNATURE", "perhaps"),
    ]
    .iter()
    .map(|setting| layer(&[*setting]).unwrap_err().to_string())
    .collect();
    assert!(!answers.join("\n").contains("pass@"));
    insta::assert_snapshot!(answers.join("\n"));
}

#[test]
fn a_damaged_file_is_named_and_its_secrets_are_not() {
    let test = TestHome::new();
    let home = test.home();
    std::fs::create_dir_all(home.path()).unwrap();
    for content in [
        "token = \"sky_pat_hidden\" x",
        "tokne = \"sky_pat_hidden\"",
        "token = sky_pat_hidden",
        "timeout = \"sky_pat_hidden\"",
    ] {
        std::fs::write(home.config_file(), content).unwrap();
        let error = ConfigLayer::read(&home).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(error.code(), "bad-file");
        assert!(!format!("{error} {cause} {error:?}").contains("hidden"), "{error:?}");
        assert!(cause.starts_with("line 1: "), "{cause}");
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_what_is_secret() {
    use std::os::unix::fs::PermissionsExt;

    let test = TestHome::new();
    let home = test.home();
    ConfigLayer::update(&home, |file| file.token = Some(Secret::new("x"))).unwrap();
    Keys::add(&home, "http://127.0.0.1:1", "acme", &Secret::new("s")).unwrap();
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.config_file()), 0o600);
    assert_eq!(mode(home.keys_file()), 0o600);
    assert_eq!(mode(home.path().to_owned()), 0o700);
    // A file that others could read is closed to them when it is written again.
    std::fs::set_permissions(home.config_file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    ConfigLayer::update(&home, |_| ()).unwrap();
    assert_eq!(mode(home.config_file()), 0o600);
}

#[test]
fn secrets_are_kept_by_registry_and_org_with_the_newest_first() {
    let test = TestHome::new();
    let home = test.home();
    let here = "http://127.0.0.1:1";
    for secret in ["old", "new", "old", "newest"] {
        Keys::add(&home, here, "ac-me", &Secret::new(secret)).unwrap();
    }
    let keys = Keys::load(&home).unwrap();
    let texts: Vec<&str> = keys.secrets(here, "ac_me").iter().map(Secret::expose).collect();
    assert_eq!(texts, ["newest", "old", "new"]);
    assert!(keys.secrets("http://127.0.0.1:2", "ac-me").is_empty());
    assert!(!format!("{keys:?}").contains("new"));
    assert!(Keys::add(&home, here, "acme", &Secret::new("")).is_err());
    assert!(Keys::remove(&home, here, "ac.me").unwrap());
    assert!(!Keys::remove(&home, here, "ac.me").unwrap());
    assert_eq!(Keys::load(&home).unwrap().orgs().count(), 0);
}

#[test]
fn many_writers_lose_nothing() {
    let test = TestHome::new();
    let home = test.home();
    std::thread::scope(|scope| {
        for number in 0..16 {
            let home = home.clone();
            scope.spawn(move || {
                Keys::add(&home, "http://127.0.0.1:1", &format!("org{number}"), &Secret::new("s")).unwrap();
            });
        }
    });
    assert_eq!(Keys::load(&home).unwrap().orgs().count(), 16);
}
