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
    const code = { "/gone": 404, "/inside": 303 }[request.url] ?? 200;
    response.writeHead(code, { ...code === 303 && { location: "/login?next=%2Finside" }, "content-type": big ? "text/css" : "text/html", "content-security-policy": "script-src 'self' 'nonce-n'; img-src *" });
    response.end(big ? `/*${"x".repeat(LIMIT)}*/` : `<!doctype html><link rel="stylesheet" href="/big.css"><img src="http://127.0.0.1:9/away.png"><a href="javascript:1" onclick="x">x</a>
      <header><a href="/there">x</a></header><main><a href="/inside#part">x</a><div class="prose"><a href="/gone?prose">x</a></div></main><footer><a href="/gone">x</a></footer>
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
    const links = new Map();
    await note(watch.page, "this", links);
    must([...links.keys()].sort().join() === "/gone,/inside,/there", `links lead to ${[...links.keys()]}`);
    const [gone, inside] = ["/gone of this: 404", "/inside of this: 303"];
    const signedIn = await dead(watch.context, url, links, true);
    must(signedIn.sort().join() === [gone, inside].join(), `of links that lead nowhere there is noticed: ${signedIn}`);
    const nobody = await dead(watch.context, url, links, false);
    must(nobody.join() === gone, `for nobody there is noticed: ${nobody}`);
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
    // But where it leads to a part of it, or to a field.
    const isAtTop = row.path.includes("#") || await page.evaluate(() => scrollY === 0 || document.activeElement !== document.body);
    must(isAtTop, "it does not begin at its top");
    // What was done before is looked at by what it leads to, which is weighed as if nothing were kept of the page before.
    if (row.before) {
      await watch.uncached();
      await row.before(page, world);
    }
    await page.waitForLoadState(scripts ? "networkidle" : "load");
    must(watch.status === watch.expected, `it is answered with ${watch.status}`);
    must((await page.content()).includes(row.has), `it does not say “${row.has}”`);
    if (!row.hostile && !row.at) await note(page, row.name, noted(row.as));
    must(watch.bytes > 0 && watch.bytes < LIMIT, `it weighs ${watch.bytes} bytes`);
    await page.screenshot({ path: `${world.screens}/${row.name}-${scripts ? colorScheme : "plain"}-${viewport.width}.png`, fullPage: true });
    const bytes = watch.bytes;
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    must(wide <= 0, `it is ${wide} points wider than the window`);
    const outside = await page.locator("nav [aria-current]").evaluateAll((all) => all.filter((link) => {
      const [{ left, right }, menu] = [link, link.closest("nav")].map((element) => element.getBoundingClientRect());
      return left < menu.left - 1 || right > menu.right + 1;
    }).map((link) => link.textContent));
    must(outside.length === 0, `one is at “${outside.join()}”, which is not seen in its menu`);
    // Axe is a script.
    const found = !scripts ? [] : await violations(page, axe, row.hostile ? [[".prose"]] : []);
    must(found.length === 0, found.join("; "));
    must(watch.faults.length === 0, watch.faults.join("; "));
    return `${(bytes / 1024).toFixed(1)} KB`;
  } finally {
    await watch.context.close();
  }
}

/// Where pages lead, by who looks at them: each address with the name of a page that has it.
const led = new Map();
const noted = (who) => led.get(who) ?? led.set(who, new Map()).get(who);

/// Notes where a page leads, with its header and its footer. What authors write leads wherever they want.
async function note(page, name, known) {
  const links = page.locator("a[href^='/']:not(.prose a):not(.said .text a)");
  const found = await links.evaluateAll((all) => all.map((link) => link.getAttribute("href").split("#")[0]));
  for (const address of found) known.set(address, known.get(address) ?? name);
}

/// Which of these addresses are not there for whom this context is, with how they are answered. No link leads on to elsewhere, except,
/// for who is not signed in, to the page to sign in: somebody who is signed in gets what a link says.
async function dead(context, origin, links, isSignedIn) {
  const found = [];
  for (const [address, name] of links) {
    // Programs get a problem where a browser is led on.
    const answer = await context.request.get(origin + address, { maxRedirects: 0, headers: { accept: "text/html,*/*;q=0.8" } });
    const isAsked = !isSignedIn && answer.status() === 303 && answer.headers().location === `/login?${new URLSearchParams({ next: address })}`;
    if (!answer.ok() && !isAsked) found.push(`${address} of ${name}: ${answer.status()}`);
  }
  return found;
}

/// No page leads to what is not there, or may not be seen by who is led there.
async function leading(browser, states, who) {
  const links = led.get(who);
  must(links.size > 0, "pages lead nowhere");
  const context = await browser.newContext({ storageState: states[who] });
  try {
    const found = await dead(context, world.url, links, who !== undefined);
    must(found.length === 0, found.join("; "));
    return `${links.size} addresses`;
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
