// Every page. Whoever adds one adds a row: it is then looked at in light and dark, wide and narrow, with a keyboard, and
// judged by axe; it may weigh so much and ask nobody else for anything.
//
// `as` is who looks (nobody, if it is left out), `status` what it is answered with, `has` a text that must be there. Texts of
// authors are not judged where they are `hostile`. `before` does something on the page first: what that leads to is looked at.
// `scripts` says that there is no such thing without them. `at` is another registry: `empty` has nothing in it, `provider` has a
// provider of identities, `closed` answers signed-in callers only; `asks` is what else may be asked for something.

import { answer, leave, linkForm, signInInside, STUMBLING, tooLate, usedLink } from "./entry.mjs";
import { call, unsubscribing } from "./steps.mjs";

const press = (page, name, within = page.getByRole("main")) => within.getByRole("button", { name }).first().click();
const type = (page, label, text) => page.getByRole("main").getByLabel(label, { exact: true }).first().fill(text);
const PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvOE8RsIidInfsEHM8hAvZafXHMjoca/7wB00zPE51g";
let turn = 0;

export const PAGES = [
  { name: "home", path: "/", has: "Skills for agents" },
  { name: "search", path: "/search", has: "All skills" },
  { name: "search-filtered", path: "/search?q=tool&tags=pdf&sort=name&min_rating=3", has: "remove" },
  { name: "search-publisher", path: "/search?publisher=ada", has: "published by ada" },
  { name: "search-nothing", path: "/search?q=zzzzzz", has: "Nothing was found" },
  { name: "search-deep", path: "/search?offset=40", has: "Previous" },
  { name: "trending", path: "/trending", has: "What was installed most" },
  { name: "trending-authors", path: "/trending/authors?period=all", has: "each signed-in person once" },
  { name: "trending-authors-signed-in", path: "/trending/authors", as: "ada", has: "Leave me out" },
  { name: "trending-teams", path: "/trending/teams", has: "each signed-in person once" },
  { name: "tags", path: "/tags", has: "with how many skills have each" },
  { name: "tag", path: "/tags/pdf", has: "Skills that are tagged" },
  { name: "tag-none", path: "/tags/zzzzzz", status: 404, has: "All skills" },
  { name: "user", path: "/users/ada", has: "has published" },
  { name: "namespace", path: "/acme", has: "Skills in the namespace acme" },
  { name: "namespace-below", path: "/acme/docs", has: "Skills in the namespace acme/docs" },
  { name: "namespace-unseen", path: "/zzzzzz", status: 404, has: "All skills" },
  { name: "skill", path: "/acme/tool-00", has: "Install" },
  { name: "skill-admin", path: "/acme/tool-07", as: "admin", has: "Quarantine 1.0.0" },
  { name: "skill-folder", path: "/acme/docs/reports", has: "Steps" },
  { name: "skill-private", path: "/acme/vault", as: "ben", has: "private" },
  { name: "skill-unseen", path: "/acme/vault", status: 404, has: "no such skill" },
  { name: "skill-hostile", path: "/acme/hostile", has: "hostile", hostile: true },
  { name: "versions", path: "/acme/shaky/versions", has: "it shakes too much" },
  { name: "versions-many", path: "/acme/tool-00/versions?limit=10", has: "Next" },
  { name: "versions-reviewer", path: "/initech/reviewed/versions", as: "ben", has: "pending" },
  { name: "version", path: "/acme/tool-00/versions/1.3.0", has: "1.3.0" },
  { name: "version-yanked", path: "/acme/shaky/versions/1.0.1", has: "was yanked" },
  { name: "version-quarantined", path: "/acme/shaky/versions/1.0.2", has: "quarantined" },
  { name: "version-quarantined-admin", path: "/acme/shaky/versions/1.0.2", as: "admin", has: "Release it from quarantine" },
  { name: "version-rejected", path: "/initech/reviewed/versions/1.2.0", as: "ben", has: "was rejected" },
  { name: "version-pending", path: "/initech/reviewed/versions/1.3.0", as: "ben", has: "1.3.0" },
  { name: "diff", path: "/initech/reviewed/versions/1.1.0/diff", has: "What changed" },
  { name: "diff-all", path: "/acme/press/versions/1.0.0/diff", has: "nothing</option>" },
  { name: "diff-hostile", path: "/acme/hostile/versions/1.0.0/diff?from=0.9.0", has: "files changed" },
  { name: "diff-waits", path: "/initech/reviewed/versions/1.3.0/diff", as: "ben", has: "(pending)" },
  { name: "diff-unseen", path: "/initech/reviewed/versions/1.3.0/diff", status: 404, has: "no such version" },
  { name: "installs", path: "/acme/shaky/versions/1.0.1/installs", as: "ada", has: "Who downloaded" },
  { name: "installs-stranger", path: "/acme/shaky/versions/1.0.1/installs", as: "dan", status: 403, has: "admin" },
  { name: "findings", path: "/acme/docs/reports/versions/1.0.0/findings", has: "Rule" },
  { name: "findings-hostile", path: "/acme/hostile/versions/1.0.0/findings", has: "looked at" },
  { name: "findings-none", path: "/acme/press/versions/1.0.0/findings", has: "looked at" },
  { name: "review", path: "/initech/reviewed/versions/1.3.0/review", as: "ben", has: "Your decision" },
  { name: "review-line", path: "/initech/reviewed/versions/1.3.0/review?at=new:3:references/guide.md", as: "ben", has: "Say it" },
  { name: "review-publisher", path: "/initech/reviewed/versions/1.3.0/review", as: "ada", has: "others have to approve it" },
  { name: "review-rejected", path: "/initech/reviewed/versions/1.2.0/review", as: "ben", has: "handed out to nobody" },
  { name: "review-hostile", path: "/acme/hostile/versions/1.0.0/review?from=none", as: "ben", has: "is handed out" },
  { name: "review-unseen", path: "/initech/reviewed/versions/1.3.0/review", as: "dan", status: 404, has: "no such version" },
  { name: "dependencies", path: "/acme/press/dependencies", has: "nothing that you see here" },
  { name: "dependencies-none", path: "/acme/shaky/dependencies", has: "No skill that you see needs it" },
  { name: "usage", path: "/acme/tool-00/usage", has: "What can be looked at counts" },
  { name: "usage-weeks", path: "/acme/tool-00/usage?by=week", has: "26 weeks" },
  { name: "usage-version", path: "/acme/tool-00/usage?version=1.3.0", has: "Only version 1.3.0" },
  { name: "usage-program", path: "/acme/tool-00/usage?by=week&program=skillery", has: "installed with skillery" },
  { name: "usage-names", path: "/acme/shaky/usage", as: "ada", has: "You see names as an admin" },
  { name: "usage-nothing", path: "/acme/tool-05/usage", has: "There is nothing to draw yet" },
  { name: "usage-hostile", path: "/acme/hostile/usage", as: "ada", has: "hostile", hostile: true },
  { name: "usage-unseen", path: "/acme/vault/usage", status: 404, has: "no such skill" },
  { name: "usage-namespace", path: "/orgs/acme/usage", as: "ada", has: "The most installed" },
  { name: "usage-namespace-months", path: "/orgs/acme/usage?by=month", as: "ben", has: "24 months" },
  { name: "log", path: "/acme/shaky/log", has: "was yanked" },
  { name: "files", path: "/acme/shaky/versions/1.0.0/files", has: "SKILL.md" },
  { name: "file", path: "/acme/shaky/versions/1.0.0/files/SKILL.md", has: "Raw" },
  { name: "file-code", path: "/acme/shaky/versions/1.0.0/files/scripts/run.py", has: "print" },
  { name: "ratings", path: "/acme/tool-00/ratings", has: "I use it every day" },
  { name: "ratings-signed-in", path: "/acme/tool-00/ratings", as: "ben", has: "Take it back" },
  { name: "ratings-none", path: "/acme/docs/reports/ratings", has: "Nobody has rated it yet" },
  { name: "account", path: "/account", as: "ada", has: "ada" },
  { name: "tokens", path: "/account/tokens", as: "dan", has: "spare 39" },
  { name: "keys", path: "/account/keys", as: "ada", has: "key" },
  { name: "org", path: "/orgs/acme", as: "ada", has: "acme" },
  { name: "members", path: "/orgs/acme/members", as: "ada", has: "ben" },
  { name: "publishers", path: "/orgs/acme/publishers", as: "ada", has: "builds" },
  { name: "signing-secret", path: "/orgs/acme/signing-secret", as: "ada", has: "secret" },
  { name: "admin", path: "/admin", as: "admin", has: "ready" },
  { name: "admin-users", path: "/admin/users", as: "admin", has: "cleo" },
  { name: "admin-orgs", path: "/admin/orgs", as: "admin", has: "initech" },
  { name: "admin-limits", path: "/admin/limits", as: "admin", has: "body_bytes" },
  { name: "admin-jobs", path: "/admin/jobs", as: "admin", has: '>failing</span> <span class="small break">siem</span>' },
  { name: "admin-log", path: "/admin/log", as: "admin", has: "token.issued" },
  { name: "admin-reports", path: "/admin/reports", as: "admin", has: "Open" },
  { name: "admin-refused", path: "/admin", as: "ada", status: 403, has: "admin" },
  { name: "ratings-author", path: "/acme/tool-00/ratings?user=ben&form=answer", as: "ada", has: "Your answer" },
  { name: "ratings-hostile", path: "/acme/hostile/ratings", as: "ada", has: "Change the answer", hostile: true },
  { name: "comments", path: "/acme/tool-00/comments", has: "Sign in" },
  { name: "comments-signed-in", path: "/acme/tool-00/comments", as: "dan", has: "Say something" },
  { name: "report-skill", path: "/acme/tool-00/comments?form=report-skill", as: "dan", has: "It harms who installs it" },
  { name: "comments-moderator", path: "/acme/tool-00/comments", as: "ada", has: "Hidden or taken back" },
  { name: "comments-hidden", path: "/acme/tool-00/comments?hidden=true", as: "ada", has: "Buy likes" },
  { name: "comments-none", path: "/acme/docs/reports/comments", has: "Nobody has said anything yet" },
  { name: "comments-hostile", path: "/acme/hostile/comments", as: "ada", has: "ben", hostile: true },
  { name: "reports-namespace", path: "/orgs/acme/comments", as: "ada", has: "Resolve" },
  { name: "notifications", path: "/account/notifications", as: "ada", has: "Mark all as read" },
  { name: "notifications-kind", path: "/account/notifications?kind=webhook-disabled", as: "ada", has: "There are none of these" },
  { name: "telling", path: "/account/notifications/settings", as: "ada", has: "Waits for you" },
  { name: "telling-reader", path: "/account/notifications/settings", as: "dan", has: "may not see to it" },
  { name: "webhooks", path: "/account/webhooks", as: "ada", has: "Add a webhook" },
  { name: "webhook", path: "/account/webhooks/{webhook}", as: "ben", has: "Send a test" },
  { name: "webhook-namespace", path: "/orgs/acme/docs/webhooks/{webhook}", as: "ada", has: "Send a test" },
  { name: "webhooks-namespace", path: "/orgs/acme/docs/webhooks", as: "ada", has: "Add a webhook" },
  { name: "webhooks-stranger", path: "/orgs/acme/webhooks", as: "dan", status: 404, has: "no such org" },
  { name: "audit-namespace", path: "/orgs/acme/audit", as: "ada", has: "version.published" },
  { name: "audit-namespace-report", path: "/orgs/acme/audit?show=report", as: "ada", has: "Released after approval" },
  { name: "audit", path: "/admin/audit", as: "admin", has: "From where" },
  { name: "audit-denied", path: "/admin/audit?outcome=denied&actor=nobody", as: "admin", has: "Nothing was found" },
  { name: "audit-report", path: "/admin/audit?show=report&days=7", as: "admin", has: "By whom" },
  { name: "approvals", path: "/account/approvals", as: "ben", has: "Wait for me" },
  { name: "approvals-decided", path: "/account/approvals?show=decided", as: "ben", has: "you approved it" },
  { name: "approvals-due", path: "/account/approvals?show=due", as: "ben", has: "initech/forced" },
  { name: "approvals-due-none", path: "/account/approvals?show=due", as: "dan", has: "Nothing is due" },
  { name: "approvals-none", path: "/account/approvals", as: "dan", has: "Nothing waits for you" },
  { name: "policy", path: "/orgs/initech/policy", as: "ada", has: "Save the policy" },
  { name: "policy-stages", path: "/orgs/staged/policy", as: "ada", has: "Stage 2" },
  { name: "policy-none", path: "/orgs/acme/policy", as: "ada", has: "Nothing is demanded" },
  { name: "policy-reader", path: "/orgs/initech/policy", as: "ben", has: "1 reviewer or above" },
  { name: "policy-history", path: "/orgs/initech/policy/history", as: "ada", has: "of the policy" },
  { name: "groups", path: "/orgs/staged/policy/groups", as: "ada", has: "the policy asks for it" },
  { name: "groups-none", path: "/orgs/acme/policy/groups", as: "ada", has: "There is no group here" },
  { name: "login", path: "/login", has: "skillery open" },
  { name: "not-found", path: "/acme/nothing-there", status: 404, has: "no such skill" },
  { name: "docs", path: "/docs", has: "Bodies of requests" },
  { name: "docs-group", path: "/docs?show=skills", has: "Problems:" },
  { name: "docs-bodies", path: "/docs?show=bodies", has: "RateRequest" },
  { name: "docs-body", path: "/docs?show=ProblemCode", has: "invalid-json" },
  { name: "docs-errors", path: "/docs/errors", has: "invalid-json" },

  { name: "home-empty", at: "empty", path: "/", has: "no skills here yet" },
  { name: "search-empty", at: "empty", path: "/search", has: "Nothing was found" },
  { name: "suggestions", path: "/", scripts: true, has: 'aria-expanded="true"', before: async (page) => {
    await page.getByRole("combobox").first().pressSequentially("tool");
    await page.getByRole("option").first().waitFor();
  } },
  { name: "review-line-form", path: "/initech/reviewed/versions/1.3.0/review", as: "ben", scripts: true, has: "talk new", before: (page) =>
    page.locator(".diff td.line a").first().click() },
  { name: "token-asked", path: "/account/tokens", as: "ada", has: "Revoke this token?", before: (page) => press(page, /^Revoke/) },
  { name: "token-refused", path: "/account/tokens", as: "ada", status: 400, has: 'role="alert"', before: async (page) => {
    await type(page, "Bound to namespaces", "No Namespace!");
    await press(page, "Make it");
  } },
  { name: "token-made", path: "/account/tokens", as: "ben", has: "It is shown this once", before: async (page) => {
    await type(page, "What for", "a picture");
    await press(page, "Make it");
  } },
  { name: "org-refused", path: "/account", as: "ada", status: 422, has: 'role="alert"', before: async (page) => {
    await type(page, "Name", "acme/deep");
    await press(page, "Make the org");
  } },
  { name: "key-shown", path: "/account/keys", as: "ada", has: "Show that you have the key", before: async (page) => {
    await type(page, "Public key", PUBLIC_KEY);
    await press(page, "Go on");
  } },
  { name: "key-refused", path: "/account/keys", as: "ada", status: 422, has: 'role="alert"', before: async (page) => {
    await type(page, "Public key", "ssh-ed25519 nonsense");
    await press(page, "Go on");
  } },
  { name: "webhook-made", path: "/account/webhooks", as: "ben", has: "whsec_", before: async (page) => {
    await type(page, "Where to", "https://hooks.invalid/shown");
    await press(page, "Add it");
  } },
  { name: "webhook-refused", path: "/account/webhooks", as: "ben", status: 422, has: "private network", before: async (page) => {
    await type(page, "Where to", "https://10.0.0.1/hook");
    await press(page, "Add it");
  } },
  { name: "webhook-asked", path: "/account/webhooks/{webhook}", as: "ben", has: "Remove the webhook", before: (page) => press(page, "Remove") },
  { name: "login-refused", path: "/login", status: 422, has: 'role="alert"', before: async (page) => {
    await type(page, "Token", "sky_pat_nonsense");
    await press(page, "Sign in");
  } },
  { name: "login-link", path: "/login", has: "signs you in as", before: async (page, world) =>
    void await page.goto((await call(page, world, "dan", "POST", "/login-links")).url) },
  { name: "login-link-used", path: "/login", has: "This link was used before", before: usedLink },
  { name: "login-link-late", path: "/login", status: 422, has: "This link was used before", before: tooLate },
  { name: "login-provider", at: "provider", path: "/login?next=%2Fsearch", has: "Sign in with Example ID" },
  { name: "login-provider-refused", at: "provider", asks: "issuer", path: "/login", status: 422, has: "access_denied", before: async (page, world) => {
    await leave(page, world);
    await answer(page, "somebody", "Refuse");
  } },
  { name: "login-provider-unknown", at: "provider", asks: "issuer", path: "/login", status: 422, has: "nobody here is linked with", before: async (page, world) => {
    await leave(page, world);
    await answer(page, "somebody");
  } },
  { name: "login-provider-forged", at: "provider", path: "/login", status: 422, has: "was not begun in this browser", before: async (page, world) =>
    void await page.goto(`${world.provider}/login/oidc/callback?code=forged&state=forged`) },
  { name: "login-provider-stumbles", at: "provider", asks: "issuer", path: "/login", status: 503, has: "does not answer as it should", before: async (page, world) => {
    await leave(page, world);
    await answer(page, STUMBLING);
  } },
  { name: "admin-users-link", at: "provider", path: "/login", has: "Subject of admin at the provider", before: linkForm },
  { name: "login-provider-none", path: "/login/oidc", status: 404, has: "<h1" },
  { name: "closed-home", at: "closed", path: "/", has: 'name="next" value="/"' },
  { name: "closed-skill", at: "closed", path: "/inside/first", has: 'name="next" value="/inside/first"' },
  { name: "closed-feed", at: "closed", path: "/inside/first/feed", has: 'name="next" value="/inside/first/feed"' },
  { name: "closed-signed-in", at: "closed", path: "/login", has: "Is kept among ourselves", before: signInInside },
  { name: "member-refused", path: "/orgs/acme/members", as: "ada", status: 404, has: 'role="alert"', before: async (page) => {
    await type(page, "User", "nobody-at-all");
    await press(page, "Give the role");
  } },
  { name: "member-asked", path: "/orgs/acme/members", as: "ada", has: "Take the role of", before: (page) => press(page, /^Remove/) },
  { name: "publisher-refused", path: "/orgs/acme/publishers", as: "ada", status: 422, has: 'role="alert"', before: async (page) => {
    await type(page, "Repository", "acme/builds");
    await press(page, "Trust it");
  } },
  { name: "group-conflict", path: "/orgs/staged/policy/groups", as: "ada", status: 409, has: 'role="alert"', before: async (page, world) => {
    const users = turn++ % 2 ? ["ben", "ada"] : ["ben"];
    await call(page, world, "ada", "PUT", "/orgs/staged/policy/groups/security", { users });
    await page.locator("#users-security").fill("ben\nada\ndan");
    await press(page, "Save the group security");
  } },
  { name: "policy-conflict", path: "/orgs/empty/policy", as: "ada", status: 409, has: "has changed the policy", before: async (page, world) => {
    await call(page, world, "ada", "PUT", "/orgs/empty/policy", { approvals: 1 + turn++ % 5, role: "reviewer" });
    await type(page, "Approvals count for days", "77");
    await press(page, "Save the policy");
  } },
  { name: "policy-asked", path: "/orgs/empty/policy", as: "ada", has: "demand nothing itself?", before: (page) => press(page, "Demand nothing") },
  { name: "user-refused", path: "/admin/users", as: "admin", status: 409, has: 'role="alert"', before: async (page) => {
    await type(page, "Name", "ada");
    await press(page, "Make the user");
  } },
  { name: "yank-asked", path: "/acme/tool-06", as: "ada", has: "Yank acme/tool-06", before: async (page) => {
    await page.getByText(/^Yank 1/).click();
    await type(page, "Why", "It shakes");
    await press(page, "Yank it");
  } },
  { name: "quarantine-form", path: "/acme/tool-07", as: "admin", has: "Why it is quarantined", before: (page) =>
    page.getByText(/^Quarantine 1/).click() },
  { name: "quarantine-asked", path: "/acme/tool-07", as: "admin", has: "Quarantine acme/tool-07 1.0.0?", before: async (page) => {
    await page.getByText(/^Quarantine 1/).click();
    await type(page, "Why it is quarantined", "It reads keys");
    await press(page, "Quarantine it");
  } },
  { name: "quarantine-refused", path: "/acme/tool-07", as: "admin", status: 422, has: 'role="alert"', before: async (page) => {
    await page.getByText(/^Quarantine 1/).click();
    await type(page, "Why it is quarantined", "It reads \u202e keys");
    await press(page, "Quarantine it");
  } },
  { name: "release-asked", path: "/acme/shaky/versions/1.0.2", as: "admin", has: "Release acme/shaky 1.0.2 from quarantine?", before: (page) =>
    press(page, "Release it from quarantine") },
  { name: "reject-refused", path: "/initech/reviewed/versions/1.3.0/review", as: "ben", status: 422, has: "says why", before: (page) => press(page, "Reject") },
  { name: "glass-asked", path: "/initech/reviewed/versions/1.3.0/review", as: "ada", has: "without approvals?", before: async (page) => {
    await page.getByText("Break the glass").click();
    await type(page, "Why it cannot wait", "The old one deletes files");
    await press(page, "Release it without approvals");
  } },
  { name: "form-forged", path: "/acme/tool-05/ratings", as: "ben", status: 403, has: "<h1", before: async (page) => {
    await page.locator("main input[name=csrf]").first().evaluate((input) => { input.value = "0"; });
    await page.getByRole("radio", { name: "1" }).check();
    await press(page, "Rate");
  } },
  { name: "unsubscribe", path: "/", has: "No more mail", before: async (page, world) => void await page.goto(await unsubscribing(page, world)) },
  { name: "unsubscribed", path: "/", has: "No more notifications are mailed to you", before: async (page, world) => {
    await page.goto(await unsubscribing(page, world, "pictures"));
    await press(page, "No more mail");
  } },
];
