// Two providers on this machine: a certified one that people sign in at, and one that signs whatever a build would say.

import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { OAuth2Server } from 'oauth2-mock-server';
import { Provider } from 'oidc-provider';

import { signIn } from './browser.mjs';

export const CLIENT = 'skillery';
export const SECRET = 'a secret/with+signs&';

/**
 * `oidc-provider`, with people whose name is what they sign in as. `build` is what a build says that signs in; `audience`
 * is the client that its tokens are for.
 */
export async function people(audience, build) {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT,
        client_secret: SECRET,
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'authorization_code'],
        redirect_uris: [`${issuer}/unused`],
        response_types: ['code'],
      },
      {
        client_id: audience,
        token_endpoint_auth_method: 'none',
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: { deviceFlow: { enabled: true }, claimsParameter: { enabled: true } },
    claims: { openid: ['sub'], profile: ['preferred_username'], build: Object.keys(build) },
    scopes: ['openid', 'profile', 'build'],
    // Kept apart from the name, so that the registry is seen to go by it.
    findAccount: (_, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, preferred_username: `${id}.of.the.provider`, ...build }),
    }),
  });
  server.on('request', provider.callback());
  // The registry's port is known later than this provider's.
  let redirect;
  provider.Client.prototype.redirectUriAllowed = (uri) => uri === redirect;
  const sendsTo = (uri) => (redirect = uri);

  const form = async (path, fields) => {
    const response = await fetch(issuer + path, { method: 'POST', body: new URLSearchParams(fields) });
    return response.json();
  };
  /** What this provider says of the build, as an identity token. */
  const say = async () => {
    const wanted = Object.fromEntries(Object.keys(build).map((name) => [name, null]));
    const claims = JSON.stringify({ id_token: wanted });
    const started = await form('/device/auth', { client_id: audience, scope: 'openid', claims });
    await signIn(started.verification_uri_complete, 'a-build');
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code';
    const tokens = await form('/token', { client_id: audience, grant_type, device_code: started.device_code });
    return tokens.id_token;
  };
  let last;
  /** Another one each time: with nothing in them but their second, two of the same second are one. */
  const token = async () => {
    let said = await say();
    while (said === last) {
      await sleep(200);
      said = await say();
    }
    last = said;
    return said;
  };
  return { issuer, token, sendsTo, close: () => server.close() };
}

/** `oauth2-mock-server`: signs what it is given. Its key has this name, or one that it makes up. */
export async function builds(kid) {
  const server = new OAuth2Server();
  await server.issuer.keys.generate('RS256', kid ? { kid } : {});
  await server.start(0, '127.0.0.1');
  const { issuer } = server;
  issuer.url = `http://127.0.0.1:${server.address().port}`;
  return {
    issuer: issuer.url,
    token: (claims, options = {}) =>
      issuer.buildToken({
        ...options,
        scopesOrTransform: (_, payload) => Object.assign(payload, { jti: crypto.randomUUID() }, claims),
      }),
    rotate: () => issuer.keys.generate('RS256'),
    /** The name of a key that is not this one. */
    key: async (known) => issuer.keys.toJSON().map(({ kid }) => kid).find((kid) => kid !== known),
    close: () => server.stop(),
  };
}
