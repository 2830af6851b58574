// What people say of skills and versions, and what becomes of it: what changed, reviews and their answers, comments, and threads
// of a review. `mark` is another word each time, so that what one run has made is in the way of no other.

import { person, picture } from "./governance.mjs";
import { call, signIn, signOut, sure } from "./steps.mjs";
import { must } from "./watch.mjs";

const main = (page) => page.getByRole("main");
/// What nobody may say anywhere, as it turns what follows it around.
const turned = (text) => `${text} \u202e around`;

/// A page says this, and all of it is there: what it must not have may stand below.
export async function noticed(page, words) {
  await page.getByText(words).waitFor();
  await page.waitForLoadState();
}

/// Another version of a skill named `…/tool`.
export function publish(page, world, who, id, version) {
  const code = `def tool(value: str) -> str:\n    return value + "${version}"\n`;
  return call(page, world, who, "POST", "/skills", { id, version, description: "Is spoken about", code });
}

/// A namespace of somebody new, with a skill in it that anybody gets.
export async function founded(page, world, name) {
  const [owner, id] = [await person(page, world, `owner-of-${name}`), `${name}/tool`];
  await call(page, world, owner, "POST", "/orgs", { name });
  await publish(page, world, owner, id, "1.0.0");
  return { owner, id };
}

/// Somebody new with a role in a namespace.
export async function member(page, world, owner, org, name, role) {
  await person(page, world, name);
  await call(page, world, owner, "PUT", `/orgs/${org}/members/${name}`, { role });
  return name;
}

/// What is refused is said why, and what was typed comes back.
async function refused(page, field, typed) {
  await main(page).getByRole("alert").filter({ hasText: "not allowed" }).waitFor();
  const back = await field.inputValue();
  must(back === typed, `of what was typed comes back “${back}”`);
}

/// Hides what an article says. A reason that turns what follows it around is refused.
async function hide(page, article, button, reason) {
  await article.getByRole("link", { name: "Hide", exact: true }).click();
  const why = article.getByLabel("Why", { exact: true });
  await why.fill(turned(reason));
  await article.getByRole("button", { name: button }).click();
  await refused(page, why, turned(reason));
  await why.fill(reason);
  await article.getByRole("button", { name: button }).click();
  await noticed(page, "It is hidden.");
}

/// What changed is said once of what is handed out, and as often as wanted of what waits.
async function whatChanged(page, world, scripts, mark) {
  const org = `changes-${mark}`;
  const { owner, id } = await founded(page, world, org);
  const publisher = await member(page, world, owner, org, `teller-${mark}`, "publisher");
  const reviewer = await member(page, world, owner, org, `listener-${mark}`, "reviewer");
  await publish(page, world, publisher, id, "1.1.0");
  const version = `/${id}/versions/1.1.0`;
  const words = `Is <b>faster</b>, ${mark}.\nAnd "smaller".`;
  const asTyped = page.getByLabel("What changed in 1.1.0");
  const said = page.getByRole("region", { name: "What changed, as its publisher or an admin says" });
  const form = page.getByText("Say what changed", { exact: true });
  const row = (version) => page.getByRole("row").filter({ has: page.getByRole("link", { name: version, exact: true }) });

  await signIn(page, world, publisher, version);
  await form.click();
  await picture(page, world, scripts, mark, "changelog-form");
  await asTyped.fill(turned(words));
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await refused(page, page.getByRole("textbox", { name: "What changed", exact: true }), turned(words));
  await page.goto(world.url + version);
  must(await said.count() === 0, "what was refused is said");
  await form.click();
  await asTyped.fill(words);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await noticed(page, "Saved.");
  must(new URL(page.url()).pathname === version, `who has said it is at ${page.url()}`);
  must(await form.count() === 0, "what is said once is asked for again");

  const isShown = async () => {
    await page.goto(world.url + version);
    must(await said.locator("p.text").textContent() === words, `it says ${await said.textContent()}`);
    must(await said.locator("b").count() === 0, "a text became elements");
    await page.goto(`${world.url}/${id}/versions`);
    must((await row("1.1.0").textContent()).includes("Is <b>faster</b>"), "the list of versions does not say it");
    must(!(await row("1.0.0").textContent()).includes("faster"), "the list says it of another version");
    await page.goto(`${world.url}${version}/diff`);
    const beside = page.getByRole("region", { name: "1.1.0, as its publisher or an admin says" });
    must(await beside.locator("p.text").textContent() === words, "what changed does not stand beside what is said of it");
  };
  await isShown();
  await page.goto(world.url + version);
  await picture(page, world, scripts, mark, "changelog-told");
  await signOut(page);
  await isShown();
  await page.goto(`${world.url}/${id}/versions/1.0.0`);
  must(await said.count() === 0 && await form.count() === 0, "it is said, or asked for, of another version");

  // Of what waits, those who see it read it, and its publisher says it otherwise.
  await call(page, world, owner, "PUT", `/orgs/${org}/policy`, { approvals: 1, role: "reviewer" });
  await publish(page, world, publisher, id, "1.2.0");
  const review = `/${id}/versions/1.2.0/review`;
  const field = page.getByRole("textbox", { name: "What changed", exact: true });
  await signIn(page, world, publisher, review);
  await form.click();
  await field.fill(turned("Is slower"));
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await refused(page, field, turned("Is slower"));
  const otherwise = page.getByText("Say otherwise what changed", { exact: true });
  for (const [open, text] of [[undefined, "Is slower"], [otherwise, "Is slower, and safer"]]) {
    await open?.click();
    must(!open || await field.inputValue() === "Is slower", "the form forgets what is said");
    await field.fill(text);
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await noticed(page, "Saved.");
    must(await said.locator("p.text").textContent() === text, `the review says ${await said.textContent()}`);
  }
  await signOut(page);
  await page.goto(`${world.url}/${id}/versions`);
  must(!(await main(page).textContent()).includes("slower"), "a stranger reads of what waits");

  await signIn(page, world, reviewer, review);
  must(await said.locator("p.text").textContent() === "Is slower, and safer", "a reviewer does not read it");
  must(await otherwise.count() === 0, "a reviewer is asked what others have changed");
  await page.getByRole("button", { name: "Approve" }).click();
  await noticed(page, "Your approval is kept.");
  await signOut(page);
  await page.goto(`${world.url}/${id}/versions`);
  must((await row("1.2.0").textContent()).includes("Is slower, and safer"), "what is handed out does not say what changed");
  await signIn(page, world, publisher, review);
  must(await otherwise.count() === 0 && await form.count() === 0, "what is handed out is said otherwise");
}

/// A review is answered, reported and hidden, and all of that is taken back.
async function reviewsAnswered(page, world, scripts, mark) {
  const org = `judged-${mark}`;
  const { owner, id } = await founded(page, world, org);
  const moderator = await member(page, world, owner, org, `judge-${mark}`, "admin");
  const [critic, witness] = [await person(page, world, `critic-${mark}`), await person(page, world, `reader-of-${mark}`)];
  const [words, mended] = [`Slow and <b>dear</b>, ${mark}`, `Mended in 1.1, ${mark}`];
  await call(page, world, critic, "POST", `/skills/${id}/rate`, { rating: 2, review: words });
  const [ratings, desk] = [`/${id}/ratings`, `/orgs/${org}/comments`];
  const review = page.getByRole("article", { name: `Review by ${critic}` });
  const has = async (text) => (await review.textContent()).includes(text);
  const stranger = async (path) => {
    await signOut(page);
    await page.goto(world.url + path);
  };

  await signIn(page, world, owner, ratings);
  const typed = review.getByLabel("Your answer");
  await review.getByRole("link", { name: "Answer", exact: true }).click();
  await typed.fill(turned(mended));
  await review.getByRole("button", { name: "Answer", exact: true }).click();
  await refused(page, typed, turned(mended));
  await typed.fill(mended);
  await review.getByRole("button", { name: "Answer", exact: true }).click();
  await noticed(page, "The review is answered.");
  must(await has(mended) && await has(owner), "the answer does not stand below the review");
  must(await review.getByRole("link", { name: "Hide" }).count() === 1, "an owner of the namespace may not hide it");

  // Who reads it reports it, and who wrote it reports the answer.
  for (const [who, link, text] of [[witness, "Report", `It names people, ${mark}`], [critic, "Report the answer", `It is none, ${mark}`]]) {
    await signOut(page);
    await signIn(page, world, who, ratings);
    must(await review.getByRole("button").count() === 0, `${who} is offered to moderate`);
    await review.getByRole("link", { name: link, exact: true }).click();
    await review.getByLabel("What is wrong with it").selectOption("abuse");
    await review.getByLabel("More about it").fill(text);
    await review.getByRole("button", { name: "Report", exact: true }).click();
    await noticed(page, "It is reported.");
  }
  must(await review.getByRole("link", { name: "Report", exact: true }).count() === 0, "one is offered to report oneself");
  await signOut(page);

  await signIn(page, world, moderator, desk);
  const report = page.getByRole("article").filter({ hasText: words });
  must((await report.textContent()).includes(`It names people, ${mark}`), "it is not said what is wrong with it");
  must(!(await main(page).textContent()).includes(`It is none, ${mark}`), "a namespace decides about what its members wrote");
  await report.getByRole("link", { name: id }).click();
  await page.waitForURL(/\/ratings\?user=/);
  await hide(page, review, "Hide the text", "It names people");
  must(await has(words) && await has("Hidden: It names people"), "a moderator does not see what was hidden, and why");
  must(await review.getByRole("link", { name: "Hide", exact: true }).count() === 0, "what is hidden is offered to be hidden");
  await picture(page, world, scripts, mark, "review-hidden");
  await stranger(ratings);
  must(await has("A moderator has hidden the text. The stars count."), "it is not said that something is hidden");
  must(!await has(words) && !await has(mended) && !await has("It names people"), "anybody reads what is hidden");
  must((await page.getByRole("complementary", { name: "Rating" }).textContent()).includes("1 rating"), "stars go with the text");
  await signIn(page, world, critic, ratings);
  must(await has(words) && await has("Hidden: It names people"), "who wrote it is not told why it is hidden");
  must(await review.getByRole("button", { name: "Show again" }).count() === 0, "who wrote it may show it again");
  await signOut(page);

  await signIn(page, world, moderator, ratings);
  await review.getByRole("button", { name: "Show again" }).click();
  await noticed(page, "It is shown again.");
  must(!await has("Hidden:") && await review.getByRole("button", { name: "Show again" }).count() === 0, "it is hidden still");
  await page.goto(world.url + desk);
  await report.getByLabel("What was done").fill("It names nobody");
  await report.getByRole("button", { name: "Resolve" }).click();
  await noticed(page, "The report is resolved.");
  must(await report.count() === 0, "what is resolved is open still");
  await stranger(ratings);
  must(await has(words) && await has(mended), "what is shown again is seen by nobody");

  await signIn(page, world, owner, ratings);
  await review.getByRole("button", { name: "Take the answer back" }).click();
  await noticed(page, "The answer is taken back.");
  must(!await has(mended) && await has(words), "the answer stays, or the review goes with it");
  must(await review.getByRole("button", { name: "Take the answer back" }).count() === 0, "what is taken back is offered to be");
  must(await review.getByRole("link", { name: "Answer", exact: true }).count() === 1, "it is not answered again");
  await stranger(ratings);
  must(!await has(mended), "anybody reads the answer still");
  // What a member wrote is decided about by admins of the registry.
  await signIn(page, world, "admin", "/admin/reports");
  const other = page.getByRole("article").filter({ hasText: `It is none, ${mark}` });
  await other.getByLabel("What was done").fill("It was taken back");
  await other.getByRole("button", { name: "Resolve" }).click();
  await noticed(page, "The report is resolved.");
  must(await other.count() === 0, "what is resolved is open still at the registry");
}

/// A comment is hidden, found among what is hidden, and shown again.
async function commentsHidden(page, world, scripts, mark) {
  const org = `hushed-${mark}`;
  const { owner, id } = await founded(page, world, org);
  const moderator = await member(page, world, owner, org, `hush-${mark}`, "admin");
  const speaker = await person(page, world, `speaker-${mark}`);
  const [comments, words] = [`/${id}/comments`, `Buy here, ${mark}`];
  await call(page, world, speaker, "POST", `/skills/${id}/comments`, { text: words });
  const comment = page.getByRole("article", { name: `Comment by ${speaker}` });

  await signIn(page, world, speaker, comments);
  must(await comment.getByRole("link", { name: "Hide" }).count() === 0, "who wrote it is offered to hide it");
  must((await page.goto(`${world.url}${comments}?hidden=true`)).status() === 403, "anybody looks at what is hidden");
  await page.goto(world.url);
  await signOut(page);
  await signIn(page, world, moderator, comments);
  await hide(page, comment, "Hide it", "advertising");
  await page.goto(world.url + comments);
  await page.getByRole("complementary", { name: "Comment" }).getByRole("link", { name: "Hidden or taken back" }).click();
  await page.waitForURL(/hidden=true/);
  must((await comment.textContent()).includes("Hidden: advertising"), "it is not said why it is hidden");
  await picture(page, world, scripts, mark, "comments-hidden");
  await signOut(page);
  await page.goto(world.url + comments);
  must(!(await main(page).textContent()).includes(words), "anybody reads what is hidden");
  await signIn(page, world, speaker, comments);
  must((await comment.textContent()).includes("Hidden: advertising"), "who wrote it is not told why it is hidden");
  must(await comment.getByRole("button", { name: "Show again" }).count() === 0, "who wrote it may show it again");
  await signOut(page);

  await signIn(page, world, moderator, `${comments}?hidden=true`);
  await comment.getByRole("button", { name: "Show again" }).click();
  await noticed(page, "It is shown again.");
  must(!(await comment.textContent()).includes("Hidden:"), "it is hidden still");
  await page.goto(`${world.url}${comments}?hidden=true`);
  await page.getByRole("heading", { name: "There is nothing" }).waitFor();
  await signOut(page);
  await page.goto(world.url + comments);
  must((await comment.textContent()).includes(words), "what is shown again is seen by nobody");
}

/// What is said in a review is changed, resolved, opened again and taken away, on the page of its thread.
async function threadsChanged(page, world, scripts, mark) {
  const org = `threads-${mark}`;
  const { owner, id } = await founded(page, world, org);
  const reviewer = await member(page, world, owner, org, `asker-${mark}`, "reviewer");
  await call(page, world, owner, "PUT", `/orgs/${org}/policy`, { approvals: 1, role: "reviewer" });
  await publish(page, world, owner, id, "1.1.0");
  const review = `/${id}/versions/1.1.0/review`;
  const thread = page.getByRole("group", { name: "Thread" });
  const said = thread.getByRole("article");

  await signIn(page, world, reviewer, review);
  await page.getByText("Say something about the version", { exact: true }).click();
  await page.getByLabel("What you want to say").fill("Why is it so?");
  await page.getByRole("button", { name: "Say it" }).click();
  await noticed(page, "It is said.");
  await thread.getByRole("link", { name: "Thread", exact: true }).click();
  await page.waitForURL(/\/review\?thread=/);
  const address = page.url();
  const field = page.getByLabel("What it says", { exact: true });
  await page.getByText("Change", { exact: true }).click();
  must(await field.inputValue() === "Why is it so?", "the form forgets what was said");
  await field.fill(turned("Why is it not so?"));
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await refused(page, field, turned("Why is it not so?"));
  await field.fill("Why is it not so?");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await noticed(page, "Saved.");
  must(page.url().startsWith(address), `who has changed it is at ${page.url()}`);
  must(await said.locator("> p.text").textContent() === "Why is it not so?", "it says what it said before");
  await page.getByText("Changed 1 time", { exact: true }).click();
  must(await said.getByText("Why is it so?", { exact: true }).isVisible(), "what it said before is not kept");
  await picture(page, world, scripts, mark, "thread");

  // Where it is resolved it is opened again: on its own page, and on that of the review.
  const isOpen = async (path, word) => {
    await page.goto(path);
    await page.getByText(word, { exact: true }).first().waitFor();
  };
  for (const path of [address, world.url + review]) {
    await page.goto(path);
    await page.getByRole("button", { name: "Resolve", exact: true }).click();
    await noticed(page, "The thread is resolved.");
    await isOpen(world.url + review, "no thread is open");
    must((await thread.textContent()).includes(`resolved by ${reviewer}`), "it is not said who has resolved it");
    await page.goto(path);
    must(await page.getByRole("button", { name: "Resolve", exact: true }).count() === 0, "what is resolved is offered to be");
    await page.getByRole("button", { name: "Open again" }).click();
    await noticed(page, "The thread is open again.");
    await isOpen(world.url + review, "1 thread is open");
  }
  await signOut(page);

  await signIn(page, world, owner, new URL(address).pathname + new URL(address).search);
  must(await page.getByText("Change", { exact: true }).count() === 0, "one changes what others have said");
  await page.getByRole("form", { name: "Answer" }).getByLabel("Your answer").fill("As it is wanted.");
  await page.getByRole("form", { name: "Answer" }).getByRole("button", { name: "Answer" }).click();
  await noticed(page, "It is said.");
  must(await said.count() === 2, "the answer stands elsewhere");
  await signOut(page);

  await signIn(page, world, reviewer, review);
  const away = async () => {
    await page.goto(address);
    await said.first().getByRole("button", { name: "Take away" }).click();
  };
  await sure(page, away, "Take this comment away?", "Take it away");
  await noticed(page, "Removed.");
  must((await thread.textContent()).includes("It was taken away."), "it is not said that something was taken away");
  must((await thread.textContent()).includes("As it is wanted."), "what was answered went with it");
  must(!(await page.content()).includes("Why is it"), "what was taken away is shown");
  await page.goto(address);
  must(!(await page.content()).includes("Why is it"), "what was taken away is shown on the page of its thread");
}

export const MODERATION = { whatChanged, reviewsAnswered, commentsHidden, threadsChanged };
/// What a refused form or a hidden page of a flow is answered with.
export const MODERATION_REFUSED = { whatChanged: 422, reviewsAnswered: 422, commentsHidden: [403, 422], threadsChanged: 422 };
