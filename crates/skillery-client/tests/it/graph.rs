//! Which skills need which, as their files say.

use skillery_client::library::{Graph, GraphFormat, LocalSkill, State, local_id};
use skillery_client::{Library, Result};

use crate::TestHome;

fn save(library: &Library, id: &str, version: &str, needs: &[&str]) {
    let listed: Vec<String> = needs.iter().map(|needed| format!("{needed:?}")).collect();
    let block = format!("# /// script\n# [tool.skillery]\n# skills = [{}]\n# ///\n", listed.join(", "));
    save_code(library, id, version, &format!("{block}def run():\n    return '{version}'\n"));
}

fn save_code(library: &Library, id: &str, version: &str, code: &str) {
    library.save(LocalSkill::new(local_id(id).unwrap(), version.parse().unwrap(), code)).unwrap();
}

fn library() -> (TestHome, Library) {
    let test = TestHome::new();
    let library = Library::new(test.home());
    save(&library, "acme/text", "1.0.0", &[]);
    save(&library, "acme/slugify", "1.1.0", &["acme/text"]);
    save(&library, "acme/slugify", "2.0.0", &[]);
    save(
        &library,
        "acme/report",
        "1.0.0",
        &["acme/slugify@^1", "te_xt", "acme/gone@^2", "acme/text@>=3", "", "a@"],
    );
    save(&library, "note", "0.1.0", &["acme/report"]);
    (test, library)
}

fn order(graph: &Graph) -> Result<Vec<String>> {
    Ok(graph.order()?.iter().map(|node| format!("{} {}", node.id, node.version)).collect())
}

#[test]
fn what_a_skill_needs_is_found_in_the_library() {
    let (_test, library) = library();
    let graph = library.dependency_graph(Some("report"), None).unwrap();
    let names: Vec<String> =
        graph.skills.iter().map(|node| format!("{} {}", node.id, node.version)).collect();
    assert_eq!(names, ["acme/report 1.0.0", "acme/slugify 1.1.0", "acme/text 1.0.0"]);
    assert!(!graph.skills[1].current, "the version that fits, and not the current one");
    let states: Vec<_> = graph.skills[0].dependencies.iter().map(|dependency| &dependency.state).collect();
    assert!(matches!(states[0], State::Resolved { version, .. } if version.to_string() == "1.1.0"));
    assert!(matches!(states[1], State::Missing), "`te_xt` is another name than `text`");
    assert_eq!(states[2], &State::Missing);
    assert!(matches!(states[3], State::Unsatisfied { present, .. } if present.len() == 1));
    assert!(matches!(states[4], State::Invalid { .. }) && matches!(states[5], State::Invalid { .. }));
    assert_eq!(order(&graph).unwrap(), ["acme/text 1.0.0", "acme/slugify 1.1.0", "acme/report 1.0.0"]);
    assert!(graph.cycles.is_empty());

    let all = library.dependency_graph(None, None).unwrap();
    assert_eq!(all.skills.len(), 5, "the current versions, and one that is asked for");
    insta::assert_snapshot!("tree", all.tree());
    insta::assert_snapshot!("mermaid", all.write(GraphFormat::Mermaid));
    insta::assert_snapshot!("dot", all.write(GraphFormat::Dot));
    insta::assert_snapshot!("dependents", all.tree_of_dependents(&"acme/text".parse().unwrap()));
    let one = library.dependency_graph(Some("slugify"), Some(&"^1".parse().unwrap())).unwrap();
    assert_eq!(one.tree(), "acme/slugify 1.1.0\n└── acme/text 1.0.0\n");
    assert_eq!(library.dependency_graph(Some("gone"), None).unwrap_err().code(), "not-installed");
}

#[test]
fn the_other_way_round_who_needs_it() {
    let (_test, library) = library();
    let dependents = library.dependents("text").unwrap();
    let told: Vec<_> = dependents
        .iter()
        .map(|found| (found.id.as_str(), found.wanted.as_str(), found.direct, found.satisfied))
        .collect();
    assert_eq!(
        told,
        [
            ("acme/report", "acme/text@>=3", true, false),
            ("acme/slugify", "acme/text", true, true),
            ("local/note", "acme/report", false, true),
        ]
    );
    assert!(library.dependents("note").unwrap().is_empty());
    assert_eq!(library.dependents("gone").unwrap_err().code(), "not-installed");
}

#[test]
fn who_needs_it_directly_and_by_another_way_needs_it_directly() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    save(&library, "x/a", "1.0.0", &["x/z@>=2"]);
    save(&library, "x/b", "1.0.0", &["x/a", "x/z"]);
    save(&library, "x/z", "1.0.0", &[]);
    let dependents = library.dependents("x/z").unwrap();
    let told: Vec<_> = dependents.iter().map(|found| (found.id.as_str(), found.direct)).collect();
    assert_eq!(told, [("x/a", true), ("x/b", true)]);
}

#[test]
fn circles_are_told_with_their_path_and_have_no_order() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    assert_eq!(library.dependency_graph(None, None).unwrap().tree(), "");
    save(&library, "x/c", "1.0.0", &["x/a"]);
    save(&library, "x/a", "1.0.0", &["x/b"]);
    save(&library, "x/b", "1.0.0", &["x/c"]);
    save(&library, "x/self", "1.0.0", &["self"]);
    save(&library, "x/user", "1.0.0", &["x/b"]);
    let graph = library.dependency_graph(None, None).unwrap();
    let cycles: Vec<String> = graph
        .cycles
        .iter()
        .map(|path| path.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" -> "))
        .collect();
    assert_eq!(cycles, ["x/a -> x/b -> x/c -> x/a", "x/self -> x/self"]);
    insta::assert_snapshot!("tree-with-circles", graph.tree());
    let error = graph.order().unwrap_err();
    assert_eq!(error.code(), "dependency-cycle");
    assert!(error.to_string().ends_with("x/a -> x/b -> x/c -> x/a"), "{error}");
    let dependents = library.dependents("x/a").unwrap();
    assert_eq!(dependents.len(), 3, "each once, and not the skill itself: {dependents:?}");
    // What a circle is not part of has an order.
    save(&library, "x/alone", "1.0.0", &[]);
    assert_eq!(order(&library.dependency_graph(Some("alone"), None).unwrap()).unwrap(), ["x/alone 1.0.0"]);
}

#[test]
fn what_cannot_be_read_or_told_apart_says_so() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    save_code(
        &library,
        "x/broken",
        "1.0.0",
        "# /// script\n# [tool.skillery]\n# skilz = []\n# ///\ndef run(): ...\n",
    );
    save(&library, "x/user", "1.0.0", &["x/broken", "same", "a\"]; b[\n"]);
    save(&library, "y/same", "1.0.0", &[]);
    save(&library, "z/same", "1.0.0", &[]);
    let graph = library.dependency_graph(Some("user"), None).unwrap();
    assert!(graph.skills[0].problem.as_ref().unwrap().starts_with("line 3: "), "{:?}", graph.skills[0]);
    assert!(
        matches!(&graph.skills[1].dependencies[1].state, State::Ambiguous { candidates } if candidates.len() == 2)
    );
    let texts = [GraphFormat::Text, GraphFormat::Mermaid, GraphFormat::Dot].map(|format| graph.write(format));
    insta::assert_snapshot!("hostile", texts.join("---\n"));
    assert!("svg".parse::<GraphFormat>().is_err());
}

#[test]
fn a_long_chain_is_gone_through_without_recursion() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    let last = 300;
    for number in 0..last {
        save(&library, &format!("x/s{number:03}"), "1.0.0", &[&format!("x/s{:03}", number + 1)]);
    }
    save(&library, &format!("x/s{last}"), "1.0.0", &[]);
    let graph = library.dependency_graph(Some("s000"), None).unwrap();
    let order = order(&graph).unwrap();
    assert_eq!((order.len(), order[0].as_str()), (last + 1, "x/s300 1.0.0"));
    assert!(graph.tree().ends_with(" …\n"));
    assert_eq!(library.dependents("s300").unwrap().len(), last);
}
