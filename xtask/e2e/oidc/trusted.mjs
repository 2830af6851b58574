// Builds publish with an identity token instead of one that could leak.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { silent } from './login.mjs';
import { builds, people } from './providers.mjs';
import { AUDIENCE, BUILD, Registry } from './registry.mjs';
import { accepts, judged, refuses } from './verdict.mjs';

const SECOND = 1000;
/** Places of each part of a token at which a bit is flipped. */
const PLACES = 5;
/** Whoever reads a token that was changed may see another issuer or build in it before its signature is looked at. */
const ALTERED = ['invalid-id-token', 'issuer-not-allowed', 'publisher-not-trusted'];

/** `oidc-provider` signs the tokens. */
export async function buildsOfProvider(program) {
  const provider = await people(AUDIENCE, BUILD);
  const registry = await Registry.start(program, { issuers: [provider.issuer] });
  try {
    await refuses('a build that nobody trusts', async () => judged(await registry.publish(await provider.token()), ['publisher-not-trusted']));
    await registry.trust(provider.issuer, '--ref', 'protected');
    const token = await provider.token();
    await accepts('a build that is trusted, and the log names it', () => named(registry, provider.issuer, token));
    await refuses('its token once more', async () => judged(await registry.publish(token), ['id-token-used']));
    const fresh = await provider.token();
    await refuses('another number of the run', async () => judged(await registry.publish(rewritten(fresh, { run_id: '1' })), ['invalid-id-token']));
    await flips(registry, fresh);
    await accepts('the token of which all these were made', () => named(registry, provider.issuer, fresh));
    await accepts('nothing that is secret was said by the registry', () => silent(registry));
  } finally {
    await registry.stop();
    provider.close();
  }
}

/** `oauth2-mock-server` signs whatever a build would say, and what it would not. */
export async function buildsOfAnyKind(program) {
  const ci = await builds();
  const other = await builds();
  const registry = await Registry.start(program, { issuers: [ci.issuer, other.issuer] });
  try {
    await registry.trust(ci.issuer);
    const token = await ci.token(claims());
    await accepts('a build that is trusted, and the log names it', () => named(registry, ci.issuer, token));
    await refuses('its token once more', async () => judged(await registry.publish(token), ['id-token-used']));
    for (const [what, changes, code] of wrong(other.issuer)) {
      await refuses(what, async () => judged(await registry.publish(await ci.token(claims(changes))), [code]));
    }
    await refuses('the same build, as another issuer says', async () =>
      judged(await registry.publish(await other.token(claims())), ['publisher-not-trusted']));
    for (const [what, kid] of [['', undefined], [', and of its key', await ci.key()]]) {
      await refuses(`signed by somebody in the name of the issuer${what}`, () => forged(registry, ci, kid));
    }
    const fresh = await ci.token(claims());
    await refuses('without a signature', async () => judged(await registry.publish(unsigned(fresh)), ['invalid-id-token']));
    await flips(registry, fresh);
    await accepts('the token of which these were made', () => named(registry, ci.issuer, fresh));
    await accepts('nothing that is secret was said by the registry', () => silent(registry));
  } finally {
    await registry.stop();
    await ci.close();
    await other.close();
  }
}

/** A provider has a new key: it is not asked for it more than once a minute, and then builds go on. */
export async function newKeys(program) {
  const ci = await builds();
  const registry = await Registry.start(program, { issuers: [ci.issuer] });
  try {
    await registry.trust(ci.issuer);
    await accepts('the first key', async () => named(registry, ci.issuer, await ci.token(claims())));
    const known = await ci.key();
    await ci.rotate();
    const added = await ci.key(known);
    const publish = async (kid) => judged(await registry.publish(await ci.token(claims(), { kid })), ['invalid-id-token']);
    await refuses('a key of this moment', () => publish(added));
    await accepts('the key of before, beside it', () => publish(known));
    await accepts('the new key, a minute later', async () => {
      for (let tries = 0; ; tries++) {
        await sleep(10 * SECOND);
        try {
          return await publish(added);
        } catch (error) {
          if (tries === 7) throw error;
        }
      }
    });
    await refuses('somebody\'s key with the name of the new one', () => forged(registry, ci, added));
  } finally {
    await registry.stop();
    await ci.close();
  }
}

/** What a build says, with these changes. */
function claims(changes = {}) {
  return { aud: AUDIENCE, sub: 'repo:octo/tools:ref:refs/heads/main', ...BUILD, ...changes };
}

/** Tokens that are signed well, and say what must not be believed. */
function wrong(otherIssuer) {
  const now = Math.floor(Date.now() / SECOND);
  const look = (repository) => ({
    repository,
    sub: `repo:${repository}:ref:refs/heads/main`,
    workflow_ref: `${repository}/.github/workflows/release.yml@refs/heads/main`,
  });
  return [
    ['another audience', { aud: 'https://other.example' }, 'invalid-id-token'],
    ['two audiences', { aud: [AUDIENCE, 'https://other.example'] }, 'invalid-id-token'],
    ['no audience', { aud: undefined }, 'invalid-id-token'],
    ['an issuer that nobody named', { iss: 'https://issuer.example' }, 'issuer-not-allowed'],
    ['the name of another issuer', { iss: otherIssuer }, 'publisher-not-trusted'],
    ['one that has expired', { iat: now - 600, exp: now - 120 }, 'invalid-id-token'],
    ['one of tomorrow', { iat: now + 86_400, nbf: now + 86_400, exp: now + 86_700 }, 'invalid-id-token'],
    ['one for ever', { exp: now + 10 ** 9 }, 'invalid-id-token'],
    ['one without an end', { exp: undefined }, 'invalid-id-token'],
    ['a repository that is written alike, Octo/tools', look('Octo/tools'), 'publisher-not-trusted'],
    ['one with a letter more', look('octo/tools2'), 'publisher-not-trusted'],
    ['one with a Cyrillic letter', look('\u043ecto/tools'), 'publisher-not-trusted'],
    ['one whose owner has the name before the slash', look('octo/tools/x'), 'publisher-not-trusted'],
    ['the same name by another owner', { repository_owner_id: '66' }, 'publisher-not-trusted'],
    ['the workflow of another repository', { repository: 'Octo/tools' }, 'invalid-id-token'],
    ['another workflow', { workflow_ref: BUILD.workflow_ref.replace('release', 'test') }, 'publisher-not-trusted'],
    ['a pull request of a stranger', { event_name: 'pull_request_target' }, 'invalid-id-token'],
  ];
}

/** Publishes with a token of this issuer that a stranger has signed, whose key may have this name. */
async function forged(registry, issuer, kid) {
  const stranger = await builds(kid);
  try {
    return judged(await registry.publish(await stranger.token(claims({ iss: issuer.issuer }))), ['invalid-id-token']);
  } finally {
    await stranger.close();
  }
}

/** Publishes, and sees that the log says which build it was. */
async function named(registry, issuer, token) {
  const ended = await registry.publish(token);
  const words = judged(ended, []);
  assert.equal(ended.via, `oidc:${issuer}|octo/tools/release.yml@refs/heads/main|run 4711|sha 0fe1`);
  return words;
}

/** One bit of the token, at places of each of its parts. The last characters may have bits that mean nothing. */
async function flips(registry, token) {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const parts = token.split('.');
  for (const [number, name] of ['header', 'claims', 'signature'].entries()) {
    const text = parts[number];
    for (let place = 0; place < PLACES; place++) {
      const at = Math.floor(((text.length - 5) * place) / (PLACES - 1));
      const flipped = ALPHABET[ALPHABET.indexOf(text[at]) ^ 1];
      const altered = parts.with(number, text.slice(0, at) + flipped + text.slice(at + 1)).join('.');
      await refuses(`the ${name}, character ${at}`, async () => judged(await registry.publish(altered), ALTERED));
    }
  }
}

const decoded = (text) => JSON.parse(Buffer.from(text, 'base64url'));
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The token with other claims under its signature. */
function rewritten(token, changes) {
  const [header, payload, signature] = token.split('.');
  return [header, encoded({ ...decoded(payload), ...changes }), signature].join('.');
}

/** The token as one that says that it needs no signature. */
function unsigned(token) {
  const [header, payload] = token.split('.');
  return [encoded({ ...decoded(header), alg: 'none' }), payload, ''].join('.');
}
