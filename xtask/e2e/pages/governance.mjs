// What people see to together: stages of a review, webhooks of a namespace, who has a version, reports of skills, what needs what,
// the audit. `mark` is another word each time, so that what one run has made is in the way of no other.

import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { call, reloaded, signIn, signOut, status } from "./steps.mjs";
import { must, violations } from "./watch.mjs";

const run = promisify(execFile);
const main = (page) => page.getByRole("main");
const asked = (page) => new URL(page.url()).searchParams;

/// A new user, who signs in as the others do.
export async function person(page, world, name) {
  await call(page, world, "admin", "POST", "/users", { name });
  const scopes = ["read", "publish", "rate", "review", "admin"];
  world.tokens[name] = (await call(page, world, "admin", "POST", "/tokens", { label: "e2e", user: name, scopes })).token;
  return name;
}

/// Keeps a picture of where a flow is, and lets axe judge it, in light and in dark.
export async function picture(page, world, scripts, mark, name) {
  for (const colorScheme of scripts ? ["light", "dark"] : ["light"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.screenshot({ path: `${world.screens}/flow-${name}-${colorScheme}-${mark}.png`, fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    must(wide <= 0, `${name} is ${wide} points wider than the window`);
    // Axe is a script.
    const found = scripts ? await violations(page, world.axe) : [];
    must(found.length === 0, `${name}, ${colorScheme}: ${found.join("; ")}`);
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}

/// Sends a form that the page does not have, with the word that the session's forms have, as somebody does who knows how it is made.
export async function forge(page, path, fields) {
  const csrf = await page.locator("input[name=csrf]").first().inputValue();
  const loaded = page.waitForEvent("load");
  await page.evaluate(([path, fields]) => {
    const form = document.createElement("form");
    [form.method, form.action] = ["post", path];
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement("input");
      [input.type, input.name, input.value] = ["hidden", name, value];
      form.append(input);
    }
    document.body.append(form);
    form.submit();
  }, [path, { csrf, ...fields }]);
  await loaded;
}

/// A policy of two stages for two groups, and a version that goes through both.
async function stages(page, world, scripts, mark) {
  const [org, id] = [`two-${mark}`, `two-${mark}/tool`];
  const people = {};
  for (const who of ["first", "second", "guard", "outside", "reader"]) people[who] = await person(page, world, `${who}-${mark}`);
  await call(page, world, "ada", "POST", "/orgs", { name: org });
  for (const who of ["first", "second", "guard", "outside"]) {
    await call(page, world, "ada", "PUT", `/orgs/${org}/members/${people[who]}`, { role: "reviewer" });
  }
  await call(page, world, "ada", "PUT", `/orgs/${org}/members/${people.reader}`, { role: "reader" });
  await signIn(page, world, "ada", `/orgs/${org}/policy/groups`);
  const make = page.getByRole("form", { name: "Make a group" });
  for (const [group, users] of [["readers", [people.first, people.second]], ["security", [people.guard]]]) {
    await make.getByLabel("Name").fill(group);
    await make.getByLabel("Members, one on a line").fill(users.join("\n"));
    await make.getByRole("button", { name: "Make the group" }).click();
    await page.getByText("Saved.").waitFor();
    await page.goto(`${world.url}/orgs/${org}/policy/groups`);
  }
  await page.getByRole("navigation", { name: "Policy" }).getByRole("link", { name: "In force" }).click();
  // What stands there last is moved to where it belongs.
  await page.getByRole("button", { name: "Make stages of it" }).click();
  await page.getByRole("button", { name: "Add a stage" }).click();
  const fill = async (number, name, people, group) => {
    const stage = page.getByRole("group", { name: `Stage ${number}` });
    await stage.getByLabel("Name").fill(name);
    await stage.getByLabel("People").fill(people);
    await stage.getByLabel("Group").selectOption(group);
  };
  await fill(1, "safety", "1", "security");
  await fill(2, "reading", "2", "readers");
  await page.getByRole("button", { name: "Move stage 2 up" }).click();
  must(await page.getByRole("group", { name: "Stage 1" }).getByLabel("Name").inputValue() === "reading", "stages do not move");
  await page.getByRole("button", { name: "Save the policy" }).click();
  await page.getByText("Saved.").waitFor();
  const said = await page.getByRole("region", { name: `Policy of ${org}` }).textContent();
  must(/reading: 2 .*readers/.test(said) && said.indexOf("reading:") < said.indexOf("safety:"), `the policy reads: ${said}`);

  const code = "def tool(value: str) -> str:\n    return value.title()\n";
  await call(page, world, "ada", "POST", "/skills", { id, version: "1.0.0", description: "Goes through two stages", code });
  must(await status(page, world, undefined, `/skills/${id}`) === 404, "what waits is handed out");
  const review = `/${id}/versions/1.0.0/review`;
  await page.goto(world.url + review);
  must(await page.getByRole("button", { name: "Approve" }).count() === 0, "a publisher is offered to approve");
  const digest = (await call(page, world, "ada", "GET", `/skills/${id}/versions/1.0.0/approvals`)).digest;
  await signOut(page);

  const side = page.getByRole("complementary", { name: "Where it stands" });
  const stage = (name) => side.getByRole("listitem").filter({ has: page.getByText(name, { exact: true }) }).first();
  const stands = async (name, word) => must((await stage(name).textContent()).includes(word), `${name} is not ${word}: ${await stage(name).textContent()}`);
  const approve = async () => {
    await page.getByLabel("Why", { exact: true }).fill("I have read it");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByText("Your approval is kept.").waitFor();
  };
  const refused = async (who, words) => {
    await forge(page, review, { action: "approve", digest, comment: "for a friend" });
    const text = await main(page).textContent();
    must(words.test(text), `who forges is told, as ${who}: ${text.replace(/\s+/g, " ").slice(0, 400)}`);
    const { decisions } = await call(page, world, "ada", "GET", `/skills/${id}/versions/1.0.0/approvals`);
    must(!decisions.some((decision) => decision.comment === "for a friend"), "what was forged is kept");
  };

  await signIn(page, world, people.first, review);
  await stands("reading", "open");
  await stands("safety", "later");
  must((await stage("reading").textContent()).includes(people.second), "it is not said who is asked");
  const script = page.locator("section.file", { hasText: "scripts/" });
  await script.getByRole("row", { name: "value.title()" }).getByRole("link").click();
  const form = page.getByRole("form", { name: /Say something about scripts/ });
  await form.getByRole("textbox").fill("Why a title?");
  await form.getByRole("button", { name: "Say it" }).click();
  await page.getByText("It is said.").waitFor();
  must((await page.locator("tr:has(+ tr.talk)").textContent()).includes("value.title()"), "it stands below another line");
  must(await page.getByRole("link", { name: "1 thread is open" }).count() === 1, "the thread is not counted");
  await approve();
  await stands("reading", "open");
  must((await stage("reading").textContent()).includes(`Approved by ${people.first}`), "it is not said who approved");
  must(await page.getByRole("button", { name: "Approve" }).count() === 0, "one person is asked twice");
  await picture(page, world, scripts, mark, "stages");
  await signOut(page);

  // A reviewer whom no stage asks, one whose stage comes later, and a member who reviews nothing, and knows nothing of it.
  for (const [who, words] of [["outside", /no stage that is open asks for you/], ["guard", /no stage that is open asks for you/], ["reader", /has no version 1\.0\.0/]]) {
    await signIn(page, world, people[who]);
    await page.goto(world.url + review);
    must(await page.getByRole("button", { name: "Approve" }).count() === 0, `${who} is offered to approve`);
    await refused(who, words);
    await page.goto(world.url);
    await signOut(page);
  }

  await signIn(page, world, people.second, review);
  await page.locator("tr.talk").getByRole("button", { name: "Resolve" }).click();
  await page.getByText("The thread is resolved.").waitFor();
  must(await page.getByText("no thread is open").count() === 1, "the thread is open still");
  await approve();
  await stands("reading", "complete");
  await stands("safety", "open");
  must(await status(page, world, undefined, `/skills/${id}`) === 404, "the first stage alone publishes it");
  await signOut(page);

  await signIn(page, world, people.guard, "/account/approvals");
  await main(page).getByRole("link", { name: `${id} 1.0.0` }).click();
  await page.waitForURL(/\/review$/);
  await approve();
  await page.getByRole("heading", { name: "1.0.0 is handed out" }).waitFor();
  must(await status(page, world, undefined, `/skills/${id}`) === 200, "what all have approved is handed out to nobody");
  await signOut(page);
  await page.goto(`${world.url}/${id}`);
  must((await main(page).textContent()).includes("1.0.0"), "its page does not show it");
}

/// A receiver that notes what comes, and answers with what it is told to.
export async function listener() {
  const hook = { code: 200, came: [] };
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      hook.came.push({ headers: request.headers, body: Buffer.concat(parts).toString(), code: hook.code });
      response.writeHead(hook.code).end();
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  hook.url = `http://127.0.0.1:${server.address().port}/hook`;
  hook.close = () => { server.closeAllConnections(); server.close(); };
  return hook;
}

/// Whether a request is signed with the secret, as Standard Webhooks say.
function isSigned({ headers, body }, secret) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const text = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  return headers["webhook-signature"] === `v1,${createHmac("sha256", key).update(text).digest("base64")}`;
}

/// A webhook of a namespace: it is tried, its receiver is gone and comes back, and gets what was dead meanwhile.
async function deliveries(page, world, scripts, mark) {
  const keeper = await person(page, world, `keeper-${mark}`);
  const [org, id] = [`hooked-${mark}`, `hooked-${mark}/tool`];
  await call(page, world, keeper, "POST", "/orgs", { name: org });
  const code = "def tool(value: str) -> str:\n    return value\n";
  await call(page, world, keeper, "POST", "/skills", { id, version: "1.0.0", description: "Is rated by others", code });
  // Its mailbox is none, so what is mailed there is dead at once.
  await call(page, world, keeper, "PUT", "/notifications/email", { address: `refused-${mark}@example.org` });
  const hook = await listener();
  try {
    await signIn(page, world, keeper, `/orgs/${org}/webhooks`);
    await page.getByText("Of some kinds alone").click();
    await page.getByLabel("Where to").fill(hook.url);
    await page.getByLabel("Ratings").check();
    await page.getByRole("button", { name: "Add it" }).click();
    const secret = await page.getByRole("status").locator(".command code").textContent();
    await page.getByRole("link", { name: "Try it" }).click();
    await page.waitForURL(/\/webhooks\/[0-9a-f-]+$/);
    const address = page.url();
    await page.getByRole("button", { name: "Send a test" }).click();
    await page.getByText("A test is on its way.").waitFor();
    const row = (kind, state) => page.getByRole("row").filter({ hasText: kind }).filter({ hasText: state });
    await reloaded(page, row("Test", "delivered"));
    must(hook.came.length === 1, `a test comes ${hook.came.length} times`);
    must(isSigned(hook.came[0], secret) && !isSigned(hook.came[0], `whsec_${Buffer.alloc(32).toString("base64")}`), "the test is not signed with the secret that was shown");

    hook.code = 410;
    await call(page, world, "dan", "POST", `/skills/${id}/rate`, { rating: 3 });
    await page.goto(address);
    await reloaded(page, row("Ratings", "dead"));
    await reloaded(page, main(page).locator(".title").getByText("off", { exact: true }));
    must((await row("Ratings", "dead").textContent()).includes("410"), "it is not said why it is dead");
    must(await page.getByRole("button", { name: /^Send/ }).count() === 0, "something is offered to be sent to what is off");
    await page.getByRole("navigation", { name: "Which deliveries" }).getByRole("link", { name: "Dead" }).click();
    await page.waitForURL(/state=dead/);
    must(await row("Test", "").count() === 0 && await row("Ratings", "dead").count() === 1, "others are shown than those that are dead");
    await picture(page, world, scripts, mark, "webhook-dead");
    const again = await row("Ratings", "dead").locator(".mono").textContent();
    await page.goto(`${world.url}/account/notifications?kind=webhook-disabled`);
    await reloaded(page, main(page).getByText("127.0.0.1"));
    await page.goto(`${world.url}/admin/jobs`);
    must(!(await page.content()).includes("What is sent"), "anybody sees what the registry sends");
    await signOut(page);

    await signIn(page, world, "admin", "/admin/jobs");
    const sent = await page.getByRole("table", { name: "What is sent" }).getByRole("row").filter({ hasText: "webhook" }).getByRole("cell").last().textContent();
    must(Number(sent.replace(/\D/g, "")) > 0, `${sent} webhooks are dead`);
    const mail = page.getByRole("table", { name: /^Mail that is dead/ }).getByRole("row").filter({ hasText: keeper });
    await reloaded(page, mail);
    must((await mail.textContent()).includes("no such mailbox"), "it is not said why the mail is dead");
    await picture(page, world, scripts, mark, "jobs-dead");
    await signOut(page);

    hook.code = 200;
    await signIn(page, world, keeper, new URL(address).pathname);
    await page.getByRole("button", { name: "Switch on" }).click();
    await page.getByRole("button", { name: "Switch off" }).waitFor();
    must(await page.getByRole("button", { name: "Send all dead again (1)" }).count() === 1, "it is not said how much is dead");
    await page.getByRole("button", { name: `Send again ${again}` }).click();
    await page.getByText("It is sent again.").waitFor();
    await reloaded(page, row("Ratings", "delivered"));
    const last = hook.came.at(-1);
    must(last.code === 200 && isSigned(last, secret), "what is sent again is not signed");
    must(last.headers["webhook-id"] === again && hook.came.filter(({ headers }) => headers["webhook-id"] === again).length === 2, "it is sent again under another id");
    must(JSON.parse(last.body).type === "skill-rated" && last.body.includes(id), `it says ${last.body}`);
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("button", { name: "Remove it" }).click();
    await page.getByText("Removed.").waitFor();
  } finally {
    hook.close();
  }
}

/// Who has a version, for who may know.
async function having(page, world, scripts, mark) {
  const id = `acme/had-${mark}`;
  const code = "def had(value: str) -> str:\n    return value\n";
  for (const version of ["1.0.0", "1.0.1"]) await call(page, world, "ada", "POST", "/skills", { id, version, description: "Is had by some", code: `${code}# ${version}\n` });
  for (const who of ["ben", "dan", "ben"]) await call(page, world, who, "GET", `/skills/${id}/download?version=1.0.0`);
  must(await status(page, world, undefined, `/skills/${id}/download?version=1.0.0`) === 200, "nobody gets it without a name");
  await call(page, world, "dan", "GET", `/skills/${id}/download?version=1.0.1`);
  const installs = `/${id}/versions/1.0.0/installs`;
  await signIn(page, world, "ada", `/${id}/versions/1.0.0`);
  await main(page).getByRole("link", { name: "by whom" }).click();
  await page.waitForURL(/\/versions\/1\.0\.0\/installs$/);
  const table = page.getByRole("table", { name: "Users who downloaded 1.0.0" });
  await reloaded(page, table.getByRole("row").filter({ hasText: "dan" }));
  await reloaded(page, table.getByRole("row").filter({ hasText: "ben" }).filter({ has: page.locator(".number", { hasText: /^2$/ }) }));
  must(await table.getByRole("row").count() === 3, "somebody else is in the list");
  must((await main(page).textContent()).includes("2 users downloaded it"), "it is not said how many");
  await picture(page, world, scripts, mark, "installs");
  await signOut(page);

  // A reviewer of the namespace, somebody of no namespace, and nobody.
  for (const who of ["ben", "dan", undefined]) {
    if (who) await signIn(page, world, who, `/${id}/versions/1.0.0`);
    else await page.goto(`${world.url}/${id}/versions/1.0.0`);
    must(await page.getByRole("link", { name: "by whom" }).count() === 0, `${who} is led to who has it`);
    const answer = await page.goto(world.url + installs);
    // Who is not signed in is led to where one does that.
    must(who ? answer.status() === 403 : new URL(page.url()).pathname === "/login", `${who} is answered with ${answer.status()} at ${page.url()}`);
    must(await page.getByRole("table").count() === 0, `${who} reads who has it`);
    if (who) await signOut(page);
  }
}

/// A skill as a whole is reported, and admins of the registry decide about it.
async function reporting(page, world, scripts, mark) {
  const id = `acme/accused-${mark}`;
  const publish = (version) => call(page, world, "ada", "POST", "/skills", {
    id, version, description: "Is reported", code: `def accused(value: str) -> str:\n    return "${version}"\n`,
  });
  await publish("1.0.0");
  const reporter = await person(page, world, `reporter-${mark}`);
  const env = { ...process.env, SKILLERY_REGISTRY: world.url, SKILLERY_TOKEN: world.tokens[reporter], SKILLERY_HOME: `${world.folder}/home-${reporter}` };
  const report = (text) => run(world.program, ["reports", "add", id, "--reason", "malicious", "--text", text], { env });
  await signIn(page, world, reporter, `/${id}`);
  await page.getByRole("link", { name: "Report this skill" }).click();
  await page.getByLabel("What is wrong with it").selectOption("malicious");
  await page.getByLabel("More about it").fill("It reads <b>keys</b>");
  await page.getByRole("button", { name: "Report", exact: true }).click();
  await page.getByText("The skill is reported.").waitFor();
  must(new URL(page.url()).pathname === `/${id}`, `who has reported it is at ${page.url()}`);
  await signOut(page);
  const twice = await report("It reads keys still").catch((error) => error);
  must(/this was reported/.test(`${twice.stderr}`), `who reports the same again is told ${twice.stderr}`);

  // The namespace decides nothing about what it is accused of, and reads nothing of it.
  await signIn(page, world, "ada", "/orgs/acme/comments");
  must(!(await main(page).textContent()).includes(id), "a namespace reads what is reported of its skills");
  const away = await page.goto(`${world.url}/admin/reports`);
  must(away.status() === 403, `an owner of a namespace is answered with ${away.status()}`);
  await signOut(page);

  await signIn(page, world, "admin", "/admin/reports");
  const article = page.getByRole("article").filter({ hasText: id });
  must(await article.count() === 1, "it is not listed once");
  for (const words of ["The skill", "malicious", "It reads <b>keys</b>", reporter, "1.0.0"]) {
    must((await article.textContent()).includes(words), `it does not say ${words}`);
  }
  await picture(page, world, scripts, mark, "reports");
  await publish("1.1.0");
  await page.reload();
  must((await article.textContent()).includes("That version is not the newest any more."), "it is not said that there is another version");
  // What a browser asks for before it sends the form, the registry asks for as well.
  const done = article.getByLabel("What was done");
  await done.evaluate((input) => { input.required = false; });
  await article.getByRole("button", { name: "Resolve" }).click();
  await article.getByRole("alert").waitFor();
  await call(page, world, "admin", "PUT", `/skills/${id}/versions/1.0.0/quarantine`, { reason: "it reads keys" });
  await article.getByLabel("What was done").fill("1.0.0 is in quarantine");
  await article.getByRole("button", { name: "Resolve" }).click();
  await page.getByText("The report is resolved.").waitFor();
  must(await article.count() === 0, "what is resolved is open still");
  await page.getByRole("link", { name: "Resolved", exact: true }).click();
  await page.waitForURL(/state=resolved/);
  must((await article.textContent()).includes("1.0.0 is in quarantine (admin"), "it is not said what was done, and by whom");
  await article.getByRole("button", { name: "Open again" }).click();
  await page.getByText("The report is open again.").waitFor();
  must(asked(page).get("state") === "resolved" && await article.count() === 0, "what is open again is resolved still");
  await page.getByRole("link", { name: "Open", exact: true }).click();
  must((await article.textContent()).includes("Resolved before"), "what was done before is lost");
  await article.getByLabel("What was done").fill("1.1.0 is well");
  await article.getByRole("button", { name: "Resolve" }).click();
  await page.getByText("The report is resolved.").waitFor();
  await signOut(page);

  // Who has reported sees what came of it, and may report what is new.
  await signIn(page, world, reporter, `/${id}/versions/1.0.0`);
  must((await main(page).textContent()).includes("it reads keys"), "who has reported is not told what came of it");
  must((await page.goto(`${world.url}/admin/reports`)).status() === 403, "who reports reads all reports");
  await report("1.1.0 reads keys as well");
  await signOut(page);
  await signIn(page, world, "admin", "/admin/reports");
  must((await article.textContent()).includes("1 time reported before"), "what was reported before is not shown");
  await article.getByText("1 time reported before").click();
  must(await article.getByText("It reads <b>keys</b>").isVisible(), "what was said before is lost");
  await article.getByLabel("What was done").fill("looked at again");
  await article.getByRole("button", { name: "Resolve" }).click();
  await page.getByText("The report is resolved.").waitFor();
}

/// The picture of what needs what is read in its lists, too, and walked through with the keyboard.
async function needing(page, world, scripts, mark) {
  await page.goto(`${world.url}/acme/press`);
  await page.getByRole("navigation", { name: "Skill", exact: true }).getByRole("link", { name: "Dependencies" }).click();
  await page.waitForURL(/\/acme\/press\/dependencies$/);
  const drawn = page.getByRole("group", { name: "Which skills need acme/press, and which it needs" });
  must(await drawn.count() === 1, "the picture has no name");
  const links = await drawn.locator("a").evaluateAll((all) => all.map((link) => link.getAttribute("href")).sort());
  must(links.join() === "/acme/desk,/acme/tool-00,/acme/tool-01", `the picture leads to ${links}`);
  const listed = await page.locator("#content table").allTextContents();
  for (const title of await drawn.locator("title").allTextContents()) {
    must(title === "acme/press" || listed.some((text) => text.includes(title)), `${title} stands in the picture alone`);
  }
  must(await page.getByRole("table", { name: "Skills that acme/press needs" }).getByRole("link", { name: "acme/nowhere" }).count() === 0, "what is not there has a link");
  // One comes from the box that scrolls to each skill in it, sees where one is, and goes on behind it.
  await page.getByRole("region", { name: "Picture of the dependencies" }).focus();
  const stops = [];
  for (let stop = 0; stop <= links.length; stop++) {
    await page.keyboard.press("Tab");
    const here = await page.evaluate(() => {
      const link = document.activeElement;
      const [own, box] = [link.getBoundingClientRect(), link.closest(".scroll")?.getBoundingClientRect()];
      // Of what has the focus, the box is drawn in another colour than those around it.
      const strokes = (links) => links.map((one) => getComputedStyle(one.querySelector("rect")).stroke);
      const others = [...document.querySelectorAll("svg.graph a")].filter((one) => one !== link);
      return {
        href: link.getAttribute("href"), isDrawn: link.closest("svg.graph") !== null,
        isSeen: link.matches("svg.graph a") && !strokes(others).includes(strokes([link])[0]),
        isInside: !box || (own.left >= box.left - 1 && own.right <= box.right + 1),
      };
    });
    if (!here.isDrawn) break;
    must(here.isSeen, `one does not see that ${here.href} has the focus`);
    must(here.isInside, `${here.href} has the focus and is out of sight`);
    stops.push(here.href);
  }
  must([...stops].sort().join() === links.join(), `the keyboard stops at ${stops}`);
  await picture(page, world, scripts, mark, "dependencies");
  await drawn.getByRole("link", { name: "acme/tool-00" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(`${world.url}/acme/tool-00`);
  await page.goto(`${world.url}/acme/tool-00/dependencies`);
  const needed = page.getByRole("table", { name: "Skills that need acme/tool-00" });
  must((await main(page).textContent()).includes("A change here reaches 2 skills, 1 of them directly"), "it is not said what a change reaches");
  must(await needed.getByRole("link", { name: "acme/desk" }).count() === 1, "what needs it by way of another is not listed");
}

/// The audit: filters stay on the next page and in the files, and the report counts the days that are asked for.
async function audited(page, world, scripts, mark) {
  const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  const wanted = { actor: "ada", action: "version.published", from: day(-1), to: day(2) };
  await signIn(page, world, "admin", "/admin/audit");
  const form = page.getByRole("search", { name: "Audit" });
  const labels = { actor: "Who", action: "Action", from: "From (UTC)", to: "Before" };
  for (const [name, label] of Object.entries(labels)) await form.getByLabel(label, { exact: true }).fill(wanted[name]);
  await form.getByRole("button", { name: "Search" }).click();
  await page.waitForURL(/actor=ada/);
  const rows = page.getByRole("table", { name: "What was done and refused, the newest first" }).locator("tbody tr");
  const shown = async () => {
    for (const [name, value] of Object.entries(wanted)) {
      must(asked(page).get(name) === value, `${name} is not in the address: ${page.url()}`);
      must(await form.getByLabel(labels[name], { exact: true }).inputValue() === value, `the form forgets ${name}`);
    }
    const [actions, actors] = [await rows.locator("td:first-child strong").allTextContents(), await rows.locator(".who-cell").allTextContents()];
    must(actions.length > 0 && actions.every((action) => action === wanted.action), `there is ${new Set(actions)}`);
    must(actors.every((actor) => actor === wanted.actor), `it was done by ${new Set(actors)}`);
    return rows.locator("td:nth-child(2)").allTextContents();
  };
  const first = await shown();
  await picture(page, world, scripts, mark, "audit");
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Older" }).click();
  await page.waitForURL(/before=/);
  const second = await shown();
  must(first.length === 50 && !second.some((subject) => first.includes(subject)), "the second page shows the first again");
  // The files are of all that was asked for, and not of one page.
  const get = async (name) => {
    const link = main(page).getByRole("link", { name, exact: true });
    const answer = await page.request.get(new URL(await link.getAttribute("href"), world.url).href);
    must(answer.ok(), `${name} is answered with ${answer.status()}`);
    must(/attachment/.test(answer.headers()["content-disposition"] ?? ""), `${name} is no file`);
    return (await answer.text()).trim().split(/\r?\n/);
  };
  const [[head, ...lines], entries] = [await get("CSV"), (await get("JSON Lines")).map((line) => JSON.parse(line))];
  must(/actor/.test(head) && /action/.test(head), `the first line of the CSV is ${head}`);
  must(lines.every((line) => line.includes("ada") && line.includes("version.published")), "the CSV has more than was asked for");
  must(entries.every(({ actor, action }) => actor === "ada" && action === "version.published"), "the JSON Lines have more than was asked for");
  must(lines.length === entries.length && lines.length >= first.length + second.length, `the files have ${lines.length} and ${entries.length} rows`);
  // Days before that there was nothing.
  await form.getByLabel("Before", { exact: true }).fill(day(-1));
  await form.getByLabel("From (UTC)", { exact: true }).fill(day(-3));
  await form.getByRole("button", { name: "Search" }).click();
  await page.getByRole("heading", { name: "Nothing was found" }).waitFor();
  await page.getByRole("link", { name: "Show all" }).click();
  await page.waitForURL(`${world.url}/admin/audit`);

  await page.getByRole("link", { name: "Report of the last days" }).click();
  const report = page.getByRole("search", { name: "Report" });
  must(await report.getByLabel("The last").inputValue() === "30", "the report begins with other days");
  await report.getByLabel("The last").selectOption("7");
  await report.getByRole("button", { name: "Show" }).click();
  await page.waitForURL(/days=7/);
  must(await report.getByLabel("The last").inputValue() === "7", "the days are forgotten");
  must((await main(page).textContent()).includes(`From ${day(-7)} to ${day(0)}`), "it is of other days");
  const done = page.getByRole("table", { name: "What was done" }).getByRole("row").filter({ hasText: "version.published" });
  must(Number((await done.getByRole("cell").last().textContent()).replace(/\D/g, "")) >= entries.length, "the report counts less than the list has");
  await picture(page, world, scripts, mark, "audit-report");
  await signOut(page);

  // A namespace reads what happened there, and strangers do not.
  await signIn(page, world, "ada", "/orgs/acme/audit?action=version.published");
  const own = await get("JSON Lines");
  must(own.every((line) => /^acme(\/|$)/.test(JSON.parse(line).subject ?? JSON.parse(line).namespace)), "the file of a namespace has what happened elsewhere");
  must((await page.goto(`${world.url}/admin/audit`)).status() === 403, "an owner of a namespace reads the audit of the registry");
  await signOut(page);
  await signIn(page, world, "dan", "/");
  for (const path of ["/orgs/acme/audit", "/orgs/acme/audit?format=csv", "/orgs/acme/audit?show=report"]) {
    const answer = await page.goto(world.url + path);
    must(answer.status() === 404, `a stranger is answered with ${answer.status()} at ${path}`);
  }
}

export const GOVERNANCE = { stages, deliveries, having, reporting, needing, audited };
/// What a refused form or a hidden page of a flow is answered with.
export const GOVERNANCE_REFUSED = { stages: [403, 404, 409, 422], deliveries: [403], having: 403, reporting: [403, 422], audited: [403, 404] };
