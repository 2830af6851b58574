// A provider of identities that a browser is led to: people have whatever account they name, and refuse or allow. That the registry
// gets on with a provider of other people is shown in `xtask/e2e/oidc`; this one also stumbles, and says what no provider should.

import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";

export const TITLE = "Example ID";
export const CLIENT = { id: "skillery", secret: "a secret of the pages" };
/// What this provider says of who refuses: a registry shows it as the text that it is.
export const WHY_NOT = "<img src=x onerror=window.ran=1> said no";
/// The account of whom the provider cannot hand out tokens.
export const STUMBLING = "stumbling";

const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${TITLE}</title><link rel="icon" href="data:,">
<h1>${TITLE}</h1><form method="post"><p><label>Account <input name="account"></label></p><button name="answer" value="allow">Allow</button> <button name="answer" value="refuse">Refuse</button></form></html>`;

/// The subject of an account.
export const subject = (account) => `number of ${account}`;

/// Starts it. `callback` is the one address that it sends people back to.
export async function identityProvider(callback) {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const codes = new Map();
  const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const idToken = (claims) => {
    const text = `${encoded({ alg: "RS256", kid: "key", typ: "JWT" })}.${encoded(claims)}`;
    return `${text}.${sign("RSA-SHA256", Buffer.from(text), privateKey).toString("base64url")}`;
  };
  let issuer;
  const described = () => ({
    issuer, jwks_uri: `${issuer}/jwks`, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`,
    token_endpoint_auth_methods_supported: ["client_secret_basic"],
  });
  const json = (value, code = 200) => ({ code, headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

  /// Where the browser goes on to, with a code or with why there is none.
  function decided(asked, form) {
    const to = new URL(callback);
    to.searchParams.set("state", asked.get("state"));
    to.searchParams.set("iss", issuer);
    if (form.get("answer") === "allow") {
      const code = randomUUID();
      codes.set(code, { account: form.get("account"), nonce: asked.get("nonce"), challenge: asked.get("code_challenge") });
      to.searchParams.set("code", code);
    } else {
      to.searchParams.set("error", "access_denied");
      to.searchParams.set("error_description", WHY_NOT);
    }
    return { code: 303, headers: { location: to.href } };
  }

  /// Tokens for a code, once, for the client that began with this challenge.
  function redeemed(form, authorization) {
    const held = codes.get(form.get("code"));
    codes.delete(form.get("code"));
    const encodedSecret = new URLSearchParams({ "": CLIENT.secret }).toString().slice(1);
    const wanted = `Basic ${Buffer.from(`${CLIENT.id}:${encodedSecret}`).toString("base64")}`;
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    if (authorization !== wanted) return json({ error: "invalid_client" }, 401);
    if (held?.account === STUMBLING) return json({ error: "server_error" }, 500);
    if (!held || held.challenge !== challenge || form.get("redirect_uri") !== callback) return json({ error: "invalid_grant" }, 400);
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: issuer, aud: CLIENT.id, sub: subject(held.account), preferred_username: held.account, nonce: held.nonce,
      iat: now, exp: now + 600, jti: randomUUID(),
    };
    return json({ id_token: idToken(claims), access_token: randomUUID(), token_type: "Bearer" });
  }

  function answer(request, body) {
    const url = new URL(request.url, issuer);
    const asked = url.searchParams;
    switch (`${request.method} ${url.pathname}`) {
      case "GET /.well-known/openid-configuration": return json(described());
      case "GET /jwks": return json({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "key", use: "sig", alg: "RS256" }] });
      case "GET /authorize":
      case "POST /authorize": {
        const isKnown = asked.get("client_id") === CLIENT.id && asked.get("redirect_uri") === callback && asked.get("code_challenge_method") === "S256";
        if (!isKnown) return { code: 400, headers: { "content-type": "text/plain" }, body: "not a client of this provider" };
        if (request.method === "POST") return decided(asked, new URLSearchParams(body));
        return { code: 200, headers: { "content-type": "text/html" }, body: PAGE };
      }
      case "POST /token": return redeemed(new URLSearchParams(body), request.headers.authorization);
      default: return json({ error: "not_found" }, 404);
    }
  }

  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const { code, headers, body } = answer(request, Buffer.concat(parts).toString());
      response.writeHead(code, headers);
      response.end(body);
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  issuer = `http://127.0.0.1:${server.address().port}`;
  return { issuer, close: () => { server.closeAllConnections(); server.close(); } };
}
