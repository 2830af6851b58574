// What was tried, what must come of it, and what did: a line of JSON for each.

/** It was refused in the way that it must be. Every other error means that nobody can tell. */
export class Refused extends Error {}

/** What the program did, as words of an acceptance, or as a refusal if it ended with one of these codes. */
export function judged({ code, value, error, via }, codes) {
  if (code === 0) return via ?? JSON.stringify(value);
  if (codes.includes(error.code)) throw new Refused(`${error.code}, ${error.message}`);
  throw new Error(`ended with ${code}, ${error.code}: ${error.message}`);
}

export const accepts = (how, attempt) => tell('accept', how, attempt);
export const refuses = (how, attempt) => tell('refuse', how, attempt);

async function tell(must, how, attempt) {
  let [outcome, words] = ['accepted', ''];
  try {
    words = String(await attempt());
  } catch (error) {
    [outcome, words] = error instanceof Refused ? ['refused', error.message] : ['unclear', String(error.stack)];
  }
  console.log(JSON.stringify({ must, how, outcome, words }));
}
