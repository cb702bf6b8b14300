// Node.js's HTTP server: says what it was asked, with the body's SHA-256.
const { createHash } = require('node:crypto');
const { createServer } = require('node:http');

createServer((request, response) => {
  const hash = createHash('sha256');
  request.on('data', (chunk) => hash.update(chunk));
  request.on('end', () => response.end(`${request.method} ${request.url} ${hash.digest('hex')}\n`));
}).listen(8080);
