// Checks a bundle with Sigstore's own library, which knows nothing of us.
//
//   npm install @sigstore/verify @sigstore/bundle
//   node verify_dsse.mjs BUNDLE PUBLIC_KEY [PAYLOAD]
//
// BUNDLE is a Sigstore bundle in JSON, PUBLIC_KEY the key in PEM, PAYLOAD the file whose bytes must be what was signed.
// Ends with 0 where the signature fits, and then says so; with 1 otherwise. Modules are looked for from the working
// directory on.

import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const { bundleFromJSON } = require("@sigstore/bundle");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");

const [bundlePath, keyPath, payloadPath] = process.argv.slice(2);
if (!bundlePath || !keyPath) {
  console.error("verify_dsse.mjs BUNDLE PUBLIC_KEY [PAYLOAD]");
  process.exit(2);
}

const bundle = bundleFromJSON(JSON.parse(readFileSync(bundlePath, "utf8")));
const key = readFileSync(keyPath, "utf8");
const trustRoot = { mediaType: "", tlogs: [], certificateAuthorities: [], timestampAuthorities: [], ctlogs: [] };
// The bundle only hints at its key; this is the one that we trust.
const material = toTrustMaterial(trustRoot, () => ({ publicKey: createPublicKey(key), validFor: () => true }));
const verifier = new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });

try {
  verifier.verify(toSignedEntity(bundle));
  const payload = Buffer.from(bundle.content.dsseEnvelope.payload);
  if (payloadPath && !payload.equals(readFileSync(payloadPath))) {
    throw new Error("the bundle is about other bytes than the payload");
  }
} catch (error) {
  console.error(`refused: ${error.message}`);
  process.exit(1);
}
console.log("verified by @sigstore/verify");
