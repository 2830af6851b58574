// People sign in at the provider, from a terminal.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { Browser, refuse, signIn } from './browser.mjs';
import { CLIENT, people, SECRET } from './providers.mjs';
import { AUDIENCE, BUILD, Registry } from './registry.mjs';
import { accepts, judged, refuses, Refused } from './verdict.mjs';

export async function login(program) {
  const provider = await people(AUDIENCE, BUILD);
  const registry = await Registry.start(program, { login: provider.issuer });
  try {
    await person(registry, provider);
    await pages(registry, provider);
    await refusals(registry);
    await refuses('a registry with another secret of the client', () => withAnotherSecret(program, provider.issuer));
    await accepts('nothing that is secret was said by the registry', () => silent(registry));
  } finally {
    await registry.stop();
    provider.close();
  }
}

async function person(registry, provider) {
  const signedIn = async (home, scopes, args) => {
    const started = await registry.login(home, args);
    assert.ok(started.verification_uri.startsWith(provider.issuer));
    await signIn(started.verification_uri_complete, 'anna');
    assert.equal((await started.ended).code, 0);
    const who = await registry.run(['whoami'], home);
    // The name is not in the identity token of this provider; it was asked for it.
    assert.deepEqual([who.user, who.token.scopes], ['anna.of.the.provider', scopes]);
    assert.ok(who.token.expires_at);
    return `${who.user}, ${who.token.scopes}`;
  };
  await accepts('a person, with the secret of the client', () => signedIn(registry.home('anna'), ['read', 'publish', 'rate']));
  await accepts('the same person is the same user, with less', async () => {
    const words = await signedIn(registry.home('again'), ['read'], ['--scope', 'read']);
    assert.equal((await registry.run(['user', 'list'], registry.admin)).total, 2);
    return words;
  });
}

/** In a browser, at the pages of the registry. */
async function pages(registry, provider) {
  const callback = `${registry.url}/login/oidc/callback`;
  const enter = async (browser, values) => {
    let page = await browser.go(`${registry.url}/login/oidc?next=/account`);
    if (page.url.startsWith(registry.url)) return page;
    page = await browser.submit(page, values);
    if (page.url.startsWith(provider.issuer) && page.text.includes('consent')) page = await browser.submit(page, {});
    return page;
  };
  const words = (page) => page.text.match(/role="alert">([^<]*)</)?.[1] ?? `${page.status} at ${page.url}`;
  const anna = { login: 'anna', password: 'any' };
  await refuses('an address to come back to that the provider does not know', async () => {
    provider.sendsTo(`${callback}/other`);
    const page = await new Browser().go(`${registry.url}/login/oidc`);
    if (page.url.startsWith(provider.issuer) && page.status === 400) throw new Refused('invalid_redirect_uri');
    return `${page.status} at ${page.url}`;
  });
  provider.sendsTo(callback);
  const browser = new Browser();
  await accepts('the same person, in a browser', async () => {
    const page = await enter(browser, anna);
    assert.equal(page.url, `${registry.url}/account?notice=signed-in`, words(page));
    assert.ok(page.text.includes('anna.of.the.provider'));
    assert.equal((await registry.run(['user', 'list'], registry.admin)).total, 2);
    return page.url.slice(registry.url.length);
  });
  const back = browser.trail.findLast((url) => url.startsWith(callback));
  registry.secrets.push(new URL(back).searchParams.get('code'), new URL(back).searchParams.get('state'));
  for (const [who, other] of [['the browser that it was for', browser], ['another one', new Browser()]]) {
    await refuses(`what the provider has sent, a second time, in ${who}`, async () => {
      const page = await other.go(back);
      if (page.status === 422) throw new Refused(words(page));
      return `${page.status} at ${page.url}`;
    });
  }
}

async function refusals(registry) {
  const nobody = async (started) => {
    const { code, stderr } = await started.ended;
    if (code === 3) throw new Refused(JSON.parse(stderr.slice(stderr.lastIndexOf('{\n  "error"'))).error.message);
    return `it ended with ${code}`;
  };
  await refuses('who says no to the provider', async () => {
    const started = await registry.login(registry.home('no'));
    await refuse(started.verification_uri_complete);
    return nobody(started);
  });
  // Somebody has signed in, and who asks knows nearly what they know.
  const { body: begun } = await registry.post('oidc/login', { scopes: ['read'] });
  registry.secrets.push(begun.login);
  await signIn(begun.verification_uri_complete, 'anna');
  for (const at of [0, Math.floor(begun.login.length / 2), begun.login.length - 1]) {
    await refuses(`the handle of a sign-in, character ${at}`, async () => {
      const other = begun.login[at] === 'a' ? 'b' : 'a';
      const changed = begun.login.slice(0, at) + other + begun.login.slice(at + 1);
      const { status, body } = await registry.post('oidc/login/poll', { login: changed });
      if (body.token) return 'a token was given';
      if (status < 400 || status >= 500) throw new Error(`it was answered with ${status}`);
      throw new Refused(`${status}, ${body.code}`);
    });
  }
  await accepts('the handle of which these were made', async () => {
    let asked = await registry.post('oidc/login/poll', { login: begun.login });
    for (let tries = 0; asked.status === 202 && tries < 10; tries++) {
      await sleep(begun.interval * 1000);
      asked = await registry.post('oidc/login/poll', { login: begun.login });
    }
    assert.ok(asked.body.token, `${asked.status}, ${asked.body.code}`);
    return `${asked.status}, with a token`;
  });
  await refuses('a user who is switched off', async () => {
    await registry.run(['user', 'disable', 'anna.of.the.provider'], registry.admin);
    const who = await registry.try(['whoami'], registry.home('anna'));
    assert.equal(who.code, 3, 'the token of before is good');
    const started = await registry.login(registry.home('off'));
    await signIn(started.verification_uri_complete, 'anna');
    return nobody(started);
  });
}

async function withAnotherSecret(program, issuer) {
  const registry = await Registry.start(program, { login: issuer, secret: `${SECRET}x` });
  try {
    return judged(await registry.try(['login', '--oidc'], registry.home('nobody')), ['issuer-unavailable']);
  } finally {
    await registry.stop();
  }
}

/** Neither tokens nor the client's secret, in any form that is sent, are in what the registry says when it says all it can. */
export async function silent(registry) {
  const form = new URLSearchParams({ '': SECRET }).toString().slice(1);
  const basic = Buffer.from(`${CLIENT}:${form}`).toString('base64');
  const secrets = [SECRET, form, encodeURIComponent(SECRET), basic, 'sky_', 'eyJ', ...registry.secrets];
  const { words } = registry;
  for (const secret of secrets) {
    const at = words.indexOf(secret);
    assert.equal(at, -1, words.slice(Math.max(0, at - 300), at + 100));
  }
  assert.ok(words.includes('/api/v1/'), 'it does not even say what it was asked for');
  return `${words.length} characters on stderr without ${secrets.length} secrets`;
}
