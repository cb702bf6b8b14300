/**
 * Debian's cloud kernel as a guest, to compare with. Owns: where the kernel comes from (apt-get download, unpacked with dpkg, nothing is
 * installed), the initramfs, QEMU's arguments and the reading of a guest's serial line. Rules: the package is kept in build/linux-guest, so
 * that it is fetched once; the arguments that both guests share are written down once (commonArguments), so that nothing but the guest differs.
 *
 * The kernel has virtio as modules: a guest with a network gets them as files (`modules`), and its init loads them.
 * The initramfs is a "newc" cpio archive (Linux: Documentation/driver-api/early-userspace/buffer-format.rst).
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface LinuxKernel {
  /** The bzImage. */
  readonly image: string;
  readonly version: string;
  /** The file of a module: virtio_net -> …/virtio_net.ko. */
  findModule(name: string): string;
  /** The files of these and of what they depend on, in an order in which they can be loaded; what the kernel has built in has none. */
  findModules(names: readonly string[]): string[];
}

export interface KernelPackage {
  readonly metaPackage: string;
  /** Where it is kept. */
  readonly folder: string;
}

const CLOUD_KERNEL: KernelPackage = { metaPackage: 'linux-image-cloud-amd64', folder: 'build/linux-guest' };
/** Has file systems that the cloud kernel lacks. */
export const GENERIC_KERNEL: KernelPackage = { metaPackage: 'linux-image-amd64', folder: 'build/linux-guest-generic' };

/** Fetches the kernel on the first call. */
export function findLinuxKernel({ metaPackage, folder } = CLOUD_KERNEL): LinuxKernel {
  const root = join(folder, 'root');
  if (!existsSync(join(root, 'boot'))) {
    mkdirSync(root, { recursive: true });
    const dependencies = execFileSync('apt-cache', ['depends', metaPackage], { encoding: 'utf8' });
    const name = /Depends: (linux-image-\S+)/.exec(dependencies)?.[1];
    if (name === undefined) throw new Error(`Cannot find "${metaPackage}": apt knows no such package, expected Debian's lists`);
    execFileSync('apt-get', ['download', '-qq', name], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    const file = readdirSync(folder).find((each) => each.startsWith(`${name}_`)) as string;
    execFileSync('dpkg', ['-x', join(folder, file), root]);
  }
  const image = readdirSync(join(root, 'boot')).find((name) => name.startsWith('vmlinuz-')) as string;
  const version = image.slice('vmlinuz-'.length);
  const modules = join(root, 'lib/modules', version, 'kernel');
  const files = new Map(readdirSync(modules, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ko')).map((path) => [basename(path, '.ko').replaceAll('-', '_'), join(modules, path)]));
  return {
    image: join(root, 'boot', image),
    version,
    findModule(name) {
      const found = files.get(name);
      if (found === undefined) throw new Error(`Cannot find the module "${name}": Linux ${version} has none, expected one of its modules`);
      return found;
    },
    findModules(names) {
      const found = new Set<string>();
      const add = (name: string): void => {
        const file = files.get(name.replaceAll('-', '_'));
        if (file === undefined || found.has(file)) return;
        const needs = /\0depends=([^\0]*)\0/.exec(readFileSync(file, 'latin1'))?.[1] ?? '';
        for (const each of needs.split(',')) add(each);
        found.add(file);
      };
      for (const name of names) add(name);
      return [...found];
    },
  };
}

/** `data` makes a file, `link` a symbolic link, neither a directory; parents are made. */
export interface InitramfsEntry {
  readonly path: string;
  readonly data?: Uint8Array;
  readonly link?: string;
  readonly mode?: number;
}

const NETWORK_MODULES = ['failover', 'net_failover', 'virtio_ring', 'virtio', 'virtio_mmio', 'virtio_net'];

/** What bench/guest/net-init.c loads for a virtio card. */
export const listNetworkModules = (kernel: LinuxKernel): InitramfsEntry[] => NETWORK_MODULES.map((name, i) => ({ path: `/modules/${i}-${name}.ko`, data: readFileSync(kernel.findModule(name)) }));

/** An archive with these, /dev/console and /dev/null. Uncompressed: unpacking is not what is measured. */
export function makeInitramfs(entries: readonly InitramfsEntry[]): Buffer {
  const pieces: Buffer[] = [];
  let number = 1;
  const add = (name: string, mode: number, data: Uint8Array = Buffer.alloc(0), device: readonly [number, number] = [0, 0]) => {
    const path = Buffer.from(`${name}\0`);
    const fields = [number++, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, path.length, 0];
    const head = Buffer.from(`070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`);
    for (const piece of [Buffer.concat([head, path]), data]) pieces.push(Buffer.from(piece), Buffer.alloc(-piece.length & 3));
  };
  const made = new Set<string>(['']);
  const addFolder = (path: string) => {
    if (made.has(path)) return;
    addFolder(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
    made.add(path);
    add(path, 0o40755);
  };
  addFolder('dev');
  add('dev/console', 0o20600, undefined, [5, 1]);
  add('dev/null', 0o20666, undefined, [1, 3]);
  for (const { path, data, link, mode } of entries) {
    const name = path.replace(/^\/+/, '');
    addFolder(name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : '');
    if (link !== undefined) add(name, 0o120777, Buffer.from(link));
    else if (data !== undefined) add(name, 0o100000 | (mode ?? 0o755), data);
    else addFolder(name);
  }
  add('TRAILER!!!', 0);
  return Buffer.concat(pieces);
}

/** The files of a directory tree, as entries. */
export function readTree(root: string, prefix = ''): InitramfsEntry[] {
  return readdirSync(join(root, prefix), { withFileTypes: true }).flatMap((item): InitramfsEntry[] => {
    const path = join(prefix, item.name);
    if (item.isDirectory()) return [{ path }, ...readTree(root, path)];
    if (item.isSymbolicLink()) return [{ path, link: execFileSync('readlink', [join(root, path)], { encoding: 'utf8' }).trimEnd() }];
    return item.isFile() ? [{ path, data: readFileSync(join(root, path)) }] : [];
  });
}

export interface GuestMachine {
  readonly machine: string;
  readonly accelerator: string;
  /** MiB. */
  readonly memory: number;
}

/** What the two guests of a comparison have in common. */
export function commonArguments({ machine, accelerator, memory }: GuestMachine): string[] {
  return ['-M', machine, '-accel', accelerator, '-cpu', 'max', '-smp', '1', '-m', String(memory), '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'];
}

export interface LinuxGuest extends GuestMachine {
  readonly kernel: LinuxKernel;
  /** Path of the initramfs. */
  readonly initramfs: string;
  /** Arguments of init, which is /init in the archive. */
  readonly args?: readonly string[];
  /** More of the kernel's own command line. */
  readonly append?: string;
  readonly extra?: readonly string[];
}

/** Arguments for a guest whose console is QEMU's stdout and whose machine ends when init does. */
export function linuxArguments(guest: LinuxGuest): string[] {
  const append = ['console=ttyS0', 'quiet', 'panic=-1', 'reboot=t', guest.append ?? '', 'rdinit=/init', '--', ...(guest.args ?? [])];
  return [
    ...commonArguments(guest),
    '-kernel', guest.kernel.image, '-initrd', guest.initramfs, '-append', append.filter((word) => word !== '').join(' '),
    '-serial', 'stdio', ...(guest.extra ?? []),
  ];
}

export interface GuestRun {
  readonly output: string;
  /** ms from the start to `until`'s first match in the output; NaN when it never came. */
  readonly first: number;
  readonly whole: number;
  readonly timedOut: boolean;
}

/** Runs QEMU with these arguments until it ends, `until` has been seen, or the deadline comes. */
export async function runGuest(args: readonly string[], options: { readonly until?: RegExp; readonly deadline: number }): Promise<GuestRun> {
  const started = performance.now();
  const child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  let first = Number.NaN;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, options.deadline);
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('latin1');
    if (options.until === undefined || !Number.isNaN(first) || !options.until.test(output)) return;
    first = performance.now() - started;
    child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { output: output.replaceAll('\r\n', '\n'), first, whole: performance.now() - started, timedOut };
}
