/** ext4 file systems read from their files: what mkfs.ext4 made of a directory is that directory; a journal that was not written back reads as e2fsck replays it; damage is one error. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { formatExt4, openExt4 } from '../../images/ext4/index.ts';
import { type FilePlace, openErofs, openHostFiles, scanDirectory, writeErofs } from '../../images/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-ext4-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const sbin = { env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } };
const debug = (image: string, ...commands: string[]) =>
  execFileSync('debugfs', ['-w', '-f', '-', image], { ...sbin, input: `${commands.join('\n')}\n`, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

/** Each file in a line; hard links by the first of their names. */
function list<Id>(place: FilePlace<Id>, time = (ns: bigint) => ns): string[] {
  const lines: string[] = [];
  const first = new Map<string, string>();
  const visit = (id: Id, path: string) => {
    const { kind, mode, uid, gid, size, links, mtimeNs, device } = place.stat(id);
    const known = kind === 'directory' ? undefined : first.get(place.key(id));
    first.set(place.key(id), known ?? path);
    const hash = createHash('sha256');
    let count = 0;
    for (const piece of kind === 'file' ? place.content(id) : []) {
      hash.update(piece);
      count += piece.length;
    }
    const content = kind === 'file' ? `${count} ${hash.digest('hex').slice(0, 16)}` : kind === 'symlink' ? place.readLink(id) : '';
    const attributes = [...place.xattrs(id)].map(([name, value]) => `${name}=${value.toString('hex')}`).sort();
    // Directories of EROFS have no size of their own to compare, and counts of a root differ by lost+found.
    lines.push([path, kind, mode.toString(8), uid, gid, size, path === '' ? '' : links, path === '' ? '' : time(mtimeNs), JSON.stringify(device), content, known ?? '', ...attributes].join(' '));
    if (kind !== 'directory') return;
    for (const [name, child] of [...place.list(id)].sort(([a], [b]) => (a < b ? -1 : 1))) if (path !== '' || name !== 'lost+found') visit(child, `${path}/${name}`);
  };
  visit(place.root, '');
  return lines;
}

const tree = join(folder, 'tree');
mkdirSync(join(tree, 'many/deep/er'), { recursive: true });
for (let i = 0; i < 900; i++) writeFileSync(join(tree, 'many', `a-name-of-some-length-${i}`), `${i}`);
writeFileSync(join(tree, 'big'), randomBytes(3_000_001));
linkSync(join(tree, 'big'), join(tree, 'many/deep/same'));
symlinkSync('../deep', join(tree, 'many/deep/short'));
symlinkSync('x'.repeat(200), join(tree, 'many/deep/long'));
writeFileSync(join(tree, 'empty'), '');
writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0x66, 0xff, 0xfe, 0x67])]), 'no UTF-8');
writeFileSync(join(tree, 'sparse'), '');
truncateSync(join(tree, 'sparse'), 40_000_000);
{
  const fd = openSync(join(tree, 'sparse'), 'r+');
  for (const at of [4096, 1_000_000, 39_999_990]) writeSync(fd, randomBytes(10), 0, 10, at);
  closeSync(fd);
}
execFileSync('mkfifo', [join(tree, 'fifo')]);
const isRoot = process.getuid?.() === 0;
if (isRoot) {
  execFileSync('mknod', [join(tree, 'character'), 'c', '5', '300']);
  execFileSync('mknod', [join(tree, 'block'), 'b', '8', '1']);
  execFileSync('chown', ['70000:80000', join(tree, 'empty')]);
}
execFileSync('chmod', ['4751', join(tree, 'empty')]);
utimesSync(join(tree, 'empty'), 5, 1234567890.25);
const expected = list(openHostFiles(tree));
/** mkfs.ext4 takes over seconds only. */
const seconds = (ns: bigint) => ns / 1_000_000_000n;
const inSeconds = list(openHostFiles(tree), seconds);

const VARIANTS: Record<string, string[]> = {
  usual: [],
  'small blocks, content in inodes': ['-b', '1024', '-O', 'inline_data'],
  'no checksums, 32 bits, small inodes': ['-O', '^metadata_csum,^64bit', '-I', '128'],
  'no groups together, meta_bg': ['-O', '^flex_bg,^resize_inode,meta_bg'],
};
for (const [name, options] of Object.entries(VARIANTS)) {
  t.test(`what mkfs.ext4 made: ${name}`, async (t) => {
    const image = join(folder, 'made.ext4');
    execFileSync('mke2fs', ['-t', 'ext4', '-q', '-F', ...options, '-d', tree, image, '96M'], sbin);
    debug(image, 'ea_set /many user.one 1111', 'ea_set /big security.capability abcd', `ea_set -f ${join(tree, 'many/a-name-of-some-length-7')} /fifo trusted.x`, 'set_inode_field /empty mtime_extra 1000000001');
    const known = new Set(['/many user.one=31313131', '/big security.capability=61626364', '/many/deep/same security.capability=61626364', '/fifo trusted.x=37']);
    const fs = openExt4(image);
    const found = list(fs, (ns) => seconds(ns) % 2n ** 32n).map((line) => {
      for (const each of known) {
        const [path = '', attribute = ''] = each.split(' ');
        if (line.startsWith(`${path} `) && line.endsWith(` ${attribute}`)) {
          known.delete(each);
          return line.slice(0, -attribute.length - 1);
        }
      }
      return line;
    });
    t.equal(fs.stat(fs.list(fs.root).get('empty') as number).mtimeNs, name.includes('small inodes') ? 1234567890_000_000_000n : (1234567890n + 2n ** 32n) * 1_000_000_000n + 250_000_000n);
    fs.close();
    t.strictSame(found, inSeconds);
    t.strictSame([...known], [], 'all attributes were there');
  });
}

t.test('an EROFS image of it, looked at the same way', async (t) => {
  const image = join(folder, 'made.erofs');
  const fd = openSync(image, 'w+');
  writeErofs(scanDirectory(tree), fd);
  closeSync(fd);
  const reader = openErofs(image);
  t.strictSame(list(reader.files), expected);
  reader.close();
});

t.test('a journal that was not written back', async (t) => {
  const before = join(folder, 'before.ext4');
  formatExt4(before, 64 * 1024 ** 2);
  writeFileSync(join(folder, 'one'), 'the first content\n'.repeat(4000));
  writeFileSync(join(folder, 'two'), 'another\n'.repeat(9000));
  debug(before, 'mkdir /d', `write ${join(folder, 'one')} /d/one`, `write ${join(folder, 'one')} /gone`);
  const after = join(folder, 'after.ext4');
  copyFileSync(before, after);
  debug(after, `write ${join(folder, 'two')} /d/two`, 'rm /gone', 'symlink /d/link /nowhere', 'mkdir /e', 'set_inode_field /d/one mode 0100600');
  // What changed goes into the journal of the one before: all in one transaction, or cut into two.
  const [old, young] = [readFileSync(before), readFileSync(after)];
  const changed: number[] = [];
  for (let block = 0; block < old.length / 4096; block++) if (!old.subarray(block * 4096, (block + 1) * 4096).equals(young.subarray(block * 4096, (block + 1) * 4096))) changed.push(block);
  t.ok(changed.length > 5);
  const content = join(folder, 'blocks');
  const write = (image: string, blocks: number[], revoked: number[] = []) => {
    writeFileSync(content, Buffer.concat(blocks.map((block) => young.subarray(block * 4096, (block + 1) * 4096))));
    const revokes = revoked.length === 0 ? [] : [`jw -r ${revoked.join(',')}`];
    debug(image, 'jo -c', `jw -b ${blocks.join(',')} ${content}`, ...revokes, 'jc');
  };
  const read = (image: string) => {
    const fs = openExt4(image);
    try {
      return list(fs);
    } finally {
      fs.close();
    }
  };
  for (const [name, fill] of Object.entries<(image: string) => void>({
    'one transaction': (image) => write(image, changed),
    'two of them': (image) => {
      write(image, changed.slice(0, 4));
      write(image, changed.slice(4));
    },
    'one that revokes': (image) => {
      write(image, changed);
      write(image, changed.slice(0, 1), changed.slice(1));
    },
  })) {
    const unclean = join(folder, 'unclean.ext4');
    copyFileSync(before, unclean);
    fill(unclean);
    const found = read(unclean);
    const bytes = createHash('sha256').update(readFileSync(unclean)).digest('hex');
    t.equal(createHash('sha256').update(readFileSync(unclean)).digest('hex'), bytes, 'nothing was written');
    try {
      execFileSync('e2fsck', ['-fy', '-E', 'journal_only', unclean], { ...sbin, stdio: 'pipe' });
    } catch (error) {
      if ((error as { status?: number }).status !== 1) throw error; // 1: it has repaired something: replayed
    }
    t.strictSame(found, read(unclean), `${name}: as e2fsck replays it`);
    if (name !== 'one that revokes') t.strictSame(found, read(after), `${name}: as it was meant`);
    else t.notSame(found, read(after), 'the revoked blocks are not there');
  }
});

t.test('damage is an error, and never a loop', async (t) => {
  const image = join(folder, 'made.ext4');
  execFileSync('mke2fs', ['-t', 'ext4', '-q', '-F', '-d', tree, image, '96M'], sbin);
  const whole = readFileSync(image);
  let errors = 0;
  let state = Number(process.env['HULL_TEST_SEED'] ?? Date.now()) >>> 0;
  t.comment(`HULL_TEST_SEED=${state}`);
  /** Below `most` (the generator of C's standard). */
  const random = (most: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
  for (let round = 0; round < 24; round++) {
    const bytes = Buffer.from(whole.subarray(0, 8 << 20));
    for (let i = 0; i < 40; i++) bytes[1024 + random(round % 2 === 0 ? 200_000 : 4_000_000)] = random(256);
    writeFileSync(image, bytes);
    truncateSync(image, whole.length);
    try {
      const fs = openExt4(image);
      try {
        let left = 5000;
        const visit = (id: number) => {
          const stat = fs.stat(id);
          fs.xattrs(id);
          if (stat.kind === 'symlink') fs.readLink(id);
          if (stat.kind === 'file' && stat.size < 1e6) for (const _ of fs.content(id));
          if (stat.kind === 'directory') for (const child of fs.list(id).values()) if (left-- > 0) visit(child);
        };
        visit(fs.root);
      } finally {
        fs.close();
      }
    } catch (error) {
      errors++;
      if ((error as { name: string }).name === 'RangeError') continue; // a directory that is within itself
      t.match(error, { name: 'Ext4Error', code: 'volume-unreadable' });
    }
  }
  t.ok(errors > 0, `${errors} of 24 were noticed`);
});
