/** What `hull inspect NAME` shows where a file, too, has the name. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';

t.test('a file of the working directory hides no container', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'hull-inspect-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const env = { ...process.env, HULL_ROOT: join(root, 'state'), NODE_EXTRA_CA_CERTS: '' };
  const HULL = resolve('dist/hull');
  const hull = (...args: string[]) => spawnSync(HULL, args, { cwd: root, env, encoding: 'utf8', timeout: 120_000 });
  copyFileSync('/bin/busybox', join(root, 'thing'));
  const created = hull('create', '--name', 'thing', '/bin/busybox', 'true');
  t.equal(created.status, 0, created.stderr);
  const id = created.stdout.trim();

  t.match(JSON.parse(hull('inspect', 'thing').stdout), [{ Id: id }], 'the container');
  const file = hull('inspect', './thing');
  t.match(file, { status: 0, stdout: /Image of an unmodified executable/ }, 'a path is a file');
  t.notMatch(file.stdout, id);
  t.match(JSON.parse(hull('inspect', '--json', 'thing').stdout), { kind: 'binary' }, 'so is what is asked for in a way that only files have');

  const short = id.slice(0, 2);
  copyFileSync('/bin/busybox', join(root, short));
  t.notMatch(hull('inspect', short).stdout, id, 'a file whose name an ID happens to begin with');
  t.match(JSON.parse(hull('inspect', id.slice(0, 12)).stdout), [{ Id: id }]);

  t.equal(hull('rm', 'thing').status, 0);
  t.match(hull('inspect', 'thing'), { status: 0, stdout: /Image of an unmodified executable/ }, 'the file, when there is no such container');
  t.match(hull('inspect', 'nothing'), { status: 1, stderr: /No such object: nothing/ });
  t.end();
});
