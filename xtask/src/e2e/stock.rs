//! A registry as there is after a while: skills and versions of all standings, orgs and people with roles, policies, ratings,
//! keys. What people wrote is also what hostile people would write.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use skillery_core::bundle::BundleFile;

use super::authors::succeeded;
use super::registry::{Caller, Registry, publish};

/// Lines that real skills are described by.
const DESCRIPTIONS: &str = "bench/data/descriptions.txt";
/// Skills that there are for lists to have pages.
const MANY: usize = 60;
/// What would run if a page let it. It sets a flag that a browser is asked for afterwards.
const SCRIPT: &str = "<script>window.ran='script'</script>";
const HANDLER: &str = "<img src=x onerror=\"window.ran='handler'\">";
const PICTURE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"window.ran='svg'\">\
                       <script>window.ran='svg'</script></svg>";

/// What there is, by names that tests ask for.
pub(crate) struct Stock {
    pub(crate) admin: Caller,
    /// Owns all orgs.
    pub(crate) ada: Caller,
    /// Reviews, and sees what is private.
    pub(crate) ben: Caller,
    /// Belongs nowhere.
    pub(crate) dan: Caller,
    /// Tokens that nothing is done with but revoking them.
    pub(crate) spare_tokens: Vec<String>,
    /// Fingerprints of enrolled keys.
    pub(crate) keys: Vec<String>,
    /// Ids of webhooks: one of `acme/docs`, one of ben's own.
    pub(crate) webhooks: [String; 2],
    /// Comments on `acme/tool-00`, of several people.
    pub(crate) comments: Vec<String>,
}

impl Stock {
    /// Fills a new registry.
    pub(crate) fn fill(program: &Path, registry: &Registry, folder: &Path) -> Result<Self> {
        let token = registry.admin.clone().context("the first start told no admin token")?;
        let admin = Caller { address: registry.address, token };
        let everything = ["read", "publish", "rate", "admin", "review"];
        let person = |name: &str, scopes: &[&str]| Caller::of_new_user(&admin, name, scopes);
        let ada = person("ada", &everything)?;
        let ben = person("ben", &everything)?;
        let cleo = person("cleo", &everything)?;
        let dan = person("dan", &["read", "rate"])?;
        let mut stock = Self {
            admin,
            ada,
            ben,
            dan,
            spare_tokens: Vec::new(),
            keys: Vec::new(),
            webhooks: Default::default(),
            comments: Vec::new(),
        };
        stock.found(&cleo)?;
        stock.publish_many()?;
        stock.publish_standings()?;
        stock.publish_hostile()?;
        stock.rate(&cleo)?;
        stock.install()?;
        for number in 0..40 {
            let asked = json!({"label": format!("spare {number}"), "scopes": ["read"], "user": "dan"});
            let made = stock.admin.call("POST", "/tokens", &asked)?;
            stock.spare_tokens.extend(made["id"].as_str().map(str::to_owned));
        }
        let webhook = |caller: &Caller, asked: Value| -> Result<String> {
            let made = caller.call("POST", "/notifications/webhooks", &asked)?;
            Ok(made["id"].as_str().context("no webhook was made")?.to_owned())
        };
        stock.webhooks = [
            webhook(&stock.ada, json!({"url": "https://hooks.invalid/team", "namespace": "acme/docs"}))?,
            webhook(&stock.ben, json!({"url": "https://hooks.invalid/mine"}))?,
        ];
        stock.enrol(program, &registry.url, folder)?;
        Ok(stock)
    }

    fn found(&self, cleo: &Caller) -> Result<()> {
        for org in ["acme", "initech", "empty", "staged"] {
            self.ada.call("POST", "/orgs", &json!({ "name": org }))?;
        }
        for (path, role) in [
            ("acme/members/ben", "reviewer"),
            ("acme/members/cleo", "reader"),
            ("initech/members/ben", "reviewer"),
            ("acme/docs/members/cleo", "publisher"),
        ] {
            self.ada.call("PUT", &format!("/orgs/{path}"), &json!({ "role": role }))?;
        }
        self.ada.call(
            "PUT",
            "/orgs/empty/policy",
            &json!({"approvals": 2, "role": "admin", "signed": true}),
        )?;
        self.ada.call("PUT", "/orgs/staged/policy/groups/security", &json!({ "users": ["ben", "ada"] }))?;
        let stages = json!([
            {"name": "look", "approvals": 2},
            {"name": "security", "group": "security", "when": ["new-permissions", "findings-warning"]},
        ]);
        let policy = json!({"stages": stages, "expires_days": 14, "auto": {"groups": ["security"]}});
        self.ada.call("PUT", "/orgs/staged/policy", &policy)?;
        let reports = folder("reports", "Makes reports of all kinds out of tables", &[]);
        publish(cleo, &json!({"id": "acme/docs/reports", "version": "1.0.0"}), reports).map(drop)
    }

    /// Skills with real descriptions, and one with more versions than a page has.
    fn publish_many(&self) -> Result<()> {
        let descriptions =
            std::fs::read_to_string(DESCRIPTIONS).with_context(|| format!("cannot read `{DESCRIPTIONS}`"))?;
        let lines = descriptions.lines().filter(|line| line.len() > 40).step_by(7).take(MANY);
        for (number, line) in lines.enumerate() {
            let id = format!("acme/tool-{number:02}");
            let tags = [["pdf", "email", "csv", "text"][number % 4], ["fast", "small", "new"][number % 3]];
            let code = format!("def tool_{number:02}(value: str) -> str:\n    return value\n");
            let license = ["MIT", "Apache-2.0"][number % 2];
            let request = json!({
                "id": id, "version": "1.0.0", "description": line, "code": code, "tags": tags,
                "license": license, "homepage": "https://example.org/tool",
                "repository": "https://example.org/tool.git", "author": "Ada Lovelace",
            });
            self.ada.call("POST", "/skills", &request)?;
        }
        for minor in 1..30 {
            let code = format!("def tool_00(value: str) -> str:\n    return value  # {minor}\n");
            let request = json!({"id": "acme/tool-00", "version": format!("1.{minor}.0"), "code": code, "tags": ["pdf"],
                       "description": "Turns what people wrote into what other people can read"});
            self.ada.call("POST", "/skills", &request)?;
        }
        let press = needing("press", "acme/tool-00 ^1.0, acme/tool-01 1.0.0, acme/nowhere ^2");
        publish(&self.ada, &json!({"id": "acme/press", "version": "1.0.0"}), press)?;
        let desk = needing("desk", "acme/press ^1.0");
        publish(&self.ada, &json!({"id": "acme/desk", "version": "1.0.0"}), desk).map(drop)
    }

    /// Versions of each standing, and what not everybody sees.
    fn publish_standings(&self) -> Result<()> {
        let ada = &self.ada;
        let version = |name: &str, version: &str, visibility: &str| -> Result<()> {
            let (_, short) = name.rsplit_once('/').context("an id has a slash")?;
            let guide = format!("# Guide\n\nThis is version {version}.\n");
            let more = [("references/guide.md", guide.as_bytes()), ("scripts/run.py", b"print('hello')\n")];
            let files = folder(short, "Shows what a version can come to", &more);
            publish(ada, &json!({"id": name, "version": version, "visibility": visibility}), files).map(drop)
        };
        for number in ["1.0.0", "1.0.1", "1.0.2", "2.0.0-beta.1"] {
            version("acme/shaky", number, "public")?;
        }
        let status = |caller: &Caller, method: &str, path: &str, body: &Value| {
            caller.call(method, &format!("/skills/{path}"), body).map(drop)
        };
        let reason = json!({"reason": "it shakes too much, use 1.0.0"});
        status(ada, "PUT", "acme/shaky/versions/1.0.1/yank", &reason)?;
        let harm = json!({"reason": "it does harm"});
        status(&self.admin, "PUT", "acme/shaky/versions/1.0.2/quarantine", &harm)?;
        version("acme/vault", "1.0.0", "private")?;
        version("acme/inside", "1.0.0", "internal")?;
        version("initech/reviewed", "1.0.0", "public")?;
        ada.call("PUT", "/orgs/initech/policy", &json!({"approvals": 1, "role": "reviewer"}))?;
        for number in ["1.1.0", "1.2.0", "1.3.0"] {
            version("initech/reviewed", number, "public")?;
        }
        version("initech/waiting", "0.1.0", "public")?;
        let path = |version: &str| format!("initech/reviewed/versions/{version}/approvals");
        let approved = json!({"decision": "approved", "comment": "looks good"});
        status(&self.ben, "POST", &path("1.1.0"), &approved)?;
        status(&self.ben, "POST", &path("1.2.0"), &json!({"decision": "rejected", "comment": "no tests"}))
    }

    /// Everything that a person may write, written so that it would run. Names have no room for that.
    fn publish_hostile(&self) -> Result<()> {
        let ada = &self.ada;
        let body = format!(
            "# Title {SCRIPT}\n\n{HANDLER}\n\n{PICTURE}\n\n[a link](javascript:window.ran='link')\n\n\
             <a href=\"javascript:window.ran='anchor'\">another</a>\n\n![a picture](scripts/evil.svg)\n\n\
             ![](javascript:window.ran='picture')\n\n<iframe srcdoc=\"<script>parent.ran='frame'</script>\"></iframe>\n\n\
             <form action=\"/logout\" method=\"post\"><button>Click</button></form>\n\n\
             <style>body {{ display: none }}</style>\n\n<math><mtext><img src=x onerror=\"window.ran='math'\"></mtext></math>\n\n\
             ```\n{SCRIPT}\n```\n\n| a | b |\n| - | - |\n| {HANDLER} | [x](data:text/html,{SCRIPT}) |\n\n\
             <details open ontoggle=\"window.ran='toggle'\"><summary>more</summary></details>\n\n\
             <base href=\"https://example.org/\"><meta http-equiv=\"refresh\" content=\"0;url=https://example.org/\">\n\n\
             <https://example.org/\"onmouseover=\"window.ran='auto'>\n\n<input autofocus onfocus=\"window.ran='focus'\">\n"
        );
        let skill = format!(
            "---\nname: hostile\ndescription: {}\nlicense: MIT\n---\n\n{body}",
            json!(format!("Runs {SCRIPT} {HANDLER} \"' onfocus=window.ran='text' autofocus x=\""))
        );
        let page = format!("<!doctype html><html><body>{SCRIPT}{HANDLER}{PICTURE}</body></html>");
        let named = "assets/'onfocus='window.ran=1'.html";
        let files = [
            ("SKILL.md", skill.as_bytes()),
            ("scripts/evil.svg", PICTURE.as_bytes()),
            ("assets/page.html", page.as_bytes()),
            ("assets/page.js", b"window.ran = 'file';\n"),
            ("assets/not.png", page.as_bytes()),
            (named, page.as_bytes()),
        ];
        let files = files.iter().map(|(path, bytes)| file(path, bytes)).collect();
        let request = json!({
            "id": "acme/hostile", "version": "1.0.0",
            "author": format!("{SCRIPT}{HANDLER}"),
            "homepage": "https://example.org/?x=\"onclick=\"window.ran='home'",
        });
        publish(ada, &request, files)?;
        let older = folder("hostile", &format!("Older {SCRIPT}"), &[]);
        publish(ada, &json!({"id": "acme/hostile", "version": "0.9.0"}), older)?;
        let reason = json!({"reason": format!("{SCRIPT}{HANDLER}{PICTURE}")});
        ada.call("PUT", "/skills/acme/hostile/versions/0.9.0/yank", &reason)?;
        let said = json!({"text": format!("{SCRIPT}{HANDLER}{PICTURE}\n\n[x](javascript:window.ran='said')"), "path": named, "line": 1});
        self.ben.call("POST", "/skills/acme/hostile/versions/1.0.0/approvals/comments", &said)?;
        // A tag that is no word, if one may be that.
        let code = "def hostile_tags(value: str) -> str:\n    return value\n";
        for (number, tags) in [json!([SCRIPT]), json!(["a\"b<c>"]), json!(["x'onclick"])].iter().enumerate() {
            let id = format!("acme/hostile-tags-{number}");
            let request =
                json!({"id": id, "version": "1.0.0", "description": HANDLER, "code": code, "tags": tags});
            let body = serde_json::to_vec(&request)?;
            let answer = ada.send("POST", "/api/v1/skills", "application/json", body)?;
            match answer.status()? {
                201 | 422 => {}
                _ => bail!("tags are answered with `{}`: {}", answer.start, answer.text()?),
            }
        }
        Ok(())
    }

    fn rate(&mut self, cleo: &Caller) -> Result<()> {
        let rate = |caller: &Caller, id: &str, rating: f64, review: Option<&str>| {
            let body = json!({"rating": rating, "review": review});
            caller.call("POST", &format!("/skills/{id}/rate"), &body).map(drop)
        };
        rate(&self.ben, "acme/tool-00", 5.0, Some("Does what it says.\n\nI use it every day."))?;
        rate(cleo, "acme/tool-00", 3.5, None)?;
        rate(&self.ben, "acme/tool-01", 2.0, Some("Too slow for big files"))?;
        rate(&self.ben, "acme/shaky", 1.0, Some("It shakes"))?;
        rate(&self.dan, "acme/tool-00", 4.0, Some("It does umlauts now"))?;
        let hostile = format!("{SCRIPT}\n\n{HANDLER}\n\n{PICTURE}\n\n[x](javascript:window.ran='review')");
        rate(&self.ben, "acme/hostile", 1.0, Some(&hostile))?;
        self.talk(&hostile)
    }

    /// Comments with answers, one that is hidden, one that is reported, and a review that is answered.
    fn talk(&mut self, hostile: &str) -> Result<()> {
        let say = |caller: &Caller, id: &str, text: &str, parent: Option<&str>| -> Result<String> {
            let said = caller.call(
                "POST",
                &format!("/skills/{id}/comments"),
                &json!({"text": text, "parent": parent}),
            )?;
            Ok(said["id"].as_str().context("a comment has no id")?.to_owned())
        };
        let id = "acme/tool-00";
        let asked = say(
            &self.dan,
            id,
            "Does it take files with **umlauts** in their names?\n\n```\ntool_00 Grüße.pdf\n```",
            None,
        )?;
        let since =
            say(&self.ada, id, "It does, since 1.3.0. See <https://example.org/names>.", Some(&asked))?;
        let mut comments = vec![asked.clone(), since];
        for number in 0..5 {
            comments.push(say(&self.ben, id, &format!("Thank you, {number} times."), Some(&asked))?);
        }
        let spam = say(&self.dan, id, "Buy followers at https://example.com", None)?;
        let report =
            json!({"skill": id, "comment": spam, "reason": "spam", "text": "the third time this week"});
        self.ben.call("POST", "/reports", &report)?;
        let hidden = say(&self.dan, id, "Buy likes", None)?;
        let reason = json!({"reason": "advertising"});
        self.ada.call("PUT", &format!("/skills/{id}/comments/{hidden}/hidden"), &reason)?;
        comments.extend([spam, hidden]);
        let answer = json!({"text": "Thank you.\n\nThe next one is faster."});
        self.ada.call("PUT", &format!("/skills/{id}/ratings/ben/answer"), &answer)?;
        say(&self.ben, "acme/hostile", hostile, None)?;
        self.ada.call("PUT", "/skills/acme/hostile/ratings/ben/answer", &json!({"text": hostile}))?;
        let text: String = hostile.chars().take(1_000).collect();
        let report = json!({"skill": "acme/hostile", "review": "ben", "reason": "abuse", "text": text});
        self.dan.call("POST", "/reports", &report)?;
        self.comments = comments;
        Ok(())
    }

    /// More of what can be asked about by its id than requests can use up, each with what it takes to name it. Needs a registry
    /// that believes an issuer, and lets people say a lot in a minute.
    pub(crate) fn ids(&self) -> Result<Value> {
        let id = |made: &Value| made["id"].as_str().map(str::to_owned).context("what was made has no id");
        let (mut talk, mut reviews, mut publishers, mut groups) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let skill = "acme/tool-00";
        talk.extend(self.comments.iter().map(|comment| json!({"id": skill, "comment": comment})));
        let asked = json!({"url": "https://hooks.invalid/more"});
        let mut webhooks: Vec<Value> =
            self.webhooks.iter().map(|webhook| json!({ "webhook": webhook })).collect();
        for number in 0..16 {
            for caller in [&self.admin, &self.ben] {
                let text = format!("Said {number} times, of which some are taken back.");
                let said =
                    caller.call("POST", &format!("/skills/{skill}/comments"), &json!({ "text": text }))?;
                talk.push(json!({"id": skill, "comment": id(&said)?}));
                let place = "initech/reviewed/versions/1.3.0";
                let line = json!({"text": text, "path": "references/guide.md", "line": 3});
                let said = caller.call("POST", &format!("/skills/{place}/approvals/comments"), &line)?;
                reviews.push(json!({"id": "initech/reviewed", "version": "1.3.0", "comment": id(&said)?}));
                webhooks
                    .push(json!({"webhook": id(&caller.call("POST", "/notifications/webhooks", &asked)?)?}));
            }
            let build = json!({"kind": "github", "repository": format!("acme/builds-{number}"), "owner_id": "65", "workflow": "release.yml"});
            let made = self.ada.call("POST", "/orgs/acme/publishers", &build)?;
            publishers.push(json!({"namespace": "acme", "publisher": id(&made)?}));
            let group = format!("group-{number}");
            self.ada.call(
                "PUT",
                &format!("/orgs/staged/policy/groups/{group}"),
                &json!({ "users": ["ben"] }),
            )?;
            groups.push(json!({"namespace": "staged", "group": group}));
            // Each can be reported once by the same person.
            let rated = json!({"rating": 3, "review": format!("It is the {number}th of its kind")});
            let id = format!("acme/tool-{:02}", number + 10);
            self.dan.call("POST", &format!("/skills/{id}/rate"), &rated)?;
            let report = json!({"skill": id, "review": "dan", "reason": "spam", "text": "as on all pages"});
            self.ben.call("POST", "/reports", &report)?;
        }
        let listed = self.admin.call("GET", "/reports?limit=100", &Value::Null)?;
        let reports: Vec<&str> = listed["reports"]
            .as_array()
            .context("reports are not listed")?
            .iter()
            .filter_map(|report| report["id"].as_str())
            .collect();
        // Some can be opened again.
        let (resolved, open) = reports.split_at(reports.len() / 2);
        for report in resolved {
            self.admin.call(
                "PUT",
                &format!("/reports/{report}"),
                &json!({"resolution": "It was looked at"}),
            )?;
        }
        let reports = |ids: &[&str]| ids.iter().map(|id| json!({ "report": id })).collect::<Vec<_>>();
        // Only who has a role where something waits releases it by force.
        self.ada.call("PUT", "/orgs/initech/members/admin", &json!({ "role": "owner" }))?;
        let mut rated: Vec<Value> =
            ["ben", "dan"].iter().map(|user| json!({"id": skill, "user": user})).collect();
        rated.extend((10..20).map(|number| json!({"id": format!("acme/tool-{number}"), "user": "dan"})));
        Ok(json!([
            {"where": "/approvals/comments/{comment}", "of": reviews},
            {"where": "/comments/{comment}", "of": talk},
            {"where": "/ratings/{user}", "of": rated},
            {"where": "/reports/{report}/reopen", "of": reports(resolved)},
            {"where": "/reports/{report}", "of": reports(open)},
            {"where": "/webhooks/{webhook}", "of": webhooks},
            {"where": "/publishers/{publisher}", "of": publishers},
            {"where": "/groups/{group}", "of": groups},
        ]))
    }

    /// People and programs that have what there is, one of them what was taken back.
    fn install(&self) -> Result<()> {
        for (caller, path) in [
            (&self.ben, "acme/tool-00/download?version=1.2.0"),
            (&self.dan, "acme/tool-00/download"),
            (&self.admin, "acme/tool-00/download"),
            (&self.dan, "acme/tool-01/download"),
            (&self.dan, "acme/shaky/versions/1.0.1/bundle"),
            (&self.ben, "acme/hostile/versions/0.9.0/bundle"),
        ] {
            let answer =
                caller.send("GET", &format!("/api/v1/skills/{path}"), "application/json", Vec::new())?;
            if answer.status()? != 200 {
                bail!("`{path}` is answered with `{}`", answer.start);
            }
        }
        Ok(())
    }

    /// Enrols a key, and signs a version with it.
    fn enrol(&mut self, program: &Path, url: &str, folder: &Path) -> Result<()> {
        let key = folder.join("id");
        let mut make = Command::new("ssh-keygen");
        succeeded(make.args(["-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f"]).arg(&key))?;
        let skillery = |words: &[&str]| {
            let mut command = Command::new(program);
            command.args(words).arg(&key).current_dir(folder).env_remove("SSH_AUTH_SOCK");
            command.env("SKILLERY_REGISTRY", url).env("SKILLERY_TOKEN", &self.ada.token);
            succeeded(command.env("SKILLERY_HOME", folder.join("home")))
        };
        skillery(&["key", "enrol"])?;
        skillery(&["sign", "acme/docs/reports@1.0.0", "--key"])?;
        let listed = self.ada.call("GET", "/keys", &Value::Null)?;
        let keys = listed["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.keys = keys.iter().filter_map(|key| Some(key["fingerprint"].as_str()?.to_owned())).collect();
        if self.keys.is_empty() {
            bail!("the key that was enrolled is not listed");
        }
        Ok(())
    }
}

fn file(path: &str, bytes: &[u8]) -> BundleFile {
    BundleFile { path: path.to_owned(), executable: path.ends_with(".py"), bytes: bytes.to_vec() }
}

fn folder(name: &str, description: &str, more: &[(&str, &[u8])]) -> Vec<BundleFile> {
    let skill = format!(
        "---\nname: {name}\ndescription: {}\nlicense: MIT\n---\n\n# {name}\n\nSee the [guide](references/guide.md).\n\n\
         ## Steps\n\n1. Read the *table*.\n2. Run `scripts/run.py`.\n\n```python\nprint('hello')\n```\n\n\
         | column | meaning |\n| --- | --- |\n| a | the first |\n| b | the second |\n\n> Numbers are rounded.\n",
        json!(description)
    );
    std::iter::once(("SKILL.md", skill.as_bytes()))
        .chain(more.iter().copied())
        .map(|(path, bytes)| file(path, bytes))
        .collect()
}

/// A skill that needs others.
fn needing(name: &str, needs: &str) -> Vec<BundleFile> {
    let skill = format!(
        "---\nname: {name}\ndescription: Does by others what it is asked for.\nlicense: MIT\nmetadata:\n  \
         skillery-dependencies: \"{needs}\"\n---\n\n# {name}\n\nAsk the others.\n"
    );
    vec![file("SKILL.md", skill.as_bytes())]
}
