// Steps that many flows have, and programs on this machine that a registry talks to.

import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { must } from "./watch.mjs";

/// Signs in with a token, as people do.
export async function signIn(page, world, who, next = "/") {
  await page.goto(`${world.url}/login?next=${encodeURIComponent(next)}`);
  await page.getByLabel("Token").fill(world.tokens[who]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("You are signed in.").waitFor();
  // What is counted next may stand below.
  await page.waitForLoadState();
}

export async function signOut(page) {
  await page.getByRole("banner").getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  await page.waitForLoadState();
}

/// Answers the question whether something shall really be taken away; first no, then yes.
export async function sure(page, ask, question, button) {
  await ask();
  await page.getByRole("heading", { name: question }).waitFor();
  await page.getByRole("main").getByRole("link", { name: "Not now" }).click();
  await page.getByRole("heading", { name: question }).waitFor({ state: "detached" });
  await ask();
  await page.getByRole("heading", { name: question }).waitFor();
  await page.getByRole("main").getByRole("button", { name: button, exact: true }).click();
}

/// Publishes or decides as a program does.
export async function call(page, world, who, method, path, data, headers = {}) {
  const answer = await page.request.fetch(`${world.url}/api/v1${path}`, {
    method, data, headers: { authorization: `Bearer ${world.tokens[who]}`, ...headers },
  });
  must(answer.ok(), `${method} ${path} is answered with ${answer.status()}: ${await answer.text()}`);
  const text = await answer.text();
  return text && JSON.parse(text);
}

/// What the API answers whoever has this token.
export async function status(page, world, token, path = "/whoami") {
  const answer = await page.request.get(`${world.url}/api/v1${path}`, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  return answer.status();
}

/// Looks again until it is there: what is told comes after what it is about.
export async function reloaded(page, locator) {
  for (let tries = 0; tries < 60 && await locator.count() === 0; tries++) {
    await page.waitForTimeout(250);
    await page.reload();
  }
  await locator.first().waitFor();
}

/// A mail server that takes everything but what is for `refused-…`. `mails` are those that came, as they were sent.
export async function mailServer(port) {
  const mails = [];
  const server = createServer((socket) => {
    let [rest, mail] = ["", undefined];
    const say = (line) => socket.write(`${line}\r\n`);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      rest += data.toString("latin1");
      for (let end = rest.indexOf("\r\n"); end >= 0; end = rest.indexOf("\r\n")) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        if (mail !== undefined && line === ".") {
          mails.push(mail);
          mail = undefined;
          say("250 taken");
        } else if (mail !== undefined) {
          mail += `${line.replace(/^\./, "")}\n`;
        } else if (/^DATA/i.test(line)) {
          mail = "";
          say("354 go on");
        } else if (/^RCPT TO:<refused-/i.test(line)) {
          say("550 5.1.1 there is no such mailbox");
        } else if (/^QUIT/i.test(line)) {
          say("221 bye");
          socket.end();
        } else {
          say("250 mail.example.org");
        }
      }
    });
    say("220 mail.example.org");
  });
  await new Promise((done, wrong) => server.once("error", wrong).listen(port, "127.0.0.1", done));
  const plain = (mail) => mail.replace(/=\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return {
    /// What the pattern finds in a mail to this address, as soon as there is one.
    async found(address, pattern) {
      for (let tries = 0; tries < 600; tries++) {
        for (const mail of mails.map(plain).reverse()) {
          const found = mail.toLowerCase().includes(address.toLowerCase()) && mail.match(pattern);
          if (found) return found;
        }
        await new Promise((done) => setTimeout(done, 100));
      }
      throw new Error(`no mail to ${address} has ${pattern}; there are ${mails.length} mails`);
    },
    close: () => server.close(),
  };
}

/// A link by which this user stops mail, as a mail has it. There is one for all who ask.
export function unsubscribing(page, world, whose = "letters") {
  world.unsubscribing ??= { left: 0 };
  world.unsubscribing[whose] ??= (async () => {
    // What was left off in the middle has used up its names.
    const name = world.unsubscribing.left ? `${whose}-${world.unsubscribing.left}` : whose;
    const [address, id] = [`${name}@example.org`, `${name}/first`];
    await call(page, world, "admin", "POST", "/users", { name });
    const made = await call(page, world, "admin", "POST", "/tokens", { label: "mail", user: name, scopes: ["read", "publish", "rate", "admin"] });
    world.tokens[name] = world.tokens[whose] = made.token;
    await call(page, world, name, "PUT", "/notifications/email", { address });
    const [, code] = await world.mail.found(address, /the code is ([A-Z0-9]{10})/i);
    await call(page, world, name, "POST", "/notifications/email/confirm", { code });
    const preferences = [{ kind: "skill-rated", page: true, mail: "immediate", webhook: true }];
    await call(page, world, name, "PUT", "/notifications/preferences", { preferences });
    await call(page, world, name, "POST", "/orgs", { name });
    await call(page, world, name, "POST", "/skills", { id, version: "1.0.0", description: "Writes letters", code: "def first(value: str) -> str:\n    return value\n" });
    await call(page, world, "dan", "POST", `/skills/${id}/rate`, { rating: 5 });
    // Half a minute is waited for more, before a mail is sent.
    return (await world.mail.found(`rated ${id}`, /No more mail: (\S+)/))[1];
  })().catch((error) => {
    world.unsubscribing.left += 1;
    delete world.unsubscribing[whose];
    throw error;
  });
  return world.unsubscribing[whose];
}

/// A program that webhooks lead to. It answers all that it is asked with this.
export async function receiver(code, text) {
  const server = createHttpServer((request, response) => {
    request.resume();
    request.on("end", () => { response.writeHead(code, { "content-type": "text/html" }); response.end(text); });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}/hook`, close: () => { server.closeAllConnections(); server.close(); } };
}
