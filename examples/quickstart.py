"""The quick start of the guide against a running registry; it prints what it does, and fails where anything fails.

    REGISTRY_URL=http://127.0.0.1:8700 REGISTRY_TOKEN=... python examples/quickstart.py
"""

import asyncio
import json
import os
import pathlib
import sys

from orchestrator.execution import (
    Skill,
    add_step,
    configure_registry,
    create_workflow,
    download_registry_skill,
    execute_workflow,
    get_registry_ratings,
    get_registry_skill,
    publish_skill,
    rate_registry_skill,
    search_registry,
    trending_skills,
)

SKILLS = pathlib.Path(__file__).resolve().parent / "skills"


def step(text):
    print("\n# %s" % text, flush=True)


def expect(what, holds):
    if not holds:
        sys.exit("the quick start went wrong: %s" % what)


step("1. Configure the registry")
config = configure_registry(
    url=os.environ["REGISTRY_URL"], token=os.environ["REGISTRY_TOKEN"], org="acme", verify_signature=False
)
print(config)

step("2. Publish two skills")
validator = Skill(
    name="email_validator",
    code_path=str(SKILLS / "email_validator.py"),
    version="1.0.0",
    description="Validates email addresses",
)
result = publish_skill(
    validator,
    org="acme",
    tags=["email", "validation", "utility"],
    license="MIT",
    homepage="https://github.com/acme/email-validator",
    repository="https://github.com/acme/email-validator.git",
)
print("Published: %s %s" % (result.id, result.version))
expect("the id of what was published", result.id == "acme/email_validator")
slugify = Skill(name="slugify", code_path=str(SKILLS / "slugify.py"), version="1.0.0", description="Makes slugs of titles")
print("Published: %s" % publish_skill(slugify, org="acme", tags=["text", "utility"]).id)

step("3. Rate one")
expect("rating", rate_registry_skill("acme/email_validator", rating=4.5, review="Works great, fast validation"))
ratings = get_registry_ratings("acme/email_validator")
print("Average: %s/5 (%s reviews)" % (ratings["average"], ratings["count"]))
for review in ratings["reviews"]:
    print("  %s: %s" % (review["author"], review["text"]))

step("4. Search")
found = search_registry(query="email", tags=["utility"], org="acme", min_rating=3.5)
for skill in found:
    print("%s v%s - %.1f/5 (%s reviews)" % (skill.id, skill.version, skill.rating, skill.rating_count))
expect("the search", [skill.id for skill in found] == ["acme/email_validator"])

step("5. Download and install; hash and, where there is one, signature are checked")
for name in ("acme/email_validator", "acme/slugify"):
    skill = download_registry_skill(name, version="1.0.0")
    print("Installed: %s %s" % (skill.name, skill.version))

step("6. Run them in a workflow")
workflow = create_workflow("validate_emails", "Email validation workflow")
add_step(workflow, "validate", "email_validator", {"email": "${email_input}"})
add_step(workflow, "user_name", "slugify", {"text": "${validate_local}", "separator": "."})
results = asyncio.run(execute_workflow(workflow, {"email_input": "ada.lovelace@example.com"}))
for name, result in results.items():
    print("%s: %s in %.0f ms" % (name, result["status"], result["latency_ms"]))
    print("  %s" % json.dumps(result["output"]))
expect("the workflow", all(result["status"] == "success" for result in results.values()))
expect("its output", results["user_name"]["output"] == "ada.lovelace")

step("7. What others use")
for skill in trending_skills(limit=5):
    print("%s: %d installs" % (skill.id, skill.install_count))
expect("the details of a skill", get_registry_skill("acme/email_validator").rating == 4.5)
