/** Debian's docker-registry on loopback. Whoever starts one ends it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findPort } from '../ports.ts';

/** `more`: lines of its configuration, below "http" or beside it. */
export async function startDockerRegistry(folder: string, name: string, more = ''): Promise<{ host: string; child: ChildProcess }> {
  const port = await findPort();
  const config = join(folder, `${name}.yml`);
  mkdirSync(join(folder, `${name}.data`));
  writeFileSync(config, `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${join(folder, `${name}.data`)}}, delete: {enabled: true}}\nhttp:\n  addr: 127.0.0.1:${port}\n${more}`);
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  for (let i = 0; i < 2400 && child.exitCode === null; i++) {
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
  throw new Error(`docker-registry does not listen at port ${port}, or ended: ${child.exitCode}`);
}

/** Settings for TLS with a certificate of a CA of its own (FOLDER/ca.crt), and for one user by a password (needs openssl and htpasswd). */
export function makeSecureSettings(folder: string, user: string, password: string): { readonly tls: string; readonly authentication: string } {
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('ca.key'), '-out', at('ca.crt'), '-subj', '/CN=test CA', '-days', '2');
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('server.key'), '-out', at('server.csr'), '-subj', '/CN=127.0.0.1');
  writeFileSync(at('san'), 'subjectAltName=IP:127.0.0.1,DNS:registry.test');
  openssl('x509', '-req', '-in', at('server.csr'), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-out', at('server.crt'), '-days', '2', '-extfile', at('san'));
  writeFileSync(at('users'), execFileSync('htpasswd', ['-Bbn', user, password]));
  return { tls: `  tls: {certificate: ${at('server.crt')}, key: ${at('server.key')}}\n`, authentication: `auth: {htpasswd: {realm: test, path: ${at('users')}}}\n` };
}
