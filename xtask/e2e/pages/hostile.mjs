// What hostile people do: texts that would run, forms of other sites, addresses that lead away, sessions that were planted.

import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { call, receiver, signIn } from "./steps.mjs";
import { must, ran, watched } from "./watch.mjs";

const run = promisify(execFile);
const SCRIPT = "<script>window.ran='script'</script>";
const HANDLER = "\"><img src=x onerror=\"window.ran='handler'\">";
const WORDS = encodeURIComponent(SCRIPT + HANDLER);
const COOKIE = "skillery-session";

/// Where texts of others are shown, or come back. `raw` are files as they are, for which there is no page.
const PLACES = [
  "/acme/hostile", "/acme/hostile/versions", "/acme/hostile/versions/1.0.0", "/acme/hostile/versions/0.9.0",
  "/acme/hostile/ratings", "/acme/hostile/comments", `/acme/hostile/comments?at=${WORDS}&form=${WORDS}`, `/acme/hostile/comments?thread=${WORDS}`,
  "/acme/hostile/versions/1.0.0/diff", "/acme/hostile/versions/1.0.0/diff?from=0.9.0", "/acme/hostile/versions/1.0.0/findings",
  `/acme/hostile/versions/1.0.0/diff?from=${WORDS}`, `/acme/hostile/versions/1.0.0/diff?file=${WORDS}`,
  "/acme/hostile-tags-0", "/acme/hostile-tags-1", "/acme/hostile-tags-2",
  "/search?q=hostile", "/search?q=runs", "/search?org=acme&sort=updated",
  "/acme/hostile/versions/1.0.0/files/SKILL.md", "/acme/hostile/versions/1.0.0/files/scripts/evil.svg",
  "/acme/hostile/versions/1.0.0/files/assets/page.html", "/acme/hostile/versions/1.0.0/files/assets/not.png",
  "/acme/hostile/versions/1.0.0/files/assets/%27onfocus%3D%27window.ran%3D1%27.html",
  `/search?q=${WORDS}`, `/search?tags=${WORDS}`, `/search?org=${WORDS}`, `/search?min_rating=${WORDS}`,
  `/search?sort=${WORDS}`, `/search?q=a&notice=${WORDS}`, `/login?next=${WORDS}`, `/login?code=${WORDS}`, `/${WORDS}`, `/acme/${WORDS}`,
  `/acme/hostile/versions/${WORDS}`, `/acme/hostile/versions/1.0.0/files/${WORDS}`, `/acme/hostile/ratings?offset=${WORDS}`,
  `/login?next=${encodeURIComponent("javascript:window.ran='next'")}`,
];
/// The same, for members.
const MEMBERS = [
  "/acme/hostile/versions/1.0.0/review", "/acme/hostile/versions/1.0.0/review?from=none", `/acme/hostile/versions/1.0.0/review?at=${WORDS}`,
  `/acme/hostile/versions/1.0.0/review?thread=${WORDS}`, `/acme/hostile/versions/1.0.0/review?from=none&at=new:1:${encodeURIComponent("assets/'onfocus='window.ran=1'.html")}`,
  `/account/approvals?show=${WORDS}`, `/account/approvals?show=all&namespace=${WORDS}`, "/initech/reviewed/versions/1.2.0/review",
];
/// Those in which stand the texts that `plant` puts there, who sees them, and, for some, what must be seen there, as it was written.
const PLANTED = [
  ["/account/tokens", "ada"], ["/account/keys", "ada"], ["/account/notifications", "ada"], ["/account/webhooks", "ada"],
  ["/account/webhooks/{hook}", "ada"], ["/orgs/acme/publishers", "ada"], ["/orgs/acme/comments", "ada"], ["/admin/reports", "admin"],
  ["/orgs/acme/audit", "ada"], ["/admin/audit", "admin"], ["/admin/audit?outcome=denied", "admin"],
  ["/acme/hostile/versions", "ada"], ["/acme/hostile/versions/1.0.0/review", "ada"], ["/orgs/staged/policy", "ada"],
  ["/orgs/staged/policy/groups", "ada"], ["/orgs/staged/policy/history", "ada"], ["/admin/log", "admin"], ["/admin/jobs", "admin"],
  ["/forced/hostile", "dan"], ["/forced/hostile/versions", "dan"], ["/forced/hostile/log", "dan"], ["/admin/log?skill=forced%2Fhostile", "admin"],
  ["/forced/hostile/versions/1.0.0/review", "ben", SCRIPT], ["/account/approvals?show=due&namespace=forced", "ben", SCRIPT],
];
const RAW = ["scripts/evil.svg", "assets/page.html", "assets/page.js", "assets/not.png", "SKILL.md"];
const FEEDS = ["/acme/hostile/feed", "/acme/feed", "/search/feed?q=hostile", "/acme/hostile/badge/license.svg", "/acme/hostile/badge/version.svg", "/llms.txt", "/sitemap.xml"];

/// What stands in a page that could run later, when somebody points at it or follows it.
export const waiting = () => {
  const found = [];
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      if (name.startsWith("on")) found.push(`${element.tagName} ${name}`);
      if (["href", "src", "action", "formaction", "data", "srcdoc", "style"].includes(name) && /^\s*(javascript|data|vbscript):|^$/i.test(value) && value !== "") found.push(`${element.tagName} ${name}=${value}`);
      if (name === "srcdoc" || name === "style") found.push(`${element.tagName} ${name}`);
    }
    // The registry draws charts.
    if (element.matches("svg.chart") && !element.closest(".prose, .said")) continue;
    if (["IFRAME", "OBJECT", "EMBED", "BASE", "STYLE", "MATH", "svg"].includes(element.tagName)) found.push(element.tagName);
    if (element.tagName === "SCRIPT" && !/^\/assets\/[^/]+$/.test(element.getAttribute("src") ?? "")) found.push("SCRIPT");
    if (element.tagName === "FORM" && element.closest(".prose")) found.push("FORM in a text");
    if (element.tagName === "META" && element.httpEquiv) found.push(`META ${element.httpEquiv}`);
  }
  return found;
};

/// Puts texts that would run where people and programs put theirs. What is refused is refused for what it is, by a problem.
async function plant(page, world, hook) {
  const text = SCRIPT + HANDLER;
  const headers = { "user-agent": text };
  const tried = async (who, method, path, data) => {
    const answer = await page.request.fetch(`${world.url}/api/v1${path}`, {
      method, data, headers: { authorization: `Bearer ${world.tokens[who]}`, ...headers },
    });
    must(answer.ok() || [400, 409, 422].includes(answer.status()), `${method} ${path} is answered with ${answer.status()}: ${await answer.text()}`);
    return answer;
  };
  await call(page, world, "ada", "POST", "/tokens", { label: text, scopes: ["read"] }, headers);
  await call(page, world, "ada", "PUT", "/skills/acme/hostile/versions/1.0.0/changelog", { changelog: text }, headers);
  await tried("dan", "POST", "/reports", { skill: "acme/hostile", reason: "abuse", text });
  for (const field of ["repository", "owner_id", "workflow", "environment", "ref"]) {
    const build = { kind: "github", issuer: "http://127.0.0.1:9", repository: `acme/${field}`, owner_id: "65", workflow: "release.yml" };
    await tried("ada", "POST", "/orgs/acme/publishers", { ...build, [field]: text });
  }
  await tried("ada", "POST", "/orgs/acme/publishers", { kind: "generic", issuer: "http://127.0.0.1:7", claims: { sub: text, [text]: text } });
  await tried("ada", "PUT", `/orgs/staged/policy/groups/${encodeURIComponent("<b>x")}`, { users: ["ben"] });
  await tried("ada", "PUT", "/orgs/staged/policy", { stages: [{ name: SCRIPT, approvals: 1 }, { name: "look", approvals: 1 }] });
  // Who releases what waits says why, to all who review it.
  await tried("ada", "POST", "/orgs", { name: "forced" });
  await tried("ada", "PUT", "/orgs/forced/members/ben", { role: "reviewer" });
  await tried("ada", "PUT", "/orgs/forced/policy", { approvals: 1, role: "reviewer" });
  const waits = { id: "forced/hostile", version: "1.0.0", description: "Could not wait", code: "def hostile(value: str) -> str:\n    return value\n" };
  await tried("ada", "POST", "/skills", waits);
  await tried("ada", "POST", "/skills/forced/hostile/versions/1.0.0/break-glass", { reason: text });
  // A key is named by whoever has it, in words that are shown beside it.
  const file = `${world.folder}/hostile-${Date.now()}`;
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", text, "-f", file]);
  const key = await readFile(`${file}.pub`, "utf8");
  const { challenge } = await call(page, world, "ada", "POST", "/keys/challenge", { public_key: key });
  await writeFile(`${file}.challenge`, challenge);
  await run("ssh-keygen", ["-Y", "sign", "-n", "skill-enroll@v1", "-f", file, `${file}.challenge`]);
  const signature = await readFile(`${file}.challenge.sig`, "utf8");
  await call(page, world, "ada", "POST", "/keys", { public_key: key, challenge, signature, label: text }, headers);
  // Refused calls are in the audit, too, and so are names of people.
  await page.request.get(`${world.url}/api/v1/audit`, { headers: { authorization: `Bearer ${world.tokens.dan}`, ...headers } });
  const { id } = await call(page, world, "ada", "POST", "/notifications/webhooks", { url: `${hook.url}?${WORDS}` }, headers);
  await call(page, world, "ada", "POST", `/notifications/webhooks/${id}/test`, undefined, headers);
  let deliveries = [];
  for (let tries = 0; tries < 80; tries++) {
    ({ deliveries } = await call(page, world, "ada", "GET", `/notifications/webhooks/${id}/deliveries`));
    if (JSON.stringify(deliveries).includes("<script>window.ran")) return id;
    await page.waitForTimeout(250);
  }
  throw new Error(`what the receiver answers is not kept: ${JSON.stringify(deliveries)}`);
}

export async function injections(browser, world, tell) {
  const hook = await receiver(500, SCRIPT + HANDLER);
  let planted;
  const places = [...PLACES.map((place) => [place]), ...MEMBERS.map((place) => [place, "ben"]), ...PLANTED.map(([place, who, has]) => [place, who, true, has])];
  for (const [place, who, isPlanted, has] of places) {
    await tell(`nothing runs: ${decodeURIComponent(place).slice(0, 100)}`, async () => {
      const watch = await watched(browser, world.url);
      const { page } = watch;
      try {
        // It is planted once. Where that fails, the next row tries.
        if (isPlanted) planted ??= await plant(page, world, hook);
        if (who) await signIn(page, world, who);
        const answer = await page.goto(world.url + place.replace("{hook}", planted));
        must(!isPlanted || answer.ok(), `it is answered with ${answer.status()}`);
        must(answer.status() < 500, `it is answered with ${answer.status()}`);
        must(!has || (await page.getByRole("main").textContent()).includes(has), `${has} is not shown there`);
        watch.faults = watch.faults.filter((fault) => !(answer.status() >= 400 && fault.includes(`status of ${answer.status()}`)));
        const found = await page.evaluate(waiting);
        must(found.length === 0, `there is ${found.join(", ")}`);
        // Whatever waits for a pointer or the focus gets it.
        for (const handle of await page.locator("main a, main img, main input, main summary").all()) {
          await handle.dispatchEvent("mouseover").catch(() => {});
          await handle.dispatchEvent("focus").catch(() => {});
        }
        await page.waitForTimeout(50);
        must(await ran(page) === undefined, `it ran: ${await ran(page)}`);
        must(watch.faults.length === 0, watch.faults.join("; "));
      } finally {
        await watch.context.close();
      }
    });
  }
  hook.close();
  for (const path of RAW) {
    await tell(`nothing runs in the file as it is: ${path}`, async () => {
      const watch = await watched(browser, world.url);
      try {
        const address = `${world.url}/acme/hostile/versions/1.0.0/raw/${path}`;
        // What the browser saves instead of showing it does not run either.
        const answer = await watch.page.goto(address).catch((error) => {
          must(/Download|ERR_ABORTED/.test(error.message), error.message);
        });
        await watch.page.waitForTimeout(100);
        must(await ran(watch.page) === undefined, `it ran: ${await ran(watch.page)}`);
        must(!answer || !/html|svg|xml|javascript/.test(answer.headers()["content-type"]), "it is served as what runs");
        const head = await watch.context.request.get(address);
        must(/sandbox/.test(head.headers()["content-security-policy"] ?? ""), "it is not in a sandbox");
      } finally {
        await watch.context.close();
      }
    });
  }
  for (const path of FEEDS) {
    await tell(`nothing runs in what programs read: ${path}`, async () => {
      const watch = await watched(browser, world.url);
      try {
        await watch.page.goto(world.url + path).catch((error) => must(/Download|ERR_ABORTED/.test(error.message), error.message));
        await watch.page.waitForTimeout(100);
        must(await ran(watch.page) === undefined, `it ran: ${await ran(watch.page)}`);
        must(!watch.faults.some((fault) => fault.startsWith("dialog")), watch.faults.join("; "));
        const text = await (await watch.context.request.get(world.url + path)).text();
        must(!path.includes("svg") || !/<script|onload/i.test(text), "there is a script in it");
      } finally {
        await watch.context.close();
      }
    });
  }
  await tell("nothing runs in suggestions", async () => {
    const watch = await watched(browser, world.url);
    try {
      await watch.page.goto(world.url);
      await watch.page.getByRole("combobox").first().pressSequentially("hostile");
      await watch.page.getByRole("option").first().waitFor();
      must(await watch.page.locator("[role=option] img, [role=option] script").count() === 0, "a text became elements");
      must(await ran(watch.page) === undefined, "it ran");
      must(watch.faults.length === 0, watch.faults.join("; "));
    } finally {
      await watch.context.close();
    }
  });
}

/// A site of somebody else on this machine, which answers each path with what it was given for it.
async function elsewhere(pages) {
  const server = createServer((request, response) => {
    const page = pages[new URL(request.url, "http://x").pathname];
    response.writeHead(page ? 200 : 404, { "content-type": "text/html; charset=utf-8" });
    response.end(page ?? "");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

export async function forgeries(browser, world, tell) {
  const form = (action, fields, more = "") =>
    `<!doctype html><form id="f" method="post" action="${world.url}${action}" ${more}>${Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`).join("")}</form><script>document.getElementById("f").submit()</script>`;
  const rate = { action: "rate", rating: "1", review: "forged" };
  const fetched = `fetch("${world.url}/acme/tool-05/ratings", {method: "POST", mode: "no-cors", credentials: "include", headers: {"content-type": "application/x-www-form-urlencoded"}, body: "action=rate&rating=1&review=forged"}).catch(() => {}).finally(() => { document.title = "done" })`;
  const other = await elsewhere({
    "/rate": form("/acme/tool-05/ratings", rate),
    "/text": form("/acme/tool-05/ratings", rate, 'enctype="text/plain"'),
    "/parts": form("/acme/tool-05/ratings", rate, 'enctype="multipart/form-data"'),
    "/logout": form("/logout", {}),
    "/theme": form("/theme", { theme: "dark" }),
    "/login": form("/login", { token: world.tokens.dan, next: "/" }),
    "/fetch": `<!doctype html><script>${fetched}</script>`,
    "/null": `<!doctype html><iframe sandbox="allow-scripts allow-forms" srcdoc='${form("/acme/tool-05/ratings", rate).replaceAll("'", "&#39;")}'></iframe>`,
    "/frame": `<!doctype html><iframe src="${world.url}/acme/tool-05/ratings"></iframe>`,
  });
  try {
    for (const kind of ["rate", "text", "parts", "logout", "theme", "login", "fetch", "null", "frame"]) {
      // The first visitor is signed in; whom somebody wants to sign in as another one is not.
      await tell(`a page of another origin changes nothing: ${kind}`, async () => {
        const context = await browser.newContext();
        const page = await context.newPage();
        try {
          if (kind !== "login") await signIn(page, world, "ben");
          const before = await context.cookies(world.url);
          const answers = [];
          page.on("response", (answer) => { if (answer.url().startsWith(world.url)) answers.push(answer); });
          const isSent = (answer) => answer.url().startsWith(world.url) && answer.request().method() === "POST";
          // A browser that has much to do may leave out what a script sends before its page is shown: it is looked at again then.
          for (let turn = 0; turn < (kind === "frame" ? 1 : 3) && answers.every((answer) => !isSent(answer)); turn += 1) {
            const sent = kind === "frame" ? undefined : page.waitForResponse(isSent, { timeout: 10_000 }).catch(() => {});
            await page.goto(`${other.url}/${kind}`);
            await sent;
          }
          await page.waitForTimeout(500);
          const refused = answers.filter((answer) => answer.request().method() === "POST");
          if (kind === "frame") {
            const inside = page.frames().find((frame) => frame.parentFrame());
            must(!inside || await inside.locator("form").count() === 0, "another site shows our page in a frame");
          } else {
            must(refused.length > 0, "nothing was sent, so nothing was tried");
            must(refused.every((answer) => [403, 415].includes(answer.status())), `it is answered with ${refused.map((answer) => answer.status())}`);
          }
          const after = await context.cookies(world.url);
          must(JSON.stringify(after) === JSON.stringify(before), "cookies changed");
          const ratings = await (await context.request.get(`${world.url}/api/v1/skills/acme/tool-05/ratings`)).json();
          must(ratings.count === 0, "a rating was forged");
          await page.goto(world.url);
          must(await page.getByRole("button", { name: "Sign out" }).count() === (kind === "login" ? 0 : 1), "who is signed in changed");
        } finally {
          await context.close();
        }
      });
    }
  } finally {
    await other.close();
  }
  await tell("a form without its word, or with that of another session, changes nothing", async () => {
    const [context, stranger] = [await browser.newContext(), await browser.newContext()];
    try {
      const [page, strange] = [await context.newPage(), await stranger.newPage()];
      await signIn(page, world, "ben", "/acme/tool-05/ratings");
      await signIn(strange, world, "dan", "/acme/tool-05/ratings");
      const word = (where) => where.locator("main input[name=csrf]").first().inputValue();
      for (const csrf of ["", "0", await word(strange)]) {
        await page.goto(`${world.url}/acme/tool-05/ratings`);
        must(csrf !== await word(page), "two sessions have the same word");
        await page.locator("main input[name=csrf]").first().evaluate((input, value) => { input.value = value; }, csrf);
        await page.getByRole("radio", { name: "1" }).check();
        const [answer] = await Promise.all([page.waitForResponse((answer) => answer.request().method() === "POST"), page.getByRole("button", { name: "Rate", exact: true }).click()]);
        must(answer.status() === 403, `it is answered with ${answer.status()}`);
      }
    } finally {
      await context.close();
      await stranger.close();
    }
  });
  await tell("cookies count for pages and not for the API", async () => {
    const context = await browser.newContext();
    try {
      await signIn(await context.newPage(), world, "ben");
      const answer = await context.request.get(`${world.url}/api/v1/whoami`);
      must(answer.status() === 401, `it is answered with ${answer.status()}`);
    } finally {
      await context.close();
    }
  });
}

export async function redirects(browser, world, tell) {
  const away = [
    "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/\n/evil.example",
    "https:evil.example", "javascript:window.ran='next'", "data:text/html,x", "/.//evil.example", "/%5cevil.example", "/%2f/evil.example",
    "//evil.example\\@127.0.0.1/", "@evil.example", "evil.example", " //evil.example", "/ /evil.example", "http://127.0.0.1@evil.example/", "/..//evil.example",
  ];
  for (const next of away) {
    await tell(`nobody is led away by next=${JSON.stringify(next)}`, async () => {
      const watch = await watched(browser, world.url);
      try {
        await watch.page.goto(`${world.url}/login?next=${encodeURIComponent(next)}`);
        await watch.page.getByLabel("Token").fill(world.tokens.dan);
        // What the page made of it, and what a form would send that somebody else wrote.
        await watch.page.locator("main input[name=next]").evaluate((input, value) => { input.value = value; }, next);
        await watch.page.getByRole("button", { name: "Sign in" }).click();
        await watch.page.waitForLoadState("load");
        must(new URL(watch.page.url()).origin === world.url, `it leads to ${watch.page.url()}`);
        must(!watch.faults.some((fault) => /^(request|dialog|window|script)/.test(fault)), watch.faults.join("; "));
        must(await ran(watch.page) === undefined, "it ran");
      } finally {
        await watch.context.close();
      }
    });
  }
}

export async function planted(browser, world, tell) {
  await tell("whoever signs in gets a session that nobody else knows", async () => {
    const [attacker, victim] = [await browser.newContext(), await browser.newContext()];
    try {
      await signIn(await attacker.newPage(), world, "dan");
      const [session] = (await attacker.cookies(world.url)).filter((cookie) => cookie.name === COOKIE);
      must(session.httpOnly && session.sameSite === "Lax", "scripts or other sites get at the session");
      await victim.addCookies([session]);
      await signIn(await victim.newPage(), world, "ben");
      const [own] = (await victim.cookies(world.url)).filter((cookie) => cookie.name === COOKIE);
      must(own.value !== session.value, "the planted session is gone on with");
      const page = await attacker.newPage();
      await page.goto(world.url);
      must(await page.getByRole("button", { name: "Sign out" }).count() === 0, "the planted session still works");
      // What nobody made is nobody's.
      const made = await browser.newContext();
      await made.addCookies([{ ...session, value: "sky_web_planted" }]);
      const other = await made.newPage();
      await signIn(other, world, "ben");
      const [after] = (await made.cookies(world.url)).filter((cookie) => cookie.name === COOKIE);
      must(after.value !== "sky_web_planted", "a value of somebody else becomes a session");
      await other.getByRole("button", { name: "Sign out" }).click();
      await other.getByText("You are signed out.").waitFor();
      await made.addCookies([after]);
      await other.goto(world.url);
      must(await other.getByRole("button", { name: "Sign out" }).count() === 0, "who signed out is signed in by the old cookie");
      await made.close();
    } finally {
      await attacker.close();
      await victim.close();
    }
  });
}
