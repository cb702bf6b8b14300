/**
 * Host directories, volumes and memory in a machine: what a program does there is compared with what is on the host afterwards, and what the options refuse.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { waitUntil } from '../wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-volumes-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const hull = join(findCheckout(), 'dist/hull');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };
const call = (args: string[], timeout = 600_000) => execa(hull, args, { env, extendEnv: false, reject: false, input: '', timeout, cwd: folder });
const shell = (options: string[], script: string) => call(['run', ...options, '/bin/busybox', 'sh', '-c', script]);

t.test('a host directory is the same on both sides', async (t) => {
  const share = join(folder, 'share');
  mkdirSync(join(share, 'sub'), { recursive: true });
  writeFileSync(join(share, 'from-host'), 'host\n');
  symlinkSync('from-host', join(share, 'link'));
  for (let i = 0; i < 500; i++) writeFileSync(join(share, 'sub', `file-with-a-longer-name-${i}`), '');
  const script = `set -e; cd /data; cat from-host link; ls sub | wc -l; printf guest > from-guest; chmod 640 from-guest; mkdir made; mv from-guest made/moved
    ln made/moved made/hard; ln -s moved made/soft; stat -c '%h %a' made/hard; echo more >> made/moved; cat made/soft; touch -d @1000000 made; rm sub/file-with-a-longer-name-7
    dd if=/dev/zero of=big bs=300000 count=3 2>/dev/null; printf x | dd of=big bs=1 seek=777777 conv=notrunc 2>/dev/null; exec 3> gone; rm gone; echo kept >&3; cat /proc/self/fd/3 || true
    mkdir -p a/b/c; rmdir a/b/c a/b a; test ! -e a`;
  const result = await shell(['-v', `${share}:/data`], script);
  t.equal(result.exitCode, 0, result.stderr);
  t.match(result.stdout, /^host\nhost\n500\n2 640\nguestmore\nkept/);
  t.equal(readFileSync(join(share, 'made/moved'), 'utf8'), 'guestmore\n');
  t.equal(statSync(join(share, 'made/hard')).nlink, 2);
  t.equal(statSync(join(share, 'made/hard')).mode & 0o777, 0o640);
  t.equal(readlinkSync(join(share, 'made/soft')), 'moved');
  t.equal(statSync(join(share, 'made')).mtimeMs, 1_000_000_000);
  t.equal(readdirSync(join(share, 'sub')).length, 499);
  const big = readFileSync(join(share, 'big'));
  t.equal(big.length, 900_000);
  t.strictSame([big[777_776], big[777_777], big[777_778]], [0, 120, 0]);
  t.notOk(existsSync(join(share, 'gone')));
});

t.test('read-only, nested and relative mounts; memory', async (t) => {
  mkdirSync(join(folder, 'outer/inner'), { recursive: true });
  mkdirSync(join(folder, 'other'));
  writeFileSync(join(folder, 'other/name'), 'other\n');
  const options = ['-v', './outer:/o', '--mount', `type=bind,source=${join(folder, 'other')},target=/o/inner,readonly`, '--tmpfs', '/mem:size=1m,mode=0711'];
  const result = await shell(options, 'cat /o/inner/name; touch /o/made; touch /o/inner/x; echo $?; rm /o/inner/name; stat -c %a /mem; dd if=/dev/zero of=/mem/f bs=1k count=3000 2>/dev/null; echo $?; stat -c %s /mem/f');
  t.equal(result.stdout, 'other\n1\n711\n1\n1048576');
  t.match(result.stderr, /touch: .*Read-only file system[^]*rm: .*Read-only file system/);
  t.ok(existsSync(join(folder, 'outer/made')) && existsSync(join(folder, 'other/name')));
});

t.test('single files, with nothing around them', async (t) => {
  mkdirSync(join(folder, 'files'));
  writeFileSync(join(folder, 'files/conf'), 'setting\n');
  writeFileSync(join(folder, 'files/state'), 'old\n');
  writeFileSync(join(folder, 'files/secret'), 'not shared\n');
  const options = ['-v', './files/conf:/etc/app/conf:ro', '-v', './files/state:/state'];
  const result = await shell(options, 'cat /etc/app/conf /state; ls /etc/app; echo new > /state; echo more >> /state; echo x > /etc/app/conf; echo $?; rm /state; echo $?');
  t.equal(result.stdout, 'setting\nold\nconf\n1\n1');
  t.match(result.stderr, /Read-only file system[^]*rm: can't remove '\/state': .*busy/);
  t.equal(readFileSync(join(folder, 'files/state'), 'utf8'), 'new\nmore\n');
  t.equal(statSync(join(folder, 'files/state')).nlink, 1, 'the second name is gone');
});

t.test('a file that the host changes while the machine runs', async (t) => {
  const share = join(folder, 'live');
  mkdirSync(share);
  const run = shell(['-v', `${share}:/d`], 'echo ready > /d/ready; while [ ! -e /d/go ]; do sleep 0.05; done; cat /d/go; tail -n +1 -f /d/log > /tmp/seen & until grep -q first /tmp/seen; do sleep 0.05; done; echo asked > /d/more; while [ ! -e /d/end ]; do sleep 0.05; done; i=0; until grep -q second /tmp/seen || [ $i = 1200 ]; do sleep 0.1; i=$((i + 1)); done; kill $!; cat /tmp/seen');
  const until = (name: string) => waitUntil(`the guest makes ${name}`, () => existsSync(join(share, name)));
  await until('ready');
  writeFileSync(join(share, 'log'), 'first\n');
  writeFileSync(join(share, 'go.tmp'), 'went\n');
  execFileSync('mv', [join(share, 'go.tmp'), join(share, 'go')]);
  await until('more');
  writeFileSync(join(share, 'log'), 'first\nsecond\n');
  writeFileSync(join(share, 'end'), '');
  const result = await run;
  t.match(result.stdout, /went\nfirst\nsecond/);
});

t.test('random operations leave the same tree as natively', async (t) => {
  t.setTimeout(0); // each machine has its own
  const program = join(findCheckout(), 'build/guest/musl/files_random');
  const seed = process.env['HULL_TEST_SEED'] ?? String(Math.floor(Math.random() * 1e9));
  const steps = process.env['HULL_TEST_STEPS'] ?? '4000';
  console.error(`volumes.test: seed ${seed}, ${steps} steps (HULL_TEST_SEED, HULL_TEST_STEPS)`);
  // 9P: without hard links, since a file whose name was removed cannot be cut short by another (libos/9p/README.md).
  t.equal((await call(['volume', 'create', '--driver', 'block', '--opt', 'size=64m', 'random'])).exitCode, 0);
  // Overlays begin with files below; where the upper layer outlives the machine without directories, since those cannot be renamed (libos/overlay/README.md).
  const layers = (name: string, files: readonly string[]): { root: string; below: string } => {
    const layersRoot = join(folder, name);
    for (const file of files) {
      mkdirSync(join(layersRoot, 't', file, '..'), { recursive: true });
      writeFileSync(join(layersRoot, 't', file), 'below\n'.repeat(3000));
    }
    execFileSync('cp', [program, join(layersRoot, 'program')]);
    return { root: layersRoot, below: join(layersRoot, 't') };
  };
  const memory = layers('layers', ['a', 'dir/ccc', 'dir/sub/z']);
  const kept = layers('layers-kept', ['a', 'ccc']);
  const places = [
    { name: 'tmpfs', options: ['--tmpfs', '/t', program] },
    { name: '9p', options: ['-v', './random:/t', program], links: ['without-links'] },
    { name: 'block', options: ['-v', 'random:/t', program] },
    { name: 'overlay', options: ['--rootfs', memory.root, '/program'], below: memory.below },
    { name: 'overlay, kept', options: ['--rootfs', kept.root, '--writable', join(folder, 'random.img'), '/program'], below: kept.below },
  ];
  for (const { name, options, links = [], below } of places) {
    const native = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : folder, 'hull-random-'));
    t.teardown(() => rmSync(native, { recursive: true, force: true }));
    if (below !== undefined) execFileSync('cp', ['-a', `${below}/.`, native]);
    const expected = await execa(program, [native, seed, steps, ...links]);
    const result = await call(['run', ...options, '/t', seed, steps, ...links], 600_000 + Number(steps) * 20);
    t.equal(result.exitCode, 0, `${name}: ${result.stderr}`);
    t.equal(result.stdout, expected.stdout, `${name}, seed ${seed}`);
  }
  t.equal((await call(['volume', 'rm', 'random'])).exitCode, 0);
});

t.test('threads that write to private pages of a file while these are read', async (t) => {
  const program = join(findCheckout(), 'build/guest/glibc/touched');
  const expected = await execa(program, [folder]);
  mkdirSync(join(folder, 'touched'));
  const result = await call(['run', '-v', './touched:/t', program, '/t']);
  t.equal(result.exitCode, 0, result.stderr);
  t.equal(result.stdout, expected.stdout);
});

t.test('extended attributes and special files, natively and on each file system', async (t) => {
  const program = join(findCheckout(), 'build/guest/musl/attributes');
  const native = join(folder, 'attributes-native');
  const shared = join(folder, 'attributes');
  for (const place of [native, shared, `${native}-special`]) mkdirSync(place);
  const expected = await execa(program, [native]);
  const withSpecial = await execa(program, [`${native}-special`, 'special']);
  t.equal((await call(['volume', 'create', '--driver', 'block', '--opt', 'size=16m', 'attributes'])).exitCode, 0);
  // QEMU makes no special files in a directory that it shares as it is, which for root each is (libos/9p/README.md).
  const places = [
    { options: ['-v', './attributes:/t'], special: [] },
    { options: ['-v', 'attributes:/t'], special: ['special'] },
    { options: ['--tmpfs', '/t'], special: ['special'] },
  ];
  for (const { options, special } of places) {
    const result = await call(['run', ...options, program, '/t', ...special]);
    t.equal(result.exitCode, 0, result.stderr);
    t.equal(result.stdout, (special.length > 0 ? withSpecial : expected).stdout, options.join(' '));
  }
  const kept = (place: string) => execa('python3', ['-c', 'import os, sys; print(os.getxattr(sys.argv[1], "user.from"))', join(place, 'kept')]);
  t.equal((await kept(shared)).stdout, (await kept(native)).stdout, 'the host has them');
  t.equal((await call(['volume', 'rm', 'attributes'])).exitCode, 0);
});

/** e2fsck finds nothing, and nothing to replay. */
const checkImage = (path: string) => execa('e2fsck', ['-fn', path], { reject: false, env: { PATH: `${process.env['PATH']}:/sbin:/usr/sbin` } });

t.test('block volumes: what the guest writes, Linux reads, and the other way', async (t) => {
  const image = async (name: string) => (JSON.parse((await call(['volume', 'inspect', name])).stdout) as { Mountpoint: string }[])[0]?.Mountpoint ?? '';
  t.equal((await call(['volume', 'create', '-d', 'block', '-o', 'size=100m', 'disk'])).stdout, 'disk');
  const [shown] = JSON.parse((await call(['volume', 'inspect', 'disk'])).stdout) as object[];
  t.match(shown, { Driver: 'block', Options: { size: String(100 * 1024 ** 2) } });
  t.match((await call(['volume', 'ls'])).stdout, /^block +disk$/m);
  const disk = await image('disk');
  t.ok(statSync(disk).blocks * 512 < 2 ** 20, 'an empty one takes no room');
  t.equal((await checkImage(disk)).exitCode, 0);
  const script = `set -e; cd /data; test -z "$(ls -A)"; mkdir -p d/e; echo content > d/e/f; ln d/e/f hard; ln -s d/e/f soft; mknod fifo p; mknod dev c 1 3; chown 12:34 d; chmod 1750 d; touch -d @17179869184 late; touch -d @-9999999999 early
    dd if=/dev/zero of=sparse bs=1 seek=5000000 count=0 2>/dev/null; dd if=/dev/urandom of=big bs=64k count=160 2>/dev/null; md5sum < big
    i=0; while test $i -lt 300; do echo $i > d/file-with-a-long-name-$i; i=$((i + 1)); done; rm d/file-with-a-long-name-2*`;
  const made = await shell(['-v', 'disk:/data'], script);
  t.equal(made.exitCode, 0, made.stderr);
  const checked = await checkImage(disk);
  t.equal(checked.exitCode, 0, checked.stdout);
  const debugfs = (request: string) => execa('debugfs', ['-R', request, disk], { env: { PATH: `${process.env['PATH']}:/sbin:/usr/sbin` }, encoding: 'buffer' });
  t.equal(createHash('md5').update((await debugfs('cat /big')).stdout).digest('hex'), made.stdout.slice(0, 32));
  t.equal(Buffer.from((await debugfs('cat /hard')).stdout).toString(), 'content');
  t.match(Buffer.from((await debugfs('stat /d')).stdout).toString(), /Mode: +01750[^]*User: +12 +Group: +34/);
  const again = await shell(['-v', 'disk:/data:ro'], 'cd /data; md5sum < big; cat soft; ls d | wc -l; stat -c "%h %t:%T %F" hard dev fifo; stat -c %s sparse; stat -c %Y late early; touch x');
  t.match(again.stdout, new RegExp(`^${made.stdout.slice(0, 32)} .*\ncontent\n190\n2 0:0 regular file\n1 1:3 character special file\n1 0:0 fifo\n5000000\n15032385535\n-2147483648`)); // the last and the first second that an inode's 34 bits hold
  t.match(again.stderr, /Read-only file system/);

  // What mke2fs makes of a tree, as a file that was named.
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'many'), { recursive: true });
  for (let i = 0; i < 700; i++) writeFileSync(join(tree, 'many', `name-${i}`), String(i));
  const foreign = join(folder, 'foreign.img');
  const environment = { PATH: `${process.env['PATH']}:/sbin:/usr/sbin` };
  await execa('mke2fs', ['-q', '-t', 'ext4', '-d', tree, foreign, '64m'], { env: environment });
  const there = await shell(['--mount', `type=block,source=${foreign},target=/data`], 'cd /data/many; cat name-699; ls | wc -l; echo new > made; rm name-1; cat name-?? | wc -c');
  t.equal(there.stdout, '699700\n180', there.stderr);
  t.equal((await checkImage(foreign)).exitCode, 0);

  await execa('mke2fs', ['-q', '-F', '-t', 'ext3', foreign], { env: environment });
  const refused = await shell(['--mount', `type=block,source=${foreign},target=/data`], 'true');
  t.match([refused.exitCode, refused.stderr], [125, /Cannot mount a volume at "\/data": it has not the feature extent/]);
  const unknown = await call(['volume', 'create', '-d', 'nfs', 'other']);
  t.match([unknown.exitCode, unknown.stderr], [125, /plugin "nfs" not found, expected local or block/]);
  t.match((await call(['volume', 'create', '-d', 'block', '-o', 'size=1m', 'other'])).stderr, /Cannot make a file system of 1048576 bytes, expected from 16m/);

  const busy = shell(['-v', 'disk:/data'], 'echo up; sleep 600');
  await new Promise((done) => busy.stdout?.once('data', done));
  const second = await shell(['-v', 'disk:/data'], 'true');
  t.match([second.exitCode, second.stderr], [1, /Cannot use volume "disk": another machine uses it/]);
  busy.kill('SIGKILL');
  await busy;
  t.equal((await call(['volume', 'rm', 'disk'])).exitCode, 0);
});

t.test("a root's writable layer in a file survives its machine", async (t) => {
  const root = join(folder, 'root');
  for (const name of ['bin', 'etc', 'lower/deep']) mkdirSync(join(root, name), { recursive: true });
  execFileSync('cp', ['/bin/busybox', join(root, 'bin/busybox')]);
  for (const name of ['etc/passwd', 'etc/kept', 'lower/one', 'lower/deep/two']) writeFileSync(join(root, name), `${name}\n`);
  const layer = join(folder, 'layer.img');
  const inRoot = (script: string) => call(['run', '--rootfs', root, '--writable', layer, '/bin/busybox', 'sh', '-c', script]);
  const first = await inRoot(`set -e; rm /etc/passwd; echo more >> /etc/kept; chown 5:6 /etc/kept; chmod 4751 /etc/kept; rm -r /lower/deep; mkdir /lower/deep; echo new > /lower/deep/three
    mkdir /made; ln /etc/kept /made/hard; ln -s target /made/soft; mknod /made/pipe p; mv /lower /moved; chmod 700 /etc`);
  t.equal(first.exitCode, 0, first.stderr);
  const second = await inRoot('cd /; ls etc/passwd lower; cat etc/kept made/hard; stat -c "%a %u:%g %h" etc/kept; find moved | sort; readlink made/soft; test -p made/pipe; stat -c %a etc; mkdir lower; ls lower');
  t.equal(second.stdout, 'etc/kept\nmore\netc/kept\nmore\n4751 5:6 2\nmoved\nmoved/deep\nmoved/deep/three\nmoved/one\ntarget\n700', second.stderr);
  const check = await checkImage(layer);
  t.equal(check.exitCode, 0, check.stdout);
  // As Linux's overlayfs has it.
  const debugfs = (request: string) => execa('debugfs', ['-R', request, layer], { env: { PATH: `${process.env['PATH']}:/sbin:/usr/sbin` } });
  t.match((await debugfs('stat /upper/etc/passwd')).stdout, /Type: character special/);
  t.match((await debugfs('ea_list /upper/lower')).stdout, /trusted\.overlay\.opaque \(1\) = "y"/);
  t.match((await debugfs('ls -l /')).stdout, / work[^]* upper/);
  const refused = await call(['run', '--writable', layer, '/bin/busybox', 'true']);
  t.match([refused.exitCode, refused.stderr], [125, /it has no root file system, expected --rootfs or an image/]);
});

t.test('volumes outlive machines; those of a run alone do not', async (t) => {
  const first = await shell(['-v', 'data:/data', '-v', '/scratch'], 'echo one >> /data/n; echo x > /scratch/x; chown 5:6 /data/n; cat /data/n');
  t.strictSame([first.exitCode, first.stdout], [0, 'one'], first.stderr);
  const second = await shell(['--mount', 'source=data,target=/elsewhere'], 'echo two >> /elsewhere/n; cat /elsewhere/n; stat -c %u:%g /elsewhere/n');
  t.equal(second.stdout, 'one\ntwo\n5:6');
  t.equal((await call(['volume', 'ls', '-q'])).stdout, 'data');
  t.equal((await call(['volume', 'create', '--label', 'a=b', 'empty'])).stdout, 'empty');
  const [shown] = JSON.parse((await call(['volume', 'inspect', 'empty'])).stdout) as { Name: string; Mountpoint: string; Labels: object }[];
  t.match(shown, { Name: 'empty', Labels: { a: 'b' } });
  t.ok(statSync(shown?.Mountpoint ?? '').isDirectory());

  const busy = shell(['-v', 'data:/data'], 'echo up; sleep 600');
  busy.stdout?.once('data', () => {});
  await new Promise((done) => busy.stdout?.once('data', done));
  const refused = await call(['volume', 'rm', 'data']);
  t.equal(refused.exitCode, 1);
  t.match(refused.stderr, /remove data: volume is in use/);
  busy.kill('SIGKILL'); // nothing that hull could tidy up
  await busy;
  t.equal((await call(['volume', 'prune'])).stdout, 'No volumes to remove');
  t.equal((await call(['volume', 'rm', 'data', 'nothing'])).stdout, 'data');
  t.equal((await call(['volume', 'rm', 'data'])).stderr, 'hull: get data: no such volume');
  t.equal((await call(['volume', 'prune', '-a'])).stdout, 'Deleted Volumes:\nempty');
});

t.test('what a program sees of files of other people', { skip: process.getuid?.() === 0 ? false : 'only root can make files of other users' }, async (t) => {
  const share = join(folder, 'owners');
  mkdirSync(share);
  writeFileSync(join(share, 'secret'), 'no\n', { mode: 0o600 });
  execFileSync('chown', ['1234:1235', join(share, 'secret')]);
  chmodSync(share, 0o777);
  const result = await shell(['-v', `${share}:/d`, '-u', '77:78'], 'stat -c %u:%g:%a /d/secret; cat /d/secret; touch /d/mine; stat -c %u:%g /d/mine');
  t.equal(result.stdout, '1234:1235:600\n77:78');
  t.match(result.stderr, /cat: can't open '\/d\/secret': Permission denied/);
  t.equal(statSync(join(share, 'mine')).uid, 77);
});

/** As a user who may do little: nobody, when root runs the tests. */
const plain = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
const isReachable = spawnSync('test', ['-x', hull], plain).status === 0;
const unreachable = `nobody may not reach ${hull}`;
if (!isReachable) console.error(`volumes.test: no test as another user: ${unreachable}`);
t.test('a plain user keeps owners and modes in volumes, and has root’s files in host directories', { skip: isReachable ? false : unreachable }, async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'hull-plain-'));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(join(home, 'bind'));
  if (plain.uid !== undefined) execFileSync('chown', ['-R', `${plain.uid}:${plain.gid}`, home]);
  const as = (script: string) =>
    execa(hull, ['run', '-v', 'vol:/d', '-v', './bind:/b', '/bin/busybox', 'sh', '-c', script], {
      env: { ...env, HULL_ROOT: join(home, 'state'), HOME: home }, extendEnv: false, reject: false, input: '', timeout: 600_000, cwd: home, ...plain,
    });
  const make = 'cd /d; touch x; chown 70:71 x; chmod 4750 x; mkdir dir; chown 70 dir; ln -s x l; mknod p p; touch /b/f; ';
  const list = 'stat -c "%n %u:%g %a %F" dir l p x /b/f; readlink l';
  const first = await as(make + list);
  t.equal(first.stdout, 'dir 70:0 755 directory\nl 0:0 777 symbolic link\np 0:0 644 fifo\nx 70:71 4750 regular empty file\n/b/f 0:0 644 regular empty file\nx', first.stderr);
  const second = await as(`cd /d; ${list}`);
  t.equal(second.stdout, first.stdout, 'the next machine sees the same');
  t.equal(statSync(join(home, 'bind/f')).uid, plain.uid ?? process.getuid?.());
});

t.test('what is refused', async (t) => {
  writeFileSync(join(folder, 'plain'), '');
  const cases: [string[], string][] = [
    [['-v', 'a:b'], "invalid volume specification: 'a:b': invalid mount config: mount path must be absolute"],
    [['-v', '/a:/b:/c:/d'], "invalid volume specification: '/a:/b:/c:/d'"],
    [['-v', '/a:/b:rx'], 'invalid mode: rx'],
    [['-v', 'x/y:/b'], 'create x/y: "x/y" includes invalid characters for a local volume name'],
    [['-v', 'vol:/'], "destination can't be '/'"],
    [['--mount', 'type=bind,source=/not/there,target=/x'], 'invalid mount config for type "bind": bind source path does not exist: /not/there'],
    [['--mount', 'type=nfs,source=/not/there,target=/x'], 'mount type unknown: "nfs"'],
    [['--mount', 'type=bind,source=/tmp'], 'target is required'],
    [['--tmpfs', '/a:huge=1'], 'invalid tmpfs option ["huge=1"]'],
    [['-v', 'one:/x', '-v', 'two:/x'], 'Duplicate mount point: /x'],
  ];
  for (const [options, message] of cases) {
    const result = await shell(options, 'true');
    t.equal(result.exitCode, 125, options.join(' '));
    t.ok(result.stderr.includes(message), `${options.join(' ')}: ${result.stderr}`);
  }
  t.equal((await call(['volume', 'ls', '-q'])).stdout, 'one', 'a failed run leaves no volume of its own, but the one that it named');
});
