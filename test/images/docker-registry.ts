/** Debian's docker-registry on loopback. Whoever starts one ends it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';

function findPort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}

/** `more`: lines of its configuration, below "http" or beside it. */
export async function startDockerRegistry(folder: string, name: string, more = ''): Promise<{ host: string; child: ChildProcess }> {
  const port = await findPort();
  const config = join(folder, `${name}.yml`);
  mkdirSync(join(folder, `${name}.data`));
  writeFileSync(config, `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${join(folder, `${name}.data`)}}, delete: {enabled: true}}\nhttp:\n  addr: 127.0.0.1:${port}\n${more}`);
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  for (let i = 0; i < 600; i++) {
    const isOpen = await new Promise<boolean>((done) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        done(true);
      });
      socket.on('error', () => done(false));
    });
    if (isOpen) return { host: `127.0.0.1:${port}`, child };
    await new Promise((next) => setTimeout(next, 100));
  }
  child.kill('SIGKILL');
  throw new Error('docker-registry does not listen after a minute');
}
