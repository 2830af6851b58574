//! What a step costs, in the whole sandbox: beside a task of Prefect's, which has none, beside a bare `os.fork` of the same
//! interpreter, and beside its bare start.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use skillery_runner::{
    Grants, Interpreter, RunOptions, SkillCode, SkillSource, Status, Values, Workers, run_skill,
};
use tokio::runtime::Runtime;

use super::Setup;
use super::import::millis;
use crate::peers::prefect::Prefect;
use crate::report::{Findings, Row, Target};
use crate::rounds::{Sample, interleaved, percentile};

/// Steps, or forks, of one contender in a round.
const STEPS: u32 = 300;
/// Steps, in a round, that find a worker that has waited, and how long their caller computes before each: about as long as a
/// flow of Prefect does between two tasks. A processor that sleeps takes longer to wake than a step takes.
const WAITED: u32 = 300;
const COMPUTES: Duration = Duration::from_millis(5);
/// Starts of each in a round.
const STARTS: u32 = 10;
/// Forks a child that ends at once, and waits for it.
const FORKS: &str = "\
import os, sys, time
for _ in range(int(sys.argv[1])):
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    print(time.perf_counter() - begun)
";

pub fn run(setup: &Setup) -> Result<Findings> {
    // As the program has one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let interpreter = runtime.block_on(Interpreter::discover())?;
    let cache = tempfile::tempdir()?;
    let options = RunOptions {
        interpreter: Some(interpreter.clone()),
        workers: Workers::with_cache(cache.path()),
        ..RunOptions::default()
    };
    let python = interpreter.path();
    let prefect = Prefect::install(python)?;
    let outcomes = interleaved(
        setup.rounds,
        vec![
            ("skillery", Box::new(|| steps(&runtime, &options))),
            ("bare os.fork", Box::new(|| forks(python))),
            ("Prefect", Box::new(|| prefect.tasks(STEPS))),
            ("skillery, with a worker that waits", Box::new(|| waited(&runtime, &options))),
        ],
    )?;
    let [ours, theirs, tasks, waited] = &outcomes[..] else { unreachable!("four contenders, four outcomes") };

    let (mut cold, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=setup.rounds * STARTS {
        let options = RunOptions { workers: Workers::with_cache(cache.path()), ..options.clone() };
        let first = step(&runtime, &options)?;
        drop(options);
        let pass = millis(python, &["-I", "-S", "-c", "pass"])?;
        if round > 0 {
            cold.push(first);
            bare.push(pass);
            ratios.push(first / pass);
        }
    }
    let middle = |values: &mut Vec<f64>| percentile(values, 50.0);
    Ok(Findings {
        rows: vec![
            Row {
                work: "a step with a worker that waits".to_owned(),
                ours: format!("{:.2} ms, p99 {:.1} ms", waited.p50_ms(), waited.p99_ms()),
                beside: format!("a task in a flow of Prefect 3: {:.2} ms", tasks.p50_ms()),
                result: waited.p50_ms() / tasks.p50_ms(),
                unit: "x",
                target: Target::AtMost(0.1),
            },
            Row {
                work: "a step after another, in the whole sandbox".to_owned(),
                ours: format!("{:.2} ms, p99 {:.1} ms", 1_000.0 / ours.rate(), ours.p99_ms()),
                beside: format!("bare `os.fork` and `waitpid`: {:.2} ms", 1_000.0 / theirs.rate()),
                result: theirs.over(ours),
                unit: "x",
                target: Target::AtMost(3.0),
            },
            Row {
                work: "the first step, with the start of everything".to_owned(),
                ours: format!("{:.1} ms", middle(&mut cold)),
                beside: format!("`python3 -I -S -c pass`: {:.1} ms", middle(&mut bare)),
                result: middle(&mut ratios),
                unit: "x",
                target: Target::AtMost(2.0),
            },
        ],
        notes: Vec::new(),
    })
}

fn steps(runtime: &Runtime, options: &RunOptions) -> Result<Sample> {
    let begun = Instant::now();
    let mut millis = (0..STEPS).map(|_| step(runtime, options)).collect::<Result<Vec<_>>>()?;
    Ok(sample(&mut millis, begun.elapsed().as_secs_f64()))
}

fn waited(runtime: &Runtime, options: &RunOptions) -> Result<Sample> {
    let mut millis = (0..WAITED)
        .map(|_| {
            let begun = Instant::now();
            while begun.elapsed() < COMPUTES {
                std::hint::spin_loop();
            }
            step(runtime, options)
        })
        .collect::<Result<Vec<_>>>()?;
    let seconds = millis.iter().sum::<f64>() / 1_000.0;
    Ok(sample(&mut millis, seconds))
}

/// Runs a skill that does nothing; milliseconds.
fn step(runtime: &Runtime, options: &RunOptions) -> Result<f64> {
    let skill = SkillSource {
        id: "bench/nothing".to_owned(),
        version: "1.0.0".parse()?,
        code: SkillCode::Text("def nothing():\n    return None\n".to_owned()),
        script: None,
        files: Vec::new(),
        grants: Grants::default(),
    };
    let begun = Instant::now();
    let outcome = runtime.block_on(run_skill(&skill, Values::new(), options, &|_| ()))?;
    ensure!(outcome.status == Status::Success, "the step ended otherwise: {outcome:?}");
    Ok(begun.elapsed().as_secs_f64() * 1_000.0)
}

fn forks(python: &Path) -> Result<Sample> {
    let output = Command::new(python)
        .args(["-I", "-S", "-c", FORKS, &STEPS.to_string()])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(output.status.success(), "Python ends with {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    let mut millis =
        text.lines().map(|line| Ok(line.parse::<f64>()? * 1_000.0)).collect::<Result<Vec<_>>>()?;
    let seconds = millis.iter().sum::<f64>() / 1_000.0;
    Ok(sample(&mut millis, seconds))
}

fn sample(millis: &mut [f64], seconds: f64) -> Sample {
    Sample {
        rate: millis.len() as f64 / seconds,
        p50_ms: percentile(millis, 50.0),
        p99_ms: percentile(millis, 99.0),
    }
}
