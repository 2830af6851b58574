// Checks a registry against providers of identities that other people wrote. Everything is on this machine.
//
//     node check.mjs path/to/skillery login|provider|builds|keys
//
// Prints a line of JSON for each thing that was tried. Ends with 0 when all was tried, whatever came of it.

import { login } from './login.mjs';
import { buildsOfAnyKind, buildsOfProvider, newKeys } from './trusted.mjs';

const PARTS = { login, provider: buildsOfProvider, builds: buildsOfAnyKind, keys: newKeys };

const [program, name] = process.argv.slice(2);
const part = PARTS[name];
if (!program || !part) {
  console.error(`check.mjs PROGRAM ${Object.keys(PARTS).join('|')}`);
  process.exit(2);
}
// What the providers say of themselves is no verdict.
console.info = console.warn = console.error;
await part(program);
// Servers of the providers may keep connections open.
process.exit(0);
