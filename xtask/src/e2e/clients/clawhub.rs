//! `clawhub` of npm: the newest release, and the one that Node 20 gets.

use anyhow::{Result, ensure};

use super::Scene;
use super::desk::{Desk, must_be_gone};
use super::matrix::{Operation, Row};
use super::shelf::{ADDER, GREETER, NEXT, SHAKY, VAULT, YANKED};

/// What it keeps in each skill for itself.
const OWN: &[&str] = &[".clawhub"];

const NO_MODES: &str = "it writes every file of an archive without the right to run it";
const NO_DIGEST: &str = "it looks at no digest of what it downloads";

/// 0.23.3, which knows owners.
pub(super) fn newest(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let shelf = &scene.shelf;
    let desk = &at(&scene.desk, &shelf.url);
    let owner = &signed_in(&scene.desk.project("owner")?, &shelf.url);
    let reference = |skill: &str| format!("@{}/{}", shelf.org, shelf.name(skill));
    let folder = |desk: &Desk, skill: &str| desk.path("skills").join(reference(skill));
    let has =
        |desk: &Desk, skill: &str, version: &str| shelf.must_have(&folder(desk, skill), skill, version, OWN);
    search(scene, desk, row);
    row.step(Operation::Install, "by owner and name", || {
        for skill in [GREETER, ADDER] {
            call(desk, &["install", &reference(skill)])?.done()?;
        }
        shelf.must_tell("clawhub", GREETER, None, &format!("clawhub install {}", reference(GREETER)))?;
        has(desk, GREETER, "1.1.0")?;
        has(desk, ADDER, "1.0.0")
    });
    row.step(Operation::Install, "by its name alone, where no other has it", || {
        let desk = desk.project("bare")?;
        call(&desk, &["install", &shelf.name(GREETER)])?.done()?;
        shelf.must_have(&desk.path("skills").join(shelf.name(GREETER)), GREETER, "1.1.0", OWN)
    });
    row.cannot(Operation::Run, NO_MODES);
    row.cannot(Operation::Tampered, NO_DIGEST);
    let pinned = desk.project("pinned")?;
    row.step(Operation::Pin, "an older version, pinned", || {
        call(&pinned, &["install", &reference(GREETER), "--version", "1.0.0"])?.done()?;
        call(&pinned, &["pin", &reference(GREETER)])?.done()?;
        has(&pinned, GREETER, "1.0.0")
    });
    row.step(Operation::Yanked, "not what is offered, and still there by its number", || {
        let desk = desk.project("yanked")?;
        call(&desk, &["install", &reference(SHAKY)])?.done()?;
        has(&desk, SHAKY, "1.0.0")?;
        call(&desk, &["install", &reference(SHAKY), "--version", YANKED, "--force"])?.done()?;
        has(&desk, SHAKY, YANKED)
    });
    row.step(Operation::Private, "not there for anybody, there with a token", || {
        let anybody = desk.project("private")?;
        call(&anybody, &["install", &reference(VAULT)])?.refused()?;
        must_be_gone(&folder(&anybody, VAULT))?;
        let reader = signed_in(&scene.desk.project("reader")?, &shelf.url);
        call(&reader, &["login", "--token", &shelf.reader.token])?.done()?;
        call(&reader, &["install", &reference(VAULT)])?.done()?;
        let typed = format!("clawhub install {} --version 1.0.0", reference(VAULT));
        shelf.must_tell("clawhub", VAULT, Some("1.0.0"), &typed)?;
        shelf.must_tell("clawhub", VAULT, None, "clawhub login --token \"$SKILLERY_TOKEN\"")?;
        has(&reader, VAULT, "1.0.0")
    });
    row.step(Operation::Update, "a later version, with `update`", || {
        shelf.publish(GREETER, NEXT, "public")?;
        call(desk, &["update", "--all"])?.done()?;
        has(desk, GREETER, NEXT)
    });
    row.step(Operation::Update, "what was changed by hand stays", || {
        let file = folder(desk, GREETER).join("SKILL.md");
        let before = std::fs::read_to_string(&file)?;
        std::fs::write(&file, format!("{before}\nMine.\n"))?;
        call(desk, &["update", &reference(GREETER)])?.says("local changes")?;
        let after = std::fs::read_to_string(&file)?;
        ensure!(after.ends_with("Mine.\n"), "what was written by hand is gone");
        call(desk, &["update", &reference(GREETER), "--force"])?.done()?;
        has(desk, GREETER, NEXT)
    });
    row.step(Operation::Pin, "`update` leaves what is pinned", || {
        call(&pinned, &["update", "--all"])?.done()?;
        has(&pinned, GREETER, "1.0.0")
    });
    row.step(Operation::Remove, "`uninstall`", || {
        call(desk, &["uninstall", &reference(GREETER), "--yes"])?.done()?;
        must_be_gone(&folder(desk, GREETER))
    });
    row.step(Operation::Publish, "a new skill, and the same again", || {
        call(owner, &["login", "--token", &shelf.owner.token])?.done()?;
        shelf.write(&owner.path(&shelf.name("made")), "made", "1.0.0")?;
        let publish = ["skill", "publish", &shelf.name("made"), "--owner", &shelf.org];
        call(owner, &publish)?.done()?.says("1.0.0")?;
        shelf.must_have(&owner.path(&shelf.name("made")), "made", "1.0.0", &[])?;
        call(owner, &publish)?.done()?.silent_about("1.0.1").map(drop)
    });
    row.step(Operation::Publish, "a changed skill becomes the next version", || {
        shelf.write(&owner.path(&shelf.name("made")), "made", "1.0.1")?;
        let said = "Greets louder than before.";
        let publish = ["skill", "publish", &shelf.name("made"), "--owner", &shelf.org, "--changelog", said];
        call(owner, &publish)?.done()?.says("1.0.1")?;
        shelf.must_have(&owner.path(&shelf.name("made")), "made", "1.0.1", &[])?;
        call(owner, &["inspect", &reference("made"), "--version", "1.0.1"])?.done()?.says(said).map(drop)
    });
    row.step(Operation::Publish, "one who may not is refused", || {
        let reader = signed_in(&scene.desk.project("reader-publishes")?, &shelf.url);
        call(&reader, &["login", "--token", &shelf.reader.token])?.done()?;
        shelf.write(&reader.path(&shelf.name("stolen")), "stolen", "1.0.0")?;
        let publish =
            ["skill", "publish", &shelf.name("stolen"), "--owner", &shelf.org, "--version", "1.0.0"];
        call(&reader, &publish)?.refused().map(drop)
    });
    Ok(())
}

/// 0.20.0, which knows names without owners.
pub(super) fn older(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let shelf = &scene.shelf;
    let desk = &at(&scene.desk, &shelf.url);
    let folder = |desk: &Desk, skill: &str| desk.path("skills").join(shelf.name(skill));
    let has =
        |desk: &Desk, skill: &str, version: &str| shelf.must_have(&folder(desk, skill), skill, version, OWN);
    search(scene, desk, row);
    row.step(Operation::Install, "by its name alone", || {
        for skill in [GREETER, ADDER] {
            call(desk, &["install", &shelf.name(skill)])?.done()?;
        }
        has(desk, GREETER, "1.1.0")?;
        has(desk, ADDER, "1.0.0")
    });
    row.cannot(Operation::Run, NO_MODES);
    row.cannot(Operation::Tampered, NO_DIGEST);
    let pinned = desk.project("pinned")?;
    row.step(Operation::Pin, "an older version, pinned", || {
        call(&pinned, &["install", &shelf.name(GREETER), "--version", "1.0.0"])?.done()?;
        call(&pinned, &["pin", &shelf.name(GREETER)])?.done()?;
        has(&pinned, GREETER, "1.0.0")
    });
    row.step(Operation::Yanked, "not what is offered, and still there by its number", || {
        let desk = desk.project("yanked")?;
        call(&desk, &["install", &shelf.name(SHAKY)])?.done()?;
        has(&desk, SHAKY, "1.0.0")?;
        call(&desk, &["install", &shelf.name(SHAKY), "--version", YANKED, "--force"])?.done()?;
        has(&desk, SHAKY, YANKED)
    });
    row.step(Operation::Private, "not there for anybody, there with a token", || {
        let anybody = desk.project("private")?;
        call(&anybody, &["install", &shelf.name(VAULT)])?.refused()?;
        must_be_gone(&folder(&anybody, VAULT))?;
        let reader = signed_in(&scene.desk.project("reader")?, &shelf.url);
        call(&reader, &["login", "--token", &shelf.reader.token])?.done()?;
        call(&reader, &["install", &shelf.name(VAULT)])?.done()?;
        has(&reader, VAULT, "1.0.0")
    });
    row.step(Operation::Update, "a later version, with `update`", || {
        shelf.publish(GREETER, NEXT, "public")?;
        call(desk, &["update", "--all"])?.done()?;
        has(desk, GREETER, NEXT)
    });
    row.step(Operation::Pin, "`update` leaves what is pinned", || {
        call(&pinned, &["update", "--all"])?.done()?;
        has(&pinned, GREETER, "1.0.0")
    });
    row.step(Operation::Remove, "`uninstall`", || {
        call(desk, &["uninstall", &shelf.name(GREETER), "--yes"])?.done()?;
        must_be_gone(&folder(desk, GREETER))
    });
    row.step(Operation::Publish, "a new skill", || {
        let owner = signed_in(&scene.desk.project("owner")?, &shelf.url);
        call(&owner, &["login", "--token", &shelf.owner.token])?.done()?;
        let name = shelf.name("made");
        shelf.write(&owner.path(&name), "made", "1.0.0")?;
        // Before 0.21 it takes texts only, and leaves out the rest without a word.
        std::fs::remove_file(owner.path(&name).join("assets/every-byte.bin"))?;
        let publish = ["publish", &name, "--owner", &shelf.org, "--version", "1.0.0", "--slug", &name];
        call(&owner, &publish)?.done()?.says("1.0.0")?;
        shelf.must_have(&owner.path(&name), "made", "1.0.0", &[])
    });
    Ok(())
}

fn search(scene: &Scene<'_>, desk: &Desk, row: &mut Row) {
    let shelf = &scene.shelf;
    row.step(Operation::Search, "`search` finds what anybody sees, and no more", || {
        let found = call(desk, &["search", &shelf.word()])?.done()?;
        found.says(&shelf.name(GREETER))?.silent_about(&shelf.name(VAULT)).map(drop)
    });
    row.step(Operation::Search, "`inspect` shows the newest version that is not yanked", || {
        let found = call(desk, &["inspect", &shelf.name(SHAKY)])?.done()?;
        found.says("1.0.0").map(drop)
    });
}

/// The registry for whoever is not signed in.
fn at(desk: &Desk, url: &str) -> Desk {
    let config = desk.path("../clawhub.json").display().to_string();
    desk.with("CLAWHUB_REGISTRY", &format!("{url}/clawhub")).with("CLAWHUB_CONFIG_PATH", &config)
}

/// The same, with settings that no other project has, where a token will be.
fn signed_in(desk: &Desk, url: &str) -> Desk {
    at(desk, url)
}

/// Without questions, and in no workspace that it would find by itself.
fn call(desk: &Desk, arguments: &[&str]) -> Result<super::desk::Said> {
    let project = desk.path("").display().to_string();
    let mut all = vec!["--no-input", "--workdir", &project];
    all.extend(arguments);
    desk.run(&all)
}
