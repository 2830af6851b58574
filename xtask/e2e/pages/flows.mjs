// What people do with the pages, with scripts and without.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { AFTERWARDS, AFTERWARDS_REFUSED } from "./afterwards.mjs";
import { DESK, REFUSED } from "./desk.mjs";
import { ENTRY, ENTRY_ASKS, ENTRY_REFUSED } from "./entry.mjs";
import { GOVERNANCE, GOVERNANCE_REFUSED } from "./governance.mjs";
import { KEEPING, KEEPING_REFUSED } from "./keeping.mjs";
import { MODERATION, MODERATION_REFUSED } from "./moderation.mjs";
import { call, signIn, signOut } from "./steps.mjs";
import { must, watched } from "./watch.mjs";

const run = promisify(execFile);

const path = (page) => new URL(page.url()).pathname;
const query = (page) => new URL(page.url()).searchParams;

async function searching(page, world, scripts) {
  await page.goto(world.url);
  const box = page.getByRole("combobox", { name: "Search skills" }).first();
  if (scripts) {
    await box.pressSequentially("shak");
    const option = page.getByRole("option").first();
    await option.waitFor();
    must((await option.textContent()).includes("acme/shaky"), "the skill is not suggested");
    must(await box.getAttribute("aria-expanded") === "true", "nobody is told that there are suggestions");
    await page.keyboard.press("ArrowDown");
    must(await option.getAttribute("aria-selected") === "true", "the arrow chooses nothing");
    await page.keyboard.press("Escape");
    must(await option.isHidden(), "suggestions stay when they are to go");
    await box.fill("");
    await box.pressSequentially("shaky");
    await option.waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${world.url}/acme/shaky`);
    await page.goto(world.url);
  }
  await box.fill("tool");
  await box.press("Enter");
  await page.waitForURL(/\/search\?q=tool/);
  must(await page.getByRole("listitem").filter({ has: page.locator("h2") }).count() > 3, "nothing is found");
}

async function filters(page, world) {
  // Where there is little room, filters are folded up.
  const unfold = async () => await page.getByLabel("Order").isVisible() || page.getByText("Filters", { exact: true }).click();
  await page.goto(`${world.url}/search`);
  await unfold();
  await page.getByLabel("Order").selectOption("name");
  await page.getByLabel("Namespace").fill("acme");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/org=acme/);
  must(query(page).get("sort") === "name", "the order is not in the address");
  await unfold();
  await page.getByRole("complementary", { name: "Filters" }).getByRole("link", { name: /^pdf/ }).click();
  await page.waitForURL(/tags=pdf/);
  must(query(page).get("sort") === "name" && query(page).get("org") === "acme", "a filter is lost when another is set");
  must(await page.getByLabel("Order").inputValue() === "name", "the form forgets the order");
  await unfold();
  await page.getByRole("link", { name: /^pdf\s*(×\s*)?remove/ }).click();
  await page.waitForURL((url) => !url.searchParams.has("tags"));
  await page.getByRole("link", { name: "Next →" }).click();
  await page.waitForURL(/offset=20/);
  must(query(page).get("sort") === "name" && query(page).get("org") === "acme", "the second page forgets the filters");
  await page.goBack();
  await page.waitForURL((url) => !url.searchParams.has("offset"));
}

async function reading(page, world) {
  await page.goto(`${world.url}/acme/shaky`);
  await page.getByRole("navigation", { name: "Skill", exact: true }).getByRole("link", { name: "Versions" }).click();
  await page.waitForURL(/\/versions$/);
  const rows = await page.getByRole("row").allTextContents();
  const standing = (version, word) =>
    must(rows.some((row) => row.includes(version) && row.includes(word)), `${version} is not shown as ${word}`);
  standing("1.0.1", "yanked");
  standing("1.0.2", "quarantined");
  standing("1.0.0", "published");
  await page.getByRole("link", { name: "1.0.0", exact: true }).click();
  await page.waitForURL(/\/versions\/1\.0\.0$/);
  await page.getByRole("link", { name: "guide", exact: true }).click();
  await page.waitForURL(/\/files\/references\/guide\.md$/);
  must((await page.getByRole("region").textContent()).includes("This is version 1.0.0"), "the file is not shown");
  await page.getByRole("link", { name: "3", exact: true }).click();
  must(page.url().endsWith("#L3"), "lines have no address");
  const raw = await page.request.get(new URL(await page.getByRole("link", { name: "Raw" }).getAttribute("href"), world.url).href);
  must((await raw.text()).startsWith("# Guide"), "the file as it is, is another");
}

async function rating(page, world) {
  await page.goto(`${world.url}/acme/tool-02/ratings`);
  await page.getByRole("main").getByRole("link", { name: "Sign in" }).click();
  await page.getByLabel("Token").fill("sky_pat_nonsense");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Token").fill(world.tokens.dan);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/tool-02\/ratings/);
  must(await page.getByText("dan", { exact: true }).count() > 0, "it is not said who is signed in");
  await page.getByRole("radio", { name: "4" }).check();
  await page.getByRole("button", { name: "Rate", exact: true }).click();
  await page.getByText("Your rating is counted.").waitFor();
  must((await page.getByRole("complementary", { name: "Rating" }).textContent()).includes("1 rating"), "it is not counted");
  await page.goto(`${world.url}/acme/tool-02/ratings`);
  await page.getByRole("radio", { name: "2" }).check();
  await page.getByRole("textbox", { name: "Review" }).fill("Not what I wanted.\n\nReally not.");
  await page.getByRole("button", { name: "Rate", exact: true }).click();
  await page.getByText("Not what I wanted.", { exact: true }).first().waitFor();
  must(await page.getByRole("radio", { name: "2" }).isChecked(), "the own rating is not shown");
  await page.getByRole("button", { name: "Take it back" }).click();
  await page.getByText("Your rating is removed.").waitFor();
  must(await page.getByText("Not what I wanted.").count() === 0, "the review stays");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  must(path(page) === "/" && await page.getByRole("link", { name: "Sign in", exact: true }).count() === 1, "somebody is still signed in");
}

/// A rating without a review: is it shown as one's own, with a way to take it back?
async function ratingAlone(page, world) {
  await signIn(page, world, "dan", "/acme/tool-03/ratings");
  await page.getByRole("radio", { name: "4" }).check();
  await page.getByRole("button", { name: "Rate", exact: true }).click();
  await page.getByText("Your rating is counted.").waitFor();
  must(await page.getByRole("radio", { name: "4" }).isChecked(), "who rated without a review is not shown what they gave");
  await page.getByRole("button", { name: "Take it back" }).click();
  await page.getByText("Your rating is removed.").waitFor();
}

async function link(page, world) {
  const env = { ...process.env, SKILLERY_REGISTRY: world.url, SKILLERY_TOKEN: world.tokens.ben, SKILLERY_HOME: `${world.folder}/home-ben` };
  const { stdout } = await run(world.program, ["open", "acme/vault", "--print"], { env });
  const address = stdout.split("\n").map((line) => line.trim()).find((line) => line.startsWith("http"));
  await page.goto(address);
  // Programs look at links to show them.
  await page.reload();
  await page.getByRole("button", { name: "Sign in as ben" }).click();
  await page.waitForURL(/\/acme\/vault/);
  must(await page.getByText("private", { exact: true }).count() > 0, "what is private is not shown");
  const again = await page.context().browser().newContext();
  const other = await again.newPage();
  await other.goto(address);
  must((await other.getByRole("alert").textContent()).includes("was used before"), "the link works twice");
  await again.close();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  const answer = await page.goto(`${world.url}/acme/vault`);
  must(answer.status() === 404, "what is private is shown to who signed out");
}

async function standings(page, world) {
  await page.goto(`${world.url}/initech/reviewed/versions`);
  must(!(await page.getByRole("main").textContent()).includes("1.3.0"), "anybody sees what waits");
  await signIn(page, world, "ben", "/initech/reviewed/versions");
  must((await page.getByRole("main").textContent()).includes("1.3.0"), "a reviewer does not see what waits");
}

/// How a skill is used, what of that is told, and being left out of what is compared.
async function insight(page, world) {
  await page.goto(`${world.url}/acme/tool-00`);
  await page.getByRole("navigation", { name: "Skill", exact: true }).getByRole("link", { name: "Insight" }).click();
  await page.waitForURL(/\/usage$/);
  must(await page.getByRole("img", { name: "Installs of acme/tool-00 by day" }).count() === 1, "the picture has no name");
  await page.getByText("The figures as a table").click();
  must(await page.getByRole("table", { name: "Installs by day" }).getByRole("row").count() === 29, "the table has not every day");
  await page.getByRole("link", { name: "Weeks" }).click();
  await page.waitForURL(/by=week/);
  must(await page.getByRole("img", { name: "Installs of acme/tool-00 by week" }).count() === 1, "weeks have no picture");
  await signIn(page, world, "ada", "/orgs/acme/usage");
  await page.getByLabel("Withhold figures about fewer users than").fill("50");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  must((await page.getByRole("main").textContent()).includes("fewer than 50 users"), "what is withheld is not said");
  await page.getByLabel("Withhold figures about fewer users than").fill("");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Nothing is withheld").waitFor();
  await page.goto(`${world.url}/trending`);
  await page.getByRole("navigation", { name: "Trending" }).getByRole("link", { name: "Authors" }).click();
  await page.getByRole("button", { name: "Leave me out" }).click();
  await page.getByText("You are on no list").waitFor();
  await page.getByRole("button", { name: "Take me in" }).click();
  await page.getByText("You may be on this list").waitFor();
}

async function theme(page, world) {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.goto(`${world.url}/search?q=tool`);
  const before = await background();
  await page.getByRole("button", { name: "Dark" }).click();
  await page.waitForURL(/\/search\?q=tool/);
  await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
  must(await background() !== before, "dark is as light");
  await page.goto(world.url);
  must(await page.getByRole("button", { name: "Dark" }).getAttribute("aria-pressed") === "true", "the theme is forgotten");
  await page.getByRole("button", { name: "System" }).click();
  await page.waitForFunction(() => !document.documentElement.dataset.theme);
  must(await background() === before, "it stays dark");
}

async function keyboard(page, world, scripts) {
  await page.goto(world.url);
  const focused = () => page.evaluate(() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    return { name: element.textContent.trim() || element.id, id: element.id, tag: element.tagName, outline: style.outlineStyle !== "none" || style.boxShadow !== "none" };
  });
  await page.keyboard.press("Tab");
  must((await focused()).name === "To the content", "the first stop is not the way to the content");
  must((await focused()).outline, "one does not see where one is");
  await page.keyboard.press("Enter");
  must((await focused()).id === "content", "the way to the content leads elsewhere");
  if (scripts) {
    await page.locator("body").press("/");
    must((await focused()).tag === "INPUT", "`/` does not go to the search");
  }
  // All the way through, without a trap, always visible.
  await page.goto(`${world.url}/acme/tool-00/ratings`);
  let last = "";
  for (let stop = 0; stop < 80; stop++) {
    await page.keyboard.press("Tab");
    const here = await focused();
    if (here.tag === "BODY") break;
    must(here.outline, `one does not see that \`${here.name}\` has the focus`);
    last = here.name;
  }
  must(last === "Dark", `the last stop is \`${last}\` and not the end of the page`);
  await page.goto(`${world.url}/login`);
  await page.getByLabel("Token").focus();
  await page.keyboard.type(world.tokens.dan);
  await page.keyboard.press("Enter");
  await page.getByText("You are signed in.").waitFor();
}

async function talking(page, world, scripts, mark) {
  const said = `Is it fast? ${mark}`;
  await signIn(page, world, "dan", "/acme/tool-02/comments");
  await page.getByRole("textbox", { name: "Comment" }).fill(said);
  await page.getByRole("button", { name: "Comment" }).click();
  await page.getByText("Your comment is there.").waitFor();
  const thread = page.getByRole("article").filter({ hasText: said }).first();
  await thread.getByRole("link", { name: "Edit" }).click();
  const field = page.getByLabel("What it says from now on");
  must(await field.inputValue() === said, "the form has not what the comment says");
  await field.fill(`${said}, really`);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("It says something else now.").waitFor();
  await page.getByRole("link", { name: "Answer", exact: true }).last().click();
  await page.getByLabel("Your answer").fill("It is.");
  await page.getByRole("button", { name: "Answer", exact: true }).click();
  await page.getByText("1 answer").waitFor();
  await page.getByRole("button", { name: "Take back" }).first().click();
  await page.getByRole("button", { name: "Take it back" }).click();
  await page.getByText("This was taken back by who wrote it.").first().waitFor();
}

async function moderating(page, world, scripts, mark) {
  const words = `Buy here, ${mark}`;
  await signIn(page, world, "dan", "/acme/tool-03/comments");
  await page.getByRole("textbox", { name: "Comment" }).fill(words);
  await page.getByRole("button", { name: "Comment" }).click();
  await page.getByText("Your comment is there.").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, world, "ben", "/acme/tool-03/comments");
  await page.getByRole("article").filter({ hasText: words }).getByRole("link", { name: "Report" }).click();
  await page.getByLabel("What is wrong with it").selectOption("spam");
  await page.getByRole("button", { name: "Report" }).click();
  await page.getByText("It is reported.").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, world, "ada", "/orgs/acme/comments");
  const report = page.getByRole("article").filter({ hasText: words });
  await report.getByRole("link", { name: "acme/tool-03" }).click();
  await page.getByRole("link", { name: "Hide", exact: true }).click();
  await page.getByLabel("Why").fill("advertising");
  await page.getByRole("button", { name: "Hide it" }).click();
  await page.getByText("Hidden: advertising").waitFor();
  await page.goto(`${world.url}/orgs/acme/comments`);
  await report.getByLabel("What was done").fill("hidden");
  await report.getByRole("button", { name: "Resolve" }).click();
  await page.getByText("The report is resolved.").waitFor();
  must(await report.count() === 0, "what is resolved is open still");
  // The author of the skill answers a review.
  await page.goto(`${world.url}/acme/tool-01/ratings`);
  await page.getByRole("link", { name: /^(Answer|Change the answer)$/ }).first().click();
  await page.getByLabel("Your answer").fill("Faster now.");
  await page.getByRole("button", { name: "Answer", exact: true }).click();
  await page.getByText("Faster now.").waitFor();
}

/// What somebody is told of: the bar says how many, a kind alone is shown, one and then all are marked as read.
async function told(page, world, scripts, mark) {
  const first = 20 + 2 * world.marks.findIndex((own) => mark.startsWith(own));
  const [skill, other] = [`acme/tool-${first}`, `acme/tool-${first + 1}`];
  const isAgain = mark.endsWith("-again");
  if (isAgain) {
    // The first time may have ended while ratings were not listed; and who rates the same again tells nobody anything.
    await signIn(page, world, "ada", "/account/notifications/settings");
    await page.getByLabel("Ratings: in the list").check();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();
    await signOut(page);
  }
  const rate = { headers: { authorization: `Bearer ${world.tokens.dan}` }, data: { rating: isAgain ? 3 : 4 } };
  for (const id of [other, skill]) {
    must((await page.request.post(`${world.url}/api/v1/skills/${id}/rate`, rate)).ok(), "dan cannot rate");
  }
  await signIn(page, world, "ada", "/account/notifications");
  const line = page.getByRole("link", { name: `dan rated ${skill}` });
  for (let tries = 0; tries < 20 && await line.count() === 0; tries++) {
    await page.waitForTimeout(250);
    await page.reload();
  }
  const bar = page.getByRole("navigation", { name: "Account" });
  must(await bar.getByText(/notifications? not read/).count() === 1, "the bar does not say how many");
  await page.getByLabel("About", { exact: true }).selectOption("skill-rated");
  await page.getByLabel("Not read", { exact: true }).check();
  await page.getByRole("button", { name: "Show" }).click();
  await page.waitForURL(/kind=skill-rated/);
  await page.getByRole("button", { name: `Mark as read: dan rated ${skill}` }).click();
  await page.getByText("Marked as read.").waitFor();
  must(query(page).get("kind") === "skill-rated" && await line.count() === 0, "it is not marked, or the filter is lost");
  await page.goto(`${world.url}/account/notifications`);
  await page.getByRole("button", { name: "Mark all as read" }).click();
  await page.getByText("Marked as read.").waitFor();
  must(await bar.getByText(/not read/).count() === 0, "the bar still says something");
  await page.getByRole("link", { name: "How you are told" }).click();
  await page.getByLabel("Ratings: mail").selectOption("weekly");
  await page.getByLabel("Ratings: in the list").uncheck();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  must(await page.getByLabel("Ratings: mail").inputValue() === "weekly", "the mode is not kept");
  must(!await page.getByLabel("Ratings: in the list").isChecked(), "the box is ticked again");
  await page.getByLabel("Ratings: in the list").check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
}

/// A webhook from its beginning to its end, and what the audit says of it.
async function hooks(page, world) {
  await signIn(page, world, "ada", "/account/webhooks");
  await page.getByLabel("Where to").fill("https://10.0.0.1/hook");
  await page.getByRole("button", { name: "Add it" }).click();
  await page.getByRole("alert").filter({ hasText: "private network" }).waitFor();
  await page.getByLabel("Where to").fill("https://hooks.invalid/skills");
  await page.getByRole("button", { name: "Add it" }).click();
  const secret = await page.locator(".command code").textContent();
  must(secret.startsWith("whsec_"), "no secret is shown");
  await page.getByRole("link", { name: "Try it" }).click();
  must(!(await page.content()).includes(secret), "the secret is shown again");
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByText("A test is on its way.").waitFor();
  const row = page.getByRole("row").filter({ hasText: "has no address that may be asked" });
  for (let tries = 0; tries < 40 && await row.count() === 0; tries++) {
    await page.waitForTimeout(250);
    await page.reload();
  }
  must((await row.textContent()).includes("waiting"), "it is not said what became of the test");
  await page.getByText("Change it").click();
  await page.getByLabel("Ratings").check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  await page.getByRole("button", { name: "Switch off" }).click();
  await page.getByRole("button", { name: "Switch on" }).waitFor();
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("button", { name: "Remove it" }).click();
  await page.getByText("Removed.").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, world, "admin", "/admin/audit");
  await page.getByLabel("Who", { exact: true }).fill("ada");
  await page.getByLabel("Action", { exact: true }).fill("webhook.");
  await page.getByRole("button", { name: "Search", exact: true }).last().click();
  await page.waitForURL(/action=webhook/);
  for (const action of ["webhook.added", "webhook.changed", "webhook.removed"]) {
    must(await page.getByRole("cell", { name: action }).count() > 0, `${action} left no trace`);
  }
  const href = await page.getByRole("link", { name: "CSV" }).getAttribute("href");
  const file = await page.request.get(new URL(href, world.url).href);
  must((await file.text()).includes("webhook.added"), "the file has not what the page shows");
}

async function reviewing(page, world, scripts, mark) {
  const id = `initech/flow-${mark}`;
  const name = id.split("/")[1].replaceAll("-", "_");
  const publish = (version, value) => call(page, world, "ada", "POST", "/skills", {
    id, version, description: "Goes through a review", code: `def ${name}(value: str) -> str:\n    return ${value}\n`,
  });
  await publish("1.0.0", "value");
  await call(page, world, "ben", "POST", `/skills/${id}/versions/1.0.0/approvals`, { decision: "approved" });
  await publish("1.1.0", "value.upper()");
  await publish("1.2.0", "value.lower()");
  await signIn(page, world, "ben", "/account/approvals");
  // What has waited for longer comes first, and others have left much that waits.
  const waiting = page.getByRole("link", { name: `${id} 1.1.0` });
  const behind = page.getByRole("link", { name: "Next →" });
  while (await waiting.count() === 0 && await behind.count() > 0) await page.goto(world.url + await behind.getAttribute("href"));
  await waiting.click();
  await page.waitForURL(/\/1\.1\.0\/review$/);
  must((await page.getByRole("main").textContent()).includes("1 approval is missing."), "it is not said what is missing");
  const script = page.locator("section.file", { hasText: "scripts/" });
  await script.getByRole("row", { name: "value.upper()" }).getByRole("link").click();
  const form = page.getByRole("form", { name: /Say something about scripts/ });
  await form.waitFor();
  must(scripts === !page.url().includes("at="), "a form is opened the wrong way");
  if (scripts) {
    await page.keyboard.press("Escape");
    must(await form.count() === 0, "the form stays");
    await script.getByRole("row", { name: "value.upper()" }).getByRole("link").click();
  }
  await form.getByRole("textbox").fill("Why upper?\n\nAll of it?");
  await form.getByRole("button", { name: "Say it" }).click();
  await page.getByText("It is said.").waitFor();
  const talk = page.locator("tr.talk");
  must((await talk.textContent()).includes("Why upper?"), "what was said is not below its line");
  must((await page.locator("tr:has(+ tr.talk)").textContent()).includes("value.upper()"), "it stands below another line");
  await page.getByLabel("Why", { exact: true }).fill("");
  await page.getByRole("button", { name: "Request changes" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Why", { exact: true }).fill("Say why in the description");
  await page.getByRole("button", { name: "Request changes" }).click();
  await page.getByText("Changes are asked for.").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();

  await signIn(page, world, "ada", `/${id}/versions/1.1.0/review`);
  must(await page.getByRole("button", { name: "Approve" }).count() === 0, "a publisher is offered to approve");
  await page.locator("tr.talk").getByText("Answer", { exact: true }).first().click();
  await page.locator("tr.talk").getByRole("textbox").fill("Since all of it is needed.");
  await page.locator("tr.talk").getByRole("button", { name: "Answer" }).click();
  await page.getByText("It is said.").waitFor();
  await page.locator("tr.talk").getByRole("button", { name: "Resolve" }).click();
  await page.getByText("The thread is resolved.").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();

  await signIn(page, world, "ben", `/${id}/versions/1.1.0/review`);
  await page.getByLabel("Why", { exact: true }).fill("Now it is clear");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByText("Your approval is kept.").waitFor();
  await page.getByRole("heading", { name: "1.1.0 is handed out" }).waitFor();
  await page.goto(`${world.url}/${id}/versions/1.2.0/review`);
  await page.getByLabel("Why", { exact: true }).fill("Lower is not wanted");
  await page.getByRole("button", { name: "Reject" }).click();
  await page.getByRole("heading", { name: `Reject ${id} 1.2.0?` }).waitFor();
  await page.getByRole("button", { name: "Reject it" }).click();
  await page.getByRole("heading", { name: "1.2.0 was rejected" }).waitFor();
  must((await page.getByRole("complementary", { name: "Where it stands" }).textContent()).includes("Lower is not wanted"), "the reason is not told");
  await page.goto(`${world.url}/${id}/versions/1.1.0/diff`);
  must(await page.getByLabel("From").inputValue() === "1.0.0", "it is compared with another version");
  await page.getByLabel("From").selectOption("none");
  await page.getByRole("button", { name: "Compare" }).click();
  await page.waitForURL(/from=none/);
  must(await page.locator("tr.removed").count() === 0, "something was removed from nothing");
}

async function policy(page, world) {
  await signIn(page, world, "ada", "/orgs/empty/policy");
  await page.getByLabel("Begin with", { exact: true }).selectOption("team");
  await page.getByRole("button", { name: "Fill the form" }).click();
  await page.getByText("Nothing is saved yet.").waitFor();
  await page.getByRole("button", { name: "Make stages of it" }).click();
  await page.getByRole("button", { name: "Add a stage" }).click();
  await page.getByRole("group", { name: "Stage 2" }).getByLabel("Name").fill("release");
  await page.getByRole("group", { name: "Stage 2" }).getByLabel("Role, at least").selectOption("owner");
  await page.getByRole("button", { name: "Move stage 2 up" }).click();
  await page.getByRole("group", { name: "Stage 1" }).getByLabel("Name").waitFor();
  must(await page.getByRole("group", { name: "Stage 1" }).getByLabel("Name").inputValue() === "release", "stages do not move");
  const other = await page.context().newPage();
  await other.goto(`${world.url}/orgs/empty/policy`);
  await page.getByRole("button", { name: "Save the policy" }).click();
  await page.getByText("Saved.").waitFor();
  must((await page.getByRole("main").textContent()).includes("release: 1 owner"), "what was saved is not shown");
  // A page that was opened before is told.
  await other.getByLabel("Approvals count for days").fill("77");
  await other.getByRole("button", { name: "Save the policy" }).click();
  await other.getByText("ada has changed the policy").waitFor();
  must(await other.getByLabel("Approvals count for days").inputValue() === "77", "what was typed is lost");
  await other.close();
  await page.getByRole("button", { name: "Demand nothing" }).click();
  await page.getByRole("heading", { name: "Let empty demand nothing itself?" }).waitFor();
  await page.getByRole("button", { name: "Demand nothing" }).click();
  await page.getByText("Removed.").waitFor();
  await page.getByRole("link", { name: "History" }).click();
  must((await page.getByRole("main").textContent()).includes("The policy was removed."), "the history does not tell it");
}

const FLOWS = { told, hooks, reviewing, policy, talking, moderating, searching, filters, reading, rating, ratingAlone, link, standings, insight, theme, keyboard, ...AFTERWARDS, ...DESK, ...ENTRY, ...GOVERNANCE, ...KEEPING, ...MODERATION };
/// A refused sign-in, a form that is wrong and a page that is hidden are answered with problems, which the browser writes to its
/// console.
const EXPECTED = { rating: 422, link: 404, hooks: 422, reviewing: 422, ...AFTERWARDS_REFUSED, ...REFUSED, ...ENTRY_REFUSED, ...GOVERNANCE_REFUSED, ...KEEPING_REFUSED, ...MODERATION_REFUSED };
const WIDTHS = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } };
const WAYS = [true, false].flatMap((scripts) => Object.keys(WIDTHS).map((width) => ({ scripts, width, mark: `${scripts ? "with" : "without"}-${width}` })));

/// Does all of it, with scripts and without, on a desk and on a phone; `tell` is called with what came of each.
export async function flows(browser, world, tell) {
  world.marks = WAYS.map(({ mark }) => mark);
  for (const { scripts, width, mark } of WAYS) {
    for (const [name, flow] of Object.entries(FLOWS)) {
      let attempts = 0;
      await tell(`${name}, ${scripts ? "with" : "without"} scripts, ${width}`, async () => {
        // What is done once more, after a browser has ended, is not in the way of what is there by then.
        const own = mark + "-again".repeat(attempts++);
        const watch = await watched(browser, (ENTRY_ASKS[name] ?? ["url"]).map((origin) => world[origin]), { javaScriptEnabled: scripts, viewport: WIDTHS[width] });
        watch.expected = EXPECTED[name] ?? 200;
        try {
          const words = await flow(watch.page, world, scripts, own);
          const wide = await watch.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          must(wide <= 0, `the last page is ${wide} points wider than the window`);
          must(watch.faults.length === 0, watch.faults.join("; "));
          return words;
        } catch (error) {
          const alert = await watch.page.getByRole("alert").first().textContent({ timeout: 500 }).catch(() => "");
          error.message = `${error.message.split("\n").slice(0, 5).join(" / ")}; it was at ${watch.page.url()} ${alert}`;
          throw error;
        } finally {
          await watch.context.close();
        }
      });
    }
  }
}
