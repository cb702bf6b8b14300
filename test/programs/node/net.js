// The network over the loopback and by socket files: TCP, UDP, HTTP, HTTP/2, WHATWG fetch, names.
'use strict';
const dgram = require('node:dgram');
const dns = require('node:dns');
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const fs = require('node:fs');
const { createHash } = require('node:crypto');
const { once } = require('node:events');

const body = async (stream) => {
  const parts = [];
  for await (const chunk of stream) parts.push(chunk);
  return Buffer.concat(parts);
};
const sum = (buffer) => createHash('md5').update(buffer).digest('hex').slice(0, 8);
const big = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 31) & 255));

async function main() {
  for (const where of [{ host: '127.0.0.1', port: 0 }, { host: '::1', port: 0 }, { path: '/tmp/echo.sock' }]) {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(where);
    await once(server, 'listening');
    const address = where.path ? { path: where.path } : { host: where.host, port: server.address().port };
    const client = net.connect(address);
    await once(client, 'connect');
    client.setNoDelay(true);
    client.end(big);
    console.log(where.host ?? where.path, client.remoteFamily, sum(await body(client)), client.bytesRead, client.bytesWritten);
    const clients = Array.from({ length: 20 }, (_, i) => net.connect(address).end(`hello ${i}`));
    console.log((await Promise.all(clients.map(async (one) => `${await body(one)}`))).join());
    server.close();
    await once(server, 'close');
  }
  fs.rmSync('/tmp/echo.sock', { force: true });
  const [refused] = await once(net.connect(1, '127.0.0.1'), 'error');
  console.log(refused.code, refused.syscall, refused.address);
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const [used] = await once(net.createServer().listen(taken.address().port, '127.0.0.1'), 'error');
  console.log(used.code);
  const silent = net.connect(taken.address().port, '127.0.0.1');
  silent.setTimeout(50);
  await once(silent, 'timeout');
  console.log('timeout');
  silent.destroy();
  taken.close();

  const udp = dgram.createSocket('udp4');
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const peer = dgram.createSocket('udp4');
  peer.send(['da', 'ta'], udp.address().port, '127.0.0.1');
  const [message, from] = await once(udp, 'message');
  udp.send(message, from.port, from.address);
  console.log(`${(await once(peer, 'message'))[0]}`, from.family);
  udp.close();
  peer.close();

  const server = http.createServer(async (request, response) => {
    const sent = await body(request);
    response.setHeader('x-method', request.method);
    if (request.url === '/chunks') for (let i = 0; i < 5; i++) response.write(`part ${i};`);
    response.end(sent.length > 0 ? sum(sent) : request.url);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  const ask = async (path, method = 'GET', data = undefined) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, agent });
    request.end(data);
    const [response] = await once(request, 'response');
    return [response.statusCode, response.headers['x-method'], `${await body(response)}`];
  };
  console.log(await ask('/chunks'), await ask('/post', 'POST', big));
  console.log((await Promise.all(Array.from({ length: 30 }, (_, i) => ask(`/${i}`)))).map(([, , path]) => path).join());
  agent.destroy();
  if (globalThis.fetch) {
    const answer = await fetch(`http://127.0.0.1:${port}/fetched`, { method: 'PUT', body: 'x'.repeat(1000) });
    console.log(answer.status, answer.headers.get('x-method'), await answer.text());
  }
  server.close();
  server.closeAllConnections?.();
  const h2 = http2.createServer();
  h2.on('stream', (stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.end(`h2 ${headers[':path']}`);
  });
  h2.listen(0, '127.0.0.1');
  await once(h2, 'listening');
  const session = http2.connect(`http://127.0.0.1:${h2.address().port}`);
  console.log((await Promise.all([1, 2, 3].map(async (n) => `${await body(session.request({ ':path': `/${n}` }))}`))).join());
  session.close();
  h2.close();
  console.log(await dns.promises.lookup('localhost', { family: 4 }), net.isIP('::1'), (await dns.promises.lookup('127.0.0.1')).family);
  await dns.promises.lookup('no-such-name.invalid').catch(({ code, syscall }) => console.log(code === 'ENOTFOUND' || code === 'EAI_AGAIN', syscall));
  console.log(require('node:os').networkInterfaces().lo?.some(({ address, internal }) => address === '127.0.0.1' && internal));
}
main();
