// Checks a registry against providers of identities that other people wrote.
//
//     node check.mjs path/to/skillery
//
// Prints a line for each check, and fails when one does. Everything is on this machine.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { refuse, signIn } from './browser.mjs';
import { builds, CLIENT, people, SECRET } from './providers.mjs';

const program = process.argv[2];
const folder = await mkdtemp(join(tmpdir(), 'skillery-oidc-'));
const base = { PATH: process.env.PATH, HOME: folder };
const AUDIENCE = 'http://127.0.0.1';

function start(args, env = {}) {
  const child = spawn(program, args, { cwd: folder, env: { ...base, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => (output.stdout += data));
  child.stderr.on('data', (data) => (output.stderr += data));
  const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, ...output })));
  return { child, output, ended };
}

async function run(args, env, expected = 0) {
  const ended = await start([...args, '--json'], env).ended;
  assert.equal(ended.code, expected, `${args.join(' ')}\n${ended.stdout}${ended.stderr}`);
  // An error is the last thing on stderr, on several lines.
  const text = ended.code === 0 ? ended.stdout : ended.stderr.slice(ended.stderr.lastIndexOf('{\n  "error"'));
  return JSON.parse(text || 'null');
}

/** Starts to sign in; gives where the browser goes, and the end. */
async function login(env, args = []) {
  const { child, ended } = start(['login', '--oidc', '--json', ...args], env);
  const line = await new Promise((resolve, reject) => {
    createInterface({ input: child.stderr }).once('line', resolve);
    child.once('close', () => reject(new Error('it ended without a word')));
  });
  return { ...JSON.parse(line).sign_in, ended };
}

/** What GitHub says of a build, besides whose token it is and for how long. */
const BUILD = {
  event_name: 'push',
  repository: 'octo/tools',
  repository_owner_id: '65',
  workflow_ref: 'octo/tools/.github/workflows/release.yml@refs/heads/main',
  ref: 'refs/heads/main',
  ref_protected: 'true',
  run_id: '4711',
  sha: '0fe1',
};

const provider = await people(AUDIENCE, BUILD);
const ci = await builds();
const servers = [];
let failed = false;
try {
  await writeFile(
    join(folder, 'skillery.toml'),
    `[[oidc_issuers]]
issuer = '${ci.issuer}'
kind = 'github'
audience = '${AUDIENCE}'

[[oidc_issuers]]
issuer = '${provider.issuer}'
kind = 'github'
audience = '${AUDIENCE}'

[oidc_login]
issuer = '${provider.issuer}'
client_id = '${CLIENT}'
client_secret = '${SECRET}'
create_users = true
`,
  );
  const serve = start(['serve', '--json', '--listen', '127.0.0.1:0', '--data', join(folder, 'data'), '--config', 'skillery.toml', '--log-level', 'warn']);
  servers.push(serve.child);
  const ready = await new Promise((resolve, reject) => {
    createInterface({ input: serve.child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    serve.child.once('close', () => reject(new Error(serve.output.stderr)));
  });
  const home = (name) => ({ REGISTRY_URL: ready.url, SKILLERY_HOME: join(folder, name) });
  const admin = { ...home('admin'), REGISTRY_TOKEN: ready.admin_token };
  await run(['org', 'create', 'acme'], admin);
  await writeFile(join(folder, 'tool.py'), 'def tool():\n    return 1\n');

  const check = async (what, body) => {
    await body();
    console.log(`ok    ${what}`);
  };

  await check('oidc-provider: a person signs in by the device flow, with the secret of the client', async () => {
    const started = await login(home('anna'));
    assert.ok(started.verification_uri.startsWith(provider.issuer));
    await signIn(started.verification_uri_complete, 'anna');
    assert.equal((await started.ended).code, 0);
    const who = await run(['whoami'], home('anna'));
    // The name is not in the identity token of this provider; it was asked for it.
    assert.deepEqual([who.user, who.token.scopes], ['anna.of.the.provider', ['read', 'publish', 'rate']]);
    assert.ok(who.token.expires_at);
  });

  await check('oidc-provider: the same person is the same user again', async () => {
    const started = await login(home('again'), ['--scope', 'read']);
    await signIn(started.verification_uri_complete, 'anna');
    assert.equal((await started.ended).code, 0);
    const who = await run(['whoami'], home('again'));
    assert.deepEqual([who.user, who.token.scopes], ['anna.of.the.provider', ['read']]);
    assert.equal((await run(['user', 'list'], admin)).total, 2);
  });

  await check('oidc-provider: whoever says no does not sign in', async () => {
    const started = await login(home('no'));
    await refuse(started.verification_uri_complete);
    assert.equal((await started.ended).code, 3);
  });

  await check('oidc-provider: a user who is switched off stays out', async () => {
    await run(['user', 'disable', 'anna.of.the.provider'], admin);
    await run(['whoami'], home('anna'), 3);
    const started = await login(home('off'));
    await signIn(started.verification_uri_complete, 'anna');
    assert.equal((await started.ended).code, 3);
  });

  const claims = (changes = {}) => ({
    aud: AUDIENCE,
    sub: 'repo:octo/tools:ref:refs/heads/main',
    ...BUILD,
    ...changes,
  });
  let patch = 0;
  const publish = (token, expected = 0) =>
    run(
      ['publish', 'tool.py', '--org', 'acme', '--version', `1.0.${patch++}`, '--trusted'],
      { ...home('build'), SKILLERY_ID_TOKEN: token },
      expected,
    );

  const trust = async (issuer, ...more) => {
    const build = ['--github', 'octo/tools', '--owner-id', '65', '--workflow', 'release.yml'];
    return run(['org', 'publisher', 'add', 'acme', ...build, '--issuer', issuer, ...more], admin);
  };

  await check('oidc-provider: a build that nobody trusts does not publish', async () => {
    assert.equal((await publish(await provider.token(), 3)).error.code, 'publisher-not-trusted');
  });

  await check('oidc-provider: a build that is trusted publishes, once for each token', async () => {
    await trust(provider.issuer, '--ref', 'protected');
    const token = await provider.token();
    await publish(token);
    assert.equal((await publish(token, 3)).error.code, 'id-token-used');
    const log = await run(['log', '--limit', '200'], admin);
    const published = log.entries.find(({ event }) => event.kind === 'version.published').event;
    assert.equal(published.via, `oidc:${provider.issuer}|octo/tools/release.yml@refs/heads/main|run 4711|sha 0fe1`);
  });

  await check('oidc-provider: a token whose claims were altered is refused', async () => {
    const [header, payload, signature] = (await provider.token()).split('.');
    const altered = { ...JSON.parse(Buffer.from(payload, 'base64url')), run_id: '1' };
    const text = Buffer.from(JSON.stringify(altered)).toString('base64url');
    assert.equal((await publish([header, text, signature].join('.'), 3)).error.code, 'invalid-id-token');
  });

  await trust(ci.issuer);

  await check('oauth2-mock-server: a build publishes, and the log says which', async () => {
    await publish(await ci.token(claims()));
    const log = await run(['log', '--limit', '200'], admin);
    const published = log.entries.findLast(({ event }) => event.kind === 'version.published').event;
    assert.equal(published.via, `oidc:${ci.issuer}|octo/tools/release.yml@refs/heads/main|run 4711|sha 0fe1`);
  });

  await check('oauth2-mock-server: a token publishes once', async () => {
    const token = await ci.token(claims());
    await publish(token);
    assert.equal((await publish(token, 3)).error.code, 'id-token-used');
  });

  const second = 1000;
  const now = Math.floor(Date.now() / second);
  for (const [what, changes, code] of [
    ['another audience', { aud: 'https://other.example' }, 'invalid-id-token'],
    ['two audiences', { aud: [AUDIENCE, 'https://other.example'] }, 'invalid-id-token'],
    ['the name of another issuer', { iss: provider.issuer }, 'invalid-id-token'],
    ['an issuer that nobody named', { iss: 'https://issuer.example' }, 'issuer-not-allowed'],
    ['one that has expired', { iat: now - 600, exp: now - 120 }, 'invalid-id-token'],
    ['one of tomorrow', { iat: now + 86_400, nbf: now + 86_400, exp: now + 86_700 }, 'invalid-id-token'],
    ['one for ever', { exp: now + 10 ** 9 }, 'invalid-id-token'],
    ['another repository', { repository: 'Octo/tools' }, 'invalid-id-token'],
    ['a repository of the same name by another owner', { repository_owner_id: '66' }, 'publisher-not-trusted'],
    ['a pull request of a stranger', { event_name: 'pull_request_target' }, 'invalid-id-token'],
  ]) {
    await check(`oauth2-mock-server: ${what} is refused`, async () => {
      assert.equal((await publish(await ci.token(claims(changes)), 3)).error.code, code);
    });
  }

  await check('oauth2-mock-server: a key that appeared just now waits for its minute', async () => {
    await ci.rotate();
    // The server was asked less than a minute ago, so that the new key is not known, and the old one still is.
    const tokens = await Promise.all([ci.token(claims()), ci.token(claims())]);
    const kid = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
    assert.notEqual(kid(tokens[0]), kid(tokens[1]));
    const ended = await Promise.all(
      tokens.map((token, at) =>
        start(['publish', 'tool.py', '--org', 'acme', '--version', `2.0.${at}`, '--trusted'], {
          ...home('build'),
          SKILLERY_ID_TOKEN: token,
        }).ended,
      ),
    );
    assert.deepEqual(ended.map(({ code }) => code).sort(), [0, 3]);
  });

  await check('nothing that is secret was said', async () => {
    assert.equal(/sky_|a secret|eyJ/.test(serve.output.stderr), false, serve.output.stderr);
  });
} catch (error) {
  failed = true;
  console.log(`failed ${error.stack}`);
} finally {
  servers.forEach((child) => child.kill());
  provider.close();
  await ci.close();
  await rm(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
