//! What it takes of the client to check one version against the log, when the tiles that it needs are there.

use std::path::Path;

use anyhow::Result;
use skillery_client::log::{Demands, Offered, check_kept};
use skillery_client::{Client, Config, Home, Log};
use skillery_core::event::Event;
use skillery_core::receipt::Receipt;
use skillery_core::{Digest, SkillId, Version};

use crate::corpus::Corpus;
use crate::cpu::Spent;
use crate::registry::Registry;
use crate::report::{Findings, Row, Target, short};
use crate::rounds::percentile;
use crate::{dataset, places};

/// Entries of the log.
const ENTRIES: usize = 1_000_000;
/// Versions that are checked, from everywhere in the log.
const CHECKS: usize = 200;

/// A version, and its proof.
struct Known {
    id: SkillId,
    version: Version,
    digest: Digest,
    code_hash: Digest,
    proof: String,
}

impl Known {
    fn offered(&self) -> Offered<'_> {
        Offered {
            id: &self.id,
            version: &self.version,
            digest: self.digest,
            code_hash: self.code_hash,
            files: &[],
            is_warned_of: false,
        }
    }
}

pub fn run() -> Result<Findings> {
    let data = dataset::logged(ENTRIES)?;
    let registry = Registry::start(&data)?;
    // As the program has one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let findings = runtime.block_on(measure(&registry, &places::fresh("log-check/home")?))?;
    registry.stop()?;
    Ok(findings)
}

async fn measure(registry: &Registry, home: &Path) -> Result<Findings> {
    let config = Config { url: format!("http://{}/", registry.address).parse()?, ..Config::default() };
    let client = Client::new(&config)?;
    let home = Home::at(home);
    let corpus = Corpus::new();
    let skills = dataset::skills_of(ENTRIES);
    let mut known = Vec::new();
    let mut request = Vec::new();
    for number in 0..CHECKS {
        let id: SkillId = corpus.id(number * (skills / CHECKS)).parse()?;
        let version: Version = "1.0.0".parse()?;
        let before = Spent::here()?;
        let proof = client.proof(&id, &version).await?;
        request.push((Spent::here()? - before).ms());
        let Event::VersionPublished { digest, code_hash, .. } = proof.parse::<Receipt>()?.entry()?.event
        else {
            anyhow::bail!("the proof of `{id}` is one of another thing");
        };
        known.push(Known { id, version, digest, code_hash, proof });
    }
    // The first time brings the tiles.
    let (cold, _) = check_all(&client, &home, &known).await?;
    let (warm, size) = check_all(&client, &home, &known).await?;
    let key = client.log_key().await?;
    let mut alone = Vec::new();
    for one in &known {
        let before = Spent::here()?;
        check_kept(&one.proof, &key, &one.offered())?;
        alone.push((Spent::here()? - before).ms());
    }
    let middle = |spent: &[Spent], of: fn(&Spent) -> f64| {
        percentile(&mut spent.iter().map(of).collect::<Vec<_>>(), 50.0)
    };
    let mut all: Vec<f64> = warm.iter().map(Spent::ms).collect();
    let median = percentile(&mut all, 50.0);
    Ok(Findings {
        rows: vec![Row {
            work: format!("check of one version, log of {size} entries, warm tiles"),
            ours: format!(
                "{} ms user, {} ms system, p99 {} ms",
                short(middle(&warm, |spent| spent.user_ms)),
                short(middle(&warm, |spent| spent.system_ms)),
                short(percentile(&mut all, 99.0)),
            ),
            beside: format!("cold tiles: {} ms", short(middle(&cold, Spent::ms))),
            result: median,
            unit: "ms of CPU",
            target: Target::AtMost(5.0),
        }],
        notes: vec![format!(
            "Medians of {CHECKS} versions, of the processors' time of the whole client, network and all. The proof alone, \
             without network and files, takes {} ms of it; one small request, and there are eight or more, {} ms.",
            short(percentile(&mut alone, 50.0)),
            short(percentile(&mut request, 50.0)),
        )],
    })
}

/// What each check took, and the entries of the log.
async fn check_all(client: &Client, home: &Home, known: &[Known]) -> Result<(Vec<Spent>, u64)> {
    let mut spent = Vec::with_capacity(known.len());
    let mut size = 0;
    for one in known {
        let before = Spent::here()?;
        // As an install does, with nothing in memory.
        let mut log = Log::open(client, home, None).await?;
        log.check_version(&one.offered(), Demands::default()).await?;
        spent.push(Spent::here()? - before);
        size = log.newest().map_or(0, |newest| newest.size);
    }
    Ok((spent, size))
}
