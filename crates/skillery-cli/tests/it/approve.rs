//! Namespaces that demand approvals, and reviewers who decide.

use std::process::Command;

use crate::support::{Place, Server, VALIDATOR, snapshot, until};

const ID: &str = "acme/email_validator";

/// A place of a user with this role in `acme`.
fn member(server: &Server, admin: &Place, name: &str, role: &str) -> Place {
    admin.run(["user", "create", name]).ok();
    admin.run(["org", "set-member", "acme", name, role]).ok();
    let scopes = ["--scope", "read", "--scope", "publish", "--scope", "review"];
    let create = ["token", "create", "--user", name, "--json"].into_iter().chain(scopes);
    let created = admin.run(create).ok().reveals();
    let mut place = server.place();
    place.set("REGISTRY_TOKEN", created.json()["token"].as_str().unwrap());
    place
}

#[test]
fn what_is_published_under_a_policy_waits_for_reviewers() {
    let server = Server::start();
    let admin = server.place();
    admin.run(["org", "create", "acme"]).ok();
    let author = member(&server, &admin, "anna", "publisher");
    let (rita, rob) =
        (member(&server, &admin, "rita", "reviewer"), member(&server, &admin, "rob", "reviewer"));

    snapshot!("policy-none", admin.run(["org", "policy", "show", "acme"]).ok());
    snapshot!("policy-set-bad", admin.run(["org", "policy", "set", "acme", "--approvals", "0"]).fails(2));
    snapshot!("policy-set", admin.run(["org", "policy", "set", "acme", "--approvals", "2"]).ok());
    snapshot!("policy-set-no-admin", author.run(["org", "policy", "set", "acme"]).fails(3));
    snapshot!("policy-show-below", rita.run(["org", "policy", "show", "acme/email"]).ok());
    snapshot!("json-policy", rita.run(["org", "policy", "show", "acme", "--json"]).ok());

    snapshot!("list-nothing", rita.run(["approve", "list"]).ok());
    author.write("skill.py", VALIDATOR);
    snapshot!("publish-waits", author.run(["publish", "skill.py", "--id", ID, "--version", "1.0.0"]).ok());
    let reader = server.place();
    snapshot!("install-waiting", rita.run(["install", &format!("{ID}@1.0.0"), "--no-lock"]).ok());
    member(&server, &admin, "ron", "reader").run(["install", &format!("{ID}@1.0.0")]).fails(4);
    snapshot!("list", rita.run(["approve", "list"]).ok());
    snapshot!("json-list", rita.run(["approve", "list", "--json"]).ok());

    let accept = ["approve", "accept", ID, "1.0.0"];
    snapshot!("accept-own", author.run(accept).fails(3));
    snapshot!("accept-first", rita.run(accept.iter().chain(&["--comment", "reads nothing else"])).ok());
    let other = format!("sha256:{}", "0".repeat(64));
    snapshot!("accept-other", rob.run(accept.iter().copied().chain(["--digest", other.as_str()])).fails(2));
    snapshot!("accept-last", rob.run(accept).ok());
    snapshot!("show", rita.run(["approve", "show", ID, "1.0.0"]).ok());
    snapshot!("json-show", rita.run(["approve", "show", ID, "1.0.0", "--json"]).ok());
    reader.run(["install", ID]).ok();
    // Whoever decides about a version has not installed it by that.
    let installs = until("installs are told", || {
        let told = admin.run(["audit", "installs", ID, "1.0.0"]).ok().stdout.clone();
        (told.contains("rita") && told.contains("admin")).then_some(told)
    });
    assert!(!installs.contains("anna") && !installs.contains("rob"), "{installs}");

    author.run(["publish", "skill.py", "--id", ID, "--version", "1.1.0", "--changelog", "Is faster."]).ok();
    let shown = rob.run(["approve", "show", ID, "1.1.0"]).ok();
    assert!(shown.stdout.ends_with("says\n  Is faster.\n"), "{}", shown.stdout);
    snapshot!("reject-no-reason", rob.run(["approve", "reject", ID, "1.1.0"]).fails(2));
    let reject = ["approve", "reject", ID, "1.1.0", "--reason", "sends addresses away"];
    snapshot!("reject", rob.run(reject).ok());
    snapshot!("accept-rejected", rita.run(["approve", "accept", ID, "1.1.0"]).fails(2));
    snapshot!("policy-remove", admin.run(["org", "policy", "remove", "acme"]).ok());
    snapshot!("policy-remove-again", admin.run(["org", "policy", "remove", "acme"]).fails(4));
    snapshot!("log-list", admin.run(["log", "list", "--after", "13", "--limit", "20"]).ok());
    // The rules hold over all of it.
    admin.run(["log", "monitor"]).ok();
}

#[test]
fn a_reviewer_and_an_author_come_to_a_version() {
    let server = Server::start();
    let admin = server.place();
    admin.run(["org", "create", "acme"]).ok();
    let (mut author, rita) =
        (member(&server, &admin, "anna", "publisher"), member(&server, &admin, "rita", "reviewer"));
    admin.run(["org", "policy", "set", "acme", "--approvals", "1"]).ok();
    let publish = |author: &Place, version: &str, code: &str| {
        author.write("skill.py", code);
        author.run(["publish", "skill.py", "--id", ID, "--version", version]).ok();
    };
    publish(&author, "1.0.0", VALIDATOR);
    rita.run(["approve", "accept", ID, "1.0.0"]).ok();
    let asks = "# /// script\n# [tool.skillery.permissions]\n# hosts = [\"example.org:443\"]\n# ///\n";
    publish(&author, "1.1.0", &format!("{asks}{VALIDATOR}\n\tNOTE = 'a\u{202e}b'"));

    snapshot!("review-list-needs-me", rita.run(["approve", "list", "--needs-me"]).ok());
    snapshot!("review-diff", rita.run(["approve", "diff", ID, "1.1.0"]).ok());
    snapshot!("review-diff-first", author.run(["approve", "diff", ID, "1.0.0", "--file", "SKILL.md"]).ok());
    snapshot!("review-diff-colours", rita.run(["--color", "always", "approve", "diff", ID, "1.1.0"]).ok());
    let patch = rita.run(["approve", "diff", ID, "1.1.0", "--patch"]).ok();
    assert!(patch.stdout.contains("\n+++ b/scripts/email_validator.py\n"));
    let json = rita.run(["approve", "diff", ID, "1.1.0", "--json"]).ok();
    assert_eq!(json.json()["permissions"][0]["added"][0], "example.org:443");
    snapshot!("review-diff-unknown", rita.run(["approve", "diff", ID, "1.1.0", "--from", "9.0.0"]).fails(4));
    let ron = member(&server, &admin, "ron", "reader");
    ron.run(["approve", "diff", ID, "1.1.0"]).fails(4);

    let on = ["--file", "scripts/email_validator.py", "--line", "3", "--json"];
    let said = rita.run(["approve", "comment", ID, "1.1.0", "Why this host?"].iter().chain(&on)).ok();
    let thread = said.json()["id"].as_str().unwrap().to_owned();
    let end = &thread[thread.len() - 8..];
    let answer = ["approve", "comment", ID, "1.1.0", "It has the list.", "--thread", end, "--json"];
    let answered = author.run(answer).ok().json();
    let second = answered["comments"][1]["id"].as_str().unwrap();
    let second = &second[second.len() - 8..];
    author.run(["approve", "comment", ID, "1.1.0", "x", "--thread", "none"]).fails(4);
    author.run(["approve", "comment", ID, "1.1.0", "x", "--line", "1"]).fails(2);
    let ask = ["approve", "request-changes", ID, "1.1.0", "--comment", "take the mark out of line 9"];
    snapshot!("review-request-changes", rita.run(ask).ok());
    snapshot!("review-list-mine", author.run(["approve", "list", "--mine"]).ok());
    snapshot!("review-list-nothing-left", rita.run(["approve", "list", "--needs-me"]).ok());
    let shown = author.run(["approve", "show", ID, "1.1.0"]).ok();
    assert!(shown.stdout.contains(&format!("thread {end}  scripts/email_validator.py:3  open")));
    let resolved = author.run(["approve", "resolve", ID, "1.1.0", end]).ok();
    assert!(resolved.stdout.contains("resolved by anna"));
    assert!(rita.run(["approve", "resolve", ID, "1.1.0", end, "--reopen"]).ok().stdout.contains("  open\n"));

    let remove =
        |place: &Place, comment: &str| place.run(["approve", "remove-comment", ID, "1.1.0", comment]);
    remove(&rita, second).fails(3);
    remove(&author, "none").fails(4);
    assert!(remove(&author, second).ok().stdout.ends_with("    taken away\n"));

    author.replace(end, "[THREAD]");
    author.replace(second, "[ANSWER]");
    publish(&author, "1.1.1", &format!("{asks}{VALIDATOR}"));
    snapshot!("review-show-newer", author.run(["approve", "show", ID, "1.1.0"]).ok());
    rita.run(["approve", "accept", ID, "1.1.1"]).ok();
    rita.run(["approve", "reject", ID, "1.1.0", "--reason", "1.1.1 is in its place"]).ok();
    snapshot!("review-list-decided", author.run(["approve", "list", "--mine", "--state", "decided"]).ok());
    admin.run(["log", "monitor"]).ok();
}

#[test]
fn signatures_may_be_demanded_alone_or_as_well() {
    let server = Server::start();
    let admin = server.place();
    admin.run(["org", "create", "acme"]).ok();
    snapshot!("policy-set-signed", admin.run(["org", "policy", "set", "acme", "--signed"]).ok());
    admin.write("skill.py", VALIDATOR);
    snapshot!(
        "publish-unsigned",
        admin.run(["publish", "skill.py", "--id", ID, "--version", "1.0.0"]).fails(2)
    );
    let both = ["org", "policy", "set", "acme/email", "--signed", "--approvals", "1", "--role", "admin"];
    snapshot!("policy-set-both", admin.run(both).ok());
}

#[test]
fn what_installs_may_have_to_be_approved() {
    let server = Server::start();
    let place = server.place();
    let key = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", "id_test"])
        .current_dir(place.work())
        .status();
    assert!(key.unwrap().success());
    place.publish("acme/other", "1.0.0");
    place.run(["key", "enrol", "id_test"]).ok();
    place.publish(ID, "1.0.0");
    snapshot!("install-not-approved", server.place().run(["install", ID, "--require", "approved"]).fails(1));
}

/// A place of a user with this role in `acme` who has enrolled a key.
fn signing(server: &Server, admin: &Place, name: &str, role: &str) -> Place {
    member(server, admin, name, role);
    let scopes = ["--scope", "read", "--scope", "publish", "--scope", "review", "--scope", "admin"];
    let create = ["token", "create", "--user", name, "--json"].into_iter().chain(scopes);
    let created = admin.run(create).ok().reveals();
    let mut place = server.place();
    place.set("REGISTRY_TOKEN", created.json()["token"].as_str().unwrap());
    let key = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", "id_test"])
        .current_dir(place.work())
        .status();
    assert!(key.unwrap().success());
    place.run(["key", "enrol", "id_test"]).ok();
    place
}

#[test]
fn whatever_is_decided_may_be_signed() {
    let server = Server::start();
    let admin = server.place();
    admin.run(["org", "create", "acme"]).ok();
    let author = signing(&server, &admin, "anna", "publisher");
    let (rita, rob) =
        (signing(&server, &admin, "rita", "reviewer"), member(&server, &admin, "rob", "reviewer"));
    admin.write("policy.toml", "approvals = 1\nsigned_reviews = true\n");
    admin.run(["org", "policy", "set", "acme", "--file", "policy.toml"]).ok();
    author.write("skill.py", VALIDATOR);
    author.run(["publish", "skill.py", "--id", ID, "--version", "1.0.0"]).ok();
    let row = |user: &str| -> Vec<String> {
        let shown = rita.run(["approve", "show", ID, "1.0.0"]).ok();
        let line = shown.stdout.lines().find(|line| line.starts_with(user));
        let line = line.unwrap_or_else(|| panic!("no row of {user} in\n{}", shown.stdout));
        line.split_whitespace().take(4).map(str::to_owned).collect()
    };

    let ask = ["approve", "request-changes", ID, "1.0.0", "--comment", "name the limit"];
    let signed = |command: &[&'static str]| -> Vec<&'static str> { [command, &["--sign"]].concat() };
    let refused = rob.run(signed(&ask)).fails(2);
    assert!(refused.stderr.contains("no key to sign with is known here"), "{}", refused.stderr);
    rob.run(ask).ok();
    let asked = rita.run(signed(&ask)).ok();
    assert!(asked.stdout.contains("asked for changes of acme/email_validator 1.0.0"), "{}", asked.stdout);
    assert_eq!(row("rob"), ["rob", "changes-requested", "no", "-"]);
    assert_eq!(row("rita"), ["rita", "changes-requested", "no", "yes"]);

    let reject = ["approve", "reject", ID, "1.0.0", "--reason", "sends addresses away"];
    rita.run([&reject[..], &["--key", "id_test"]].concat()).fails(2);
    let rejected = rita.run([&reject[..], &["--sign", "--key", "id_test"]].concat()).ok();
    assert!(rejected.stdout.contains("rejected acme/email_validator 1.0.0"), "{}", rejected.stdout);
    assert_eq!(row("rita"), ["rita", "rejected", "no", "yes"]);
    let shown = rita.run(["approve", "show", ID, "1.0.0", "--json"]).ok().json();
    let decided = shown["decisions"].as_array().unwrap();
    let hers = decided.iter().find(|decision| decision["user"] == "rita").unwrap();
    assert_eq!(hers["decision"], "rejected");
    assert_eq!(hers["signed"], true);

    // What was asked to be changed counts when it is approved after all, by the approval alone.
    author.run(["publish", "skill.py", "--id", ID, "--version", "1.1.0"]).ok();
    let ask = ["approve", "request-changes", ID, "1.1.0", "--comment", "name the limit"];
    let waits = rita.run(signed(&ask)).ok();
    assert!(waits.stdout.contains("open; 0 of 1, each a reviewer or above, signed"), "{}", waits.stdout);
    rita.run(["approve", "accept", ID, "1.1.0", "--sign"]).ok();
    let reader = server.place();
    reader.run(["install", &format!("{ID}@1.1.0"), "--require", "approved"]).ok();
    reader.run(["verify", "--require", "approved"]).ok();
    admin.run(["log", "monitor"]).ok();
}

#[test]
fn a_team_has_stages_groups_signed_reviews_and_a_way_around_them() {
    let says = |stdout: &str, lines: &[&str]| {
        for line in lines {
            assert!(stdout.contains(line), "no `{line}` in\n{stdout}");
        }
    };
    let server = Server::start();
    let admin = server.place();
    admin.run(["org", "create", "acme"]).ok();
    let author = signing(&server, &admin, "anna", "publisher");
    let plain = member(&server, &admin, "rob", "reviewer");
    let (rita, sam) =
        (signing(&server, &admin, "rita", "reviewer"), signing(&server, &admin, "sam", "reviewer"));

    let team = admin.run(["org", "policy", "set", "acme", "--preset", "team"]).ok();
    says(
        &team.stdout,
        &["passes: what a trusted build publishes", "passes: a patch that asks for nothing new"],
    );
    admin.run(["org", "policy", "set", "acme", "--preset", "no-such"]).fails(2);
    admin.run(["org", "policy", "group", "acme", "security"]).fails(2);
    let group = admin.run(["org", "policy", "group", "acme", "security", "sam"]).ok();
    says(&group.stdout, &["group security of acme", "sam"]);
    author.run(["org", "policy", "group", "acme", "security", "anna"]).fails(3);
    admin.write("bad.toml", "approvals = 1\n\n[[stages]]\nname = \"review\"\n");
    admin.run(["org", "policy", "set", "acme", "--file", "bad.toml"]).fails(2);
    let stages = "[[stages]]\nname = \"review\"\n\n[[stages]]\nname = \"security\"\ngroup = \"security\"\n";
    admin.write("policy.toml", format!("signed_reviews = true\n\n{stages}"));
    let staged = admin.run(["org", "policy", "set", "acme", "--file", "policy.toml"]).ok();
    let told = [
        "1. review: one reviewer or above\n",
        "2. security: one reviewer or above in the group security\n",
        "only signed approvals count",
    ];
    says(&staged.stdout, &told);
    says(&rita.run(["org", "policy", "show", "acme/email"]).ok().stdout, &told);

    author.write("skill.py", VALIDATOR);
    author.run(["publish", "skill.py", "--id", ID, "--version", "1.0.0"]).ok();
    let accept = ["approve", "accept", ID, "1.0.0"];
    let sign = ["approve", "accept", ID, "1.0.0", "--sign"];
    let unsigned = plain.run(accept).fails(2);
    says(&unsigned.stderr, &["the stage `review` counts signed approvals only"]);
    says(&plain.run(sign).fails(2).stderr, &["no key to sign with is known here"]);
    let first = rita.run(sign).ok();
    says(
        &first.stdout,
        &["complete; 1 of 1", "open; 0 of 1, each a reviewer or above in the group security, signed"],
    );
    says(&rita.run(["approve", "list", "--needs-me"]).ok().stdout, &["nothing waits for you"]);
    says(&sam.run(["approve", "list", "--needs-me"]).ok().stdout, &[ID]);
    sam.run(sign).ok();
    says(&rita.run(["approve", "show", ID, "1.0.0"]).ok().stdout, &["published", "complete; 1 of 1"]);
    server.place().run(["install", &format!("{ID}@1.0.0"), "--require", "approved"]).ok();

    author.run(["publish", "skill.py", "--id", ID, "--version", "1.1.0"]).ok();
    let force = ["approve", "break-glass", ID, "1.1.0", "--reason", "incident 4711"];
    rita.run(force).fails(3);
    says(&admin.run(force).ok().stdout, &["released by force"]);
    says(&rita.run(["approve", "list", "--due"]).ok().stdout, &["1.1.0", "incident 4711"]);
    says(
        &rita.run(["approve", "list", "--due", "--mine"]).ok().stdout,
        &["nothing that you published is due"],
    );
    says(&rita.run(["approve", "show", ID, "1.1.0"]).ok().stdout, &["incident 4711"]);
    let newest = format!("{ID}@1.1.0");
    let refused = server.place().run(["install", &newest, "--require", "approved"]).fails(1);
    says(&refused.stderr, &["an owner released it by force"]);
    let taken = server.place().run(["install", &newest, "--require", "approved-or-forced"]).ok();
    says(&taken.stderr, &["was released by an owner"]);

    // What is shown is what can be set.
    let shown = admin.run(["org", "policy", "show", "acme", "--json"]).ok().json();
    admin.write("policy.json", shown["policies"][0]["policy"].to_string());
    let again = admin.run(["org", "policy", "set", "acme", "--file", "policy.json", "--json"]).ok().json();
    assert_eq!(again["policies"][0]["policy"], shown["policies"][0]["policy"]);

    let history = admin.run(["org", "policy", "history", "acme"]).ok();
    says(&history.stdout, &["1. review: one reviewer or above", "an approval counts for 30 days"]);
    admin.run(["log", "monitor"]).ok();
}
