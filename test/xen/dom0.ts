/**
 * A Xen host inside QEMU: the hypervisor, Debian's kernel as dom0 and Xen's tools, all of unmodified Debian packages (test/debian-root.ts), and a script that runs there. Nothing is
 * installed. dom0 has nothing but memory: what a script needs is put into its first root file system, and what it found comes back on its console.
 *
 * QEMU 7.2's TCG is not quite what Xen expects: with SMAP it faults on the way back to dom0's programs, and RDTSCP does not work in a further domain; so both are off. With AVX dom0's programs die of
 * broken memory now and then (xl, xenstored: of 12 domains one after the other two failed; without AVX and XSAVE none of 30).
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { makeDebianRoot } from '../debian-root.ts';
import { type Content, writeCpio } from './cpio.ts';

const PACKAGES = ['xen-hypervisor-4.17-amd64', 'xen-utils-4.17', 'xenstore-utils', 'busybox-static', 'linux-image-amd64', 'libgcc-s1'];
const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib/xen-4.17/lib/x86_64-linux-gnu'];
const TOOLS = ['xl', 'xenstored', 'xenconsoled', 'xenconsole', 'xen-init-dom0', 'libxl-save-helper'];
const CPU = 'max,-smap,-rdtscp,-avx,-avx2,-xsave';
/** In the order that their dependencies ask for. */
const MODULES = ['xen-privcmd', 'xenfs', 'xen-evtchn', 'xen-gntdev', 'loop', 'xen-blkback', 'llc', 'stp', 'bridge', 'xen-netback'];

/** What a disk's file, or a network card, is attached by (Xen's docs/misc/xl-disk-configuration, tools/hotplug): a loop device, and a bridge with a DHCP server for one address. */
const SCRIPTS: Readonly<Record<string, string>> = {
  block: `#!/bin/busybox sh
if [ $1 = add ]; then
  loop=$(losetup -f)
  losetup -r $loop "$(xenstore-read $XENBUS_PATH/params)"
  xenstore-write $XENBUS_PATH/node $loop $XENBUS_PATH/physical-device 7:$(printf %x \${loop#/dev/loop}) $XENBUS_PATH/hotplug-status connected
else
  losetup -d $(xenstore-read $XENBUS_PATH/node)
fi
`,
  'vif-bridge': `#!/bin/busybox sh
[ $1 = online ] || exit 0
brctl addif xenbr0 $vif
ip link set $vif up
xenstore-write $XENBUS_PATH/hotplug-status connected
`,
};
/** The address that a card gets. */
export const GUEST_ADDRESS = '10.9.0.2';
const DHCP = `interface xenbr0
start ${GUEST_ADDRESS}
end ${GUEST_ADDRESS}
lease_file /tmp/leases
option subnet 255.255.255.0
option router 10.9.0.1
`;

/** What dom0 does before a test's script, and after it. A domain's console is kept in /var/log/xen/console/guest-NAME.log. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/lib/xen-4.17/bin:/usr/bin LD_LIBRARY_PATH=/lib/x86_64-linux-gnu
mkdir -p /dev/pts /proc /sys /var/lock /var/run/xen /var/run/xenstored /var/lib/xen /var/lib/xenstored /var/log/xen/console /tmp /run
ln -s /proc/mounts /etc/mtab
mount -t devtmpfs none /dev
mkdir -p /dev/pts
mount -t devpts none /dev/pts
mount -t proc none /proc
mount -t sysfs none /sys
for module in ${MODULES.join(' ')}; do insmod /modules/$module.ko; done
mount -t xenfs none /proc/xen
ip link set lo up
brctl addbr xenbr0
ip address add 10.9.0.1/24 dev xenbr0
ip link set xenbr0 up
touch /tmp/leases
udhcpd /etc/udhcpd.conf
xenstored --pid-file /var/run/xenstored.pid
xen-init-dom0
xenconsoled --log=guest --log-dir=/var/log/xen/console --pid-file=/var/run/xenconsoled.pid
echo "dom0: ready"
. /script
echo "dom0: done"
poweroff -f
`;

/** Which libraries these programs need, by the names in their files, out of the unpacked packages: path in the packages by name. */
function findLibraries(root: string, programs: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  const look = (file: string) => {
    const dynamic = execFileSync('readelf', ['-d', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    for (const [, name] of dynamic.matchAll(/NEEDED.*\[(.+)\]/g)) {
      if (name === undefined || found.has(name)) continue;
      const path = LIBRARIES.map((folder) => join(root, folder, name)).find((candidate) => existsSync(candidate));
      if (path === undefined) throw new Error(`no ${name} for ${file}`);
      found.set(name, path);
      look(path);
    }
  };
  programs.forEach(look);
  return found;
}

/** Linux itself out of the file that a boot loader takes: it is packed with xz there, whose trailing bytes are the loader's. */
function unpackKernel(file: string): Buffer {
  const packed = readFileSync(file);
  const start = packed.indexOf(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]));
  if (start < 0) throw new Error(`${file} is not packed with xz`);
  const size = packed.readUInt32LE(0x24c); // payload_length (Linux Documentation/arch/x86/boot.rst)
  return execFileSync('xz', ['-dc', '--single-stream'], { input: packed.subarray(start, start + size), maxBuffer: 1 << 28 });
}

function findModules(root: string): Map<string, string> {
  const [release] = readdirSync(join(root, 'lib/modules'));
  const files = readdirSync(join(root, 'lib/modules', release ?? ''), { recursive: true, encoding: 'utf8' });
  return new Map(
    MODULES.map((name) => {
      const file = files.find((candidate) => candidate.endsWith(`/${name}.ko`));
      if (file === undefined) throw new Error(`Debian's kernel has no module ${name}`);
      return [name, join(root, 'lib/modules', release ?? '', file)];
    }),
  );
}

function* listDom0(root: string): Generator<[string, Content]> {
  const bin = join(root, 'usr/lib/xen-4.17/bin');
  const libraries = findLibraries(root, [...TOOLS.map((name) => join(bin, name)), join(root, 'usr/bin/xenstore')]);
  yield ['/bin/busybox', { file: join(root, 'bin/busybox') }];
  for (const name of TOOLS) yield [`/usr/lib/xen-4.17/bin/${name}`, { file: join(bin, name) }];
  for (const name of ['read', 'write', 'ls', 'list']) yield [`/usr/bin/xenstore-${name}`, { file: join(root, 'usr/bin/xenstore') }];
  for (const [name, file] of libraries) yield [`/lib/x86_64-linux-gnu/${name}`, { file }];
  for (const name of ['libgcc_s.so.1', 'libstdc++.so.6'].filter((library) => existsSync(join(root, 'lib/x86_64-linux-gnu', library))))
    yield [`/lib/x86_64-linux-gnu/${name}`, { file: join(root, 'lib/x86_64-linux-gnu', name) }];
  yield ['/lib64/ld-linux-x86-64.so.2', { file: join(root, 'lib/x86_64-linux-gnu/ld-linux-x86-64.so.2') }];
  for (const [name, file] of findModules(root)) yield [`/modules/${name}.ko`, { file }];
}

/** What is ours: it comes behind the packages' files, at each start. */
function* listSettings(): Generator<[string, Content]> {
  yield ['/init', Buffer.from(INIT)];
  for (const [name, script] of Object.entries(SCRIPTS)) yield [`/etc/xen/scripts/${name}`, Buffer.from(script)];
  yield ['/etc/udhcpd.conf', Buffer.from(DHCP)];
  yield ['/etc/xen/xl.conf', Buffer.from('autoballoon="off"\n')];
  yield ['/etc/passwd', Buffer.from('root:x:0:0:root:/:/bin/sh\n')];
}

/** Leaves three files of the packages and nothing else. */
function finish(root: string): void {
  const made = join(root, 'made');
  mkdirSync(made);
  const boot = join(root, 'boot');
  writeFileSync(join(made, 'xen'), gunzipSync(readFileSync(join(boot, 'xen-4.17-amd64.gz'))));
  const kernel = readdirSync(boot).find((name) => name.startsWith('vmlinuz-'));
  writeFileSync(join(made, 'linux'), unpackKernel(join(boot, kernel ?? '')));
  writeFiles(join(made, 'root.cpio'), writeCpio(listDom0(root)));
  for (const name of readdirSync(root)) if (name !== 'made') rmSync(join(root, name), { recursive: true, force: true });
}

function writeFiles(path: string, chunks: Iterable<Uint8Array>): void {
  const fd = openSync(path, 'a');
  try {
    for (const chunk of chunks) writeSync(fd, chunk);
  } finally {
    closeSync(fd);
  }
}

export interface Dom0 {
  /** With the files xen, linux, root.cpio. */
  readonly folder: string;
}

/** Once; after that it is found under build/test-roots. Or why there is none. */
export function makeDom0(): Dom0 | { reason: string } {
  const made = makeDebianRoot('xen', PACKAGES, finish);
  return 'reason' in made ? made : { folder: join(made.root, 'made') };
}

export interface Dom0Run {
  /** Files for dom0, by absolute path. */
  readonly files: Iterable<readonly [string, Content]>;
  /** For dom0's busybox sh. */
  readonly script: string;
  /** Of the whole host and of dom0, MiB. */
  readonly memory?: { readonly host: number; readonly dom0: number };
  /** After that QEMU is ended. */
  readonly seconds: number;
}

/** What the hypervisor and dom0 wrote on the host's console, up to its end. */
export async function runInDom0(dom0: Dom0, { files, script, memory = { host: 1024, dom0: 512 }, seconds }: Dom0Run): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'hull-xen-'));
  try {
    const initrd = join(folder, 'root.cpio');
    cpSync(join(dom0.folder, 'root.cpio'), initrd);
    writeFiles(initrd, writeCpio([...listSettings(), ...files, ['/script', Buffer.from(script)]]));
    return await runQemu(
      ['-accel', 'tcg', '-cpu', CPU, '-M', 'q35', '-m', `${memory.host}`, '-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio',
        '-kernel', join(dom0.folder, 'xen'),
        '-append', `console=com1 com1=115200,8n1 guest_loglvl=all noreboot dom0_mem=${memory.dom0}M`,
        '-initrd', `${join(dom0.folder, 'linux')} console=hvc0 quiet,${initrd}`],
      seconds,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runQemu(args: readonly string[], seconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const qemu = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    qemu.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    qemu.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    const deadline = setTimeout(() => qemu.kill('SIGKILL'), seconds * 1000);
    qemu.on('error', reject);
    qemu.on('close', () => {
      clearTimeout(deadline);
      resolve(Buffer.concat(chunks).toString('latin1').replaceAll('\r', ''));
    });
  });
}
