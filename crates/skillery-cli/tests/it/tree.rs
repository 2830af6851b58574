//! Which installed skills need which.

use skillery_client::library::{LocalSkill, local_id};
use skillery_client::{Home, Library};

use crate::support::{Place, snapshot};

fn save(place: &Place, id: &str, needs: &str) {
    let code = format!("# /// script\n# [tool.skillery]\n# skills = [{needs}]\n# ///\ndef run(): ...\n");
    let skill = LocalSkill::new(local_id(id).unwrap(), "1.0.0".parse().unwrap(), code);
    Library::new(Home::at(place.home())).save(skill).unwrap();
}

#[test]
fn what_skills_need_is_drawn() {
    let place = Place::new();
    snapshot!("tree-nothing", place.run(["tree"]).ok());
    save(&place, "acme/text", "");
    save(&place, "acme/slugify", "\"text@^1\", \"acme/gone@2.0.0\"");
    save(&place, "acme/report", "\"acme/slugify\", \"acme/text@^2\", \"\\u001b[31mred\"");
    snapshot!("tree", place.run(["tree"]).ok());
    snapshot!("tree-one-json", place.run(["tree", "slugify", "--json"]).ok());
    snapshot!("tree-dependents", place.run(["tree", "text", "--dependents"]).ok());
    snapshot!("tree-dependents-json", place.run(["tree", "text", "--dependents", "--json"]).ok());
    snapshot!("tree-no-dependents", place.run(["tree", "report", "--dependents"]).ok());
    snapshot!("tree-order", place.run(["tree", "--order"]).ok());
    snapshot!("tree-mermaid", place.run(["tree", "report@^1", "--mermaid"]).ok());
    assert!(place.run(["tree", "--dot"]).ok().stdout.starts_with("digraph skills {\n"));
    snapshot!("tree-not-installed", place.run(["tree", "acme/gone"]).fails(4));
    place.run(["tree", "report@^2"]).fails(4);
    place.run(["tree", "--dependents"]).fails(2);
    place.run(["tree", "--mermaid", "--dot"]).fails(2);
    place.run(["tree", "text@^1", "--dependents"]).fails(2);
}

#[test]
fn a_script_of_a_skill_needs_the_skill() {
    let place = Place::new();
    save(&place, "acme/pdf", "");
    save(
        &place,
        "acme/report",
        "\"acme/pdf@^1#extract\", \"pdf#fill\", \"acme/pdf@^2#extract\", \"acme/pdf#../x\"",
    );
    snapshot!("tree-script", place.run(["tree", "report"]).ok());
    snapshot!("tree-script-mermaid", place.run(["tree", "report", "--mermaid"]).ok());
}

#[test]
fn circles_are_marked_and_have_no_order() {
    let place = Place::new();
    save(&place, "x/a", "\"x/b\"");
    save(&place, "x/b", "\"x/a@1.0.0\"");
    snapshot!("tree-circle", place.run(["tree"]).ok());
    assert_eq!(place.run(["tree", "--json"]).ok().json()["cycles"][0].as_array().unwrap().len(), 3);
    snapshot!("tree-order-circle", place.run(["tree", "--order"]).fails(2));
    assert_eq!(place.run(["tree", "--order", "--json"]).fails(2).error()["code"], "dependency-cycle");
}
