//! `skillery import`: publishes what is new in a folder of skills, a ZIP archive or a Git repository.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use skillery_client::import::{self, Choice, Found, ImportOptions, Opened, Outcome, Source};
use skillery_client::oms::OmsTrust;
use skillery_client::{Client, Home, SignWith};
use skillery_core::lint::{Finding, Level, Strictness};
use skillery_core::{Digest, Namespace, SkillId, Version, VersionStatus, Visibility};

use super::lint::line;
use super::publish::choose_signer;
use super::publish_folder::with_findings;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Page, Tone, counted, left};
use crate::progress::Progress;
use crate::session::Session;

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery import ./skills --namespace acme --dry-run
  skillery import ./skills --namespace acme
  skillery import skills.zip --namespace acme --lenient
  skillery import https://git.example.com/team/skills.git --namespace acme
  skillery import git@git.example.com:team/skills.git#v1.2 --path skills --namespace acme
  skillery import vendor/ --namespace acme/vendor --oms-key vendor.pub

What the registry has already is left alone, so the same command again goes on after an interruption, \
and takes over what has changed since. A skill that is new becomes the version that its folder names, else 1.0.0; one \
that has changed becomes the next patch. With `--strict` a folder that names its version is published as that or not at all.

A skill with an error is refused, and the others go on: exit code 1. `--namespace` is for the skills that name none; \
one that names another is refused.

Git fetches repositories with its own configuration: who may read them is for its helpers and agents to say.")]
pub(crate) struct ImportArgs {
    /// A folder, a ZIP archive, or a repository: `https://…`, `ssh://…`, `git@host:path`, `file://…`, with `#` and a branch,
    /// tag or commit
    #[arg(value_name = "SOURCE")]
    source: PathBuf,

    /// Only what lies in this folder of the source
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,

    /// Into this namespace [default: the one that a skill names, else the configured one]
    #[arg(long, value_name = "NAMESPACE", visible_alias = "org")]
    namespace: Option<Namespace>,

    /// All that is new as this version
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,

    /// A topic to be found by (repeatable)
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// Who sees the skills: public, internal or private; only the first version sets it
    #[arg(long, value_name = "WHO")]
    visibility: Option<Visibility>,

    /// Demand what the specification demands, and what every client needs [the default]
    #[arg(long, conflicts_with = "lenient")]
    strict: bool,

    /// Take what some client reads, though it leaves the Agent Skills format
    #[arg(long)]
    lenient: bool,

    /// Ask the registry and say what would be done
    #[arg(long)]
    dry_run: bool,

    /// Sign with your own SSH key [default: once a key is enrolled with `skillery key enrol`]
    #[arg(long)]
    sign: bool,

    /// Do not sign, though a key is enrolled
    #[arg(long, conflicts_with = "sign")]
    no_sign: bool,

    /// The SSH key to sign with: a private key, a `.pub` that an agent has, or a `-cert.pub` [default: the enrolled one]
    #[arg(long, value_name = "FILE", conflicts_with = "no_sign")]
    key: Option<PathBuf>,

    /// Take only skills whose `skill.oms.sig` was made with this key, its public half in PEM
    #[arg(long, value_name = "FILE", conflicts_with = "oms_roots")]
    oms_key: Option<PathBuf>,

    /// Take only skills whose `skill.oms.sig` was made with a certificate of these authorities, in PEM
    #[arg(long, value_name = "FILE")]
    oms_roots: Option<PathBuf>,
}

/// What became of everything.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether nothing was refused, and everything was looked at.
    ok: bool,
    dry_run: bool,
    source: String,
    /// The commit of the repository.
    commit: Option<String>,
    /// False where something stopped it on the way; the same command goes on.
    complete: bool,
    found: usize,
    published: usize,
    pending: usize,
    would_publish: usize,
    unchanged: usize,
    refused: usize,
    skills: Vec<Row>,
}

/// What became of one skill.
#[derive(Debug, Serialize)]
struct Row {
    /// Its folder within the source.
    path: String,
    id: Option<SkillId>,
    version: Option<Version>,
    outcome: Outcome,
    digest: Option<Digest>,
    /// The fingerprint of the key that it was signed with.
    signed_with: Option<String>,
    /// Why it was refused.
    reasons: Vec<String>,
    findings: Vec<Finding>,
    /// The folder, as one would open it from here.
    #[serde(skip)]
    shown: String,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &ImportArgs) -> CommandResult {
    let (config, client) = (session.config()?, session.client()?);
    let options = ImportOptions {
        namespace: args.namespace.clone(),
        usual_namespace: config.org,
        strictness: if args.lenient { Strictness::Lenient } else { Strictness::Strict },
        version: args.version.clone(),
        tags: args.tags.clone(),
        visibility: args.visibility,
        oms: match (&args.oms_key, &args.oms_roots) {
            (Some(key), _) => Some(OmsTrust::key(key)?),
            (None, Some(roots)) => Some(OmsTrust::authorities(roots)?),
            (None, None) => None,
        },
    };
    let signer = choose_signer(session, args.key.as_deref(), args.sign, args.no_sign || args.dry_run)?;
    let source = Source::parse(&args.source).map_err(skillery_client::Error::from)?;
    if !args.dry_run {
        // Better now than after everything was fetched.
        client.need_token("publishing")?;
    }
    let progress = Progress::spinner(&session.output, &format!("reading {}", source.shown()));
    let opened = import::open(&source, args.path.as_deref()).await?;
    let found = import::look(&source, &opened, &options).await?;
    drop(progress);

    let sign_with = SignWith { signer: signer.as_ref(), ..SignWith::default() };
    let importer = Importer { client, home: session.home()?, options, sign_with, dry_run: args.dry_run };
    let progress = Progress::bar(&session.output, found.len());
    let (mut rows, mut stopped) = (Vec::with_capacity(found.len()), None);
    for skill in &found {
        progress.message(skill.id.as_ref().map_or(skill.path.as_str(), SkillId::as_str));
        match importer.one(&opened, skill).await {
            Ok(row) => rows.push(row),
            Err(failure) => {
                stopped = Some(failure);
                break;
            }
        }
        progress.step();
    }
    drop(progress);
    let report = Report::new(&source, &opened, args.dry_run, found.len(), rows);
    session.output.show(&report, |page| describe(page, &report))?;
    match stopped {
        Some(failure) => Err(failure),
        None if report.refused > 0 => Ok(Exit::Failed),
        None => Ok(Exit::Done),
    }
}

/// What all skills are imported with.
struct Importer<'a> {
    client: Client,
    home: Home,
    options: ImportOptions,
    sign_with: SignWith<'a>,
    dry_run: bool,
}

impl Importer<'_> {
    /// Imports one. An error is one that the next would meet too.
    async fn one(&self, opened: &Opened, found: &Found) -> Result<Row, Failure> {
        let mut row = Row {
            path: found.path.clone(),
            id: found.id.clone(),
            version: None,
            outcome: Outcome::Refused,
            digest: found.digest,
            signed_with: None,
            reasons: found.refusals.clone(),
            findings: found.findings.clone(),
            shown: shown(opened, found),
        };
        let Some(id) = found.id.as_ref().filter(|_| found.refusals.is_empty()) else { return Ok(row) };
        let versions = import::versions_of(&self.client, id).await?;
        let version = match import::choose(found, &versions, &self.options) {
            Choice::Refused(reason) => {
                row.reasons.push(reason);
                return Ok(row);
            }
            Choice::Unchanged(version) => {
                (row.version, row.outcome) = (Some(version), Outcome::Unchanged);
                return Ok(row);
            }
            Choice::Publish(version) => version,
        };
        row.version = Some(version.clone());
        if self.dry_run {
            row.outcome = Outcome::WouldPublish;
            return Ok(row);
        }
        let sent =
            import::publish(&self.client, &self.home, found, version, &self.options, self.sign_with).await;
        match sent {
            Ok(published) => {
                row.outcome = match (published.response.status, published.created) {
                    (VersionStatus::Pending, _) => Outcome::Pending,
                    (_, true) => Outcome::Published,
                    (_, false) => Outcome::Unchanged,
                };
                row.signed_with = published.signed_with;
            }
            Err(error) if import::is_about_one(&error) => {
                let failure = with_findings(error);
                row.reasons.push(failure.message().to_owned());
                row.reasons.extend(failure.causes().map(str::to_owned));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(row)
    }
}

impl Report {
    fn new(source: &Source, opened: &Opened, dry_run: bool, found: usize, skills: Vec<Row>) -> Self {
        let count = |outcome| skills.iter().filter(|row| row.outcome == outcome).count();
        let (complete, refused) = (skills.len() == found, count(Outcome::Refused));
        Self {
            ok: complete && refused == 0,
            dry_run,
            source: source.shown(),
            commit: opened.commit.clone(),
            complete,
            found,
            published: count(Outcome::Published),
            pending: count(Outcome::Pending),
            would_publish: count(Outcome::WouldPublish),
            unchanged: count(Outcome::Unchanged),
            refused,
            skills,
        }
    }
}

/// The folder of a skill as one would open it from here; within a source that was fetched, as it is called there.
fn shown(opened: &Opened, found: &Found) -> String {
    let prefix = opened.prefix.as_ref().map(|prefix| prefix.display().to_string()).unwrap_or_default();
    let prefix = prefix.strip_prefix("./").unwrap_or(&prefix).trim_end_matches('/');
    match (prefix, found.path.as_str()) {
        ("" | ".", path) => path.to_owned(),
        (prefix, ".") => prefix.to_owned(),
        (prefix, path) => format!("{prefix}/{path}"),
    }
}

fn describe(page: &mut Page, report: &Report) {
    for row in report.skills.iter().filter(|row| row.outcome == Outcome::Refused) {
        for finding in &row.findings {
            let place = match (row.shown.as_str(), finding.path.as_str()) {
                (folder, "") => folder.to_owned(),
                (".", file) => file.to_owned(),
                (folder, file) => format!("{folder}/{file}"),
            };
            page.line(line(&place, finding));
        }
    }
    let mut grid = Grid::new(&[left("SKILL"), left("VERSION"), left("RESULT")]);
    for row in &report.skills {
        let skill = row.id.as_ref().map_or(row.shown.as_str(), SkillId::as_str);
        let version = row.version.as_ref().map_or_else(|| "-".to_owned(), Version::to_string);
        let result = match row.outcome {
            Outcome::Published => "published".to_owned(),
            Outcome::Pending => "waits for approval".to_owned(),
            Outcome::WouldPublish => "would be published".to_owned(),
            Outcome::Unchanged => "unchanged".to_owned(),
            Outcome::Refused => format!("refused: {}", row.reasons.join("; ")),
        };
        grid.row([skill, &version, &result]);
    }
    page.grid(grid);
    page.line(summary(report));
}

/// `3 skills: 1 published, 2 unchanged`.
fn summary(report: &Report) -> Line {
    let counts = [
        (report.published, "published", Tone::Good),
        (report.pending, "waiting for approval", Tone::Good),
        (report.would_publish, "would be published", Tone::Good),
        (report.unchanged, "unchanged", Tone::Plain),
        (report.refused, "refused", Tone::Bad),
        (report.found - report.skills.len(), "not looked at", Tone::Warning),
    ];
    let mut line = Line::default().plain(counted(report.found as u64, "skill", "skills"));
    let mut between = ": ";
    for (count, word, tone) in counts.into_iter().filter(|(count, ..)| *count > 0) {
        line = line.plain(between).toned(tone, format!("{count} {word}"));
        between = ", ";
    }
    let taken = report.skills.iter().filter(|row| row.outcome != Outcome::Refused);
    let warnings = taken.flat_map(|row| &row.findings).filter(|finding| finding.level == Level::Warning);
    match warnings.count() {
        0 => line,
        count => line.toned(
            Tone::Faint,
            format!(
                " ({} in what was not refused; `--json` has them)",
                counted(count as u64, "warning", "warnings")
            ),
        ),
    }
}
