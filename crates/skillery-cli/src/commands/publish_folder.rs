//! `skillery publish` of a folder: reads it, checks it as `skillery lint` does, and sends it.

use std::path::Path;

use skillery_client::folder::{Folder, read_folder};
use skillery_client::publish::publish_folder;
use skillery_client::{Error, FolderDraft, SignWith};
use skillery_core::bundle::SKILL_FILE;
use skillery_core::lint::{Finding, Level, Lint, Strictness, findings_of, lint};
use skillery_core::{Limits, Segment, SkillId, SkillKind, SkillManifest, SkillMd};

use super::lint::line;
use super::publish::{
    PublishArgs, choose_namespace, choose_signer, client, read_changelog, read_secret, say_changed,
    show_dry_run, tell,
};
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::counted;
use crate::progress::Progress;
use crate::session::Session;

/// Runs it.
pub(crate) async fn run(session: &Session, args: &PublishArgs) -> CommandResult {
    for (option, is_given) in
        [("--description", args.description.is_some()), ("--license", args.license.is_some())]
    {
        if is_given {
            return Err(Failure::usage(format!(
                "`{option}` is for functions: a folder says it in `{SKILL_FILE}`"
            )));
        }
    }
    let (secret, changelog) = (read_secret(args)?, read_changelog(args)?);
    let folder = folder_of(&args.file);
    let (limits, strictness) = (Limits::default(), strictness(args));
    let read = read_folder(folder, &limits)?;
    // First without a name, as the folder may say which one it has.
    let Lint { skill_md, manifest, findings } = lint(&read.files, None, strictness, &limits);
    let Some(skill_md) = skill_md else {
        return Err(refused(session, folder, &read, findings, strictness));
    };
    let is_refused = |findings: &[Finding]| {
        !read.problems.is_empty() || findings.iter().any(|finding| finding.level == Level::Error)
    };
    let id = match choose_id(session, args, &manifest, &skill_md) {
        // A name that makes no id is seldom all that is wrong.
        Err(failure) if failure.exit() == Exit::Usage && is_refused(&findings) => {
            let reason = failure.message().to_owned();
            return Err(refused(session, folder, &read, findings, strictness).because(reason));
        }
        chosen => chosen?,
    };
    let findings = lint(&read.files, Some(id.name()), strictness, &limits).findings;
    if is_refused(&findings) {
        return Err(refused(session, folder, &read, findings, strictness));
    }
    findings.iter().for_each(|finding| session.output.note(line(&path(folder, finding), finding)));
    let Some(version) = args.version.clone().or(manifest.version) else {
        return Err(Failure::usage("the version is missing")
            .hint("name it with `--version 1.0.0`, or in `skillery.toml`: `version = \"1.0.0\"`"));
    };
    if args.dry_run {
        return show_dry_run(session, id, version, SkillKind::Folder, &read.files);
    }
    let signer = choose_signer(session, args.key.as_deref(), args.sign, args.no_sign)?;
    let (client, build) = client(session, args, &id).await?;
    let sign_with = SignWith { secret: secret.as_ref(), signer: signer.as_ref(), build: build.as_deref() };
    let draft = FolderDraft {
        id: id.clone(),
        version: version.clone(),
        files: read.files,
        tags: args.tags.clone(),
        homepage: args.homepage.clone(),
        repository: args.repository.clone(),
        author: args.author.clone(),
        visibility: args.visibility,
        lenient: args.lenient,
    };
    let progress = Progress::spinner(&session.output, &format!("publishing {id} {version}"));
    let sent = publish_folder(&client, &session.home()?, draft, sign_with, progress.upload()).await;
    drop(progress);
    let published = sent.map_err(with_findings)?;
    let said = say_changed(&client, &id, &version, changelog.as_deref()).await;
    tell(session, &published, Some(published.code_hash), &id)?;
    said.map(|()| Exit::Done)
}

/// The folder that is meant, where its `SKILL.md` is named.
fn folder_of(path: &Path) -> &Path {
    match path.file_name() {
        Some(name) if name == SKILL_FILE && path.is_file() => {
            path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
        }
        _ => path,
    }
}

fn strictness(args: &PublishArgs) -> Strictness {
    if args.lenient { Strictness::Lenient } else { Strictness::Strict }
}

/// The id: as it is named, else as the folder says, else its own name in the namespace.
fn choose_id(
    session: &Session,
    args: &PublishArgs,
    manifest: &SkillManifest,
    skill_md: &SkillMd,
) -> Result<SkillId, Failure> {
    if let Some(id) = &args.id {
        return Ok(id.clone());
    }
    if let Some(id) = manifest.id.as_ref().filter(|_| args.org.is_none() && args.name.is_none()) {
        return Ok(id.clone());
    }
    let namespace = match (&args.org, &manifest.namespace) {
        (None, Some(namespace)) => namespace.clone(),
        _ => choose_namespace(session, args)?,
    };
    let name = match &args.name {
        Some(name) => name.clone(),
        None => skill_md.name.parse::<Segment>().map_err(|error| {
            Failure::usage(format!("`{}` does not make a name for the skill", skill_md.name))
                .cause(&error)
                .hint("name it with `--name`")
        })?,
    };
    Ok(SkillId::new(&namespace, &name).map_err(Error::from)?)
}

/// Shows all that is wrong, as `skillery lint` does, and says that nothing was sent.
fn refused(
    session: &Session,
    folder: &Path,
    read: &Folder,
    findings: Vec<Finding>,
    strictness: Strictness,
) -> Failure {
    let mut all = findings_of(&read.problems, strictness);
    all.extend(findings);
    let errors = all.iter().filter(|finding| finding.level == Level::Error).count();
    let errors = counted(errors as u64, "error", "errors");
    let mut failure = Failure::new(
        Exit::Usage,
        "invalid-bundle",
        format!("nothing was published: the folder has {errors}"),
    );
    for finding in &all {
        let line = line(&path(folder, finding), finding);
        // Programs read one thing, and people have read it above.
        if session.global.json {
            failure = failure.because(line.text());
        }
        session.output.note(line);
    }
    failure.hint("correct what is listed; `skillery lint` looks again, `--lenient` lets more through")
}

/// What a registry found that this program did not.
pub(super) fn with_findings(error: Error) -> Failure {
    let listed = match &error {
        Error::Problem(problem) => problem.facts.get("findings").and_then(|found| found.as_array()).cloned(),
        _ => None,
    };
    let words = |finding: &serde_json::Value, name: &str| match finding.get(name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let mut failure = Failure::from(error);
    for finding in listed.unwrap_or_default() {
        let [path, place, level, rule, message] =
            ["path", "line", "level", "rule", "message"].map(|name| words(&finding, name));
        failure = failure.because(format!("{path}:{place}: {level}[{rule}]: {message}"));
    }
    failure
}

/// The path of a finding as one would open it from here.
fn path(folder: &Path, finding: &Finding) -> String {
    let path = match finding.path.as_str() {
        "" => folder.to_owned(),
        path => folder.join(path),
    };
    let shown = path.display().to_string();
    shown.strip_prefix("./").unwrap_or(&shown).to_owned()
}
