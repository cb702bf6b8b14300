// The npm package works where there is no compiler, no linker and no source: packed, installed offline into an empty prefix, run with a
// PATH that holds node, QEMU and coreutils alone.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

const BUSYBOX = '/bin/busybox';
const FORBIDDEN = ['clang', 'gcc', 'cc', 'ld', 'ld.lld', 'as', 'make', 'python3'];

/** A folder with links to just these programs. */
function makePath(folder: string, programs: string[]): void {
  mkdirSync(folder);
  for (const program of programs) {
    symlinkSync(execFileSync('/bin/sh', ['-c', 'command -v "$0"', program], { encoding: 'utf8' }).trim(), join(folder, program));
  }
}

const scratch = mkdtempSync(join(tmpdir(), 'hull-pack-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

const npm = (args: string[], cwd: string) =>
  execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, npm_config_cache: join(scratch, 'npm-cache') },
  });

t.test('the package holds what it needs and nothing of the build', (t) => {
  // The build has run: packing must not start it again inside a test.
  const [packed] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], process.cwd())) as [
    { filename: string; files: { path: string; mode: number }[] },
  ];
  const paths = packed.files.map((file) => file.path);
  for (const wanted of [
    'dist/hull',
    'dist/package.json',
    'dist/libos/x86_64/components.json',
    'dist/sysroot/x86_64/include/stdio.h',
    'dist/sysroot/x86_64/lib/libc.a',
    'dist/sysroot/x86_64/COPYRIGHT.musl',
    'dist/bin/hull-launch-x86_64',
    'dist/bin/hull-survey-x86_64',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
  ]) {
    t.ok(paths.includes(wanted), `has ${wanted}`);
  }
  t.notOk(paths.find((path) => /^(build|node_modules|test|libos|tools)\//.test(path)), 'has no sources and no intermediate files');
  t.ok((packed.files.find((file) => file.path === 'dist/hull')?.mode ?? 0) & 0o111, 'dist/hull is executable');
  t.end();
});

t.test('it runs where nothing else is installed', (t) => {
  const tarball = readdirSync(scratch).find((name) => name.endsWith('.tgz')) as string;
  const prefix = join(scratch, 'prefix');
  mkdirSync(prefix);
  npm(['install', '--offline', '--global', '--prefix', prefix, join(scratch, tarball)], scratch);
  const hull = join(prefix, 'bin/hull');
  t.ok(existsSync(hull), 'npm made the command');
  const manifest = JSON.parse(readFileSync(join(prefix, 'lib/node_modules/hull/package.json'), 'utf8')) as { dependencies?: object };
  t.same(manifest.dependencies ?? {}, {}, 'needs no further package');

  const path = join(scratch, 'path');
  makePath(path, ['node', 'qemu-system-x86_64', 'env', 'cat', 'sh']);
  for (const name of FORBIDDEN) t.notOk(existsSync(join(path, name)), `no ${name} on the PATH`);
  const run = (args: string[]) =>
    spawnSync(hull, args, {
      cwd: scratch,
      encoding: 'utf8',
      timeout: 600_000,
      env: { PATH: path, HOME: scratch, HULL_ROOT: join(scratch, 'root') },
    });
  const version = run(['version']);
  t.equal(version.status, 0, `hull version: ${version.stderr}`);
  const echo = run(['run', BUSYBOX, 'echo', 'ok']);
  t.equal(echo.status, 0, `hull run: ${echo.stderr}`);
  t.equal(echo.stdout, 'ok\n');
  t.end();
});
