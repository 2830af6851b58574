//! `cargo xtask e2e pages`: a browser looks at all pages of a real registry, does what people do, and what hostile people do.
//!
//! What is looked at and what is tried stands in `xtask/e2e/pages`: `pages.mjs` has a row for each page. Here a registry is
//! filled, and told who has which token.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use super::npm::Npm;
use super::registry::Registry;
use super::stock::Stock;
use crate::guard::Folder;
use crate::shell::{Say, is_there, program, target_folder};

const FROM: &str = "xtask/e2e/pages";
const SCRIPTS: [&str; 5] = ["check.mjs", "pages.mjs", "watch.mjs", "flows.mjs", "hostile.mjs"];
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Arguments of `e2e pages`.
#[derive(Debug, Args)]
pub(crate) struct PagesArgs {
    /// Only what has this in its name
    #[arg(long, default_value = "")]
    only: String,
    /// Leave the registry running until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// A `skillery` that is built already
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Does all of it.
pub(crate) fn run(args: &PagesArgs) -> Result<()> {
    let program = program(args.program.as_deref())?;
    let browser = browser()?;
    let packages = match Npm::prepare("pages", FROM)? {
        Ok(packages) => packages,
        Err(why) => bail!("the packages cannot be had: {why}"),
    };
    for name in SCRIPTS {
        std::fs::copy(Path::new(FROM).join(name), packages.folder.join(name))?;
    }
    for name in ["playwright-core", "axe-core"] {
        println!("{name} {}", packages.tool(name, Path::new("node"))?.version);
    }
    print!("{}", Command::new(&browser).arg("--version").output_text()?);

    let folder = Folder::new("e2e-pages")?;
    let registry = Registry::start(&program, &folder.path().join("data"), "TERM")?;
    let stock = Stock::fill(&program, &registry, folder.path())?;
    let world = folder.path().join("world.json");
    let screens = std::path::absolute(target_folder().join("screens"))?;
    let told = json!({
        "url": registry.url, "program": program, "folder": folder.path(), "browser": browser,
        "screens": screens, "only": args.only,
        "webhooks": { "ada": stock.webhooks[0], "ben": stock.webhooks[1] },
        "tokens": {
            "admin": stock.admin.token, "ada": stock.ada.token, "ben": stock.ben.token, "dan": stock.dan.token,
        },
    });
    std::fs::write(&world, serde_json::to_vec_pretty(&told)?)?;
    let began = Instant::now();
    // The browser ends with its script, and the script with this task.
    let mut script = Command::new("setpriv");
    script.args(["--pdeathsig", "TERM", "node", "check.mjs"]).arg(&world).current_dir(&packages.folder);
    script
        .env("HOME", folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .env("XDG_CACHE_HOME", folder.path());
    let done = script.say_and_run();
    println!("{:.0} s; pictures are in `{}`", began.elapsed().as_secs_f64(), screens.display());
    if args.keep {
        println!("{}", serde_json::to_string_pretty(&told)?);
        registry.wait_for_end();
    }
    done
}

fn browser() -> Result<PathBuf> {
    let asked = std::env::var_os("SKILLERY_E2E_BROWSER").map(PathBuf::from);
    let mut there = BROWSERS.iter().filter(|name| is_there(name, "--version"));
    asked
        .or_else(|| {
            let name = there.next()?;
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
        })
        .context("there is no browser; run `sudo apt-get install chromium`, or set `SKILLERY_E2E_BROWSER`")
}
