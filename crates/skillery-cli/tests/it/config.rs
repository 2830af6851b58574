//! Signing in and out, and where that is kept.

use crate::support::{Place, Server, snapshot};

#[test]
fn a_token_is_kept_for_its_owner_only() {
    let server = Server::start();
    let mut place = server.place();
    let token = server.admin_token.clone();
    place.unset("REGISTRY_TOKEN");
    place.unset("REGISTRY_URL");
    let login = ["login", "--token-stdin", "--registry", &server.url, "--org", "acme"];

    snapshot!("login-wrong-token", place.run_with_input(login, "not-a-token\n").fails(3));
    assert!(!place.home().join("config.toml").exists());
    snapshot!("login-empty", place.run_with_input(login, "\n").fails(2));
    snapshot!("login-no-terminal", place.run(["login", "--registry", &server.url]).fails(2));
    snapshot!("login", place.run_with_input(login, &format!("{token}\n")).ok());
    let file = place.home().join("config.toml");
    assert!(std::fs::read_to_string(&file).unwrap().contains(&token));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    snapshot!("whoami", place.run(["whoami"]).ok());
    // What is said of the work holds no token; the run is searched for it.
    assert_eq!(place.run(["whoami", "--verbose"]).ok().stdout, place.run(["whoami"]).ok().stdout);
    snapshot!("config-show", place.run(["config", "show"]).ok());
    snapshot!("config-show-json", place.run(["config", "show", "--json"]).ok());
    snapshot!("config-path", place.run(["config", "path"]).ok());
    snapshot!("logout", place.run(["logout"]).ok());
    snapshot!("logout-again", place.run(["logout"]).ok());
    assert!(!std::fs::read_to_string(&file).unwrap().contains("sky_"));
    place.run(["whoami"]).fails(3);
    let in_json = login.iter().chain(&["--json"]);
    snapshot!("json-login", place.run_with_input(in_json, &token).ok());
    snapshot!("json-config-path", place.run(["config", "path", "--json"]).ok());
    snapshot!("json-logout", place.run(["logout", "--json"]).ok());
}

#[test]
fn a_setting_is_kept_and_taken_out_again() {
    let mut place = Place::new();
    snapshot!("config-set", place.run(["config", "set", "share_usage", "true"]).ok());
    let shares = |place: &Place| place.run(["config", "show", "--json"]).ok().json()["share_usage"].clone();
    assert_eq!(shares(&place), true);
    place.set("SKILLERY_SHARE_USAGE", "no");
    assert_eq!(shares(&place), false);
    place.unset("SKILLERY_SHARE_USAGE");
    place.run(["config", "set", "timeout", "1.5", "--json"]).ok();
    place.run(["config", "set", "org", "acme/email"]).ok();
    place.run(["config", "set", "url", "https://registry.example.com"]).ok();
    place.run(["config", "set", "verify_signature", "on"]).ok();
    let shown = place.run(["config", "show", "--json"]).ok().json();
    assert_eq!((&shown["timeout_seconds"], &shown["org"]), (&1.5.into(), &"acme/email".into()));
    snapshot!("config-unset", place.run(["config", "unset", "share_usage"]).ok());
    assert_eq!(shares(&place), false);
    let before = std::fs::read(place.home().join("config.toml")).unwrap();
    let bad = [
        ("share_usage", "perhaps"),
        ("timeout", "soon"),
        ("timeout", "-1"),
        ("url", "registry.example.com"),
        ("org", "Acme"),
        ("token", "sky"),
        ("colour", "blue"),
    ];
    let told = bad.map(|(name, value)| {
        place.run(["config", "set", "--", name, value]).fails(2).report().replace("exit code: 2\n", "")
    });
    insta::assert_snapshot!("config-set-bad", told.concat());
    assert_eq!(std::fs::read(place.home().join("config.toml")).unwrap(), before);
}

#[test]
fn an_option_wins_over_a_variable_and_a_variable_over_the_file() {
    let mut place = Place::new();
    std::fs::create_dir_all(place.home()).unwrap();
    std::fs::write(place.home().join("config.toml"), "url = \"http://file.example\"\n").unwrap();
    let registry = |place: &Place, arguments: &[&str]| {
        let run = place.run(["config", "show", "--json"].iter().chain(arguments)).ok();
        run.json()["registry"].as_str().unwrap().to_owned()
    };
    assert_eq!(registry(&place, &[]), "http://file.example");
    place.set("SKILLERY_REGISTRY", "http://variable.example");
    assert_eq!(registry(&place, &[]), "http://variable.example");
    assert_eq!(registry(&place, &["--registry", "http://option.example"]), "http://option.example");
}

#[test]
fn a_broken_configuration_is_told_without_its_token() {
    let place = Place::new();
    std::fs::create_dir_all(place.home()).unwrap();
    let broken = "token = \"sky_pat_0000000000000000000000000000000000\" url\n";
    std::fs::write(place.home().join("config.toml"), broken).unwrap();
    snapshot!("broken-config", place.run(["whoami"]).fails(2));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let mut place = Place::new();
    assert!(!place.run(["logout"]).ok().stdout.contains('\u{1b}'));
    assert!(place.run(["config", "show", "--color", "always"]).ok().stdout.contains("\u{1b}["));
    assert!(place.run(["config", "show", "--help", "--color", "always"]).ok().stdout.contains("\u{1b}["));
    assert!(!place.run(["config", "show", "--color", "never"]).ok().stdout.contains('\u{1b}'));
    place.set("NO_COLOR", "1");
    assert!(!place.run(["config", "show"]).ok().stdout.contains('\u{1b}'));
}
