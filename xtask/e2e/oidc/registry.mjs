// A registry that believes the providers, and the program of people and builds that talk to it.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { CLIENT, SECRET } from './providers.mjs';

export const AUDIENCE = 'http://127.0.0.1';

/** What GitHub says of a build, besides whose token it is and for how long. */
export const BUILD = {
  event_name: 'push',
  repository: 'octo/tools',
  repository_owner_id: '65',
  workflow_ref: 'octo/tools/.github/workflows/release.yml@refs/heads/main',
  ref: 'refs/heads/main',
  ref_protected: 'true',
  run_id: '4711',
  sha: '0fe1',
};

export class Registry {
  /** What it may not say, besides what all secrets look like. */
  secrets = [];
  #program;
  #folder;
  #server;
  #version = 0;

  /** Starts one that says everything it can, and believes builds of these issuers, and people of this one. */
  static async start(program, { issuers = [], login, secret = SECRET }) {
    const registry = new Registry();
    registry.#program = program;
    registry.#folder = await mkdtemp(join(tmpdir(), 'skillery-oidc-'));
    const builds = issuers.map((issuer) => `[[oidc_issuers]]\nissuer = '${issuer}'\nkind = 'github'\naudience = '${AUDIENCE}'\n`);
    const people = login
      ? [`[oidc_login]\nissuer = '${login}'\nclient_id = '${CLIENT}'\nclient_secret = '${secret}'\ncreate_users = true\n`]
      : [];
    await writeFile(join(registry.#folder, 'skillery.toml'), [...builds, ...people].join('\n'));
    await writeFile(join(registry.#folder, 'tool.py'), 'def tool():\n    return 1\n');
    const data = join(registry.#folder, 'data');
    const options = ['--json', '--listen', '127.0.0.1:0', '--data', data, '--config', 'skillery.toml', '--log-level', 'trace'];
    registry.#server = registry.start(['serve', ...options]);
    const { child, output } = registry.#server;
    try {
      const ready = await new Promise((resolve, reject) => {
        createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
        child.once('close', () => reject(new Error(output.stderr)));
      });
      registry.url = ready.url;
      registry.admin = { ...registry.home('admin'), REGISTRY_TOKEN: ready.admin_token };
      await registry.run(['org', 'create', 'acme'], registry.admin);
      return registry;
    } catch (error) {
      await registry.stop();
      throw error;
    }
  }

  /** Variables of somebody with a home of their own. */
  home(name) {
    return { REGISTRY_URL: this.url, SKILLERY_HOME: join(this.#folder, name) };
  }

  start(args, env = {}) {
    const base = { PATH: process.env.PATH, HOME: this.#folder };
    const options = { cwd: this.#folder, env: { ...base, ...env }, stdio: ['ignore', 'pipe', 'pipe'] };
    const child = spawn(this.#program, args, options);
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => (output.stdout += data));
    child.stderr.on('data', (data) => (output.stderr += data));
    const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, ...output })));
    return { child, output, ended };
  }

  /** Runs the program: its result, or its error with the code that it ended with. */
  async try(args, env) {
    const { code, stdout, stderr } = await this.start([...args, '--json'], env).ended;
    if (code === 0) return { code, value: JSON.parse(stdout || 'null') };
    // An error is the last thing on stderr, on several lines.
    const text = stderr.slice(stderr.lastIndexOf('{\n  "error"'));
    try {
      return { code, error: JSON.parse(text).error };
    } catch {
      throw new Error(`${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
    }
  }

  /** Runs what must succeed. */
  async run(args, env) {
    const { code, value, error } = await this.try(args, env);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${error.code}: ${error.message}`);
    return value;
  }

  /** Starts to sign in; gives where the browser goes, and the end. */
  async login(env, args = []) {
    const { child, output, ended } = this.start(['login', '--oidc', '--json', ...args], env);
    const line = await new Promise((resolve, reject) => {
      createInterface({ input: child.stderr }).once('line', resolve);
      child.once('close', () => reject(new Error(`it ended without a word: ${output.stderr}`)));
    });
    return { ...JSON.parse(line).sign_in, ended };
  }

  /** Trusts builds of the repository. */
  trust(issuer, ...more) {
    const build = ['--github', BUILD.repository, '--owner-id', BUILD.repository_owner_id, '--workflow', 'release.yml'];
    return this.run(['org', 'publisher', 'add', 'acme', ...build, '--issuer', issuer, ...more], this.admin);
  }

  /** Lets a build publish with this identity token, each time another version. */
  async publish(token) {
    const version = `1.0.${this.#version++}`;
    const env = { ...this.home('build'), SKILLERY_ID_TOKEN: token };
    const ended = await this.try(['publish', 'tool.py', '--org', 'acme', '--version', version, '--trusted'], env);
    const found = await this.entries().then((all) => all.findLast(({ event }) => event.version === version));
    // What was refused must not be there all the same.
    if (Boolean(found) !== (ended.code === 0)) throw new Error(`${version} is there as ${JSON.stringify(found)}`);
    return { ...ended, via: found?.event.via };
  }

  /** All entries of the log. */
  async entries() {
    const { entries } = await this.run(['log', 'list', '--limit', '200'], this.admin);
    if (entries.length === 200) throw new Error('there are more entries than were read');
    return entries;
  }

  /** Calls the API as nobody. */
  async post(path, body) {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${this.url}/api/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, body: await response.json() };
  }

  /** What it has said on stderr. */
  get words() {
    return this.#server.output.stderr;
  }

  async stop() {
    this.#server.child.kill();
    await this.#server.ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}
