//! `skills` of npm (`npx skills`), from the Git repositories that the registry serves.

use anyhow::Result;

use super::Scene;
use super::desk::must_be_gone;
use super::git::commit;
use super::matrix::{Operation, Row};
use super::shelf::{GREETER, NEXT, OFFERED, SHAKY, VAULT, YANKED};
use super::skills_discovery::{FOLDER, NO_PUBLISH, add};

const NO_SEARCH: &str = "search is not a matter of Git; `skills find` asks the registry, see discovery";

/// 1.7.4, or what is newest, which takes the numbers of commits too.
pub(super) fn newest(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    drive(scene, row, true)
}

/// 1.5.18, which takes branches and tags.
pub(super) fn older(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    drive(scene, row, false)
}

fn drive(scene: &Scene<'_>, row: &mut Row, takes_commits: bool) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let greeter = shelf.name(GREETER);
    let repository = |skill: &str| format!("{}.git", shelf.of(skill));
    let has = |desk: &super::desk::Desk, skill: &str, version: &str| {
        shelf.must_have(&desk.path(FOLDER).join(shelf.name(skill)), skill, version, &[])
    };
    row.cannot(Operation::Search, NO_SEARCH);
    row.step(Operation::Install, "everything of a namespace", || {
        add(desk, &shelf.at("all.git"))?.done()?;
        OFFERED.iter().try_for_each(|(skill, version)| has(desk, skill, version))?;
        must_be_gone(&desk.path(FOLDER).join(shelf.name(VAULT)))
    });
    row.step(Operation::Install, "one skill", || {
        let desk = desk.project("one")?;
        add(&desk, &repository(GREETER))?.done()?;
        has(&desk, GREETER, "1.1.0")
    });
    row.step(Operation::Run, "a script", || {
        shelf.must_run(desk, &desk.path(FOLDER).join(&greeter), "1.1.0", &[])
    });
    let pinned = desk.project("pinned")?;
    row.step(Operation::Pin, "`#v1.0.0`", || {
        add(&pinned, &format!("{}#v1.0.0", repository(GREETER)))?.done()?;
        has(&pinned, GREETER, "1.0.0")
    });
    if takes_commits {
        row.step(Operation::Pin, "the number of a commit", || {
            let desk = desk.project("commit")?;
            let commit = commit(&desk, &repository(GREETER), "refs/tags/v1.0.0")?;
            add(&desk, &format!("{}#{commit}", repository(GREETER)))?.done()?;
            has(&desk, GREETER, "1.0.0")
        });
    }
    row.step(
        Operation::Yanked,
        "not what is offered, nor a tag, and a commit that somebody noted still comes",
        || {
            let desk = desk.project("yanked")?;
            shelf.yank(false)?;
            let commit = commit(&desk, &repository(SHAKY), &format!("refs/tags/v{YANKED}"));
            shelf.yank(true)?;
            add(&desk, &repository(SHAKY))?.done()?;
            has(&desk, SHAKY, "1.0.0")?;
            add(&desk, &format!("{}#v{YANKED}", repository(SHAKY)))?.refused()?;
            has(&desk, SHAKY, "1.0.0")?;
            if takes_commits {
                add(&desk, &format!("{}#{}", repository(SHAKY), commit?))?.done()?;
                has(&desk, SHAKY, YANKED)?;
            }
            Ok(())
        },
    );
    row.step(Operation::Private, "not there for anybody, there with a token", || {
        let desk = desk.somebody("member")?;
        add(&desk, &repository(VAULT))?.refused()?;
        must_be_gone(&desk.path(FOLDER).join(shelf.name(VAULT)))?;
        desk.sign_in_to_git(&shelf.url, &shelf.reader.token)?;
        add(&desk, &repository(VAULT))?.done()?;
        shelf.must_tell("npx-skills", VAULT, None, &format!("npx skills add {}", repository(VAULT)))?;
        has(&desk, VAULT, "1.0.0")
    });
    row.step(Operation::Private, "there with a token in the variables that are told", || {
        let desk = desk.somebody("told")?.with_git_header(&shelf.url, &shelf.reader.token);
        add(&desk, &repository(VAULT))?.done()?;
        has(&desk, VAULT, "1.0.0")
    });
    row.step(Operation::Tampered, "a byte of the pack", || {
        let desk = desk.project("tampered")?;
        let way = scene.way;
        let source = format!("{}/{}.git", way.url(), shelf.id(GREETER));
        add(&desk, &source)?.done()?;
        has(&desk, GREETER, "1.1.0")?;
        std::fs::remove_dir_all(desk.path(FOLDER))?;
        let is_pack = |target: &str| target.ends_with("/git-upload-pack");
        way.change(is_pack, || add(&desk, &source))?.refused()?;
        must_be_gone(&desk.path(FOLDER).join(&greeter))
    });
    row.step(Operation::Update, "a later version, with `update`", || {
        shelf.publish(GREETER, NEXT, "public")?;
        desk.run(&["update", "-y"])?.done()?;
        has(desk, GREETER, NEXT)
    });
    row.step(Operation::Pin, "`update` leaves what is pinned", || {
        pinned.run(&["update", "-y"])?.done()?;
        has(&pinned, GREETER, "1.0.0")
    });
    row.step(Operation::Remove, "`remove`", || {
        desk.run(&["remove", &greeter, "-y"])?.done()?;
        must_be_gone(&desk.path(FOLDER).join(&greeter))
    });
    row.cannot(Operation::Publish, NO_PUBLISH);
    Ok(())
}
