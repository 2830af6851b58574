// What people do with the pages, with scripts and without.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { must, watched } from "./watch.mjs";

const run = promisify(execFile);

/// Signs in with a token, as people do.
export async function signIn(page, world, who, next = "/") {
  await page.goto(`${world.url}/login?next=${encodeURIComponent(next)}`);
  await page.getByLabel("Token").fill(world.tokens[who]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("You are signed in.").waitFor();
}

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
  await page.goto(`${world.url}/search`);
  await page.getByLabel("Order").selectOption("name");
  await page.getByLabel("Namespace").fill("acme");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/org=acme/);
  must(query(page).get("sort") === "name", "the order is not in the address");
  await page.getByRole("complementary", { name: "Filters" }).getByRole("link", { name: /^pdf/ }).click();
  await page.waitForURL(/tags=pdf/);
  must(query(page).get("sort") === "name" && query(page).get("org") === "acme", "a filter is lost when another is set");
  must(await page.getByLabel("Order").inputValue() === "name", "the form forgets the order");
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
  await page.getByLabel("Review").fill("Not what I wanted.\n\nReally not.");
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

const FLOWS = { searching, filters, reading, rating, ratingAlone, link, standings, insight, theme, keyboard };

/// Does all of it; `tell` is called with what came of each.
export async function flows(browser, world, tell) {
  for (const scripts of [true, false]) {
    for (const [name, flow] of Object.entries(FLOWS)) {
      await tell(`${name}, ${scripts ? "with" : "without"} scripts`, async () => {
        const watch = await watched(browser, world.url, { javaScriptEnabled: scripts });
        // A refused sign-in and a page that is hidden are answered with problems, which the browser writes to its console.
        watch.expected = { rating: 422, link: 404 }[name] ?? 200;
        try {
          await flow(watch.page, world, scripts);
          must(watch.faults.length === 0, watch.faults.join("; "));
        } finally {
          await watch.context.close();
        }
      });
    }
  }
}
