// What many put before a registry: it speaks TLS with clients, and plain HTTP with what is behind it.
// node tls.mjs ADDRESS PORT UPSTREAM_PORT KEY CERTIFICATE

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

const [address, port, upstream, key, certificate] = process.argv.slice(2);
const options = { key: readFileSync(key), cert: readFileSync(certificate) };

const server = https.createServer(options, (request, answer) => {
  const { method, url: path, headers } = request;
  const passed = http.request({ host: "127.0.0.1", port: upstream, method, path, headers }, (from) => {
    answer.writeHead(from.statusCode, from.headers);
    from.pipe(answer);
  });
  // A connection that ends is what the client would see without this one between.
  passed.on("error", () => answer.destroy());
  request.pipe(passed);
});
server.listen(Number(port), address, () => console.log("listening"));
