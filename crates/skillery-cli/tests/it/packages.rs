//! Packages for skills, from wheels that are made here: no registry of packages is asked.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::policy::save;
use crate::support::{Place, Run, signal, snapshot};

/// Makes a wheel, or a source distribution, and prints its digest.
const MAKE: &str = r"
import base64, hashlib, io, sys, tarfile, zipfile
folder, kind, name, version = sys.argv[1:]
metadata = f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
if kind == 'source':
    path = f'{folder}/{name}-{version}.tar.gz'
    with tarfile.open(path, 'w:gz') as archive:
        for file, text in {'PKG-INFO': metadata, 'setup.py': 'raise SystemExit(1)\n'}.items():
            entry = tarfile.TarInfo(f'{name}-{version}/{file}')
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
else:
    path = f'{folder}/{name}-{version}-py3-none-any.whl'
    info = f'{name}-{version}.dist-info'
    files = {
        f'{name}/__init__.py': f'VERSION = {version!r}\n',
        f'{name}.pth': 'import sys; sys.was_run = True\n',
        f'{info}/METADATA': metadata,
        f'{info}/WHEEL': 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    }
    def line(file, text):
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()
        return f'{file},sha256={digest},{len(text)}\n'
    record = ''.join(line(file, text) for file, text in files.items()) + f'{info}/RECORD,,\n'
    with zipfile.ZipFile(path, 'w') as archive:
        for file, text in {**files, f'{info}/RECORD': record}.items():
            archive.writestr(file, text)
print(hashlib.sha256(open(path, 'rb').read()).hexdigest())
";

/// Where installers find wheels, by the settings that they read themselves.
fn with_index() -> Place {
    let mut place = Place::new();
    let index = place.work().join("wheels");
    std::fs::create_dir(&index).unwrap();
    place.set("PIP_NO_INDEX", "1");
    place.set("PIP_FIND_LINKS", index.to_str().unwrap());
    place.set("PIP_NO_CACHE_DIR", "1");
    place.write("uv.toml", format!("no-index = true\nfind-links = [{index:?}]\n"));
    place.set("UV_CONFIG_FILE", place.work().join("uv.toml").to_str().unwrap());
    std::fs::create_dir_all(place.home()).unwrap();
    std::fs::write(place.home().join("policy.toml"), "[namespaces.acme]\npackages = true\n").unwrap();
    place
}

/// Where programs are found, but for `uv`, so that `pip` installs.
fn path_without_uv() -> String {
    let path = std::env::var_os("PATH").unwrap();
    let places = std::env::split_paths(&path).filter(|place| !place.join("uv").exists());
    std::env::join_paths(places).unwrap().into_string().unwrap()
}

/// Makes one, and gives what a manifest says to have it.
fn make(place: &Place, kind: &str, name: &str, version: &str) -> String {
    let made = Command::new("python3")
        .args(["-c", MAKE, place.work().join("wheels").to_str().unwrap(), kind, name, version])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    format!("{name}=={version} --hash=sha256:{}", String::from_utf8(made.stdout).unwrap().trim())
}

/// Saves a skill `acme/NAME` that asks for these packages, and a workflow that runs it.
fn skill(place: &Place, name: &str, packages: &[&str], body: &str) {
    let code = format!(
        "# /// script\n# [tool.skillery.permissions]\n# packages = {packages:?}\n# ///\ndef {name}():\n    {}\n",
        body.replace('\n', "\n    ")
    );
    save(place, &format!("acme/{name}"), &code);
    let steps = json!([{ "name": "only", "skill": format!("acme/{name}") }]);
    place.write(&format!("{name}.json"), json!({ "name": name, "steps": steps }).to_string());
}

fn run(place: &Place, name: &str) -> Run {
    place.run(["workflow", "run", &format!("{name}.json"), "--json"])
}

/// What lies where the sets of packages are.
fn sets(place: &Place) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place.home().join("environments")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| !path.ends_with(".lock")).collect()
}

#[test]
fn a_skill_has_the_packages_that_it_asks_for() {
    let place = with_index();
    let (one, two) = (make(&place, "wheel", "one", "1.0"), make(&place, "wheel", "two", "2.5"));
    let uses = "import one, sys\nimport two\nreturn [one.VERSION, two.VERSION, hasattr(sys, 'was_run'), one.__file__]";
    skill(&place, "both", &[&one, &two], uses);
    skill(&place, "again", &[&two, &one], uses);
    let report = run(&place, "both").ok().json();
    let output = &report["steps"][0]["output"];
    assert_eq!((&output[0], &output[1], &output[2]), (&json!("1.0"), &json!("2.5"), &json!(false)));
    // The same set in another order is the same set, and needs no installer any more.
    std::fs::remove_dir_all(place.work().join("wheels")).unwrap();
    assert_eq!(run(&place, "again").ok().json()["steps"][0]["output"], *output);
    assert_eq!(sets(&place).len(), 1);

    // It is for all who have it, and nobody changes it.
    skill(&place, "writer", &[&one, &two], "import one\nopen(one.__file__, 'w')");
    let report = run(&place, "writer").fails(1).json();
    assert_eq!(report["steps"][0]["error"]["rule"], "write", "{report}");
    // Who does not ask has none.
    skill(&place, "other", &[], "import one");
    let report = run(&place, "other").fails(1).json();
    assert_eq!(report["steps"][0]["error"]["type"], "ModuleNotFoundError", "{report}");
}

#[test]
fn what_cannot_be_installed_leaves_nothing() {
    let place = with_index();
    let source = make(&place, "source", "source_only", "1.0");
    let wheel = make(&place, "wheel", "one", "1.0");
    let (name, _) = wheel.split_once(" --hash").unwrap();
    let wrong = format!("{name} --hash=sha256:{}", "0".repeat(64));
    let missing = format!("missing==1.0 --hash=sha256:{}", "0".repeat(64));
    for (case, package) in [("source", &source), ("wrong", &wrong), ("missing", &missing)] {
        skill(&place, case, &[package], "return 1");
        let error = run(&place, case).fails(1).error();
        assert_eq!(error["code"], "no-packages", "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("cannot install the packages of skill `acme/{case}`: ")),
            "{message}"
        );
        let (package, _) = package.split_once("==").unwrap();
        let names = [package.to_owned(), package.replace('_', "-")];
        assert!(names.iter().any(|name| message.contains(name)), "{message}");
        assert!(error["hint"].as_str().unwrap().contains("needs a wheel"), "{error}");
        assert_eq!(sets(&place), [] as [PathBuf; 0], "{case}");
    }
}

#[test]
fn what_was_not_installed_is_not_kept() {
    let mut place = with_index();
    // Settings that lead elsewhere, or nowhere.
    place.set("PATH", &path_without_uv());
    place.set("PIP_DRY_RUN", "1");
    place.set("PIP_TARGET", place.work().join("elsewhere").to_str().unwrap());
    place.set("PIP_PREFIX", place.work().join("elsewhere").to_str().unwrap());
    place.set("PIP_ROOT", place.work().join("elsewhere").to_str().unwrap());
    let one = make(&place, "wheel", "one", "1.0");
    skill(&place, "settings", &[&one], "import one\nreturn one.VERSION");
    let report = run(&place, "settings").ok().json();
    assert_eq!(report["steps"][0]["output"], "1.0");

    // A tool that does nothing, and does not complain.
    let two = make(&place, "wheel", "two", "1.0");
    skill(&place, "idle", &[&two], "return 1");
    place.write("uv", "#!/bin/sh\necho uv 1\n");
    let idle = place.work().join("uv");
    std::fs::set_permissions(&idle, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.set("PATH", &format!("{}:{}", place.work().display(), path_without_uv()));
    let error = run(&place, "idle").fails(1).error();
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with("it does not complain, and `two` is not there"), "{message}");
    assert_eq!(sets(&place).len(), 1);
}

#[test]
fn what_lies_in_the_folder_of_the_caller_does_not_install() {
    let mut place = with_index();
    place.set("PATH", &path_without_uv());
    let told = place.work().join("told");
    place.write("pip.py", format!("open({told:?}, 'w')\nprint('pip 1')\n"));
    place.run(["doctor"]).ok();
    let one = make(&place, "wheel", "one", "1.0");
    skill(&place, "uses", &[&one], "import one\nreturn one.VERSION");
    run(&place, "uses").ok();
    assert!(!told.exists());
}

#[test]
fn what_leaves_something_to_chance_is_refused() {
    let place = with_index();
    for (case, package) in [
        ("unpinned", "six>=1.0"),
        ("unhashed", "six==1.16.0"),
        ("elsewhere", "six @ https://example.com/six.whl"),
        ("option", "--index-url https://example.com"),
    ] {
        skill(&place, case, &[package], "return 1");
        snapshot!(case, place.run(["workflow", "run", &format!("{case}.json")]).fails(2));
    }
    // And what is not granted is not installed.
    let wheel = make(&place, "wheel", "one", "1.0");
    skill(&place, "denied", &[&wheel], "return 1");
    std::fs::remove_file(place.home().join("policy.toml")).unwrap();
    assert_eq!(run(&place, "denied").fails(3).error()["code"], "not-granted");
    assert_eq!(sets(&place), [] as [PathBuf; 0]);
}

#[test]
fn two_at_once_have_one_set() {
    let place = with_index();
    skill(&place, "both", &[&make(&place, "wheel", "one", "1.0")], "import one\nreturn one.VERSION");
    let start = || place.command(["workflow", "run", "both.json", "--json"]).spawn().unwrap();
    let (first, second) = (start(), start());
    for child in [first, second] {
        assert_eq!(place.finish(child).ok().json()["steps"][0]["output"], "1.0");
    }
    assert_eq!(sets(&place).len(), 1);
}

#[test]
fn whoever_waits_for_packages_can_stop() {
    let mut place = with_index();
    // A registry of packages that never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/simple", silent.local_addr().unwrap());
    for (tool, only_local) in [("PIP", "PIP_NO_INDEX"), ("UV", "UV_CONFIG_FILE")] {
        place.unset(only_local);
        place.set(&format!("{tool}_INDEX_URL"), &url);
    }
    skill(&place, "waits", &[&format!("one==1.0 --hash=sha256:{}", "0".repeat(64))], "return 1");
    let child = place.command(["workflow", "run", "waits.json"]).spawn().unwrap();
    let _connection = silent.accept().unwrap();
    signal(child.id(), "INT");
    snapshot!("interrupted", place.finish(child).fails(130));
    assert_eq!(sets(&place), [] as [PathBuf; 0]);
}

#[test]
fn sets_that_nobody_uses_are_removed() {
    let place = with_index();
    snapshot!("list-nothing", place.run(["packages", "list"]).ok());
    snapshot!("prune-nothing", place.run(["packages", "prune"]).ok());
    skill(&place, "old", &[&make(&place, "wheel", "one", "1.0")], "import one\nreturn one.VERSION");
    skill(&place, "new", &[&make(&place, "wheel", "two", "2.0")], "import two\nreturn two.VERSION");
    run(&place, "old").ok();
    run(&place, "new").ok();
    let used = |package: &str| {
        let sets = place.run(["packages", "list", "--json"]).ok().json();
        let sets = sets["sets"].as_array().unwrap().clone();
        let set = sets.iter().find(|set| set["packages"] == json!([package])).unwrap();
        PathBuf::from(set["folder"].as_str().unwrap()).join("requirements.txt")
    };
    let days_ago = |days: u64| SystemTime::now() - Duration::from_secs(days * 86_400 + 60);
    let old = std::fs::File::options().append(true).open(used("one==1.0")).unwrap();
    old.set_modified(days_ago(30)).unwrap();
    let new = std::fs::File::options().append(true).open(used("two==2.0")).unwrap();
    new.set_modified(days_ago(29)).unwrap();
    // What was left by an installation that was killed.
    std::fs::create_dir(place.home().join("environments/.new-left")).unwrap();
    snapshot!("prune", place.run(["packages", "prune"]).ok());
    assert_eq!(sets(&place).len(), 1);
    // A run that has it uses it.
    assert_eq!(run(&place, "new").ok().json()["steps"][0]["output"], "2.0");
    snapshot!("prune-used", place.run(["packages", "prune", "--unused-days", "1"]).ok());
    assert_eq!(run(&place, "old").ok().json()["steps"][0]["output"], "1.0");
    assert_eq!(sets(&place).len(), 2);
    assert_eq!(place.run(["packages", "prune", "--unused-days", "0"]).fails(2).code, Some(2));
}
