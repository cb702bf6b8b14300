/**
 * A root file system with Debian's unmodified servers and clients, and how to run its programs natively: the clients that ask the machines. Downloaded once
 * (test/debian-root.ts); what maintainer scripts would have made is made here.
 */
import { appendFileSync, chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDebianRoot } from '../debian-root.ts';

const PACKAGES = [
  ...'base-files base-passwd dash bash coreutils procps netbase media-types ca-certificates openssl tzdata'.split(' '),
  ...'nginx redis-server redis-tools memcached lighttpd haproxy dnsmasq-base unbound mosquitto mosquitto-clients'.split(' '),
  ...'python3 curl wget iperf3 wrk apache2-utils'.split(' '),
];

/** Users and folders that the packages' scripts make on an installed system. */
function finish(root: string): void {
  for (const name of ['passwd', 'group']) copyFileSync(join(root, `usr/share/base-passwd/${name}.master`), join(root, 'etc', name));
  for (const [i, name] of ['redis', 'memcache', 'mosquitto', 'haproxy', 'dnsmasq', 'unbound'].entries()) {
    appendFileSync(join(root, 'etc/passwd'), `${name}:x:${101 + i}:${101 + i}::/nonexistent:/usr/sbin/nologin\n`);
    appendFileSync(join(root, 'etc/group'), `${name}:x:${101 + i}:\n`);
  }
  for (const folder of ['var/www/html', 'var/lib/nginx', 'var/log/nginx', 'var/log/lighttpd', 'var/cache/lighttpd', 'var/lib/redis', 'var/log/redis', 'run', 'root', 'tmp']) {
    mkdirSync(join(root, folder), { recursive: true });
    chmodSync(join(root, folder), folder === 'tmp' ? 0o1777 : 0o777);
  }
  symlinkSync('/etc/nginx/sites-available/default', join(root, 'etc/nginx/sites-enabled/default'));
  writeFileSync(join(root, 'var/www/html/index.html'), 'x'.repeat(612));
}

export const makeNetworkRoot = (): { root: string } | { reason: string } => makeDebianRoot('network', PACKAGES, finish);

/** The command that runs one of the root's programs on this host, with the root's own loader and libraries. */
export function runNatively(root: string, path: string): [string, string[]] {
  const libraries = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'].map((folder) => join(root, folder)).join(':');
  return [join(root, 'lib64/ld-linux-x86-64.so.2'), ['--library-path', libraries, join(root, path)]];
}
