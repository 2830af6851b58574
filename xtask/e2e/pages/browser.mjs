// A browser for a long run: where it ends by itself, another one takes its place.

import { chromium } from "playwright-core";

/// A browser gives little of its memory back, so another one takes its place after so many contexts.
const CONTEXTS = 150;

/// Whoever needs a context asks this, and gets one of the browser that runs by then. `ends` counts those that ended by themselves.
export function lasting(executablePath) {
  let current;
  let made = 0;
  const lasts = {
    ends: 0,

    async newContext(options) {
      // What somebody has open still is not taken away.
      if (current?.isConnected() && made >= CONTEXTS && current.contexts().length === 0) await lasts.close();
      if (!current?.isConnected()) {
        // Who is asked to end ends, in place of ending the browser alone, for which another one would come.
        const started = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"], handleSIGTERM: false });
        started.on("disconnected", () => {
          if (started !== current) return;
          lasts.ends += 1;
          console.log("  ENDED     the browser, by itself");
        });
        [current, made] = [started, 0];
      }
      made += 1;
      return current.newContext(options);
    },

    /// Does this, and once more where the browser ended meanwhile: what ends it twice is wrong.
    async twice(what, attempt) {
      const ends = lasts.ends;
      try {
        return await attempt();
      } catch (error) {
        // Whatever was asked of a browser may fail a moment before its end is known.
        for (let tries = 0; tries < 20 && lasts.ends === ends && current?.isConnected(); tries++) await new Promise((done) => setTimeout(done, 50));
        if (lasts.ends === ends) throw error;
        console.log(`  AGAIN     ${what}`);
      }
      try {
        return await attempt();
      } catch (error) {
        error.message = `once more, after the browser had ended: ${error.message}`;
        throw error;
      }
    },

    async close() {
      const last = current;
      // From here on its end is meant.
      current = undefined;
      await last?.close();
    },
  };
  return lasts;
}
