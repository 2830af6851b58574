//! `@google/gemini-cli` of npm, which takes skills from Git repositories.

use anyhow::Result;

use super::Scene;
use super::desk::{Desk, must_be_gone};
use super::matrix::{Operation, Row};
use super::shelf::{GREETER, NEXT, OFFERED, SHAKY, Shelf, VAULT};

/// It copies the clone as it is.
const OWN: &[&str] = &[".git"];

pub(super) fn drive(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let repository = |skill: &str| format!("{}.git", shelf.of(skill));
    let folder = |desk: &Desk, skill: &str| desk.home(".gemini/skills").join(shelf.name(skill));
    let has =
        |desk: &Desk, skill: &str, version: &str| shelf.must_have(&folder(desk, skill), skill, version, OWN);
    row.cannot(Operation::Search, "it does not search");
    row.cannot(Operation::Pin, "it takes no tag or commit of a repository");
    row.cannot(Operation::Publish, "it only installs");
    row.step(Operation::Install, "everything of a namespace", || {
        desk.run(&["skills", "install", &shelf.at("all.git"), "--path", "skills", "--consent"])?.done()?;
        OFFERED.iter().try_for_each(|(skill, version)| has(desk, skill, version))?;
        must_be_gone(&folder(desk, VAULT))
    });
    row.step(Operation::Install, "one skill", || {
        let desk = desk.somebody("one")?;
        install(&desk, &repository(GREETER))?.done()?;
        must_tell(shelf, GREETER, &repository(GREETER))?;
        has(&desk, GREETER, "1.1.0")?;
        desk.run(&["skills", "list"])?.done()?.says(&shelf.name(GREETER)).map(drop)
    });
    row.step(Operation::Run, "a script", || shelf.must_run(desk, &folder(desk, GREETER), "1.1.0", OWN));
    row.step(Operation::Yanked, "not what is offered", || has(desk, SHAKY, "1.0.0"));
    row.step(Operation::Private, "not there for anybody, there with a token", || {
        let desk = desk.somebody("member")?;
        install(&desk, &repository(VAULT))?.refused()?;
        must_be_gone(&folder(&desk, VAULT))?;
        // It keeps what its user has set up for Git away from Git, so that the token is in the address.
        let with_token = repository(VAULT).replacen("://", &format!("://token:{}@", shelf.reader.token), 1);
        install(&desk, &with_token)?.done()?;
        must_tell(shelf, VAULT, &with_token.replace(&shelf.reader.token, "$SKILLERY_TOKEN"))?;
        has(&desk, VAULT, "1.0.0")
    });
    row.step(Operation::Tampered, "a byte of the pack", || {
        let way = scene.way;
        let source = format!("{}/{}.git", way.url(), shelf.id(GREETER));
        let untouched = desk.somebody("untouched")?;
        install(&untouched, &source)?.done()?;
        has(&untouched, GREETER, "1.1.0")?;
        let desk = desk.somebody("tampered")?;
        way.change(|target| target.ends_with("/git-upload-pack"), || install(&desk, &source))?.refused()?;
        must_be_gone(&folder(&desk, GREETER))
    });
    row.step(Operation::Update, "a later version, with `install` again", || {
        shelf.publish(GREETER, NEXT, "public")?;
        install(desk, &repository(GREETER))?.done()?;
        has(desk, GREETER, NEXT)
    });
    row.cannot(Operation::Update, "it has no command for that; `install` again brings the newest");
    row.step(Operation::Remove, "`uninstall`", || {
        desk.run(&["skills", "uninstall", &shelf.name(GREETER)])?.done()?;
        must_be_gone(&folder(desk, GREETER))
    });
    Ok(())
}

fn install(desk: &Desk, source: &str) -> Result<super::desk::Said> {
    desk.run(&["skills", "install", source, "--consent"])
}

fn must_tell(shelf: &Shelf, skill: &str, source: &str) -> Result<()> {
    shelf.must_tell("gemini", skill, None, &format!("gemini skills install {source} --consent"))
}
