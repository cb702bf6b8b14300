/**
 * Cases of unmodified Debian programs (cases/*.sh), run natively in a root of their packages and in a machine with the same root. Owns: which packages
 * which case files need, how either side runs them, what of its output belongs to which case. For programs.test.ts, which runs some of
 * them, and run-suites.ts, which runs all.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCheckout } from '../boot/guest/build.ts';
import { fetchedSource, fetchSources, readLock } from '../../tools/build/sources.ts';
import { copyRoot } from '../debian-root.ts';
import { makeRoot } from './roots.ts';

export interface Suite {
  readonly name: string;
  readonly packages: readonly string[];
  /** Files of cases/. */
  readonly files: readonly string[];
  /** As for `hull run -m`. */
  readonly memory: string;
  /** Seconds that one case may take; run-cases has a limit of its own. */
  readonly limit?: number;
  /** Debian source packages that lie unpacked under /suite/sources, each with the lock file that has it. */
  readonly sources?: readonly { readonly name: string; readonly lock: string }[];
  /** Paths of this checkout that lie under /suite/project. */
  readonly project?: readonly string[];
}

const NODE = 'base-files base-passwd dash coreutils findutils gawk grep sed procps netbase nodejs';
const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/** node_modules/NAME of what the sources of this folder of the checkout import, Node.js' own aside. */
function findImportedPackages(folder: string): string[] {
  const root = join(findCheckout(), folder);
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  const names = sources.flatMap((path) => [...readFileSync(join(root, path), 'utf8').matchAll(/^(?:import|export) .* from '((?:@[\w.-]+\/)?[\w-][\w.-]*)[^:']*';$/gm)].map((found) => found[1] as string));
  return [...new Set(names)].map((name) => `node_modules/${name}`);
}

export const SUITES: readonly Suite[] = [
  {
    name: 'programs',
    packages: words(
      `base-files base-passwd dash bash busybox coreutils findutils grep sed gawk mawk bc jq diffutils patch m4 make tar gzip bzip2 xz-utils zstd rsync
       git sqlite3 dpkg file openssl perl procps util-linux bsdextrautils time libc-bin hostname`,
    ),
    files: words('dash.sh bash.sh busybox.sh make.sh coreutils.sh text.sh archive.sh'),
    memory: '1g',
  },
  {
    name: 'compilers',
    packages: words(
      `base-files base-passwd dash bash coreutils findutils grep sed gawk diffutils make gcc g++ libc6-dev binutils hostname autoconf automake libtool
       libreadline-dev dpkg-dev`,
    ),
    files: words('builds.sh'),
    memory: '1500m',
    limit: 3600,
    sources: [
      { name: 'bc', lock: 'test/cc/sources.lock.json' },
      { name: 'lua5.4', lock: 'test/cc/sources.lock.json' },
    ],
  },
  {
    name: 'compiled',
    packages: words('base-files base-passwd dash coreutils gawk g++ golang-go rustc netbase'),
    files: words('compiled.sh'),
    memory: '2g',
    limit: 2400,
  },
  {
    name: 'perl',
    packages: words('base-files base-passwd dash coreutils findutils grep sed procps netbase libc-bin perl'),
    files: [],
    memory: '1g',
    sources: [{ name: 'perl', lock: 'test/programs/sources.lock.json' }],
  },
  {
    name: 'languages',
    packages: words('base-files base-passwd dash bash coreutils gawk sed procps libc-bin perl ruby lua5.4 php8.2-cli tcl8.6 guile-3.0 netbase tzdata'),
    files: words('languages.sh'),
    memory: '1g',
  },
  {
    name: 'node',
    packages: words(NODE),
    files: words('node.sh node-more.sh'),
    memory: '1g',
    limit: 3000,
    project: [...words('images tsconfig.json node_modules/typescript node_modules/@types/node node_modules/undici-types'), ...findImportedPackages('images')],
  },
  {
    name: 'more',
    packages: words(`base-files base-passwd dash bash coreutils findutils grep sed gawk procps netbase libc-bin hostname gcc libc6-dev emacs-nox sbcl ocaml-nox swi-prolog-nox chicken-bin
       nasm imagemagick ffmpeg gnuplot-nox ghostscript mariadb-server fio`),
    files: words('more.sh'),
    memory: '1g',
  },
  { name: 'npm', packages: words(`${NODE} npm`), files: words('npm.sh'), memory: '1g', limit: 1800 },
];

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** The suite's root with the cases in it, in `folder`, or why there is none. The packages' files are hard links to the ones that are kept. */
export async function makeSuiteRoot(suite: Suite, folder: string): Promise<{ root: string } | { reason: string }> {
  if (process.getuid?.() !== 0) return { reason: 'only root may mount what the native runs need' };
  const made = makeRoot(suite.name, suite.packages);
  if ('reason' in made) return made;
  const here = join(findCheckout(), 'test/programs');
  const root = join(folder, suite.name);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyRoot(made.root, root);
  for (const name of ['cases', 'languages', 'node', 'run-cases', 'perl-tests']) cpSync(join(here, name), join(root, 'suite', name), { recursive: true });
  for (const path of suite.project ?? []) cpSync(join(findCheckout(), path), join(root, 'suite/project', path), { recursive: true });
  chmodSync(join(root, 'suite/run-cases'), 0o755);
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1\tlocalhost\n::1\tlocalhost\n'); // in a machine it is hull's
  for (const { name, lock: path } of suite.sources ?? []) {
    const lock = readLock(join(findCheckout(), path));
    try {
      await fetchSources(lock);
    } catch (error) {
      return { reason: (error as Error).message };
    }
    mkdirSync(join(root, 'suite/sources'), { recursive: true });
    execFileSync('cp', ['-a', join(findCheckout(), fetchedSource(name, lock)), join(root, 'suite/sources', name)]);
  }
  return { root };
}

function runCommand(command: string, args: readonly string[], env: NodeJS.ProcessEnv, deadline: number): Promise<Outcome> {
  const started = performance.now();
  return new Promise((done, failed) => {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    const texts = { stdout: '', stderr: '' };
    child.stdin.end();
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('latin1');
      child[name].on('data', (chunk: string) => {
        texts[name] += chunk;
      });
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), deadline * 1000);
    child.on('error', failed);
    child.on('close', (status) => {
      clearTimeout(timer);
      done({ ...texts, status, seconds: Math.round((performance.now() - started) / 100) / 10 });
    });
  });
}

/** Variables as run-cases knows them: LIMIT, a case's seconds; ONLY, the name of the one case to run. */
const limitCases = (suite: Suite, only: string | undefined): string[] => [
  ...(suite.limit === undefined ? [] : [`LIMIT=${suite.limit}`]),
  ...(only === undefined ? [] : [`ONLY=${only}`]),
];

/** On this machine's Linux, in namespaces of their own. `deadline` in seconds. */
export function runNatively(root: string, command: readonly string[], deadline: number): Promise<Outcome> {
  return runCommand(join(findCheckout(), 'test/programs/run-natively'), [root, ...command], process.env, deadline);
}

/** In one machine; hull's state, among it the root's image, is kept in `state`. */
export function runInMachine(suite: Suite, root: string, command: readonly string[], state: string, deadline: number): Promise<Outcome> {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: state };
  return runCommand(join(findCheckout(), 'dist/hull'), ['run', '-m', suite.memory, '--rootfs', root, ...command], env, deadline);
}

/** The command that runs these case files, or the one case of each that is named `only`. */
export const makeCasesCommand = (suite: Suite, files: readonly string[], only?: string): string[] => ['/usr/bin/env', ...limitCases(suite, only), '/suite/run-cases', ...files];

/** "=== file: name = status" and what follows, up to the next. */
export function readCases(output: string): Map<string, string> {
  const cases = new Map<string, string>();
  let name = '';
  for (const line of output.split('\n')) {
    const head = /^=== ([\w.-]+: .*) = \d+$/.exec(line);
    if (head) name = head[1] ?? '';
    if (name) cases.set(name, `${cases.get(name) ?? ''}${line}\n`);
  }
  return cases;
}

/** The suite that has this case file. */
export function findSuite(file: string): Suite {
  const suite = SUITES.find((each) => each.files.includes(file));
  if (suite === undefined || !existsSync(join(findCheckout(), 'test/programs/cases', file))) {
    throw new Error(`Cannot run "${file}": no suite has it, expected one of ${SUITES.flatMap((each) => each.files).join(' ')}`);
  }
  return suite;
}
