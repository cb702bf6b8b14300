/*
 * `hull run --vmm xen` beside a stand-in for xl, which notes how it was called and says on the console what a domain would: the order of calls, records and exit statuses, errors, and that nothing stays
 * behind. What real domains do, test/xen shows.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { DEFERRED_ARGUMENTS, encodeRecord, RECORD } from '../../boot/index.ts';
import { findCheckout } from '../boot/guest/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-vmm-xen-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const bin = join(folder, 'bin');
const temporary = join(folder, 'tmp');
for (const path of [bin, temporary]) mkdirSync(path);

const hull = async (args: string[], env: NodeJS.ProcessEnv = {}, input = '') =>
  execa(join(findCheckout(), 'dist/hull'), args, {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state'), TMPDIR: temporary, FOLDER: folder, XL_STATE: 'r-----', ...env },
    extendEnv: false,
    reject: false,
    cwd: folder,
    input,
    timeout: 60_000,
  });

const XL = `#!/bin/sh
echo "$*" >> $FOLDER/calls
case $1 in
create) [ -z "$XL_FAILS" ] || { echo "xencall: error: Could not obtain handle on privileged command interface" >&2; exit 1; }; rm -f $FOLDER/unpaused $FOLDER/destroyed; : > $FOLDER/tty; cp xl.cfg kernel module $FOLDER/ ;;
console) until [ -e $FOLDER/unpaused ]; do sleep 0.1; done; cat $FOLDER/records; [ -z "$XL_ASKS" ] || { until [ -s $FOLDER/tty ]; do sleep 0.1; done; cat $FOLDER/end; }; until [ -e $FOLDER/destroyed ]; do sleep 0.1; done ;;
unpause) touch $FOLDER/unpaused ;;
domid) echo 1 ;;
list) printf 'Name ID Mem VCPUs State Time(s)\\n%s 1 64 1 %s 0.3\\n' "$2" "$XL_STATE" ;;
destroy) touch $FOLDER/destroyed ;;
esac
`;

t.test('a domain', async (t) => {
  writeFileSync(join(folder, 'hello.c'), '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n');
  t.equal((await hull(['cc', '-Os', '-s', '--hull-add=xen-console', '-o', 'hello', 'hello.c'])).exitCode, 0);
  const path = `${bin}:${process.env.PATH ?? ''}`;

  const absent = await hull(['run', '--vmm', 'xen', './hello'], { PATH: `${temporary}:${join(process.execPath, '..')}` });
  t.equal(absent.exitCode, 125);
  t.match(absent.stderr, /Cannot run "xl": there is no such program, expected Xen's toolstack/);

  writeFileSync(join(bin, 'xl'), XL);
  chmodSync(join(bin, 'xl'), 0o755);
  const refused = await hull(['run', '--vmm', 'xen', './hello'], { PATH: path, XL_FAILS: '1' });
  t.equal(refused.exitCode, 125);
  t.match(refused.stderr, /Cannot run "xl create": xencall: error: .*, expected a machine that Xen runs \(dom0\)/);

  const status = Buffer.alloc(4);
  status.writeUInt32LE(7 << 8);
  writeFileSync(join(folder, 'records'), Buffer.concat([encodeRecord(RECORD.STDOUT, Buffer.from('from a domain\n')), encodeRecord(RECORD.STDERR, Buffer.from('and beside it\n')), encodeRecord(RECORD.EXIT, status)]));
  rmSync(join(folder, 'calls'), { force: true });
  const done = await hull(['run', '--vmm', 'xen', './hello'], { PATH: path });
  t.equal(done.stdout, 'from a domain');
  t.equal(done.stderr, 'and beside it');
  t.equal(done.exitCode, 7, 'the exit status of the program');
  const name = /name = "(.*)"/.exec(readFileSync(join(folder, 'xl.cfg'), 'utf8'))?.[1];
  const calls = readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
  t.same(calls[0], 'create -q -p xl.cfg');
  t.same(calls.slice(1, 3).sort(), [`console ${name}`, `unpause ${name}`]);
  t.same(calls.slice(3).filter((call) => call !== `list ${name}`), [`destroy ${name}`], 'gone, however it ended');
  t.same(readFileSync(join(folder, 'kernel')), readFileSync(join(folder, 'hello')), 'the kernel is the file that QEMU boots');

  const credit = Buffer.alloc(4);
  credit.writeUInt32LE(4096);
  writeFileSync(join(folder, 'records'), Buffer.concat([encodeRecord(RECORD.READY, Buffer.of(4, 0, 0, 0, 0, 0, 0, 0)), encodeRecord(RECORD.CREDIT, credit)]));
  writeFileSync(join(folder, 'end'), encodeRecord(RECORD.EXIT, status));
  writeFileSync(join(bin, 'xenstore-read'), '#!/bin/sh\n[ $1 = /local/domain/1/console/tty ] && echo $FOLDER/tty\n');
  chmodSync(join(bin, 'xenstore-read'), 0o755);
  t.equal((await hull(['run', '--vmm', 'xen', './hello'], { PATH: path, XL_ASKS: '1' }, 'what is typed\n')).exitCode, 7);
  t.ok(readFileSync(join(folder, 'tty')).includes(encodeRecord(RECORD.STDIN, Buffer.from('what is typed\n'))), 'input goes to the terminal of the console');

  // What an image without a formatter says: the address of a format, and its arguments.
  const image = readFileSync(join(folder, 'hello'));
  const at = image.indexOf('hello\0');
  const headers = Array.from({ length: image.readUInt16LE(56) }, (_, i) => Number(image.readBigUInt64LE(32)) + i * 56);
  const segment = headers.find((each) => image.readUInt32LE(each) === 1 && at >= Number(image.readBigUInt64LE(each + 8)) && at < Number(image.readBigUInt64LE(each + 8) + image.readBigUInt64LE(each + 32)));
  t.type(segment, 'number') || t.bailout('the text of the program is in no segment');
  const words = Buffer.alloc((2 + DEFERRED_ARGUMENTS) * 8);
  words.writeBigUInt64LE(image.readBigUInt64LE((segment ?? 0) + 16) + BigInt(at) - image.readBigUInt64LE((segment ?? 0) + 8), 8);
  writeFileSync(join(folder, 'records'), Buffer.concat([encodeRecord(RECORD.LOG_DEFERRED, words), encodeRecord(RECORD.PANIC_DEFERRED, words)]));
  const deferred = await hull(['run', '--vmm', 'xen', './hello'], { PATH: path });
  t.equal(deferred.stderr.match(/^hull: hello$/gm)?.length, 2, 'a line and a panic, as under QEMU');
  t.match(deferred.stderr, /the libOS panicked/);

  writeFileSync(join(folder, 'records'), '');
  const silent = await hull(['run', '--vmm', 'xen', './hello'], { PATH: path, XL_STATE: '---sc-' });
  t.equal(silent.exitCode, 125);
  t.match(silent.stderr, /the domain ended and the program reported no exit status/);

  const mount = await hull(['run', '--vmm', 'xen', '-v', `${folder}:/x`, './hello'], { PATH: path });
  t.equal(mount.exitCode, 125);
  t.match(mount.stderr, /under Xen with a mount: nothing there does that/);
  t.same(readdirSync(temporary), [], 'nothing stays behind');
  t.equal(existsSync(join(folder, 'unpaused')), true);
});
