// What people keep in order: what they were told, what they demand, what is dead, on which lists they are, what the log says, and
// what they typed while a session ended. `mark` is another word each time, so that what one run has made is in the way of no other.

import { listener, person, picture } from "./governance.mjs";
import { founded, noticed, publish } from "./moderation.mjs";
import { call, reloaded, signIn, signOut } from "./steps.mjs";
import { must } from "./watch.mjs";

const main = (page) => page.getByRole("main");

/// Of a list of some kinds or of what is not read, those that are shown and all older are marked, and what came since stays.
async function olderRead(page, world, scripts, mark) {
  const { owner, id } = await founded(page, world, `older-${mark}`);
  const people = [];
  for (const who of ["early", "middle", "late"]) people.push(await person(page, world, `${who}-${mark}`));
  const [early, middle, late] = people;
  const row = (who) => main(page).locator("ul.told > li").filter({ hasText: who });
  const isNew = async (who) => (await row(who).textContent()).includes("Not read:");
  await signIn(page, world, owner, "/account/notifications");
  // One after the other, as they are told in the order in which they happen.
  for (const [who, path, data] of [[early, "comments", { text: "Is it fast?" }], [middle, "rate", { rating: 4 }], [late, "comments", { text: "It is." }]]) {
    await call(page, world, who, "POST", `/skills/${id}/${path}`, data);
    await reloaded(page, row(who));
  }
  must(await page.getByRole("button", { name: "Mark all as read" }).count() === 1, "all are not marked where all are shown");
  const filter = page.getByRole("search", { name: "Notifications" });
  await filter.getByLabel("About", { exact: true }).selectOption("skill-rated");
  await filter.getByRole("button", { name: "Show" }).click();
  await page.waitForURL(/kind=skill-rated/);
  must(await row(middle).count() === 1 && await row(early).count() + await row(late).count() === 0, "others are shown than ratings");
  await picture(page, world, scripts, mark, "notifications-kind");
  await page.getByRole("button", { name: "Mark these and all older as read" }).click();
  await noticed(page, "Marked as read.");
  await page.goto(`${world.url}/account/notifications`);
  must(!await isNew(middle), "what was shown is not marked");
  must(!await isNew(early), "what is older is not marked");
  must(await isNew(late), "what came since is marked");
  const bar = page.getByRole("navigation", { name: "Account" });
  must(await bar.getByText("1 notification not read").count() === 1, "the bar says something else");

  await filter.getByLabel("Not read", { exact: true }).check();
  await filter.getByRole("button", { name: "Show" }).click();
  await page.waitForURL(/unread=true/);
  must(await row(late).count() === 1 && await row(early).count() + await row(middle).count() === 0, "what is read is shown");
  await page.getByRole("button", { name: "Mark these and all older as read" }).click();
  await noticed(page, "Marked as read.");
  must(await bar.getByText(/not read/).count() === 0, "the bar still says something");
  await page.goto(`${world.url}/account/notifications`);
  must(!await isNew(late), "what was not read is not marked");
  must(await page.getByRole("button", { name: /^Mark/ }).count() === 0, "there is something to mark still");
}

/// What a policy would become is looked at, with the key Enter too, and nothing of that is saved; a stage is removed.
async function policyTried(page, world, scripts, mark) {
  const org = `tried-${mark}`;
  const owner = await person(page, world, `tries-${mark}`);
  await call(page, world, owner, "POST", "/orgs", { name: org });
  const stages = ["look", "security", "release"].map((name) => ({ name, approvals: 1, role: "reviewer" }));
  await call(page, world, owner, "PUT", `/orgs/${org}/policy`, { stages });
  const saved = async () => (await call(page, world, owner, "GET", `/orgs/${org}/policy`)).policies.at(-1).policy;
  const before = JSON.stringify(await saved());
  const days = page.getByLabel("Approvals count for days");
  const would = page.getByRole("region", { name: "What a save would change" });
  const unsaved = async () => {
    await noticed(page, "Nothing is saved yet.");
    must(JSON.stringify(await saved()) === before, "what is looked at is saved");
  };
  const stage = (number) => page.getByRole("group", { name: `Stage ${number}`, exact: true });

  await signIn(page, world, owner, `/orgs/${org}/policy`);
  must(await would.count() === 0, "something would be changed before anything is typed");
  await days.fill("30");
  await days.press("Enter");
  await unsaved();
  must((await would.locator("ins").allTextContents()).join() === "after 30 days", `a save would change ${await would.textContent()}`);
  must(await days.inputValue() === "30", "what was typed is lost");
  await days.fill("soon");
  await page.getByRole("button", { name: "See what would change" }).click();
  await main(page).getByRole("alert").first().waitFor();
  must(await days.getAttribute("aria-invalid") === "true" && await days.inputValue() === "soon", "it is not said what is wrong");
  await unsaved();
  await days.fill("31");
  await page.getByRole("button", { name: "Remove stage 2" }).click();
  await stage(3).waitFor({ state: "detached" });
  await unsaved();
  must(await stage(1).getByLabel("Name").inputValue() === "look" && await stage(2).getByLabel("Name").inputValue() === "release", "another stage is removed");
  must(await days.inputValue() === "31", "what was typed is lost with a stage");
  await page.getByRole("button", { name: "See what would change" }).click();
  await would.getByText("after 31 days").waitFor();
  await unsaved();
  must((await would.locator("del").allTextContents()).join().includes("security"), `it is not said that a stage goes: ${await would.textContent()}`);
  await picture(page, world, scripts, mark, "policy-would");
  await page.getByRole("button", { name: "Save the policy" }).click();
  await noticed(page, "Saved.");
  const after = await saved();
  must(after.stages.map(({ name }) => name).join() === "look,release" && after.expires_days === 31, `what is saved is ${JSON.stringify(after)}`);
  const said = await page.getByRole("region", { name: `Policy of ${org}` }).textContent();
  must(said.includes("release: 1 reviewer") && !said.includes("security"), `the policy reads: ${said}`);
  must(await would.count() === 0, "what is saved would be changed still");
}

/// All that a receiver has refused for good is sent to it again at once.
async function deadAgain(page, world, scripts, mark) {
  const owner = await person(page, world, `resends-${mark}`);
  const hook = await listener();
  try {
    await signIn(page, world, owner, "/account/webhooks");
    // Of what else happens nothing is sent, and nothing is dead.
    await page.getByText("Of some kinds alone").click();
    await page.getByLabel("Where to").fill(hook.url);
    await page.getByLabel("Ratings").check();
    await page.getByRole("button", { name: "Add it" }).click();
    await page.getByRole("link", { name: "Try it" }).click();
    await page.waitForURL(/\/webhooks\/[0-9a-f-]+$/);
    const address = page.url();
    const rows = (state) => page.getByRole("row").filter({ hasText: "Test" }).filter({ hasText: state });
    const all = page.getByRole("button", { name: /^Send all dead again/ });
    must(await all.count() === 0, "nothing is dead, and is offered to be sent again");
    // Who answers that it is gone gets nothing more, until somebody switches it on.
    hook.code = 410;
    for (const number of [1, 2]) {
      await page.getByRole("button", { name: "Send a test" }).click();
      await noticed(page, "A test is on its way.");
      await page.goto(address);
      await reloaded(page, rows("dead").nth(number - 1));
      await reloaded(page, page.getByRole("button", { name: "Switch on" }));
      must(await all.count() === 0, "something is offered to be sent to what is off");
      await page.getByRole("button", { name: "Switch on" }).click();
      await page.getByRole("button", { name: `Send all dead again (${number})` }).waitFor();
    }
    const ids = await rows("dead").locator(".mono").allTextContents();
    await picture(page, world, scripts, mark, "webhook-all-dead");
    hook.code = 200;
    await all.click();
    await noticed(page, "It is sent again.");
    await page.goto(address);
    await reloaded(page, rows("delivered").nth(1));
    must(await rows("dead").count() === 0 && await all.count() === 0, "something is dead still");
    const came = hook.came.filter(({ code }) => code === 200).map(({ headers }) => headers["webhook-id"]);
    must(came.sort().join() === ids.sort().join(), `${ids} were dead, and ${came} came`);
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("button", { name: "Remove it" }).click();
    await noticed(page, "Removed.");
  } finally {
    hook.close();
  }
}

/// A namespace takes its skills off lists of teams, and puts them there again.
async function offLists(page, world, scripts, mark) {
  const org = `listed-${mark}`;
  const { owner, id } = await founded(page, world, org);
  for (const who of ["one", "two"]) {
    const name = await person(page, world, `${who}-of-${mark}`);
    await call(page, world, name, "GET", `/skills/${id}/download?version=1.0.0`);
  }
  await signIn(page, world, owner, `/${id}/versions/1.0.0/installs`);
  await reloaded(page, main(page).getByText("2 users downloaded it"));
  await signOut(page);

  const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: org, exact: true }) });
  const box = page.getByLabel("Its skills count on lists of authors and teams");
  // Lists are kept for a minute, unless what counts is changed: each is looked at after such a change.
  for (const counts of [false, true, false]) {
    await signIn(page, world, owner, `/orgs/${org}/usage`);
    must(await box.isChecked() !== counts, "what was chosen is not kept");
    await box.setChecked(counts);
    await page.getByRole("button", { name: "Save" }).click();
    await noticed(page, "Saved.");
    must(await box.isChecked() === counts, "what was chosen is not kept");
    const said = (await page.getByRole("region", { name: "What is told" }).textContent()).replace(/\s+/g, " ");
    must(said.includes(`Its skills ${counts ? "count" : "do not count"} on lists of authors and teams`), `it says ${said}`);
    if (counts) await picture(page, world, scripts, mark, "on-lists");
    await signOut(page);
    await page.goto(`${world.url}/trending/teams?period=all`);
    if (counts) await reloaded(page, row);
    must(await row.count() === (counts ? 1 : 0), counts ? "it is on no list" : "it is on the list still");
    must(!counts || (await row.locator("td").nth(2).textContent()).trim() === "2", "others are counted than those who have it");
  }
}

/// The log of the registry is looked at for one skill.
async function logOfSkill(page, world, scripts, mark) {
  const { owner, id } = await founded(page, world, `logged-${mark}`);
  const other = `logged-${mark}/tool-too`;
  await publish(page, world, owner, id, "1.1.0");
  await call(page, world, owner, "POST", "/skills", { id: other, version: "1.0.0", description: "Is another one", code: "def tool_too(value: str) -> str:\n    return value\n" });
  await signIn(page, world, "admin", "/admin/log");
  const form = page.getByRole("search", { name: "Entries" });
  const rows = page.getByRole("table", { name: "Entries of the log" }).locator("tbody tr");
  await form.getByLabel("About the skill").fill(id);
  await form.getByRole("button", { name: "Show" }).click();
  await page.waitForURL(/skill=/);
  must(await form.getByLabel("About the skill").inputValue() === id, "the form forgets the skill");
  must((await main(page).getByRole("status").textContent()).includes(`What is about ${id}, the newest first`), "it is not said what these are");
  const found = await rows.allTextContents();
  must(found.length > 0 && found.every((text) => text.includes(id) && !text.includes(other)), `there is ${found}`);
  const published = found.filter((text) => text.includes("version.published"));
  must(published.length === 2 && published[0].includes("1.1.0") && published[1].includes("1.0.0"), `it was published by ${published}`);
  must(published.every((text) => text.includes(owner)), "it is not said who has published it");
  await picture(page, world, scripts, mark, "log-of-skill");
  await page.getByRole("link", { name: "The newest of all" }).click();
  await page.waitForURL(`${world.url}/admin/log`);
  must(await form.getByLabel("About the skill").inputValue() === "", "the skill is not forgotten");
  must((await rows.allTextContents()).some((text) => !text.includes(id)), "the list of all has one skill alone");
}

/// What was typed while a session ended is kept, and sent once one is signed in again.
async function sessionEnded(page, world, scripts, mark) {
  const { id } = await founded(page, world, `ended-${mark}`);
  const speaker = await person(page, world, `away-${mark}`);
  const comments = `/${id}/comments`;
  const type = async (words) => {
    await page.goto(world.url + comments);
    await page.getByRole("textbox", { name: "Comment" }).fill(words);
  };
  const kept = async () => (await (await page.request.get(`${world.url}/api/v1/skills/${id}/comments`)).json()).comments.length;
  const isThere = async (words) => {
    await noticed(page, "Your comment is there.");
    const comment = page.getByRole("article").filter({ hasText: words.split("\n\n")[1] });
    must(await comment.count() === 1, `it is said ${await comment.count()} times`);
    const lines = await comment.locator(".prose p").allTextContents();
    must(lines.join("\n\n") === words, `of what was typed there is ${JSON.stringify(lines)}`);
  };
  await signIn(page, world, speaker, comments);
  const first = `It "works" & is well.\n\nReally, ${mark}.`;
  await type(first);
  const other = await page.context().newPage();
  await other.goto(world.url);
  await signOut(other);
  await page.getByRole("button", { name: "Comment" }).click();
  const ended = page.getByRole("heading", { name: "Sign in, then send it again" });
  await ended.waitFor();
  await picture(page, world, scripts, mark, "again");
  // Nobody is signed in yet: it is asked for again, and kept on.
  const again = main(page).getByRole("button", { name: "Send it again" });
  const loaded = page.waitForEvent("load");
  await again.click();
  await loaded;
  await ended.waitFor();
  must(await kept() === 0, "what nobody has signed is said");
  const link = main(page).getByRole("link", { name: /^Sign in/ });
  must(await link.getAttribute("target") === "_blank", "who signs in leaves what was typed");
  await other.goto(new URL(await link.getAttribute("href"), world.url).href);
  await other.getByLabel("Token").fill(world.tokens[speaker]);
  await other.getByRole("button", { name: "Sign in" }).click();
  await other.getByText("You are signed in.").waitFor();
  must(new URL(other.url()).pathname === comments, `who has signed in is led to ${other.url()}`);
  // The page cannot know who sends it: one is asked once more.
  await again.click();
  await page.getByText(`You are signed in now, as ${speaker}.`).waitFor();
  must(await kept() === 0, "a page of before says something in the name of who is signed in");
  await main(page).getByRole("button", { name: "Send it", exact: true }).click();
  await isThere(first);

  const second = `It works on.\n\nSince then, ${mark}.`;
  await type(second);
  await other.reload();
  await signOut(other);
  await signIn(other, world, speaker);
  await page.getByRole("button", { name: "Comment" }).click();
  await page.getByText("You have signed in anew since the page was opened").waitFor();
  must(await kept() === 1, "a page of another session says something");
  await again.click();
  await isThere(second);
  must(await kept() === 2, "it is said more than once");
  await other.close();
}

export const KEEPING = { olderRead, policyTried, deadAgain, offLists, logOfSkill, sessionEnded };
/// What a refused form of a flow is answered with.
export const KEEPING_REFUSED = { policyTried: 422, sessionEnded: [401, 403] };
