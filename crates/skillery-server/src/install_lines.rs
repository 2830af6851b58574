//! What to type to install a skill, for each program that can. One place for the page, the API and the command line.
//!
//! A line holds no token: what needs one takes it from the variable `SKILLERY_TOKEN`.

use skillery_core::Visibility;
use skillery_core::api::InstallLine;

use crate::catalog::Offer;
use crate::http::interop::discovery::file_name;
use crate::http::interop::find::is_taken_for_another_host;
use crate::http::interop::{git_address, one_segment, plugins, slug_of};
use crate::settings::Settings;

/// What is said where a program cannot be told which version.
const LATEST_ONLY: &str = "takes the latest version: the program cannot be told another one";

/// What is said where a program writes the token down.
const KEEPS_TOKEN: &str =
    "takes the latest version, and keeps the token beside the skill: use one with the scope `read` alone";

/// The lines for this version, and whether they need a token. `is_pinned`: they keep to this version; else they install what is
/// the latest then.
pub fn install_lines(
    settings: &Settings,
    base: &str,
    offer: &Offer,
    is_pinned: bool,
) -> (bool, Vec<InstallLine>) {
    let needs_token = offer.visibility != Visibility::Public || !settings.anonymous_reads;
    let place = Place { settings, base, offer, is_pinned, needs_token };
    let lines = [
        place.skillery(),
        place.python(),
        place.npx_skills(),
        place.claude_by_address(),
        place.by_git("claude-code-git", "claude plugin marketplace add", "claude plugin install"),
        place.by_git("codex", "codex plugin marketplace add", "codex plugin add"),
        place.by_git("copilot", "copilot plugin marketplace add", "copilot plugin install"),
        place.gemini(),
        place.opencode(),
        place.clawhub(),
        place.openapm(),
        place.mcp(),
        place.git(),
        place.curl(),
    ];
    (needs_token, lines.into_iter().flatten().collect())
}

struct Place<'a> {
    settings: &'a Settings,
    base: &'a str,
    offer: &'a Offer,
    is_pinned: bool,
    needs_token: bool,
}

fn line(client: &str, command: String, note: Option<&str>) -> Option<InstallLine> {
    Some(InstallLine { client: client.to_owned(), command, note: note.map(str::to_owned) })
}

impl Place<'_> {
    /// This between the id and what stands behind it, where the version is fixed.
    fn pin(&self, before: &str) -> String {
        if self.is_pinned { format!("{before}{}", self.offer.row.version) } else { String::new() }
    }

    /// Variables by which git sends the token to this registry, and to no other, whoever calls git.
    fn git_token(&self) -> String {
        if !self.needs_token {
            return String::new();
        }
        format!(
            "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.{}/.extraHeader \
             GIT_CONFIG_VALUE_0=\"Authorization: Bearer $SKILLERY_TOKEN\" ",
            self.base
        )
    }

    fn latest_only(&self) -> Option<&'static str> {
        self.is_pinned.then_some(LATEST_ONLY)
    }

    fn skillery(&self) -> Option<InstallLine> {
        line("skillery", format!("skillery install {}{}", self.offer.id, self.pin("@")), None)
    }

    fn python(&self) -> Option<InstallLine> {
        let version = match self.is_pinned {
            true => format!(", version=\"{}\"", self.offer.row.version),
            false => String::new(),
        };
        line("python", format!("download_registry_skill(\"{}\"{version})", self.offer.id), None)
    }

    fn npx_skills(&self) -> Option<InstallLine> {
        let (surfaces, id) = (&self.settings.surfaces, &self.offer.id);
        if is_taken_for_another_host(id) {
            return None;
        }
        if surfaces.discovery && !self.needs_token {
            return line("npx-skills", format!("npx skills add {}/{id}{}", self.base, self.pin("@")), None);
        }
        let address = git_address(self.base, id);
        let quiet = if self.needs_token { "DISABLE_TELEMETRY=1 " } else { "" };
        let command = format!("{quiet}{}npx skills add {address}{}", self.git_token(), self.pin("#v"));
        line("npx-skills", command, None).filter(|_| surfaces.git)
    }

    fn claude_by_address(&self) -> Option<InstallLine> {
        // The program would keep a token that stands in the address, in plain text.
        let is_on = self.settings.surfaces.marketplace && !self.needs_token;
        let (base, namespace) = (self.base, self.offer.id.namespace());
        let command = format!(
            "claude plugin marketplace add {base}/{namespace}/marketplace.json && claude plugin install {}@{}",
            self.offer.name(),
            plugins::name(&namespace)
        );
        line("claude-code", command, self.latest_only()).filter(|_| is_on)
    }

    /// Programs that read a marketplace from a repository.
    fn by_git(&self, client: &str, add: &str, install: &str) -> Option<InstallLine> {
        // What not everybody sees is a marketplace of its own, of which a program that asks without a token gets nothing at all.
        let repository = if self.needs_token { "members.git" } else { "all.git" };
        let command = format!(
            "{token}{add} {base}/{segment}/{repository} && {token}{install} {name}@{marketplace}",
            token = self.git_token(),
            base = self.base,
            segment = one_segment(&self.offer.id.namespace()),
            name = self.offer.name(),
            marketplace = plugins::name(&self.offer.id.namespace()),
        );
        line(client, command, self.latest_only()).filter(|_| self.settings.surfaces.git)
    }

    fn gemini(&self) -> Option<InstallLine> {
        let address = git_address(self.base, &self.offer.id);
        // It keeps git's settings away from git, so that only the address can bring a token.
        let (address, note) = match self.needs_token {
            true => (address.replacen("://", "://token:$SKILLERY_TOKEN@", 1), Some(KEEPS_TOKEN)),
            false => (address, self.latest_only()),
        };
        let command = format!("gemini skills install {address} --consent");
        line("gemini", command, note).filter(|_| self.settings.surfaces.git)
    }

    fn opencode(&self) -> Option<InstallLine> {
        let scope = format!("{}/{}{}", self.base, self.offer.id, self.pin("@"));
        let command = format!("{{\"skills\":{{\"urls\":[\"{scope}/.well-known/agent-skills/\"]}}}}");
        // It has no way to send a token.
        line("opencode", command, Some("in `opencode.json`"))
            .filter(|_| self.settings.surfaces.discovery && !self.needs_token)
    }

    fn clawhub(&self) -> Option<InstallLine> {
        let registry = format!("{}/clawhub", self.base);
        let version = if self.is_pinned { self.pin(" --version ") } else { String::new() };
        let (owner, name) = (one_segment(&self.offer.id.namespace()), slug_of(&self.offer.id));
        let install = format!("clawhub install @{owner}/{name}{version}");
        // It keeps one token, and sends it to whichever registry a command names: by the variable, to this one from now on.
        let command = match self.needs_token {
            true => format!(
                "export CLAWHUB_REGISTRY={registry} && clawhub login --token \"$SKILLERY_TOKEN\" && {install}"
            ),
            false => format!("CLAWHUB_REGISTRY={registry} {install}"),
        };
        line("clawhub", command, None).filter(|_| self.settings.surfaces.clawhub)
    }

    fn openapm(&self) -> Option<InstallLine> {
        // It wants to be told which versions a project takes: those that are as good as the latest one, or this one alone.
        let range = if self.is_pinned { "" } else { "^" };
        let (base, id, version) = (self.base, &self.offer.id, &self.offer.row.version);
        let command = format!(
            "{{\"name\":\"mine\",\"version\":\"0.1.0\",\"registries\":{{\"skillery\":{{\"url\":\"{base}/apm\"}}}},\
             \"dependencies\":{{\"apm\":[{{\"registry\":\"skillery\",\"id\":\"{id}\",\"version\":\"{range}{version}\"}}]}}}}"
        );
        let note = match self.needs_token {
            true => format!(
                "as `apm.yml`, for `apm install` behind `apm experimental enable registries` and \
                 `apm config set registry.skillery.url {base}/apm`, with the token in `APM_REGISTRY_TOKEN_SKILLERY`"
            ),
            false => "as `apm.yml`, for `apm install` behind `apm experimental enable registries`".to_owned(),
        };
        line("openapm", command, Some(&note)).filter(|_| self.settings.surfaces.openapm)
    }

    fn mcp(&self) -> Option<InstallLine> {
        let note = format!("then ask the agent to install {}{}", self.offer.id, self.pin(" "));
        line("mcp", "claude mcp add skillery -- skillery mcp".to_owned(), Some(&note))
    }

    fn git(&self) -> Option<InstallLine> {
        let address = git_address(self.base, &self.offer.id);
        let branch = self.pin(" --branch v");
        let command = format!("{}git clone --depth 1{branch} {address}", self.git_token());
        line("git", command, None).filter(|_| self.settings.surfaces.git)
    }

    fn curl(&self) -> Option<InstallLine> {
        let token = if self.needs_token { "-H \"Authorization: Bearer $SKILLERY_TOKEN\" " } else { "" };
        let (id, file) = (&self.offer.id, file_name(&self.offer.name(), &self.offer.row.version));
        let command = format!("curl -fO {token}{}/{id}/.well-known/agent-skills/{file}", self.base);
        line("curl", command, Some("the ZIP of the skill")).filter(|_| self.settings.surfaces.discovery)
    }
}
