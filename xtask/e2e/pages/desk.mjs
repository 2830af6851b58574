// What people do with what is theirs to set: tokens, keys, orgs, the registry, mail, versions. `mark` is another word each time,
// so that what one run has made is in the way of no other.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { call, signIn, signOut, status, sure, unsubscribing } from "./steps.mjs";
import { must } from "./watch.mjs";

const run = promisify(execFile);
const main = (page) => page.getByRole("main");

export async function tokens(page, world, scripts, mark) {
  const label = `builds ${mark}`;
  await signIn(page, world, "ben", "/account/tokens");
  const form = page.getByRole("form", { name: "Make a token" });
  await form.getByLabel("What for").fill(label);
  await form.getByLabel("Bound to namespaces").fill("No Namespace!");
  await form.getByRole("button", { name: "Make it" }).click();
  await form.getByRole("alert").waitFor();
  must(await form.getByLabel("What for").inputValue() === label, "what was typed is lost");
  await form.getByLabel("Bound to namespaces").fill("acme");
  await form.getByLabel("Days until it ends").fill("3");
  await form.getByRole("button", { name: "Make it" }).click();
  const token = await page.getByRole("status").locator(".command code").textContent();
  must(await status(page, world, token) === 200, "the token that is shown is none");
  await page.goto(`${world.url}/account/tokens`);
  must(!(await page.content()).includes(token), "the token is shown again");
  const row = page.getByRole("row").filter({ hasText: label });
  must((await row.textContent()).includes("acme"), "it is not said where the token may do something");
  const revoke = () => row.getByRole("button", { name: new RegExp(`^Revoke ${label}`) }).click();
  await sure(page, revoke, "Revoke this token?", "Revoke");
  await page.getByText("The token is revoked.").waitFor();
  must((await row.textContent()).includes("revoked"), "it is not shown as revoked");
  must(await status(page, world, token) === 401, "the token works on");
}

/// A new key of this name, as people make one.
async function newKey(world, name) {
  const file = `${world.folder}/${name}`;
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file]);
  const [hidden, open] = [readFileSync(file, "utf8"), readFileSync(`${file}.pub`, "utf8")];
  return { file, hidden, open };
}

/// What the line prints that signs with a key: it works as it stands on the page.
async function signed(page, { file }) {
  const line = await main(page).locator(".command code").first().textContent();
  const { stdout } = await run("sh", ["-c", line.replace("~/.ssh/id_ed25519", file)]);
  return stdout;
}

export async function keys(page, world, scripts, mark) {
  const key = await newKey(world, `key-${mark}`);
  await signIn(page, world, "ben", "/account/keys");
  const form = page.getByRole("form", { name: "Enrol a key" });
  await form.getByLabel("Public key").fill(key.hidden);
  await form.getByRole("button", { name: "Go on" }).click();
  await form.getByRole("alert").filter({ hasText: "private key" }).waitFor();
  await form.getByLabel("Public key").fill(key.open);
  await form.getByLabel("What you call it").fill(`laptop ${mark}`);
  await form.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("heading", { name: "Show that you have the key" }).waitFor();
  const signature = page.getByLabel("What the line prints");
  await signature.fill("-----BEGIN SSH SIGNATURE-----\nnone\n-----END SSH SIGNATURE-----");
  await page.getByRole("button", { name: "Enrol the key" }).click();
  await main(page).getByRole("alert").waitFor();
  await signature.fill(await signed(page, key));
  await page.getByRole("button", { name: "Enrol the key" }).click();
  await page.getByText("The key is enrolled.").waitFor();
  const item = main(page).getByRole("listitem").filter({ hasText: `laptop ${mark}` });
  await sure(page, () => item.getByRole("button", { name: /^Revoke/ }).click(), /^Revoke the key/, "Revoke");
  await page.getByText("The key is revoked.").waitFor();
  must((await item.first().textContent()).includes("revoked"), "it is not shown as revoked");
}

/// A field that was refused: why stands beside it, and what was typed stays in it.
async function refused(page, field, typed, why) {
  await main(page).getByRole("alert").filter({ hasText: why }).waitFor();
  must(await field.getAttribute("aria-invalid") === "true", `“${why}” is said of another field`);
  const beside = await page.locator(`#${await field.getAttribute("aria-describedby")}`).textContent();
  must(beside.includes(why), `beside the field stands ${beside}`);
  must((await field.inputValue()).trim() === typed.trim(), "what was typed is lost");
}

/// A key that certifies those of an org's members: an admin of the org enrols it and revokes it, members see it, and strangers do not.
export async function authorities(page, world, scripts, mark) {
  const [org, label] = [`keyed-${mark}`, `authority ${mark}`];
  const [key, strange] = [await newKey(world, `authority-${mark}`), await newKey(world, `strange-${mark}`)];
  const [, fingerprint] = (await run("ssh-keygen", ["-l", "-f", `${key.file}.pub`])).stdout.split(" ");
  await call(page, world, "ada", "POST", "/orgs", { name: org });
  await call(page, world, "ada", "PUT", `/orgs/${org}/members/ben`, { role: "admin" });
  await signIn(page, world, "ben", `/orgs/${org}`);
  await main(page).getByRole("link", { name: "Authorities" }).click();
  const title = page.getByRole("heading", { name: `Authorities of ${org}`, exact: true });
  await title.waitFor();
  await page.getByRole("heading", { name: "There are none" }).waitFor();

  const form = page.getByRole("form", { name: "Enrol a key" });
  const [open, called] = [form.getByLabel("Public key"), form.getByLabel("What you call it")];
  const goOn = async (line) => {
    await open.fill(line);
    await called.fill(label);
    await form.getByRole("button", { name: "Go on" }).click();
  };
  const bad = `ssh-ed25519 no-base64 ${mark}`;
  await goOn(bad);
  await refused(page, open, bad, "its second word is not base64");
  must(await called.inputValue() === label, "what it is called is lost");

  // What another key has signed does not show that one has this one.
  const signature = page.getByLabel("What the line prints");
  const enrol = async (text) => {
    await signature.fill(text);
    await page.getByRole("button", { name: "Enrol the key" }).click();
  };
  const step = page.getByRole("heading", { name: "Show that you have the key" });
  await goOn(key.open);
  await step.waitFor();
  const other = await signed(page, strange);
  await enrol(other);
  await refused(page, signature, other, `and ${fingerprint} is expected`);
  await title.waitFor();
  await enrol(await signed(page, key));
  await page.getByText("The key is enrolled.").waitFor();
  await title.waitFor();
  const item = main(page).getByRole("listitem").filter({ hasText: fingerprint });
  must((await item.textContent()).includes(label), "it is not said what it is called");
  const { keys: held } = await call(page, world, "ada", "GET", `/keys?org=${org}`);
  must(held.length === 1 && held[0].fingerprint === fingerprint && !held[0].revoked_at, `the org has ${JSON.stringify(held)}`);
  await page.goto(`${world.url}/account/keys`);
  await page.getByRole("heading", { name: "Keys that you sign with" }).waitFor();
  must(!(await main(page).textContent()).includes(fingerprint), "it is a key of who has enrolled it");
  await signOut(page);

  const path = `/account/keys?org=${org}`;
  await signIn(page, world, "dan");
  must((await page.goto(world.url + path)).status() === 404, "a stranger is told of an org's keys");
  await call(page, world, "ada", "PUT", `/orgs/${org}/members/dan`, { role: "reader" });
  await page.goto(world.url + path);
  await item.waitFor();
  must((await main(page).textContent()).includes("may enrol none"), "it is not said that this token enrols nothing");
  must(await form.count() === 0 && await item.getByRole("button").count() === 0, "who only reads is offered to change something");
  await signOut(page);

  await signIn(page, world, "ben", path);
  await sure(page, () => item.getByRole("button", { name: `Revoke ${fingerprint}` }).click(), `Revoke the key ${fingerprint}?`, "Revoke");
  await page.getByText("The key is revoked.").waitFor();
  await title.waitFor();
  must(await item.getByText("revoked", { exact: true }).count() === 1, "it is not shown as revoked");
  must(await item.getByRole("button").count() === 0, "what is revoked is offered to be revoked");
  await goOn(key.open);
  await step.waitFor();
  const again = await signed(page, key);
  await enrol(again);
  await refused(page, signature, again, `${fingerprint} is enrolled, or was`);
}

export async function org(page, world, scripts, mark) {
  const name = `org-${mark}`;
  await signIn(page, world, "ada", "/account");
  const made = page.getByRole("form", { name: "Make an org" });
  for (const typed of ["acme/deep", name]) {
    await made.getByLabel("Name").fill(typed);
    await made.getByRole("button", { name: "Make the org" }).click();
    if (typed !== name) await refused(page, made.getByLabel("Name"), typed, "an org is one segment");
  }
  await page.getByText("The org is made.").waitFor();
  must(new URL(page.url()).pathname === `/orgs/${name}`, "who has made an org is not led to it");
  await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "Members" }).click();
  const give = page.getByRole("form", { name: "Give somebody a role" });
  await give.getByLabel("User").fill("nobody-at-all");
  await give.getByRole("button", { name: "Give the role" }).click();
  await give.getByRole("alert").waitFor();
  for (const user of ["ben", "dan"]) {
    await give.getByLabel("User").fill(user);
    await give.getByLabel("Role").selectOption("publisher");
    await give.getByRole("button", { name: "Give the role" }).click();
    await page.getByText("Saved.").waitFor();
    await page.goto(`${world.url}/orgs/${name}/members`);
  }
  await page.getByLabel("Role of ben", { exact: true }).selectOption("reviewer");
  await page.getByRole("button", { name: "Change the role of ben" }).click();
  await page.getByText("Saved.").waitFor();
  must(await page.getByLabel("Role of ben", { exact: true }).inputValue() === "reviewer", "the role is not kept");
  await sure(page, () => page.getByRole("button", { name: "Remove dan" }).click(), `Take the role of dan in ${name} away?`, "Take it away");
  await page.getByText("Removed.").waitFor();
  must(await page.getByLabel("Role of dan", { exact: true }).count() === 0, "who was removed stays");

  await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "Policy" }).click();
  await page.getByRole("navigation", { name: "Policy" }).getByRole("link", { name: "Groups" }).click();
  const make = page.getByRole("form", { name: "Make a group" });
  await make.getByLabel("Name").fill("security");
  await make.getByLabel("Members, one on a line").fill("nobody-at-all");
  await make.getByRole("button", { name: "Make the group" }).click();
  await make.getByRole("alert").waitFor();
  must(await make.getByLabel("Name").inputValue() === "security", "what was typed is lost");
  await make.getByLabel("Members, one on a line").fill("dan");
  await make.getByRole("button", { name: "Make the group" }).click();
  await page.getByText("Saved.").waitFor();
  const group = page.getByRole("region", { name: "security" });
  await group.getByRole("textbox").fill("dan\nada");
  await group.getByRole("button", { name: "Save the group security" }).click();
  await page.getByText("Saved.").waitFor();
  must(/ada/.test(await group.getByRole("textbox").inputValue()), "the group is not kept");
  await sure(page, () => page.getByRole("button", { name: "Remove the group security" }).click(), `Remove the group security of ${name}?`, "Remove it");
  await page.getByText("Removed.").waitFor();

  await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "Signing secret" }).click();
  const secret = `a secret of thirty-two letters ${mark}`;
  await page.getByLabel("Secret", { exact: true }).fill(secret);
  await page.getByRole("button", { name: "Register it" }).click();
  await main(page).getByText("registered", { exact: true }).waitFor();
  must(!(await page.content()).includes(secret), "the secret is shown");
  await page.getByLabel("Secret", { exact: true }).fill(`${secret}, another`);
  await page.getByLabel("In place of the one that is registered").check();
  await page.getByRole("button", { name: "Register it" }).click();
  await page.getByText("Saved.").waitFor();
  await sure(page, () => page.getByRole("button", { name: "Remove it" }).click(), `Remove the signing secret of ${name}?`, /^Remove/);
  await page.getByText("Removed.").waitFor();
  must(await main(page).getByText("registered", { exact: true }).count() === 0, "the secret stays");

  await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "Publishers" }).click();
  const trust = page.getByRole("form", { name: "Trust builds" });
  await trust.getByLabel("Kind").selectOption("github");
  await trust.getByLabel("Repository").fill(`acme/${mark}`);
  await trust.getByRole("button", { name: "Trust it" }).click();
  await trust.getByRole("alert").waitFor();
  must(await trust.getByLabel("Repository").inputValue() === `acme/${mark}`, "what was typed is lost");
  await trust.getByLabel("Number of its owner").fill("65");
  await trust.getByLabel("Workflow").fill("release.yml");
  await trust.getByRole("button", { name: "Trust it" }).click();
  const build = main(page).getByRole("listitem").filter({ hasText: `acme/${mark}` });
  await build.first().waitFor();
  await sure(page, () => build.getByRole("button", { name: /^Trust it no more/ }).click(), "Trust these builds no more?", /./);
  await page.getByText("Removed.").waitFor();
  must(await build.count() === 0, "the builds are trusted on");
  await signOut(page);

  await signIn(page, world, "ben", `/orgs/${name}/members`);
  await sure(page, () => page.getByRole("button", { name: "Leave" }).click(), `Take the role of ben in ${name} away?`, "Take it away");
  await page.getByText("Removed.").waitFor();
  must(new URL(page.url()).pathname === "/account", "who has left is led to where they may not be");
}

export async function admins(page, world, scripts, mark) {
  const name = `person-${mark}`;
  await signIn(page, world, "admin", "/admin/users");
  const make = page.getByRole("form", { name: "Make a user" });
  for (const has of ["The user is made.", undefined]) {
    await make.getByLabel("Name").fill(name);
    await make.getByRole("button", { name: "Make the user" }).click();
    await (has ? page.getByText(has) : make.getByRole("alert")).waitFor();
  }
  await page.getByLabel("Names that begin with").fill(name);
  await page.getByRole("button", { name: "Find" }).click();
  await page.waitForURL(/q=person/);
  await page.getByRole("row").filter({ hasText: name }).getByRole("link", { name: "Tokens" }).first().click();
  await page.getByLabel("What for").fill("the first");
  await page.getByRole("button", { name: "Make it" }).click();
  const token = await page.getByRole("status").locator(".command code").textContent();
  must(await status(page, world, token) === 200, "the token that is shown is none");
  const row = page.getByRole("row").filter({ has: page.getByText(name, { exact: true }) });
  const find = () => page.goto(`${world.url}/admin/users?q=${name}`);
  await sure(page, async () => { await find(); await row.getByRole("button", { name: /^Switch off/ }).click(); }, `Switch ${name} off?`, "Switch off");
  await page.getByText("Saved.").waitFor();
  must(await status(page, world, token) !== 200, "who is switched off goes on");
  await find();
  await row.getByRole("button", { name: /^Switch on/ }).click();
  await page.getByText("Saved.").waitFor();
  must(await status(page, world, token) === 200, "who is switched on again cannot go on");
  await page.goto(`${world.url}/admin/orgs`);
  const found = page.getByRole("form", { name: "Make an org" });
  for (const [owner, has] of [["nobody-at-all", undefined], [name, "The org is made."]]) {
    await found.getByLabel("Name").fill(`org-of-${name}`);
    await found.getByLabel("Owner").fill(owner);
    await found.getByRole("button", { name: "Make the org" }).click();
    await (has ? page.getByText(has) : found.getByRole("alert")).waitFor();
  }
  await page.goto(`${world.url}/orgs/org-of-${name}/members`);
  must(await page.getByRole("row").filter({ hasText: name }).filter({ hasText: "owner" }).count() === 1, "the owner is another");
}

export async function mailed(page, world, scripts, mark) {
  const [name, address] = [`mailed-${mark}`, `${mark}@example.org`];
  await call(page, world, "admin", "POST", "/users", { name });
  const made = await call(page, world, "admin", "POST", "/tokens", { label: "mail", user: name, scopes: ["read", "admin"] });
  world.tokens[name] = made.token;
  await signIn(page, world, name, "/account/notifications/settings");
  await page.getByLabel("Address", { exact: true }).fill(address);
  await page.getByRole("button", { name: "Mail me a code" }).click();
  await page.getByText("A code was mailed there.").waitFor();
  must(await main(page).getByText("not confirmed").count() > 0, "it is not said that it is to be confirmed");
  const [, code] = await world.mail.found(address, /the code is ([A-Z0-9]{10})/i);
  const field = page.getByLabel("The code that was mailed there");
  await field.fill("0000000000");
  await page.getByRole("button", { name: "Confirm" }).click();
  await main(page).getByRole("alert").waitFor();
  await field.fill(code);
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.getByText("The address is confirmed.").waitFor();
  await page.getByLabel("Ratings: mail").selectOption("immediate");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();

  // A link in a mail stops those of whom it was sent to, whoever is signed in.
  await page.goto(await unsubscribing(page, world));
  await page.getByRole("button", { name: "No more mail" }).click();
  await page.getByText("No more notifications are mailed to you").waitFor();
  const stopped = await call(page, world, "letters", "GET", "/notifications/email");
  must(stopped.unsubscribed_at, "mail is not stopped");
  await page.goto(`${world.url}/account/notifications/settings`);
  await main(page).getByText("confirmed", { exact: true }).waitFor();
  const remove = async () => {
    if (!await page.getByRole("button", { name: "Remove the address" }).isVisible()) await page.getByText("Another address").click();
    await page.getByRole("button", { name: "Remove the address" }).click();
  };
  await sure(page, remove, "Remove your address?", "Remove it");
  await page.getByText("Removed.").waitFor();
  must(!(await main(page).textContent()).includes(address), "the address stays");
}

export async function managing(page, world, scripts, mark) {
  const code = "def managed(value: str) -> str:\n    return value\n";
  const [id, glass] = [`acme/managed-${mark}`, `initech/glass-${mark}`];
  for (const one of [id, glass]) {
    await call(page, world, "ada", "POST", "/skills", { id: one, version: "1.0.0", description: "Is seen to by its owner", code });
  }
  await signIn(page, world, "ada", `/${id}`);
  for (const [visibility, answer] of [["private", 404], ["public", 200]]) {
    await page.getByLabel("Seen by").selectOption(visibility);
    await main(page).getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();
    must(await page.getByLabel("Seen by").inputValue() === visibility, "what was chosen is not kept");
    must(await status(page, world, undefined, `/skills/${id}`) === answer, `${visibility} is not what it says`);
  }
  const yank = async () => {
    await page.getByText("Yank 1.0.0").click();
    await page.getByLabel("Why").fill("It <b>shakes</b>");
    await page.getByRole("button", { name: "Yank it" }).click();
  };
  await sure(page, yank, `Yank ${id} 1.0.0?`, "Yank it");
  await page.getByText("The version is yanked.").waitFor();
  must((await main(page).textContent()).includes("It <b>shakes</b>"), "the reason is not told");
  await page.getByRole("button", { name: "Take the yank back" }).click();
  await page.getByText("The yank is taken back.").waitFor();
  must(await page.getByText("Yank 1.0.0").count() === 1, "it stays yanked");

  await page.goto(`${world.url}/${glass}/versions/1.0.0/review`);
  must(await status(page, world, undefined, `/skills/${glass}`) === 404, "what waits is handed out");
  const force = async () => {
    const form = page.getByRole("form", { name: "Release it without approvals" });
    if (!await form.isVisible()) await page.getByText("Break the glass").click();
    await form.getByLabel("Why it cannot wait").fill("The old one deletes files");
    await form.getByRole("button", { name: "Release it without approvals" }).click();
  };
  await sure(page, force, `Release ${glass} 1.0.0 without approvals?`, "Release it");
  await page.getByText("The version is released, and everybody is told how.").waitFor();
  must((await main(page).textContent()).includes("The old one deletes files"), "the reason is not told");
  must(await status(page, world, undefined, `/skills/${glass}`) === 200, "what was released is not handed out");
}

/// The button beside a command copies it, and says so; where there are no scripts, there is no button.
export async function copying(page, world, scripts) {
  await page.goto(`${world.url}/acme/shaky`);
  const commands = page.locator(".command").filter({ visible: true });
  const button = commands.first().getByRole("button");
  if (!scripts) {
    must(await button.count() === 0, "a button is shown that does nothing");
    return;
  }
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: world.url });
  const copies = async (what) => {
    await page.evaluate(() => navigator.clipboard.writeText("something else"));
    await button.click();
    await commands.first().getByText("Copied", { exact: true }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    must(copied === await commands.first().locator("code").textContent(), `${what} copies “${copied}”`);
  };
  await copies("the button");
  // An address that is neither `https://` nor this machine has no clipboard: there the button copies what it selects.
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "clipboard", { get: () => undefined }));
  await page.reload();
  await button.click();
  await commands.first().getByText("Copied", { exact: true }).waitFor();
  const other = await page.context().newPage();
  await other.goto(world.url);
  await other.bringToFront();
  const read = await other.evaluate(() => navigator.clipboard.readText());
  must(read === await commands.first().locator("code").textContent(), `without a clipboard it copies “${read}”`);
  await other.close();
}

export const DESK = { tokens, keys, authorities, org, admins, mailed, managing, copying };
/// What a refused form of a flow is answered with.
export const REFUSED = { tokens: [400], keys: [422], authorities: [404, 409, 422], org: [404, 422], admins: [404, 409, 422], mailed: [422] };
