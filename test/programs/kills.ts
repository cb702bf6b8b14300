/**
 * A machine that is killed in the middle of SQLite's transactions. Owns: one round of it: which transactions were acknowledged, and what the next machine finds.
 * Several processes write to one data base in WAL mode, whose index they share by a mapping; each has numbers of its own.
 * A transaction is acknowledged when the shell, at synchronous=FULL, printed its number behind it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execaSync, execa } from 'execa';

export interface KillOptions {
  readonly hull: string;
  readonly env: NodeJS.ProcessEnv;
  /** With sqlite3 and /bin/busybox. */
  readonly root: string;
  /** What mounts the place of the data base at /data. */
  readonly mount: readonly string[];
  readonly writers: number;
  /** Of each writer. */
  readonly transactions: number;
  /** When the machine is killed: after so many acknowledgments, and some milliseconds more. */
  readonly after: number;
  readonly delay: number;
}

export interface WriterOutcome {
  readonly acknowledged: number;
  /** The largest number of the writer that the data base has, and how many: they are the same when none is missing. */
  readonly found: number;
  readonly count: number;
}

export interface KillOutcome {
  readonly writers: readonly WriterOutcome[];
  readonly integrity: string;
  readonly stderr: string;
}

export const isWhole = ({ writers, integrity }: KillOutcome): boolean => integrity === 'ok' && writers.every(({ acknowledged, found, count }) => found >= acknowledged && count === found);

const HEAD = ['.timeout 120000', 'PRAGMA journal_mode=WAL;', 'PRAGMA synchronous=FULL;', 'CREATE TABLE IF NOT EXISTS t (w INTEGER, n INTEGER, text TEXT, PRIMARY KEY (w, n));'];
const STATE = "SELECT 'found', w, max(n), count(*) FROM t GROUP BY w;";

export async function killOnce(options: KillOptions): Promise<KillOutcome> {
  const settings = { env: options.env, extendEnv: false, reject: false, timeout: 600_000 } as const;
  const machine = (mount: readonly string[], command: readonly string[]) => ['run', '-i', '-m', '128m', '--rootfs', options.root, ...options.mount, ...mount, ...command];
  const ask = (lines: readonly string[]) => execaSync(options.hull, machine([], ['sqlite3', '-batch', '/data/numbers.db']), { ...settings, input: `${lines.join('\n')}\n` });
  const readState = (text: string) => {
    const found = new Map([...text.matchAll(/^found\|(\d+)\|(\d+)\|(\d+)$/gm)].map(([, writer, last, count]) => [Number(writer), { found: Number(last), count: Number(count) }]));
    return Array.from({ length: options.writers }, (_, writer) => found.get(writer) ?? { found: 0, count: 0 });
  };
  const before = ask([...HEAD, STATE, "SELECT 'ready';"]);
  if (!before.stdout.endsWith('ready')) throw new Error(`Cannot begin: ${before.stdout}${before.stderr}, expected a data base`);
  const first = readState(before.stdout);

  const folder = mkdtempSync(join(tmpdir(), 'hull-writers-'));
  try {
    for (const [writer, { found }] of first.entries()) {
      const lines = Array.from({ length: options.transactions }, (_, i) => found + i + 1).map((n) => `INSERT INTO t VALUES (${writer}, ${n}, hex(randomblob(${(n * 37) % 700})));\nSELECT 'done', ${writer}, ${n};`);
      writeFileSync(join(folder, `${writer}`), `${HEAD.slice(0, 3).join('\n')}\n${lines.join('\n')}\n`);
    }
    const script = `for w in /sql/*; do sqlite3 -batch /data/numbers.db < $w & done; wait`;
    const running = execa(options.hull, machine(['-v', `${folder}:/sql:ro`], ['/bin/busybox', 'sh', '-c', script]), { ...settings, input: '' });
    let text = '';
    let isKilled = false;
    running.stdout?.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (isKilled || (text.match(/^done\|\d+\|\d+$/gm)?.length ?? 0) < options.after) return;
      isKilled = true;
      setTimeout(() => running.kill('SIGKILL'), options.delay); // QEMU goes with it: no orderly end
    });
    await running;
    const after = ask(['PRAGMA integrity_check;', STATE]);
    const done = [...text.matchAll(/^done\|(\d+)\|(\d+)\n/gm)];
    const writers = readState(after.stdout).map((state, writer) => {
      const acknowledged = Math.max(first[writer]?.found ?? 0, ...done.filter(([, who]) => Number(who) === writer).map(([, , n]) => Number(n)));
      return { acknowledged, ...state };
    });
    return { writers, integrity: after.stdout.split('\n')[0] ?? '', stderr: after.stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
