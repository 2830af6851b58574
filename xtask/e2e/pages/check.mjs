// Looks at all pages of a registry with a browser. What is there, and who may see it, is in the file that is the argument.
// Prints a line for each thing that was tried, and ends with 1 where one was not as it must be.

import { createServer } from "node:http";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { lasting } from "./browser.mjs";
import { enter } from "./entry.mjs";
import { flows } from "./flows.mjs";
import { forgeries, injections, planted, redirects, waiting } from "./hostile.mjs";
import { PAGES } from "./pages.mjs";
import { mailServer, signIn } from "./steps.mjs";
import { LIMIT, must, ran, violations, watched } from "./watch.mjs";

const world = JSON.parse(readFileSync(process.argv[2], "utf8"));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// Flows judge what they come by, too.
world.axe = axe;
const only = world.only ?? "";
const SIZES = [{ width: 1280, height: 900 }, { width: 390, height: 844 }];

let good = 0;
let wrong = 0;

async function tell(what, attempt) {
  if (!only.split("|").some((word) => what.includes(word))) return;
  try {
    const words = await browser.twice(what, attempt);
    good += 1;
    console.log(`  ok        ${what}${words ? `: ${words}` : ""}`);
  } catch (error) {
    wrong += 1;
    console.log(`  WRONG     ${what}: ${error.message.split("\n").slice(0, 6).join(" / ")}`);
  }
}

/// A browser that ends is replaced, and what it was in the middle of is done once more.
async function replaced() {
  const context = await browser.newContext();
  try {
    if (browser.ends === 0) {
      const session = await context.browser().newBrowserCDPSession();
      await session.send("Browser.crash");
    }
    await (await context.newPage()).goto(world.url);
    must(browser.ends === 1, `the browser ended ${browser.ends} times`);
  } finally {
    await context.close();
  }
  // That end was meant.
  browser.ends = 0;
}

/// Every watcher must first be seen to notice: one that cannot would say nothing with its silence.
async function watchersNotice(browser) {
  const server = createServer((request, response) => {
    const big = request.url === "/big.css";
    response.writeHead(200, { "content-type": big ? "text/css" : "text/html", "content-security-policy": "script-src 'self' 'nonce-n'; img-src *" });
    response.end(big ? `/*${"x".repeat(LIMIT)}*/` : `<!doctype html><link rel="stylesheet" href="/big.css"><img src="http://127.0.0.1:9/away.png"><a href="javascript:1" onclick="x">x</a>
      <script>window.blocked = 1</script><script nonce="n">window.ran = "yes"; setTimeout(() => alert("hello"), 50)</script>`);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${server.address().port}`;
  const watch = await watched(browser, url);
  try {
    await watch.page.goto(url);
    await watch.page.waitForTimeout(300);
    const noticed = (kind, text = "") => must(watch.faults.some((fault) => fault.startsWith(kind) && fault.includes(text)), `a ${kind} is not noticed: ${watch.faults}`);
    noticed("request", "away.png");
    noticed("dialog");
    noticed("console", "Content Security Policy");
    must(watch.bytes > LIMIT, `${watch.bytes} bytes are not noticed`);
    must(await ran(watch.page) === "yes", "a script that runs is not noticed");
    must((await violations(watch.page, axe)).length > 0, "axe finds nothing");
    must((await watch.page.evaluate(waiting)).length >= 3, "what waits to run is not noticed");
  } finally {
    await watch.context.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

/// One page, as one of those who look at it, in one theme and one size, or without scripts.
async function look(browser, row, states, colorScheme, viewport, scripts = true) {
  const origin = world[row.at ?? "url"];
  const asked = row.asks ? [origin, world[row.asks]] : origin;
  const watch = await watched(browser, asked, { colorScheme, viewport, storageState: row.as && states[row.as], reducedMotion: "reduce", javaScriptEnabled: scripts });
  const { page } = watch;
  try {
    watch.expected = row.status ?? 200;
    await page.goto(origin + row.path.replace("{webhook}", world.webhooks[row.as]));
    // What was done before is looked at by what it leads to, which is weighed as if nothing were kept of the page before.
    if (row.before) {
      await watch.uncached();
      await row.before(page, world);
    }
    await page.waitForLoadState(scripts ? "networkidle" : "load");
    must(watch.status === watch.expected, `it is answered with ${watch.status}`);
    must((await page.content()).includes(row.has), `it does not say “${row.has}”`);
    if (!row.hostile && !row.at) await note(page, row);
    must(watch.bytes > 0 && watch.bytes < LIMIT, `it weighs ${watch.bytes} bytes`);
    await page.screenshot({ path: `${world.screens}/${row.name}-${scripts ? colorScheme : "plain"}-${viewport.width}.png`, fullPage: true });
    const bytes = watch.bytes;
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    must(wide <= 0, `it is ${wide} points wider than the window`);
    // Axe is a script.
    const found = !scripts ? [] : await violations(page, axe, row.hostile ? [[".prose"]] : []);
    must(found.length === 0, found.join("; "));
    must(watch.faults.length === 0, watch.faults.join("; "));
    return `${(bytes / 1024).toFixed(1)} KB`;
  } finally {
    await watch.context.close();
  }
}

/// Where pages lead, by who looks at them: each address with the name of a page that has it. What authors write leads wherever they want.
const led = new Map();

async function note(page, row) {
  const links = page.locator("main a[href^='/']:not(.prose a):not(.said .text a)");
  const found = await links.evaluateAll((all) => all.map((link) => link.getAttribute("href").split("#")[0]));
  const known = led.get(row.as) ?? led.set(row.as, new Map()).get(row.as);
  for (const address of found) known.set(address, known.get(address) ?? row.name);
}

/// No page leads to what is not there, or may not be seen by who is led there.
async function leading(browser, states, who) {
  const context = await browser.newContext({ storageState: states[who] });
  try {
    const dead = [];
    for (const [address, name] of led.get(who)) {
      const answer = await context.request.get(world.url + address);
      if (!answer.ok()) dead.push(`${address} of ${name}: ${answer.status()}`);
    }
    must(dead.length === 0, dead.join("; "));
    return `${led.get(who).size} addresses`;
  } finally {
    await context.close();
  }
}

world.mail = await mailServer(world.smtp);
const entry = await enter(world);
const browser = lasting(world.browser);
try {
  mkdirSync(world.screens, { recursive: true });
  await tell("a browser that ends is replaced", replaced);
  await tell("what must be noticed is noticed", () => watchersNotice(browser));
  const states = {};
  for (const who of new Set(PAGES.flatMap((row) => row.as ?? []))) {
    states[who] = await browser.twice(`${who} signs in`, async () => {
      const context = await browser.newContext();
      await signIn(await context.newPage(), world, who);
      const state = await context.storageState();
      await context.close();
      return state;
    });
  }
  for (const row of PAGES) {
    for (const theme of ["light", "dark"]) {
      for (const size of SIZES) await tell(`page ${row.name}, ${theme}, ${size.width} wide`, () => look(browser, row, states, theme, size));
    }
    if (!row.scripts) await tell(`page ${row.name}, without scripts`, () => look(browser, row, states, "light", SIZES[0], false));
  }
  // Before anything is done that takes away what was seen.
  for (const who of led.keys()) await tell(`pages lead to pages, for ${who ?? "nobody"}`, () => leading(browser, states, who));
  await flows(browser, world, tell);
  await injections(browser, world, tell);
  await forgeries(browser, world, tell);
  await redirects(browser, world, tell);
  await planted(browser, world, tell);
} finally {
  await browser.close();
  world.mail.close();
  await entry.close();
}
console.log(`${PAGES.length} pages; ${good} as they must be, ${wrong} not; the browser ended by itself ${browser.ends} times`);
process.exitCode = wrong === 0 ? 0 : 1;
