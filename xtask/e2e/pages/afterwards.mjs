// What is seen to afterwards: what was released without approvals, and a version that is said to do harm. `mark` is another word each
// time, so that what one run has made is in the way of no other.

import { forge, person, picture } from "./governance.mjs";
import { call, reloaded, signIn, signOut, status, sure } from "./steps.mjs";
import { must } from "./watch.mjs";

const main = (page) => page.getByRole("main");

/// Somebody is told of it, sooner or later. Nothing is left on its way that would be in the way of what counts notifications.
async function told(page, world, who, line) {
  await signIn(page, world, who, "/account/notifications");
  await reloaded(page, main(page).getByRole("link", { name: line }));
  await signOut(page);
}

/// What an owner has released without approvals is found by a reviewer in what is due, approved there, and due no more.
async function lookedAtAgain(page, world, scripts, mark) {
  const [org, id] = [`late-${mark}`, `late-${mark}/tool`];
  const reviewer = await person(page, world, `looker-${mark}`);
  await call(page, world, "ada", "POST", "/orgs", { name: org });
  await call(page, world, "ada", "PUT", `/orgs/${org}/members/${reviewer}`, { role: "reviewer" });
  await call(page, world, "ada", "PUT", `/orgs/${org}/policy`, { approvals: 1, role: "reviewer" });
  const code = "def tool(value: str) -> str:\n    return value.strip()\n";
  await call(page, world, "ada", "POST", "/skills", { id, version: "1.0.0", description: "Could not wait", code });
  must(await status(page, world, undefined, `/skills/${id}`) === 404, "what waits is handed out");
  await call(page, world, "ada", "POST", `/skills/${id}/versions/1.0.0/break-glass`, { reason: "The old one deletes files" });
  must(await status(page, world, undefined, `/skills/${id}`) === 200, "what was released is not handed out");
  const [version, review] = [`/${id}/versions/1.0.0`, `/${id}/versions/1.0.0/review`];
  const isWarned = async () => {
    await page.goto(world.url + version);
    return (await main(page).textContent()).includes("1.0.0 was released by an owner, without the approvals that it waited for.");
  };
  must(await isWarned(), "nobody is told how it was released");

  // Who has published and released it does not approve it as well.
  await signIn(page, world, "ada", review);
  await page.getByRole("heading", { name: "1.0.0 is handed out, released without approvals", exact: true }).waitFor();
  must((await main(page).textContent()).includes("You published it, so others have to approve it."), "it is not said who approves it");
  must(await page.getByRole("button", { name: "Approve" }).count() === 0, "a publisher is offered to approve");
  await signOut(page);

  await signIn(page, world, reviewer, "/account/approvals");
  await page.getByRole("navigation", { name: "Lists" }).getByRole("link", { name: /^Due/ }).click();
  await page.waitForURL(/show=due/);
  const due = main(page).getByRole("listitem").filter({ hasText: `${id} 1.0.0` }).first();
  must((await due.textContent()).includes("ada released it without the approvals that it waited for: The old one deletes files"), "it is not said who released it, and why");
  await picture(page, world, scripts, mark, "due");
  await due.getByRole("link", { name: `${id} 1.0.0` }).click();
  await page.waitForURL(/\/review$/);
  must(await page.getByRole("button", { name: "Reject" }).count() === 0, "what is handed out is offered to be rejected");
  await page.getByLabel("Why", { exact: true }).fill("I have read it now");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByText("Your approval is kept.").waitFor();
  await page.getByRole("heading", { name: "1.0.0 is handed out", exact: true }).waitFor();
  must(await page.getByRole("button", { name: "Approve" }).count() === 0, "what is due no more is offered to be approved");
  const happened = await page.getByRole("complementary", { name: "Where it stands" }).textContent();
  must(happened.includes("completed another look at it") && happened.includes("I have read it now"), "it is not said who has looked at it");
  await page.goto(`${world.url}/account/approvals?show=due`);
  await page.getByRole("heading", { name: "Nothing is due" }).waitFor();
  const { pending } = await call(page, world, reviewer, "GET", "/approvals?due=true");
  must(pending.length === 0, `${pending.length} versions are due still`);
  await signOut(page);
  must(!await isWarned(), "everybody is warned of it still");
  await told(page, world, "ada", `${id} 1.0.0 was reviewed again`);
}

/// From a report an admin of the registry comes to where a version is quarantined, does so, and takes it back.
async function quarantining(page, world, scripts, mark) {
  const id = `acme/harm-${mark}`;
  for (const version of ["1.0.0", "1.1.0"]) {
    const code = `def harm(value: str) -> str:\n    return "${version}"\n`;
    await call(page, world, "ada", "POST", "/skills", { id, version, description: "Is said to do harm", code });
  }
  const witness = await person(page, world, `witness-${mark}`);
  await call(page, world, witness, "POST", "/reports", { skill: id, reason: "malicious", text: "It reads keys" });
  const version = `/${id}/versions/1.1.0`;
  const handedOut = () => status(page, world, undefined, `/skills/${id}/download?version=1.1.0`);
  must(await handedOut() === 200, "it is not handed out before");

  await signIn(page, world, "admin", "/admin/reports");
  const article = page.getByRole("article").filter({ hasText: id });
  await article.getByRole("link", { name: "Quarantine a version" }).click();
  await page.waitForURL(`${world.url}${version}#manage`);
  const reason = page.getByLabel("Why it is quarantined");
  const send = () => page.getByRole("button", { name: "Quarantine it" }).click();
  await page.getByText("Quarantine 1.1.0").click();
  await picture(page, world, scripts, mark, "quarantine-form");
  // What a browser asks for before it sends the form, the registry asks for as well, and gives back what was typed.
  await reason.evaluate((input) => { input.required = false; });
  await send();
  await main(page).getByRole("alert").filter({ hasText: "say why it is quarantined" }).waitFor();
  const typed = "It reads \u202e keys";
  await reason.fill(typed);
  await send();
  await main(page).getByRole("alert").filter({ hasText: "is not allowed" }).waitFor();
  must(await reason.inputValue() === typed, "what was typed is lost");
  must(await handedOut() === 200, "what was refused is done");
  const quarantine = async () => {
    await page.goto(world.url + version);
    await page.getByText("Quarantine 1.1.0").click();
    await reason.fill("It <b>reads</b> keys");
    await send();
  };
  await sure(page, quarantine, `Quarantine ${id} 1.1.0?`, "Quarantine it");
  await page.getByText("The version is quarantined. Nobody gets it.").waitFor();
  must((await main(page).textContent()).includes("1.1.0 is quarantined: It <b>reads</b> keys."), "the reason is not told");
  must(await page.getByText("Quarantine 1.1.0").count() === 0, "what is quarantined is offered to be quarantined");
  must(await handedOut() === 403, "what is quarantined is handed out");
  await picture(page, world, scripts, mark, "quarantined");
  await signOut(page);

  // The owner of the namespace, and who has reported it, read why, and release nothing.
  for (const who of ["ada", witness]) {
    await signIn(page, world, who, version);
    must((await main(page).textContent()).includes("1.1.0 is quarantined: It <b>reads</b> keys."), `${who} is not told why`);
    must(await page.getByRole("button", { name: "Release it" }).count() === 0, `${who} is offered to release it`);
    await forge(page, `${version}/quarantine`, { action: "release", confirm: "yes" });
    must((await main(page).textContent()).includes("admin"), `${who} is not told who may`);
    must(await handedOut() === 403, `${who} has released it`);
    await page.goto(world.url);
    await signOut(page);
  }
  await told(page, world, "ada", `${id} 1.1.0 was quarantined`);

  await signIn(page, world, "admin", version);
  const release = () => page.getByRole("button", { name: "Release it from quarantine" }).click();
  await sure(page, release, `Release ${id} 1.1.0 from quarantine?`, "Release it");
  await page.getByText("The quarantine is taken back.").waitFor();
  must(await page.getByText("Quarantine 1.1.0").count() === 1, "it stays quarantined");
  must(await handedOut() === 200, "what was released is not handed out");
  await page.goto(`${world.url}/admin/reports`);
  await article.getByLabel("What was done").fill("It reads no keys");
  await article.getByRole("button", { name: "Resolve" }).click();
  await page.getByText("The report is resolved.").waitFor();
  await signOut(page);
  await told(page, world, "ada", `the quarantine of ${id} 1.1.0 was taken back`);
}

export const AFTERWARDS = { lookedAtAgain, quarantining };
/// What a refused form of a flow is answered with.
export const AFTERWARDS_REFUSED = { quarantining: [403, 422] };
