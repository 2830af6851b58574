//! Git itself.

use anyhow::{Context, Result, bail};

use super::Scene;
use super::desk::{Desk, must_be_gone};
use super::matrix::{Operation, Row};
use super::shelf::{GREETER, NEXT, OFFERED, SHAKY, VAULT, YANKED};

/// What Git keeps in a clone for itself.
const OWN: &[&str] = &[".git"];

pub(super) fn drive(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let repository = |skill: &str| format!("{}.git", shelf.of(skill));
    row.cannot(Operation::Search, "Git does not search");
    row.step(Operation::Install, "a namespace, whole and sound", || {
        desk.run(&["clone", &shelf.at("all.git"), "all"])?.done()?;
        desk.run(&["-C", "all", "fsck", "--full", "--strict"])?.done()?;
        for (skill, version) in OFFERED {
            shelf.must_have(&desk.path("all/skills").join(shelf.name(skill)), skill, version, &[])?;
        }
        must_be_gone(&desk.path("all/skills").join(shelf.name(VAULT)))
    });
    row.step(Operation::Install, "one skill, and only its newest commit", || {
        desk.run(&["clone", "--depth", "1", &repository(GREETER), "one"])?.done()?;
        desk.run(&["-C", "one", "fsck", "--full", "--strict"])?.done()?;
        shelf.must_tell("git", GREETER, None, &format!("git clone --depth 1 {}", repository(GREETER)))?;
        shelf.must_have(&desk.path("one"), GREETER, "1.1.0", OWN)
    });
    row.step(Operation::Run, "a script", || shelf.must_run(desk, &desk.path("one"), "1.1.0", OWN));
    row.step(Operation::Pin, "a tag", || {
        desk.run(&["clone", "--depth", "1", "--branch", "v1.0.0", &repository(GREETER), "pinned"])?.done()?;
        let typed = format!("git clone --depth 1 --branch v1.0.0 {}", repository(GREETER));
        shelf.must_tell("git", GREETER, Some("1.0.0"), &typed)?;
        shelf.must_have(&desk.path("pinned"), GREETER, "1.0.0", OWN)
    });
    row.step(
        Operation::Yanked,
        "not what is offered, nor a tag, and a commit that somebody noted still comes",
        || {
            shelf.yank(false)?;
            let tag = format!("refs/tags/v{YANKED}");
            let commit = commit(desk, &repository(SHAKY), &tag);
            shelf.yank(true)?;
            let commit = commit?;
            desk.run(&["ls-remote", &repository(SHAKY)])?.done()?.silent_about(&tag)?;
            desk.run(&["clone", &repository(SHAKY), "shaky"])?.done()?;
            shelf.must_have(&desk.path("shaky"), SHAKY, "1.0.0", OWN)?;
            desk.run(&["init", "yanked"])?.done()?;
            desk.run(&["-C", "yanked", "fetch", "--depth", "1", &repository(SHAKY), &commit])?.done()?;
            desk.run(&["-C", "yanked", "checkout", "FETCH_HEAD"])?.done()?;
            shelf.must_have(&desk.path("yanked"), SHAKY, YANKED, OWN)
        },
    );
    row.step(Operation::Private, "what is hidden and what is not there look alike", || {
        let hidden = desk.run(&["ls-remote", &repository(VAULT)])?.refused()?;
        let missing = desk.run(&["ls-remote", &shelf.at("no-such-skill.git")])?.refused()?;
        let alike = |said: &super::desk::Said, name: &str| said.err.replace(name, "NAME");
        let (hidden, missing) = (alike(&hidden, &shelf.name(VAULT)), alike(&missing, "no-such-skill"));
        if hidden != missing {
            bail!("they are told apart: `{hidden}` and `{missing}`");
        }
        Ok(())
    });
    row.step(Operation::Private, "a token as the password", || {
        let desk = desk.somebody("member")?;
        desk.sign_in_to_git(&shelf.url, &shelf.reader.token)?;
        desk.run(&["clone", &repository(VAULT), "vault"])?.done()?;
        shelf.must_have(&desk.path("vault"), VAULT, "1.0.0", OWN)?;
        desk.run(&["clone", &shelf.at("members.git"), "all-of-a-member"])?.done()?;
        shelf.must_have(&desk.path("all-of-a-member/skills").join(shelf.name(VAULT)), VAULT, "1.0.0", &[])
    });
    row.step(Operation::Tampered, "a byte of the pack", || {
        let way = scene.way;
        let source = format!("{}/{}.git", way.url(), shelf.id(GREETER));
        desk.run(&["clone", &source, "untouched"])?.done()?;
        let is_pack = |target: &str| target.ends_with("/git-upload-pack");
        way.change(is_pack, || desk.run(&["clone", &source, "tampered"]))?.refused()?;
        must_be_gone(&desk.path("tampered"))
    });
    let commit = desk.run(&["-C", "all", "rev-parse", "HEAD"])?.done()?.out.trim().to_owned();
    row.step(Operation::Update, "a later version, with `fetch`", || {
        shelf.publish(GREETER, NEXT, "public")?;
        for (clone, folder) in
            [("all", format!("all/skills/{}", shelf.name(GREETER))), ("one", "one".to_owned())]
        {
            desk.run(&["-C", clone, "fetch", "origin"])?.done()?;
            desk.run(&["-C", clone, "reset", "--hard", "origin/main"])?.done()?;
            shelf.must_have(&desk.path(&folder), GREETER, NEXT, OWN)?;
        }
        Ok(())
    });
    row.step(Operation::Pin, "a commit of the namespace, by its number, after it has changed", || {
        desk.run(&["init", "at-commit"])?.done()?;
        desk.run(&["-C", "at-commit", "fetch", "--depth", "1", &shelf.at("all.git"), &commit])?.done()?;
        desk.run(&["-C", "at-commit", "checkout", "FETCH_HEAD"])?.done()?;
        shelf.must_have(&desk.path("at-commit/skills").join(shelf.name(GREETER)), GREETER, "1.1.0", &[])
    });
    row.step(Operation::Remove, "a folder is deleted", || {
        std::fs::remove_dir_all(desk.path("one")).context("there is no clone")
    });
    row.step(Operation::Publish, "a push is refused with a sentence", || {
        desk.run(&["-C", "all", "push", "origin", "HEAD:refs/heads/mine"])?.refused().map(drop)
    });
    row.cannot(Operation::Publish, "repositories are made from what was published, and only read");
    Ok(())
}

/// The commit that a name of a repository stands for.
pub(super) fn commit(desk: &Desk, repository: &str, name: &str) -> Result<String> {
    let listed = desk.other("git", &["ls-remote", repository, name])?.done()?;
    let commit = listed.out.split_whitespace().next();
    Ok(commit.ok_or_else(|| listed.wrong(&format!("there is no `{name}`")))?.to_owned())
}
