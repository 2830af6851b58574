// A browser's page with somebody who sees everything that it does.

export const LIMIT = 100_000;

/// A new page in a context of its own that may ask this origin, or these. `faults` says what it did that no page may do, `status` how its last page was answered, and
/// `bytes` what that weighs.
export async function watched(browser, origin, options = {}) {
  const context = await browser.newContext({ acceptDownloads: false, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const watch = { context, page, faults: [], bytes: 0, expected: 200 };
  const fault = (kind, text) => watch.faults.push(`${kind}: ${String(text).slice(0, 300)}`);
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    // What the browser itself says of a page that is answered with a problem.
    const refused = [watch.expected].flat().filter((status) => status >= 400);
    if (refused.some((status) => message.text().includes(`the server responded with a status of ${status}`))) return;
    // A picture that its author has not put into the skill.
    if (message.location().url.includes("/raw/") && message.text().includes("status of 404")) return;
    fault("console", message.text());
  });
  page.on("pageerror", (error) => fault("script", error.message));
  page.on("dialog", (dialog) => { fault("dialog", dialog.message()); dialog.dismiss(); });
  page.on("popup", (popup) => fault("window", popup.url()));
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (![origin].flat().includes(url.origin)) fault("request", request.url());
  });
  page.on("response", (answer) => {
    const request = answer.request();
    if (!request.isNavigationRequest() || request.frame() !== page.mainFrame() || answer.status() === 303) return;
    [watch.status, watch.bytes] = [answer.status(), 0];
  });
  const session = await context.newCDPSession(page);
  /// From now on, what a page loads is loaded again for the next.
  watch.uncached = () => session.send("Network.setCacheDisabled", { cacheDisabled: true });
  await session.send("Network.enable");
  session.on("Network.loadingFinished", ({ encodedDataLength }) => { watch.bytes += encodedDataLength; });
  return watch;
}

/// Whether something of a text ran, in the page or in one that is in it.
export async function ran(page) {
  for (const frame of page.frames()) {
    const flag = await frame.evaluate(() => window.ran);
    if (flag !== undefined) return flag;
  }
  return undefined;
}

/// What axe finds.
export async function violations(page, axe, exclude = []) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate((exclude) => window.axe.run({ include: [["html"]], exclude }, { resultTypes: ["violations"] }), exclude);
  return violations.map((found) => `axe ${found.id} (${found.impact}): ${found.help}: ${found.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(" | ")} ${found.nodes[0].any[0]?.message ?? ""}`);
}

/// Fails with these words unless it holds.
export function must(holds, words) {
  if (!holds) throw new Error(words);
}
