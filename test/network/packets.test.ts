/**
 * Packet sockets: the program test/guest/packets.c natively, in a network namespace of its own, and as a unikernel; and what Debian's tcpdump (libpcap), arping, udhcpc and dhclient
 * do with them on QEMU's user network, which has a gateway that answers and a DHCP server.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { makeDebianRoot } from '../debian-root.ts';
import { createRunner, hull } from '../guest/outcome.ts';

t.setTimeout(300_000);
const run = createRunner(120_000);
const folder = mkdtempSync(join(tmpdir(), 'hull-packets-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** A card whose other end has the address that the program asks for; it shows frames once both ends are up. */
const LINK = `ip link set lo up
ip link add eth0 type veth peer name peer0
ip addr add 10.0.2.2/24 dev peer0
ip link set eth0 up
ip link set peer0 up
until grep -q 1 /sys/class/net/eth0/carrier 2>/dev/null || ip link show eth0 | grep -q LOWER_UP; do sleep 0.05; done
exec "$0" eth0`;

t.test('as Linux has them', { skip: process.getuid?.() === 0 ? false : 'packet sockets and network namespaces are for root' }, async (t) => {
  const program = resolve('build/guest/glibc/packets');
  const image = join(folder, 'packets.img');
  const built = await run(hull, ['build', '--add', 'packet-socket', '-o', image, program]);
  t.equal(built.status, 0, built.stderr);
  const expected = await run('unshare', ['--net', 'sh', '-c', LINK, program]);
  const found = await run(hull, ['run', '-m', '64', image, 'eth0']);
  t.match(expected.stdout, /answer from 10\.0\.2\.2, to us/);
  t.equal(found.stdout, expected.stdout, 'output');
  t.equal(found.status, expected.status, `status ${found.stderr}`);
  const without = await run(hull, ['run', '-m', '64', program]);
  t.match(without.stderr, /packet sockets are not in this image, expected the component packet-socket \(--add packet-socket\)/);
});

const made = makeDebianRoot('packets', 'base-files base-passwd dash coreutils tcpdump iputils-arping busybox isc-dhcp-client'.split(' '), (root) => {
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\ntcpdump:x:100:100::/nonexistent:/usr/sbin/nologin\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\ntcpdump:x:100:\n');
  writeFileSync(join(root, 'lease'), '#!/bin/sh\n[ "$1" = bound ] && echo "udhcpc: $ip by $router for $lease"\n', { mode: 0o755 });
});

/** tcpdump says that it listens once it does: whatever is to be seen is sent after that. */
const SCRIPT = `listening() { until grep -q 'listening on' "$1"; do sleep 0.1; done; }
grep() { busybox grep "$@"; }
tcpdump -n -i eth0 -c 6 -w /tmp/frames arp or icmp or udp port 67 2>/tmp/said & listening /tmp/said
arping -c 1 -I eth0 10.0.2.2 | grep -o 'Unicast reply from [0-9.]*'
busybox ping -c 1 10.0.2.2 | grep -o '1 packets received'
busybox udhcpc -i eth0 -n -q -f -s /lease 2>/tmp/udhcpc || cat /tmp/udhcpc
wait; cat /tmp/said
tcpdump -n -e -r /tmp/frames 2>/tmp/read || cat /tmp/read
tcpdump -n -i any -c 2 icmp >/tmp/any 2>/tmp/any.said & listening /tmp/any.said
busybox ping -c 1 127.0.0.1 >/dev/null
wait; cat /tmp/any /tmp/any.said
dhclient -v -1 -sf /bin/true -lf /tmp/leases -pf /tmp/pid eth0 2>&1 | grep -o 'bound to [0-9.]*'
grep -o 'option routers .*' /tmp/leases
`;

t.test('what programs do with them', { skip: 'reason' in made ? made.reason : false }, async (t) => {
  const context = join(folder, 'context');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY --from=root . /\nCOPY script /script\n');
  writeFileSync(join(context, 'hull.yaml'), 'memory: 128m\ncomponents:\n  add: [packet-socket, raw-socket]\n');
  writeFileSync(join(context, 'script'), SCRIPT);
  const env = { HULL_ROOT: join(folder, 'state'), NODE_EXTRA_CA_CERTS: '' };
  const built = await run(hull, ['build', '-q', '--build-context', `root=${'root' in made ? made.root : ''}`, '-t', 'packets', context], env);
  t.equal(built.status, 0, built.stderr);
  const { stdout, stderr } = await run(hull, ['run', '--rm', 'packets', '/bin/sh', '/script'], env);
  t.match(stdout, /^Unicast reply from 10\.0\.2\.2$/m, `arping ${stderr}`);
  t.match(stdout, /^1 packets received$/m, 'ping');
  t.match(stdout, /^udhcpc: 10\.0\.2\.15 by 10\.0\.2\.2 for 86400$/m);
  t.match(stdout, /^6 packets captured$/m, 'tcpdump, through its ring');
  t.match(stdout, /^0 packets dropped by kernel$/m);
  t.match(stdout, /52:54:00:12:34:56 > ff:ff:ff:ff:ff:ff, ethertype ARP .*Request who-has 10\.0\.2\.2 .*tell 10\.0\.2\.15/);
  t.match(stdout, /ethertype ARP .*Reply 10\.0\.2\.2 is-at/);
  t.match(stdout, /10\.0\.2\.15 > 10\.0\.2\.2: ICMP echo request/);
  t.match(stdout, /10\.0\.2\.2 > 10\.0\.2\.15: ICMP echo reply/);
  t.match(stdout, /lo +In +IP 127\.0\.0\.1 > 127\.0\.0\.1: ICMP echo request/, 'all interfaces at once');
  t.match(stdout, /^bound to 10\.0\.2\.15$/m, 'dhclient');
  t.match(stdout, /^option routers 10\.0\.2\.2;$/m);
});
