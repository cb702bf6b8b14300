/** A root file system of Debian's unmodified packages with python3 and nginx, without what neither reads: it is copied into dom0's memory. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDebianRoot } from '../debian-root.ts';

const PACKAGES = ['python3-minimal', 'nginx'];
const UNREAD = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/perl5', 'usr/share/info', 'usr/share/i18n', 'usr/lib/x86_64-linux-gnu/gconv', 'usr/lib/x86_64-linux-gnu/perl-base', 'var/lib'];

const NGINX = `daemon off;
user root;
error_log stderr;
pid /run/nginx.pid;
events {}
http { access_log off; server { listen 80; root /usr/bin; } }
`;

function finish(root: string): void {
  for (const path of UNREAD) rmSync(join(root, path), { recursive: true, force: true });
  for (const path of ['var/lib/nginx', 'var/log/nginx', 'run']) mkdirSync(join(root, path), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(root, 'etc/nginx/nginx.conf'), NGINX);
}

export const makeGuestRoot = (): { root: string } | { reason: string } => makeDebianRoot('xen-guests', PACKAGES, finish);
