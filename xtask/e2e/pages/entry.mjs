// How people get in: with an account elsewhere, by the link that the first start names, and into a registry that answers signed-in
// callers only. `mark` is another word each time, so that what one run has made is in the way of no other.

import { execFile, spawn } from "node:child_process";
import { openSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { promisify } from "node:util";
import { CLIENT, identityProvider, STUMBLING, subject, TITLE, WHY_NOT } from "./provider.mjs";
import { call, signIn, signOut, sure } from "./steps.mjs";
import { must, ran } from "./watch.mjs";

const run = promisify(execFile);
const SESSION = "skillery-session";
const AWAY = "skillery-sign-in";
/// What is said of the one skill that only those see who are signed in.
const KEPT = "Is kept among ourselves";

// ---- What there is

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/// Starts a registry as a person would who has none yet; `said` is what it tells them. It ends with this script.
async function registry(world, name, options, settings = "") {
  const config = `${world.folder}/${name}.toml`;
  writeFileSync(config, settings);
  const args = ["serve", "--data", `${world.folder}/${name}`, "--config", config, ...options];
  const child = spawn("setpriv", ["--pdeathsig", "TERM", world.program, ...args], {
    stdio: ["ignore", "pipe", openSync(`${world.folder}/${name}.log`, "w")],
  });
  let said = "";
  await new Promise((done, wrong) => {
    child.stdout.on("data", (data) => { if ((said += data).includes("stop with")) done(); });
    child.once("error", wrong);
    child.once("close", (code) => wrong(new Error(`the registry “${name}” ended with ${code}: ${said}`)));
  });
  const [, url] = said.match(/listens on (\S+)/);
  const [token] = said.match(/sky_\S+/);
  const close = () => new Promise((done) => { child.once("close", done); child.kill(); });
  return { url, token, said, close };
}

/// Another registry, as flows know the first.
const at = (world, name) => ({ ...world, url: world[name], tokens: { admin: world.entry[name].token } });

/// Calls the API of a registry, before there is a browser.
async function told(world, who, method, path, data) {
  const headers = { authorization: `Bearer ${world.tokens[who]}`, "content-type": "application/json" };
  const answer = await fetch(`${world.url}/api/v1${path}`, { method, headers, body: JSON.stringify(data) });
  must(answer.ok, `${method} ${path} is answered with ${answer.status}: ${await answer.text()}`);
}

/// Starts what is entered: a registry with a provider, and one for those who are signed in; the first gets a release without approvals.
export async function enter(world) {
  // A name and a number are two sites for a browser: cookies go along as they do where the provider is another machine.
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const provider = await identityProvider(`${url}/login/oidc/callback`);
  const login = `[oidc_login]\nissuer = "${provider.issuer}"\nname = "${TITLE}"\nclient_id = "${CLIENT.id}"\nclient_secret = "${CLIENT.secret}"\n`;
  const entry = {
    provider: await registry(world, "provider", ["--listen", `127.0.0.1:${port}`, "--public-url", url], login),
    closed: await registry(world, "closed", ["--listen", "127.0.0.1:0", "--anonymous-reads", "off"]),
  };
  Object.assign(world, { entry, provider: url, closed: entry.closed.url, issuer: provider.issuer });
  const code = (name) => `def ${name}(value: str) -> str:\n    return value\n`;
  const closed = at(world, "closed");
  await told(closed, "admin", "POST", "/orgs", { name: "inside" });
  await told(closed, "admin", "POST", "/skills", { id: "inside/first", version: "1.0.0", description: KEPT, code: code("first") });
  await told(world, "ada", "POST", "/skills", { id: "initech/forced", version: "1.0.0", description: "Could not wait", code: code("forced") });
  await told(world, "ada", "POST", "/skills/initech/forced/versions/1.0.0/break-glass", { reason: "The old one deletes files" });
  return {
    async close() {
      await Promise.all([entry.provider.close(), entry.closed.close()]);
      provider.close();
    },
  };
}

// ---- With an account elsewhere

/// Goes to the provider, as the button leads there.
export async function leave(page, world, next = "/") {
  await page.goto(`${world.provider}/login?next=${encodeURIComponent(next)}`);
  await go(page, world);
}

async function go(page, world) {
  await page.getByRole("link", { name: `Sign in with ${TITLE}` }).click();
  await page.getByRole("heading", { name: TITLE }).waitFor();
  must(page.url().startsWith(`${world.issuer}/authorize?`), `the button leads to ${page.url()}`);
}

/// What somebody with this account says at the provider, which leads back.
export async function answer(page, account, button = "Allow") {
  await page.getByLabel("Account").fill(account);
  await page.getByRole("button", { name: button }).click();
}

/// A user whose account there is known here.
async function known(page, world, name) {
  const here = at(world, "provider");
  await call(page, here, "admin", "POST", "/users", { name });
  await call(page, here, "admin", "PUT", `/users/${name}/subject`, { subject: subject(name) });
}

const cookie = async (page, world, name) => (await page.context().cookies(world.provider)).find((cookie) => cookie.name === name);
const alerted = async (page, text) => page.getByRole("main").getByRole("alert").filter({ hasText: text }).waitFor();
const isOut = async (page) => await page.getByRole("banner").getByRole("button", { name: "Sign out" }).count() === 0;
const isIn = async (page, name) => await page.getByRole("banner").getByText(name, { exact: true }).count() > 0;

/// There and back, into a session that nobody knew before, which ends where it should.
async function provided(page, world, scripts, mark) {
  const name = `provided-${mark}`;
  await known(page, world, name);
  // Somebody else knows the session that this browser has.
  await signIn(page, at(world, "provider"), "admin");
  const planted = await cookie(page, world, SESSION);
  await leave(page, world, "/search?q=tool");
  const away = await cookie(page, world, AWAY);
  must(away.httpOnly && away.sameSite === "Lax", "scripts or other sites get at what is kept of the sign-in");
  await answer(page, name);
  await page.getByText("You are signed in.").waitFor();
  const there = new URL(page.url());
  must(there.origin === world.provider && there.pathname === "/search" && there.searchParams.get("q") === "tool", `it leads to ${there}`);
  must(await isIn(page, name), "it is not said who is signed in");
  const own = await cookie(page, world, SESSION);
  must(own.value !== planted.value, "the session of before is gone on with");
  must(own.httpOnly && own.sameSite === "Lax", "scripts or other sites get at the session");
  must(await cookie(page, world, AWAY) === undefined, "what was kept of the sign-in stays");
  const other = await page.context().browser().newContext();
  try {
    await other.addCookies([planted]);
    const strange = await other.newPage();
    await strange.goto(world.provider);
    must(await isOut(strange), "the session of before still works");
  } finally {
    await other.close();
  }
  await page.goto(`${world.provider}/account`);
  must((await page.getByRole("main").textContent()).includes(name), "it is the account of somebody else");
  await signOut(page);
  must(await isOut(page) && await cookie(page, world, SESSION) === undefined, "signing out leaves something");
}

/// What another browser has begun, and what nobody has, signs nobody in.
async function forged(page, world, scripts, mark) {
  const [victim, attacker] = [`forged-${mark}`, `forging-${mark}`];
  for (const name of [victim, attacker]) await known(page, world, name);
  const other = await page.context().browser().newContext();
  try {
    const begun = await other.request.get(`${world.provider}/login/oidc`, { maxRedirects: 0 });
    const allowed = await other.request.post(begun.headers().location, { form: { account: attacker, answer: "allow" }, maxRedirects: 0 });
    const theirs = allowed.headers().location;
    must(theirs.startsWith(`${world.provider}/login/oidc/callback?`), `the provider leads to ${theirs}`);
    const refused = async (address) => {
      await page.goto(address);
      await alerted(page, "was not begun in this browser");
      must(await isOut(page) && await cookie(page, world, SESSION) === undefined, "somebody is signed in");
      must(!(await page.content()).includes(new URL(address).searchParams.get("state")), "what is forged stands on the page");
    };
    await refused(theirs);
    await leave(page, world);
    await refused(theirs);
    await leave(page, world);
    const state = new URL(page.url()).searchParams.get("state");
    const nearly = new URL(theirs);
    nearly.searchParams.set("state", state.slice(0, -1) + (state.endsWith("0") ? "1" : "0"));
    await refused(nearly.href);
    // Whoever sees that page can begin again at once.
    await go(page, world);
    await answer(page, victim);
    await page.getByText("You are signed in.").waitFor();
    await page.goto(theirs);
    await alerted(page, "was not begun in this browser");
    must(await isIn(page, victim), "who was signed in is somebody else now");
    // What was refused was good, where it was begun.
    const strange = await other.newPage();
    await strange.goto(theirs);
    must(await isIn(strange, attacker), "what was forged was good nowhere");
  } finally {
    await other.close();
  }
}

/// Whoever says no, or is not known here, is told so, and can go on.
async function declined(page, world, scripts, mark) {
  const [name, stranger] = [`declined-${mark}`, `stranger-${mark}`];
  await known(page, world, name);
  await leave(page, world);
  await answer(page, name, "Refuse");
  await alerted(page, `access_denied\`: ${WHY_NOT}`);
  must(await ran(page) === undefined, "what the provider says ran");
  must(await isOut(page), "who said no is signed in");
  await go(page, world);
  await answer(page, stranger);
  await alerted(page, subject(stranger));
  must(await isOut(page), "who is not known is signed in");
  await go(page, world);
  await answer(page, name);
  await page.getByText("You are signed in.").waitFor();
  must(await isIn(page, name), "it is not said who is signed in");
}

/// Whatever an address says, it goes on at the registry.
async function astray(page, world, scripts, mark) {
  const name = `astray-${mark}`;
  await known(page, world, name);
  for (const next of ["https://evil.example/", "//evil.example/", "/\\evil.example", `${world.issuer}/`]) {
    for (const begin of ["login", "login/oidc"]) {
      await page.goto(`${world.provider}/${begin}?next=${encodeURIComponent(next)}`);
      if (begin === "login") await go(page, world);
      await answer(page, name);
      await page.getByText("You are signed in.").waitFor();
      const there = new URL(page.url());
      must(there.origin === world.provider && there.pathname === "/", `${next} leads to ${there}`);
    }
  }
  // Where there is no provider, nobody is offered one.
  await page.goto(`${world.closed}/login`);
  must(await page.getByRole("main").getByRole("link", { name: /^Sign in/ }).count() === 0, "a provider is offered where there is none");
}

/// Finds this user among all, as the admin of the registry.
const found = (page, world, name) => page.goto(`${world.provider}/admin/users?q=${name}`);
/// What stands there of the user.
const listed = (page, name) => page.getByRole("row").filter({ has: page.getByText(name, { exact: true }) });

/// Says whose account at the provider this is, as the admin of the registry does.
async function say(page, world, name, account) {
  await found(page, world, name);
  const row = listed(page, name);
  await row.locator("summary").click();
  await row.getByLabel(`Subject of ${name} at the provider`).fill(subject(account));
  await row.getByRole("button", { name: "Link", exact: true }).click();
}

/// An admin says on a page whose an account is: who has it is that user, until another account is the user's, or the user is switched off. Accounts are
/// called otherwise than users, so that nothing but the link says who somebody is.
async function linked(page, world, scripts, mark) {
  const [name, heir] = [`linked-${mark}`, `heir-${mark}`];
  const [account, later] = [`desk of ${mark}`, `home of ${mark}`];
  const other = await page.context().browser().newContext({ javaScriptEnabled: scripts, viewport: page.viewportSize() });
  try {
    const person = await other.newPage();
    const arrive = async (account) => {
      await leave(person, world, "/account");
      await answer(person, account);
    };
    const isLetIn = async (account, name) => {
      await arrive(account);
      await person.getByText("You are signed in.").waitFor();
      const own = person.getByRole("main").getByRole("heading", { level: 1, name, exact: true });
      must(await isIn(person, name) && await own.count() === 1, `who has the account “${account}” is not ${name}`);
    };
    const isKeptOut = async (account, why) => {
      await arrive(account);
      await alerted(person, why);
      must(await isOut(person), `who has the account “${account}” is signed in`);
    };

    await signIn(page, at(world, "provider"), "admin");
    const make = page.getByRole("form", { name: "Make a user" });
    for (const user of [name, heir]) {
      await page.goto(`${world.provider}/admin/users`);
      await make.getByLabel("Name").fill(user);
      await make.getByRole("button", { name: "Make the user" }).click();
      await page.getByText("The user is made.").waitFor();
    }
    await isKeptOut(account, `nobody here is linked with \`${subject(account)}\``);
    await say(page, world, name, account);
    await page.getByText("Saved.").waitFor();
    await say(page, world, heir, account);
    await alerted(page, "the account belongs to another user");
    await isLetIn(account, name);
    const kept = await person.goto(`${world.provider}/admin/users`);
    must(kept.status() === 403, `who is no admin is answered with ${kept.status()}`);

    const off = async () => {
      await found(page, world, name);
      await listed(page, name).getByRole("button", { name: `Switch off ${name}` }).click();
    };
    await sure(page, off, `Switch ${name} off?`, "Switch off");
    await page.getByText("Saved.").waitFor();
    await found(page, world, name);
    must(await listed(page, name).getByText("switched off", { exact: true }).count() === 1, "it is not said who is switched off");
    await person.goto(world.provider);
    must(await isOut(person), "who is switched off goes on");
    await isKeptOut(account, "the user is switched off");
    await listed(page, name).getByRole("button", { name: `Switch on ${name}` }).click();
    await page.getByText("Saved.").waitFor();
    await isLetIn(account, name);

    // Another account takes the place of the one before, which is anybody's then; what began with it is over.
    await say(page, world, name, later);
    await page.getByText("Saved.").waitFor();
    await person.goto(world.provider);
    must(await isOut(person), "who signed in with the account of before goes on");
    await isKeptOut(account, `nobody here is linked with \`${subject(account)}\``);
    await isLetIn(later, name);
    await say(page, world, heir, account);
    await page.getByText("Saved.").waitFor();
    await isLetIn(account, heir);
    // The form is no wider than a phone.
    await listed(page, heir).locator("summary").click();
  } finally {
    await other.close();
  }
}

/// Looks at the form that says whose an account is.
export async function linkForm(page, world) {
  await signIn(page, at(world, "provider"), "admin", "/admin/users");
  await page.getByRole("main").locator("summary").first().click();
}

// ---- By a link

/// What the first start says, done as it says it: the admin is signed in, once.
async function opened(page, world, scripts, mark) {
  const { said, token } = world.entry.closed;
  const home = `${world.folder}/home-opened-${mark}`;
  const env = { ...process.env, SKILLERY_HOME: home };
  const [, login] = said.match(/skillery (login --registry [^\s`]+)/);
  must(/skillery open/.test(said), `the first start does not say how its pages are opened: ${said}`);
  const signing = run(world.program, [...login.split(" "), "--token-stdin"], { env });
  signing.child.stdin.end(token);
  await signing;
  const address = await link(world, env);
  must(address.startsWith(`${world.closed}/login?code=`), `it leads to ${address}`);

  await page.goto(address);
  const main = page.getByRole("main");
  must((await main.textContent()).includes("signs you in as admin, once"), "it is not said who is signed in");
  must(await isOut(page), "a look at the link signs in");
  // Another one looks before, and is too late.
  const other = await page.context().browser().newContext();
  try {
    const late = await other.newPage();
    await late.goto(address);
    await page.getByRole("button", { name: "Sign in as admin" }).click();
    await page.getByText("You are signed in.").waitFor();
    must(!page.url().includes("code="), "the link stays in the address");
    await late.getByRole("button", { name: "Sign in as admin" }).click();
    await alerted(late, "This link was used before, or is too old.");
    must(await isOut(late), "one link signs two in");
    await late.goto(address);
    await alerted(late, "This link was used before, or is too old.");
    must(await isOut(late), "one link signs two in");
  } finally {
    await other.close();
  }
  const answered = await page.goto(`${world.closed}/admin`);
  must(answered.status() === 200 && await isIn(page, "admin"), "who was signed in is no admin");
  await signOut(page);
  await page.goto(address);
  await alerted(page, "This link was used before, or is too old.");
  must(await main.getByRole("button", { name: /^Sign in as/ }).count() === 0, "a link that was used is offered");
  // A link that nobody made is no other.
  await page.goto(`${world.closed}/login?code=${"0".repeat(64)}`);
  await alerted(page, "This link was used before, or is too old.");
}

async function link(world, env) {
  const { stdout } = await run(world.program, ["open", "--print"], { env });
  return stdout.split("\n").map((line) => line.trim()).find((line) => line.startsWith("http"));
}

/// Presses the button of a link that somebody else has used meanwhile.
export async function tooLate(page, world) {
  const { url } = await call(page, world, "dan", "POST", "/login-links");
  await page.goto(url);
  await use(page, url);
  await page.getByRole("button", { name: "Sign in as dan" }).click();
}

/// Looks at a link that was used.
export async function usedLink(page, world) {
  const { url } = await call(page, world, "dan", "POST", "/login-links");
  await use(page, url);
  await page.goto(url);
}

async function use(page, url) {
  const other = await page.context().browser().newContext();
  try {
    const first = await other.newPage();
    await first.goto(url);
    await first.getByRole("button", { name: "Sign in as dan" }).click();
    await first.getByText("You are signed in.").waitFor();
  } finally {
    await other.close();
  }
}

// ---- Where only those are answered who are signed in

async function closed(page, world) {
  const skill = "/inside/first";
  const hidden = async () => must(!(await page.content()).includes(KEPT), `${page.url()} tells a stranger of a skill`);
  const fetched = (path, accept) => page.request.get(world.closed + path, { headers: { accept }, maxRedirects: 0 });
  // What is there and what is not are alike.
  for (const path of ["/", "/search?q=kept", skill, `${skill}/versions/1.0.0/files`, `${skill}/feed`, "/inside/feed", "/search/feed", "/users/admin", "/inside/second"]) {
    await page.goto(world.closed + path);
    const there = new URL(page.url());
    must(there.pathname === "/login" && there.searchParams.get("next") === path, `${path} leads a stranger to ${there}`);
    await hidden();
    const answered = await fetched(path, "application/atom+xml, */*");
    must(answered.status() === 401 && !(await answered.text()).includes(KEPT), `${path} is answered with ${answered.status()} where no page is wanted`);
  }
  must((await (await fetched("/robots.txt", "*/*")).text()).includes("Disallow: /\n"), "programs are invited");
  must(!(await (await fetched("/sitemap.xml", "*/*")).text()).includes("inside"), "the map names what is kept");
  await page.goto(world.closed + skill);
  await page.getByLabel("Token").fill(world.entry.closed.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("You are signed in.").waitFor();
  must(new URL(page.url()).pathname === skill && (await page.content()).includes(KEPT), `who signs in is led to ${page.url()}`);
  const feed = await fetched(`${skill}/feed`, "*/*");
  must(feed.status() === 200 && (await feed.text()).includes("1.0.0"), "who is signed in gets no feed");
  await signOut(page);
  await page.goto(world.closed + skill);
  must(new URL(page.url()).pathname === "/login", "who has signed out sees on");
  await hidden();
}

/// Signs in where only those are answered who are.
export const signInInside = (page, world) => signIn(page, at(world, "closed"), "admin", "/inside/first");

export const ENTRY = { provided, forged, declined, astray, linked, opened, closed };
/// What a refused form of a flow is answered with.
export const ENTRY_REFUSED = { forged: 422, declined: 422, linked: 409 };
/// What a flow may ask, where that is not the first registry alone.
export const ENTRY_ASKS = {
  ...Object.fromEntries(["provided", "forged", "declined"].map((name) => [name, ["provider", "issuer"]])),
  astray: ["provider", "issuer", "closed"], linked: ["provider"], opened: ["closed"], closed: ["closed"],
};
/// The account at whose sign-in the provider stumbles.
export { STUMBLING };
