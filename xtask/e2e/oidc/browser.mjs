// A browser as far as signing in needs one: cookies, redirects, and the one form of each page.

export class Browser {
  #cookies = new Map();
  /** Where it was. */
  trail = [];

  async go(url, options = {}) {
    for (let hops = 0; hops < 20; hops++) {
      this.trail.push(url);
      const headers = { ...options.headers, cookie: [...this.#cookies].map((pair) => pair.join('=')).join('; ') };
      const response = await fetch(url, { ...options, headers, redirect: 'manual' });
      for (const line of response.headers.getSetCookie()) {
        const [name, value] = line.split(';')[0].split(/=(.*)/s);
        if (value) this.#cookies.set(name, value);
        else this.#cookies.delete(name);
      }
      const to = response.headers.get('location');
      if (!to) return { url, status: response.status, text: await response.text() };
      url = new URL(to, url).href;
      options = {};
    }
    throw new Error('redirected without an end');
  }

  /** Sends the form of a page, with what it holds and these values. */
  async submit(page, values) {
    const action = page.text.match(/<form[^>]*action="([^"]*)"/)?.[1];
    if (!action) throw new Error(`there is no form at ${page.url}: ${page.text.replace(/<[^>]*>/g, ' ').slice(0, 300)}`);
    const fields = new URLSearchParams();
    for (const [input] of page.text.matchAll(/<input[^>]*>/g)) {
      const name = input.match(/name="([^"]*)"/)?.[1];
      if (name) fields.set(name, input.match(/value="([^"]*)"/)?.[1] ?? '');
    }
    for (const [name, value] of Object.entries(values)) fields.set(name, value);
    return this.go(new URL(action, page.url).href, {
      method: 'POST',
      body: fields.toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  }
}

/** Signs in as this person where a device waits, and allows what is asked for. */
export async function signIn(address, person) {
  const browser = new Browser();
  // The page that has the code in its address sends itself; the next one asks whether it is meant.
  let page = await browser.submit(await browser.go(address), {});
  page = await browser.submit(page, { confirm: 'yes' });
  page = await browser.submit(page, { login: person, password: 'any' });
  if (page.text.includes('consent')) page = await browser.submit(page, {});
  if (!page.text.includes('Sign-in Success')) throw new Error(`${page.status} at ${page.url}`);
}

/** Says no where a device waits. */
export async function refuse(address) {
  const browser = new Browser();
  const page = await browser.submit(await browser.go(address), {});
  await browser.submit(page, { abort: 'yes' });
}
