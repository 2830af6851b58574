//! `skillery mcp`, as an agent's host starts it: another program's messages on stdin and stdout, and one that asks its user.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ElicitRequestParams,
    ElicitResult, ElicitationAction, ElicitationCapability, FormElicitationCapability, Implementation,
    ProtocolVersion, ReadResourceRequestParams, ResourceContents,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RequestContext, RunningService};
use rmcp::{ClientHandler, ErrorData, RoleClient, ServiceExt};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::support::{Place, Server, VALIDATOR};
use crate::witnesses::log_key;

/// A host whose user answers always the same, or that cannot ask.
#[derive(Clone, Default)]
struct Host {
    answer: Option<ElicitationAction>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ClientHandler for Host {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        if self.answer.is_some() {
            let form = FormElicitationCapability::default();
            capabilities.elicitation = Some(ElicitationCapability::new().with_form(form));
        }
        ClientConfig::new(capabilities, Implementation::new("host", "1"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else {
            return Err(ErrorData::invalid_params("no form", None));
        };
        self.asked.lock().unwrap().push(message);
        Ok(ElicitResult::new(self.answer.clone().unwrap()))
    }
}

/// The program under way, with a host before it.
struct Agent {
    running: RunningService<RoleClient, Host>,
    host: Host,
    child: Child,
}

impl Agent {
    async fn start(place: &Place, arguments: &[&str], answer: Option<ElicitationAction>) -> Self {
        Self::start_as(place, arguments, answer, ClientLifecycleMode::Initialize).await
    }

    async fn start_as(
        place: &Place,
        arguments: &[&str],
        answer: Option<ElicitationAction>,
        lifecycle: ClientLifecycleMode,
    ) -> Self {
        let arguments = [&["mcp"], arguments].concat();
        let command = place.command(arguments);
        let mut command = tokio::process::Command::from(command);
        let mut child = command.stdin(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let streams = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let host = Host { answer, ..Host::default() };
        let running = match lifecycle {
            ClientLifecycleMode::Initialize => host.clone().serve(streams).await.unwrap(),
            other => host.clone().serve_with_lifecycle(streams, other).await.unwrap(),
        };
        Self { running, host, child }
    }

    async fn call(&self, tool: &'static str, arguments: Value) -> CallToolResult {
        let Value::Object(arguments) = arguments else { panic!("no object") };
        self.running.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.unwrap()
    }

    /// What a tool answers; it must go well.
    async fn tool(&self, tool: &'static str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await;
        assert_eq!(result.is_error, Some(false), "{result:?}");
        result.structured_content.unwrap()
    }

    /// The code with which a tool fails.
    async fn fails(&self, tool: &'static str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result.is_error, Some(true), "{result:?}");
        result.meta.unwrap()["skillery/problem"]["code"].as_str().unwrap().to_owned()
    }

    async fn read(&self, uri: &str) -> Result<String, String> {
        let read = self.running.read_resource(ReadResourceRequestParams::new(uri)).await;
        match read.map_err(|error| error.to_string())?.contents.remove(0) {
            ResourceContents::TextResourceContents { text, .. } => Ok(text),
            other => panic!("{other:?}"),
        }
    }

    /// The host leaves, and the program must end by itself.
    async fn leave(mut self) {
        self.running.close().await.unwrap();
        let output = self.child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    }
}

fn registry() -> (Server, Place) {
    let server = Server::start();
    let place = server.place();
    place.publish("acme/email_validator", "1.0.0");
    place.publish("acme/email_validator", "1.1.0");
    (server, place)
}

fn installed(place: &Place) -> Vec<String> {
    let listed = place.run(["list", "--json"]).ok().json();
    let skills = listed["skills"].as_array().unwrap().iter();
    skills
        .map(|skill| format!("{}@{}", skill["id"].as_str().unwrap(), skill["version"].as_str().unwrap()))
        .collect()
}

#[test]
fn nothing_but_messages_is_written_to_stdout() {
    let (_server, place) = registry();
    let messages = [
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        "this is no message",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"drop/tables"}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"show_skill","arguments":{"id":"acme/email_validator"}}}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"resources/read","params":{"uri":"skill://acme/email_validator/@1.0.0/email-validator/SKILL.md"}}"#,
    ];
    let run = place.run_with_input(["mcp", "-v"], &(messages.join("\n") + "\n")).ok();
    let mut answers: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    answers.retain(|answer| answer["id"].is_number());
    answers.sort_by_key(|answer| answer["id"].as_i64());
    assert_eq!(answers.len(), 5, "{}", run.stdout);
    assert_eq!(answers[0]["result"]["protocolVersion"], "2024-11-05");
    assert_eq!(answers[1]["result"]["tools"].as_array().unwrap().len(), 4);
    assert_eq!(answers[2]["error"]["code"], -32601);
    assert_eq!(answers[3]["result"]["structuredContent"]["version"], "1.1.0");
    assert!(answers[4]["result"]["contents"][0]["text"].as_str().unwrap().contains("name: email-validator"));
}

#[test]
fn it_ends_with_its_host() {
    let place = Place::new();
    let run = place.run_with_input(["mcp"], "").ok();
    assert_eq!(run.stdout, "");
    let run = place.run_with_input(["mcp"], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n");
    assert!(run.stdout.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", run.report());
}

#[tokio::test(flavor = "multi_thread")]
async fn skills_are_found_read_and_installed_with_the_users_consent() {
    let (_server, place) = registry();
    let agent = Agent::start(&place, &[], Some(ElicitationAction::Accept)).await;
    let names: Vec<_> =
        agent.running.list_all_tools().await.unwrap().into_iter().map(|tool| tool.name).collect();
    assert_eq!(names, ["search_skills", "show_skill", "read_skill_file", "install_skill"]);
    let found = agent.tool("search_skills", json!({ "query": "email" })).await;
    assert_eq!((&found["total"], &found["skills"][0]["version"]), (&json!(1), &json!("1.1.0")));
    let id = "acme/email_validator";
    let shown = agent.tool("show_skill", json!({ "id": id, "version": "~1.0" })).await;
    assert_eq!(
        (&shown["version"], &shown["install"]),
        (&json!("1.0.0"), &json!([format!("skillery install {id}@1.0.0")]))
    );
    let read = agent.tool("read_skill_file", json!({ "id": id, "path": "scripts/email_validator.py" })).await;
    assert_eq!((&read["content"], &read["version"]), (&json!(VALIDATOR), &json!("1.1.0")));
    assert_eq!(
        agent.read("skill://acme/email_validator/@latest/email-validator/scripts/email_validator.py").await,
        Ok(VALIDATOR.to_owned())
    );
    assert_eq!(agent.fails("show_skill", json!({ "id": "acme/none" })).await, "skill-not-found");
    assert_eq!(agent.fails("read_skill_file", json!({ "id": id, "path": "x" })).await, "file-not-found");
    // What was only read is not installed, and so not listed.
    assert_eq!(installed(&place), Vec::<String>::new());
    assert_eq!(agent.running.list_all_skills().await.unwrap(), []);

    let done = agent.tool("install_skill", json!({ "id": id, "version": "^1.0.0" })).await;
    assert_eq!((&done["version"], &done["added"]), (&json!("1.1.0"), &json!(true)));
    assert!(std::path::Path::new(done["folder"].as_str().unwrap()).join("SKILL.md").is_file());
    assert_eq!(installed(&place), ["acme/email_validator@1.1.0"]);
    let asked = agent.host.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains("acme/email_validator 1.1.0, published by admin"), "{}", asked[0]);
    let skills = agent.running.list_all_skills().await.unwrap();
    assert_eq!(skills[0].uri, "skill://acme/email_validator/@1.1.0/email-validator/SKILL.md");
    assert_eq!(agent.running.list_all_resources().await.unwrap().len(), 1);
    agent.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_installed_that_nobody_has_agreed_to() {
    let (_server, place) = registry();
    let arguments = json!({ "id": "acme/email_validator" });
    for answer in [None, Some(ElicitationAction::Decline), Some(ElicitationAction::Cancel)] {
        let agent = Agent::start(&place, &[], answer).await;
        assert_eq!(agent.fails("install_skill", arguments.clone()).await, "not-agreed");
        agent.leave().await;
    }
    assert_eq!(installed(&place), Vec::<String>::new());
    let agent = Agent::start(&place, &["--allow-install"], None).await;
    assert_eq!(agent.tool("install_skill", arguments.clone()).await["added"], true);
    assert_eq!(agent.tool("install_skill", arguments).await["added"], false);
    agent.leave().await;
    assert_eq!(installed(&place), ["acme/email_validator@1.1.0"]);
}

/// The address of a registry that changes its mind: this one, but in the first answer at `path` stands `to` for `from`.
fn fickle(server: &Server, path: &'static str, from: &str, to: &str) -> String {
    fn answer(mut client: TcpStream, address: &str, change: impl Fn(&str, String) -> String) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).ok()?;
        let mut registry = TcpStream::connect(address).ok()?;
        registry.write_all(head.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes()).ok()?;
        let mut answer = Vec::new();
        registry.read_to_end(&mut answer).ok()?;
        let answer = match String::from_utf8(answer) {
            Ok(text) => change(&head, text).into_bytes(),
            Err(other) => other.into_bytes(),
        };
        client.write_all(&answer).ok()
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let address = server.url.trim_start_matches("http://").to_owned();
    let (from, to, has_lied) = (from.to_owned(), to.to_owned(), AtomicBool::new(false));
    let change = Arc::new(move |head: &str, text: String| {
        let is_first = head.starts_with(&format!("GET {path} ")) && !has_lied.swap(true, Ordering::Relaxed);
        if is_first { text.replace(&from, &to) } else { text }
    });
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, address, change) = (client.unwrap(), address.clone(), Arc::clone(&change));
            std::thread::spawn(move || answer(client, &address, |head, text| change(head, text)));
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_is_told_in_which_line_of_which_file_something_was_found() {
    let (_server, place) = registry();
    let front =
        "---\nname: linked\ndescription: Leads nowhere. Use it when you are lost.\nlicense: MIT\n---\n";
    std::fs::create_dir(place.work().join("linked")).unwrap();
    place.write("linked/SKILL.md", format!("{front}\n# Linked\n\nRead [it](missing.md).\n"));
    place.run(["publish", "./linked", "--namespace", "acme", "--version", "1.0.0"]).ok();
    let agent = Agent::start(&place, &[], Some(ElicitationAction::Accept)).await;
    let arguments = json!({ "id": "acme/linked" });
    let shown = agent.call("show_skill", arguments.clone()).await;
    let words = shown.content[0].as_text().unwrap().text.clone();
    let found = shown.structured_content.unwrap()["findings"].clone();
    let found = found.as_array().unwrap().iter().find(|one| one["rule"] == "broken-link").unwrap();
    assert_eq!((&found["path"], &found["line"]), (&json!("SKILL.md"), &json!(9)));
    let what = format!("SKILL.md:9: {}", found["message"].as_str().unwrap());
    assert!(words.contains(&format!("finding: warning: {what} (broken-link)")), "{words}");
    agent.tool("install_skill", arguments).await;
    let asked = agent.host.asked.lock().unwrap().concat();
    assert!(asked.contains("The rules find (warning): SKILL.md:9: "), "{asked}");
    agent.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_that_are_not_known_are_not_taken_for_none() {
    let (server, mut place) = registry();
    let arguments = json!({ "id": "acme/email_validator", "version": "1.1.0" });
    let path = "/api/v1/skills/acme/email_validator/versions/1.1.0";
    // A field that nobody knows is one that is left out.
    let without = || fickle(&server, path, "\"findings\":", "\"findingz\":");
    place.set("REGISTRY_URL", &without());
    let agent = Agent::start(&place, &[], Some(ElicitationAction::Accept)).await;
    let shown = agent.call("show_skill", arguments.clone()).await;
    let words = shown.content[0].as_text().unwrap().text.clone();
    assert!(words.contains("findings: not known now"), "{words}");
    assert_eq!(shown.structured_content.unwrap().get("findings"), None);
    assert!(agent.tool("show_skill", arguments.clone()).await["findings"].is_array());
    agent.leave().await;
    place.set("REGISTRY_URL", &without());
    let run = place.run(["info", "acme/email_validator", "--version", "1.1.0"]).ok();
    assert!(run.stdout.contains("not known now"), "{}", run.report());
    place.set("REGISTRY_URL", &without());
    let agent = Agent::start(&place, &[], Some(ElicitationAction::Accept)).await;
    agent.tool("install_skill", arguments).await;
    let asked = agent.host.asked.lock().unwrap().concat();
    assert!(asked.contains("What the rules find is not known now."), "{asked}");
    agent.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_installed_is_what_the_user_was_shown() {
    let (server, mut place) = registry();
    let arguments = json!({ "id": "acme/email_validator", "version": "1.1.0" });
    let agent = Agent::start(&place, &[], None).await;
    let digest = agent.tool("show_skill", arguments.clone()).await["digest"].as_str().unwrap().to_owned();
    agent.leave().await;
    let other = "5".repeat(64);
    let path = "/api/v1/skills/acme/email_validator/versions/1.1.0";
    for arguments_of_program in [&[][..], &["--allow-install"]] {
        place.set("REGISTRY_URL", &fickle(&server, path, &digest, &other));
        let agent = Agent::start(&place, arguments_of_program, Some(ElicitationAction::Accept)).await;
        assert_eq!(agent.fails("install_skill", arguments.clone()).await, "digest-mismatch");
        let asked = agent.host.asked.lock().unwrap().clone();
        assert!(asked.iter().all(|words| words.contains(&other)), "{asked:?}");
        assert_eq!(asked.is_empty(), !arguments_of_program.is_empty());
        assert_eq!(installed(&place), Vec::<String>::new());
        // The registry has not changed its mind again, and the user is asked about what there is.
        if asked.is_empty() {
            assert_eq!(agent.tool("install_skill", arguments.clone()).await["digest"], digest);
        }
        agent.leave().await;
    }
    assert_eq!(installed(&place), ["acme/email_validator@1.1.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_the_newest_version_ask_and_call_again() {
    let (_server, place) = registry();
    let discover =
        || ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let arguments = json!({ "id": "acme/email_validator", "version": "1.0.0" });
    let agent = Agent::start_as(&place, &[], Some(ElicitationAction::Decline), discover()).await;
    assert_eq!(agent.fails("install_skill", arguments.clone()).await, "not-agreed");
    assert_eq!(agent.host.asked.lock().unwrap().len(), 1);
    agent.leave().await;
    assert_eq!(installed(&place), Vec::<String>::new());

    let agent = Agent::start_as(&place, &[], Some(ElicitationAction::Accept), discover()).await;
    // An answer to another question is none: the user is asked about this one.
    let Value::Object(map) = arguments.clone() else { unreachable!() };
    let forged = CallToolRequestParams::new("install_skill")
        .with_arguments(map)
        .with_input_responses([("install".to_owned(), json!({ "action": "accept" }))].into())
        .with_request_state("acme/email_validator@9.9.9#0");
    agent.running.call_tool_once(forged).await.unwrap();
    assert_eq!(installed(&place), Vec::<String>::new());
    assert_eq!(agent.tool("install_skill", arguments).await["version"], "1.0.0");
    assert_eq!(agent.host.asked.lock().unwrap().len(), 1);
    agent.leave().await;
    assert_eq!(installed(&place), ["acme/email_validator@1.0.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_or_taken_back_is_not_read() {
    let (server, place) = registry();
    let id = "acme/email_validator";
    let code = |version: &str| json!({ "id": id, "version": version, "path": "scripts/email_validator.py" });
    let agent = Agent::start(&place, &["--allow-install"], None).await;
    agent.tool("read_skill_file", code("1.0.0")).await;
    let done = agent.tool("install_skill", json!({ "id": id, "version": "1.1.0" })).await;
    let path = std::path::Path::new(done["folder"].as_str().unwrap()).join("scripts/email_validator.py");
    place.run(["yank", id, "1.0.0", "--reason", "it is slow"]).ok();
    assert_eq!(
        agent.tool("read_skill_file", code("1.0.0")).await["warning"],
        "acme/email_validator 1.0.0 was yanked: it is slow"
    );
    // What lies on disk is not what was installed any more.
    let before = std::fs::read(&path).unwrap();
    std::fs::write(&path, "import os\n").unwrap();
    assert_eq!(agent.fails("read_skill_file", code("1.1.0")).await, "digest-mismatch");
    assert!(agent.running.list_all_skills().await.is_err());
    std::fs::write(&path, before).unwrap();
    agent.tool("read_skill_file", code("1.1.0")).await;
    // What was quarantined is not read, though it is installed; nor is what is still kept of it.
    for version in ["1.0.0", "1.1.0"] {
        place.run(["quarantine", id, version, "--reason", "malware"]).ok();
        assert_eq!(agent.fails("read_skill_file", code(version)).await, "version-quarantined");
        assert_eq!(
            agent.fails("install_skill", json!({ "id": id, "version": version })).await,
            "version-quarantined"
        );
    }
    // Without the registry what is here can still be read by its version, and nothing is found.
    drop(server);
    assert_eq!(agent.tool("read_skill_file", code("1.1.0")).await["content"], VALIDATOR);
    assert_eq!(agent.fails("search_skills", json!({ "query": "" })).await, "registry-unreachable");
    agent.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_skill_needs_comes_with_it_and_agents_get_it() {
    let (_server, place) = registry();
    let code =
        "# /// script\n# [tool.skillery]\n# skills = [\"acme/email_validator@^1\"]\n# ///\ndef app(): ...\n";
    place.publish_code("acme/app", "1.0.0", code);
    let agent = Agent::start(&place, &[], Some(ElicitationAction::Accept)).await;
    let unknown = json!({ "id": "acme/app", "agent": "nobody" });
    assert_eq!(agent.fails("install_skill", unknown).await, "unknown-agent");
    assert_eq!(agent.host.asked.lock().unwrap().len(), 0, "nobody is asked about what cannot be");
    let arguments = json!({ "id": "acme/app", "version": "^1", "agent": "claude-code" });
    let done = agent.tool("install_skill", arguments.clone()).await;
    let asked = agent.host.asked.lock().unwrap().concat();
    assert!(asked.contains("come with it: acme/email_validator ^1"), "{asked}");
    assert!(asked.contains("placed in the working project for: claude-code"), "{asked}");
    assert_eq!(done["needed"], json!(["acme/email_validator 1.1.0"]));
    assert_eq!(done["placed"].as_array().unwrap().len(), 2, "{done}");
    assert!(place.work().join(".claude/skills/app/SKILL.md").is_file());
    assert!(place.work().join(".claude/skills/email-validator/SKILL.md").is_file());
    assert_eq!(installed(&place), ["acme/app@1.0.0", "acme/email_validator@1.1.0"]);
    // A project without a lock gets none; one that has one stays complete.
    assert!(!place.work().join("skillery.lock").exists());
    place.write("skillery.lock", "version = 2\n");
    agent.tool("install_skill", arguments).await;
    let lock = place.read("skillery.lock");
    assert!(lock.contains("wanted = \"^1\"") && lock.contains("id = \"acme/email_validator\""), "{lock}");
    place.run(["install", "--frozen"]).ok();
    agent.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_project_has_locked_is_held_to() {
    let (server, place) = registry();
    place.run(["install", "acme/email_validator@1.1.0"]).ok();
    let lock = place.read("skillery.lock");
    let line = |name: &str| lock.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let digest = lock.replace(&line("digest = "), &format!("digest = \"{}\"", "5".repeat(64)));
    let stranger = Server::start();
    let key = lock.replace(&line("log_key = "), &format!("log_key = \"{}\"", log_key(&stranger.url)));
    let arguments = json!({ "id": "acme/email_validator", "version": "1.1.0" });
    for (altered, code) in [(digest, "digest-mismatch"), (key, "log-key-changed")] {
        assert_ne!(altered, lock);
        // It has never seen the log: the lock says what to believe.
        let other = server.place();
        other.write("skillery.lock", &altered);
        let agent = Agent::start(&other, &["--allow-install"], None).await;
        assert_eq!(agent.fails("install_skill", arguments.clone()).await, code);
        assert_eq!((other.read("skillery.lock"), installed(&other)), (altered, Vec::<String>::new()));
        other.write("skillery.lock", &lock);
        agent.tool("install_skill", arguments.clone()).await;
        assert_eq!(other.read("skillery.lock"), lock);
        agent.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_locked_only_what_is_needed_comes_along() {
    let (_server, place) = registry();
    let code =
        "# /// script\n# [tool.skillery]\n# skills = [\"acme/email_validator@^1\"]\n# ///\ndef app(): ...\n";
    place.publish_code("acme/app", "1.0.0", code);
    place.publish_code("acme/other", "1.0.0", "def other(): ...\n");
    place.run(["install", "acme/email_validator@1.0.0", "acme/other"]).ok();
    let lock = place.read("skillery.lock");
    for id in ["acme/email_validator", "acme/other"] {
        place.run(["remove", id, "--no-lock"]).ok();
    }
    let agent = Agent::start(&place, &["--allow-install"], None).await;
    let done = agent.tool("install_skill", json!({ "id": "acme/app", "agent": "claude-code" })).await;
    // In the version that is locked; named, and placed.
    assert_eq!(done["needed"], json!(["acme/email_validator 1.0.0"]));
    assert_eq!(done["placed"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(installed(&place), ["acme/app@1.0.0", "acme/email_validator@1.0.0"]);
    let after = place.read("skillery.lock");
    let blocks: Vec<&str> = lock.split("[[skill]]").skip(1).map(str::trim).collect();
    assert_eq!(blocks.len(), 2);
    assert!(blocks.iter().all(|block| after.contains(block)) && after.contains("acme/app"), "{after}");
    place.run(["install", "--frozen"]).ok();
    agent.leave().await;
}
