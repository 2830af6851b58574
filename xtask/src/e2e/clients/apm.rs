//! `apm-cli` of PyPI, the agent package manager, with the registry's OpenAPM address.

use std::path::PathBuf;

use anyhow::Result;

use super::Scene;
use super::desk::{Desk, must_be_gone};
use super::matrix::{Operation, Row};
use super::shelf::{ADDER, GREETER, NEXT, OFFERED, SHAKY, Shelf, VAULT};

/// What it writes beside the files.
const OWN: &[&str] = &[".apm-pin"];

pub(super) fn drive(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let want = |desk: &Desk, url: &str, wanted: &[(&str, &str)]| -> Result<()> {
        let mut text = format!(
            "name: project\nversion: 1.0.0\nregistries:\n  team:\n    url: {url}/apm\n  default: team\ndependencies:\n  apm:\n"
        );
        for (skill, version) in wanted {
            text += &format!("    - {}#{version}\n", shelf.id(skill));
        }
        Desk::write(&desk.path("apm.yml"), &text)
    };
    let folder =
        |desk: &Desk, skill: &str| -> PathBuf { desk.path(".claude/skills").join(shelf.name(skill)) };
    let has =
        |desk: &Desk, skill: &str, version: &str| shelf.must_have(&folder(desk, skill), skill, version, OWN);
    desk.run(&["experimental", "enable", "registries"])?.done()?;
    row.cannot(Operation::Search, "it searches marketplaces of Git hosts, not registries");
    row.step(Operation::Install, "the line of a skill's page", || {
        told(desk, shelf, None, "^1.1.0")?;
        install(desk)?.done()?;
        has(desk, GREETER, "1.1.0")
    });
    row.step(Operation::Install, "what a project asks for", || {
        want(desk, &shelf.url, &[(GREETER, "^1.0.0"), (ADDER, "^1.0.0")])?;
        install(desk)?.done()?;
        OFFERED[..2].iter().try_for_each(|(skill, version)| has(desk, skill, version))
    });
    row.step(Operation::Run, "a script", || shelf.must_run(desk, &folder(desk, GREETER), "1.1.0", OWN));
    let pinned = desk.project("pinned")?;
    row.step(Operation::Pin, "an exact version", || {
        told(&pinned, shelf, Some("1.0.0"), "1.0.0")?;
        install(&pinned)?.done()?;
        has(&pinned, GREETER, "1.0.0")
    });
    row.step(Operation::Yanked, "not what a range finds", || {
        let desk = desk.project("yanked")?;
        want(&desk, &shelf.url, &[(SHAKY, "^1.0.0")])?;
        install(&desk)?.done()?;
        has(&desk, SHAKY, "1.0.0")
    });
    row.step(Operation::Private, "not there for anybody, there with a token", || {
        let desk = desk.project("private")?;
        want(&desk, &shelf.url, &[(VAULT, "^1.0.0")])?;
        install(&desk)?.refused()?;
        must_be_gone(&folder(&desk, VAULT))?;
        // It sends a token only to an address that its user has written down, whatever a project says.
        desk.run(&["config", "set", "registry.team.url", &format!("{}/apm", shelf.url)])?.done()?;
        install(&desk.with("APM_REGISTRY_TOKEN_TEAM", &shelf.reader.token))?.done()?;
        has(&desk, VAULT, "1.0.0")
    });
    row.step(Operation::Tampered, "a byte of the archive", || {
        let desk = desk.somebody("tampered")?;
        desk.run(&["experimental", "enable", "registries"])?.done()?;
        want(&desk, &shelf.url, &[(GREETER, "^1.0.0")])?;
        scene.way.change(|target| target.ends_with("/download"), || install(&desk))?.refused()?;
        must_be_gone(&folder(&desk, GREETER))
    });
    row.step(Operation::Update, "a later version, with `update`", || {
        shelf.publish(GREETER, NEXT, "public")?;
        install(desk)?.done()?;
        has(desk, GREETER, "1.1.0")?;
        desk.run(&["update", "--yes", "--target", "claude"])?.done()?;
        has(desk, GREETER, NEXT)
    });
    row.step(Operation::Remove, "`uninstall`", || {
        desk.run(&["uninstall", &shelf.id(GREETER)])?.done()?;
        must_be_gone(&folder(desk, GREETER))
    });
    row.step(Operation::Publish, "an archive with an `apm.yml`", || {
        let desk = desk.project("made")?.with("APM_REGISTRY_TOKEN_TEAM", &shelf.owner.token);
        desk.run(&["config", "set", "registry.team.url", &format!("{}/apm", shelf.url)])?.done()?;
        let about = format!("name: {}\nversion: 1.0.0\n", shelf.name("made"));
        let registry = format!("registries:\n  team:\n    url: {}/apm\n", shelf.url);
        Desk::write(&desk.path("apm.yml"), &format!("{about}{registry}"))?;
        shelf.write_archive(&desk.path("made.zip"), "made", "1.0.0", &[("apm.yml", about.as_bytes())])?;
        desk.run(&["publish", "--package", &shelf.id("made"), "--zip", "made.zip"])?.done()?;
        let folder = desk.path("made");
        shelf.write(&folder, "made", "1.0.0")?;
        Desk::write(&folder.join("apm.yml"), &about)?;
        shelf.must_have(&folder, "made", "1.0.0", &[])
    });
    Ok(())
}

/// Writes what is told for this version of a skill, which is known to be this.
fn told(desk: &Desk, shelf: &Shelf, version: Option<&str>, range: &str) -> Result<()> {
    let text = format!(
        "{{\"name\":\"mine\",\"version\":\"0.1.0\",\"registries\":{{\"skillery\":{{\"url\":\"{}/apm\"}}}},\
         \"dependencies\":{{\"apm\":[{{\"registry\":\"skillery\",\"id\":\"{}\",\"version\":\"{range}\"}}]}}}}",
        shelf.url,
        shelf.id(GREETER)
    );
    shelf.must_tell("openapm", GREETER, version, &text)?;
    Desk::write(&desk.path("apm.yml"), &text)
}

fn install(desk: &Desk) -> Result<super::desk::Said> {
    desk.run(&["install", "--target", "claude"])
}
