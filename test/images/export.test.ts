/**
 * hull export: disks, CDs and kernels that start in a plain QEMU, without hull, print what they should, and switch themselves off; archives of files. And kernels that come with images: in a layer, or as the
 * program itself, through a registry and skopeo.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { openStore } from '../../images/store/index.ts';
import { findCheckout } from '../boot/guest/build.ts';
import { startDockerRegistry } from './docker-registry.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-export-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const hull = join(findCheckout(), 'dist/hull');
const stateOf = (name: string) => ({ ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, name) });
const env = stateOf('state');
const run = (args: readonly string[], more: { env?: NodeJS.ProcessEnv; cwd?: string; input?: string } = {}) =>
  execa(hull, args, { env: more.env ?? env, extendEnv: false, reject: false, cwd: more.cwd ?? folder, input: more.input ?? '', timeout: 600_000 });
const has = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;

/** Until it ends by itself: that is part of what is tested. */
/** The firmware writes its own last line late, at times without its end. */
const boot = (args: readonly string[], input = '') => execa('qemu-system-x86_64', [...args, '-nographic', '-net', 'none'], { reject: false, input, timeout: 600_000 });

function makeContext(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

const COMMANDS = 'echo "$GREETING from $(pwd)"; busybox md5sum /bin/busybox; busybox id -u; busybox date +%Y; echo written > /tmp/x; cat /tmp/x';
const shell = makeContext('shell', {
  Dockerfile: `FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\nCOPY Dockerfile /etc/motd\nENV GREETING=hello\nUSER 5\nWORKDIR /etc\nCMD ["/bin/sh", "-c", "${COMMANDS.replaceAll('"', '\\"').replace('cat ', 'busybox cat ')}"]\n`,
});
copyFileSync('/bin/busybox', join(shell, 'busybox'));
const program = join(folder, 'hello');

t.before(async () => {
  writeFileSync(join(folder, 'hello.c'), '#include <stdio.h>\nint main(int argc, char **argv) { printf("hello %s %d\\n", argc > 1 ? argv[1] : "nobody", argc); return 0; }\n');
  const [cc, build] = await Promise.all([run(['cc', '-Os', '-s', '-o', program, 'hello.c']), run(['build', '-q', '-t', 'shell', shell])]);
  if (cc.exitCode !== 0 || build.exitCode !== 0) throw new Error(`${cc.stderr}\n${build.stderr}`);
});

t.test('what starts without hull prints what a run prints', async (t) => {
  const expected = (await run(['run', 'shell'])).stdout;
  t.match(expected, /^hello from \/etc\n[0-9a-f]{32} .*\n5\n20\d\d\nwritten$/, 'a run by hull');
  const machines: Record<string, (file: string) => string[]> = {
    raw: (file) => ['-drive', `file=${file},format=raw,if=virtio`],
    qcow2: (file) => ['-M', 'q35', '-m', '64', '-drive', `file=${file},if=virtio`],
    elf: (file) => ['-M', 'q35', '-no-reboot', '-kernel', file],
  };
  for (const [format, machine] of Object.entries(machines)) {
    const file = join(folder, `shell.${format}`);
    t.equal((await run(['export', '--format', format, '-o', file, 'shell'])).stderr, '', `export as ${format}`);
    const { stdout, exitCode } = await boot(machine(file));
    t.equal(exitCode, 0, `${format} ends by itself`);
    t.ok(stdout.replaceAll('\r', '').includes(expected), `${format} prints the same`, { stdout });
  }
});

t.test('disks and CDs whose machine has no virtio: all of it is loaded', async (t) => {
  const iso = join(folder, 'hello.iso');
  t.equal((await run(['export', '--format', 'iso', '-o', iso, program, 'there'])).stderr, '');
  t.match((await boot(['-cdrom', iso])).stdout, /(?:^|\.\.)hello there 2\r?$/m, 'a CD');
  const small = makeContext('small', { Dockerfile: 'FROM scratch\nCOPY greet data /\nENTRYPOINT ["/greet"]\n', data: 'from the root file system\n', 'greet.c': '#include <stdio.h>\nint main(void) { char line[100]; FILE *f = fopen("/data", "r"); puts(f && fgets(line, sizeof line, f) ? line : "nothing"); return 0; }\n' });
  const cc = spawnSync('musl-gcc', ['-static', '-Os', '-s', '-o', 'greet', 'greet.c'], { cwd: small, encoding: 'utf8' });
  t.equal(cc.stderr, '');
  t.equal((await run(['build', '-q', '-t', 'small', small])).exitCode, 0);
  for (const [format, machine] of [['raw', (file: string) => ['-drive', `file=${file},format=raw`]], ['iso', (file: string) => ['-cdrom', file]]] as const) {
    const file = join(folder, `small.${format}`);
    t.equal((await run(['export', '--format', format, '-o', file, 'small'])).stderr, '');
    t.match((await boot(machine(file))).stdout, /(?:^|\.\.)from the root file system\r?$/m, format);
  }
});

t.test('the serial port as terminal and as input', async (t) => {
  const file = join(folder, 'input.raw');
  t.equal((await run(['export', '--format', 'raw', '-i', '-e', 'GREETING=got', '-o', file, 'shell', '/bin/sh', '-c', 'while read -r a; do [ "$a" != word ] || break; done; echo "$GREETING $a"'])).stderr, '');
  // The firmware takes what is typed before the machine asks, and perhaps a part of a line.
  const machine = execa('qemu-system-x86_64', ['-drive', `file=${file},format=raw,if=virtio`, '-nographic', '-net', 'none'], { reject: false, timeout: 600_000 });
  const typing = setInterval(() => machine.stdin?.write('word\n'), 300);
  machine.stdin?.on('error', () => undefined);
  const { stdout } = await machine;
  clearInterval(typing);
  t.match(stdout, /got word/);
});

t.test('archives, and what cannot be exported', async (t) => {
  const tar = await execa('sh', ['-c', '"$0" export --format tar small | tar --list --verbose --numeric-owner --file -', hull], { env, extendEnv: false });
  t.match(tar.stdout, /-rw-r--r-- 0\/0 +26 .* data\n-rwxr-xr-x 0\/0 +\d+ .* greet$/);
  const { exitCode, stderr } = await run(['export', '--format', 'raw', 'shell']);
  t.match(stderr, /required flag "output" not set/);
  t.equal(exitCode, 125);
  t.match((await run(['export', '--format', 'tar', '-o', 'x.tar', program])).stderr, /no root file system of its own, expected the name of an image/);
  t.match((await run(['export', '--format', 'vhd', '-o', 'x', 'shell'])).stderr, /expected elf, raw, qcow2, iso, xl, tar/);
  t.match((await run(['export', 'nobody'])).stderr, /No such container: nobody/);
  t.notOk(existsSync(join(folder, 'x.tar')));
});

t.test('a kernel in a layer', async (t) => {
  const context = makeContext('layered', { Dockerfile: readFileSync(join(shell, 'Dockerfile'), 'utf8'), 'hull.yaml': 'kernel: layer\n' });
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  const { stdout: id, stderr } = await run(['build', '-q', '-t', 'layered', context]);
  t.match(id, /^sha256:/, stderr);
  t.equal((await run(['build', '-q', '-t', 'again', context])).stdout, id, 'built again, it is the same');
  const { config, manifest } = openStore(join(folder, 'state/images')).resolve('layered');
  const layer = config.rootfs.diff_ids.length - 1;
  t.equal(config.config?.Labels?.['hull.kernel.layer'], config.rootfs.diff_ids[layer], 'the label names the last layer');
  t.ok((manifest.layers[layer]?.size ?? 0) < 400_000, `its layer has ${manifest.layers[layer]?.size} bytes`);
  const expected = (await run(['run', 'shell'])).stdout;

  await t.test('through a registry and skopeo into another store', { skip: ['docker-registry', 'skopeo'].every(has) ? false : 'docker-registry and skopeo are not here' }, async (t) => {
    const registry = await startDockerRegistry(folder, 'kernels');
    t.teardown(() => registry.child.kill('SIGKILL'));
    const name = `${registry.host}/layered`;
    await run(['tag', 'layered', name]);
    t.equal((await run(['push', '-q', name])).exitCode, 0);
    const skopeo = spawnSync('skopeo', ['copy', '--src-tls-verify=false', '--dest-tls-verify=false', `docker://${name}`, `docker://${registry.host}/copied`], { encoding: 'utf8' });
    t.equal(skopeo.status, 0, skopeo.stderr);
    const other = stateOf('other');
    const ran = await run(['run', `${registry.host}/copied`], { env: other });
    t.equal(ran.stdout, expected, ran.stderr);
    const kernels = readdirSync(join(folder, 'other/cache/kernels')).filter((each) => each.endsWith('.img'));
    t.match(kernels, [/^layer-/], 'its kernel was used, and none linked');
    t.equal(kernels.length, 1);
    t.equal((await run(['run', '-d', '--name', 'apart', `${registry.host}/copied`], { env: other })).exitCode, 0);
    await run(['wait', 'apart'], { env: other });
    t.equal((await run(['logs', 'apart'], { env: other })).stdout, expected, 'detached, too');
    await run(['rm', '-f', 'apart'], { env: other });
    t.equal(readdirSync(join(folder, 'other/cache/kernels')).filter((each) => each.endsWith('.img')).length, 1, 'with the same kernel');
    t.match((await run(['run', '--entrypoint', '/bin/busybox', `${registry.host}/copied`, 'ls', '-a', '/'], { env: other })).stdout, /^bin$/m, 'another program is linked for');
  });

  const above = makeContext('above', { Dockerfile: 'FROM layered\nCMD ["/bin/busybox", "ls", "-a", "/"]\n' });
  t.equal((await run(['build', '-q', '-t', 'above', '--label', 'hull.kernel=layer', above])).exitCode, 0);
  t.equal(openStore(join(folder, 'state/images')).resolve('above').config.rootfs.diff_ids.length, layer + 1, "what is built of it has its own kernel in place of the base's");
  t.notMatch((await run(['run', 'above'])).stdout, /\.hull/, 'and no file of one');
});

t.test('a program that hull cc linked is its kernel', async (t) => {
  const context = makeContext('linked', { Dockerfile: 'FROM scratch\nCOPY hello /\nENTRYPOINT ["/hello"]\nCMD ["image"]\n', 'hull.yaml': 'kernel: linked\nmemory: 8m\n' });
  copyFileSync(program, join(context, 'hello'));
  t.equal((await run(['build', '-q', '-t', 'linked', context])).exitCode, 0);
  t.equal((await run(['run', 'linked'])).stdout, 'hello image 2');
  t.equal((await run(['run', 'linked', 'a', 'b'])).stdout, 'hello a 3');
  t.equal((await run(['run', '-d', '--name', 'linked-one', 'linked'])).exitCode, 0);
  await run(['wait', 'linked-one']);
  t.equal((await run(['logs', 'linked-one'])).stdout, 'hello image 2');
  await run(['rm', 'linked-one']);
  const file = join(folder, 'linked.raw');
  t.equal((await run(['export', '--format', 'raw', '-o', file, 'linked'])).stderr, '');
  t.match((await boot(['-drive', `file=${file},format=raw,if=virtio`])).stdout, /(?:^|\.\.)hello image 2\r?$/m);
  writeFileSync(join(shell, 'hull.yaml'), 'kernel: linked\n');
  t.match((await run(['build', '-q', shell])).stderr, /"\/bin\/sh" is not linked with the libOS, expected a program that hull cc linked/);
});
