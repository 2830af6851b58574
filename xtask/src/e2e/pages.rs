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
use crate::guard::{Folder, free_port};
use crate::shell::{Say, install_packages, is_there, program, target_folder};

const FROM: &str = "xtask/e2e/pages";
/// Webhooks and mail reach what listens on this machine, there are issuers whose builds can be trusted, and nobody takes the audit,
/// so that a job fails.
const SETTINGS: &str = "outbound_allow = [\"127.0.0.0/8\"]\nsmtp_host = \"127.0.0.1\"\n\
                        mail_from = \"Skills <skills@example.org>\"\n\n\
                        [limits]\ncomments_per_minute = 0\n\n\
                        [[oidc_issuers]]\nissuer = \"http://127.0.0.1:9\"\nkind = \"github\"\n\n\
                        [[oidc_issuers]]\nissuer = \"http://127.0.0.1:7\"\nkind = \"generic\"\n\n\
                        [[audit.streams]]\nname = \"siem\"\nto = \"tcp://127.0.0.1:9\"\n";
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
    for file in std::fs::read_dir(FROM)? {
        let path = file?.path();
        if let (Some(name), Some("mjs")) = (path.file_name(), path.extension().and_then(|it| it.to_str())) {
            std::fs::copy(&path, packages.folder.join(name))?;
        }
    }
    for name in ["playwright-core", "axe-core"] {
        println!("{name} {}", packages.tool(name, Path::new("node"))?.version);
    }
    print!("{}", Command::new(&browser).arg("--version").output_text()?);

    let folder = Folder::new("e2e-pages")?;
    let smtp = free_port()?;
    let settings = folder.path().join("pages.toml");
    std::fs::write(&settings, format!("smtp_port = {smtp}\n{SETTINGS}"))?;
    let options = ["--config", &settings.display().to_string()];
    let registry = Registry::start_knowing(&program, &folder.path().join("data"), "TERM", &options)?;
    let empty = Registry::start(&program, &folder.path().join("empty"), "TERM")?;
    let stock = Stock::fill(&program, &registry, folder.path())?;
    let world = folder.path().join("world.json");
    let screens = std::path::absolute(target_folder().join("screens"))?;
    let told = json!({
        "url": registry.url, "empty": empty.url, "smtp": smtp, "program": program, "folder": folder.path(), "browser": browser,
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

/// The browser that is asked for, or one that is there, or Debian's.
fn browser() -> Result<PathBuf> {
    if let Some(asked) = std::env::var_os("SKILLERY_E2E_BROWSER") {
        return Ok(asked.into());
    }
    if let Some(found) = installed_browser() {
        return Ok(found);
    }
    install_packages(&["chromium"])?;
    installed_browser().context("there is no browser; `SKILLERY_E2E_BROWSER` says where one is")
}

fn installed_browser() -> Option<PathBuf> {
    let name = BROWSERS.iter().find(|name| is_there(name, "--version"))?;
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
