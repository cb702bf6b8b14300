/**
 * A machine that is killed in the middle of SQLite's transactions. Owns: one round of it: which transactions were acknowledged, and what the next machine finds.
 * A transaction is acknowledged when the shell, at synchronous=FULL, printed its number behind it.
 */
import { execaSync, execa } from 'execa';

export interface KillOptions {
  readonly hull: string;
  readonly env: NodeJS.ProcessEnv;
  readonly root: string;
  /** What mounts the place of the data base at /data. */
  readonly mount: readonly string[];
  readonly transactions: number;
  /** When the machine is killed: after so many acknowledgments, and some milliseconds more. */
  readonly after: number;
  readonly delay: number;
}

export interface KillOutcome {
  readonly acknowledged: number;
  /** The largest number that the data base has, and how many. */
  readonly found: number;
  readonly count: number;
  readonly integrity: string;
  readonly stderr: string;
}

export async function killOnce(options: KillOptions): Promise<KillOutcome> {
  const run = ['run', '-i', '-m', '128m', '--rootfs', options.root, ...options.mount, 'sqlite3', '-batch', '/data/numbers.db'];
  const settings = { env: options.env, extendEnv: false, reject: false, timeout: 300_000 } as const;
  const head = ['PRAGMA journal_mode=WAL;', 'PRAGMA synchronous=FULL;', 'CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, text TEXT);'];
  const before = execaSync(options.hull, run, { ...settings, input: `${head.join('\n')}\nSELECT 'last', coalesce(max(n), 0) FROM t;\n` });
  const first = Number(/last\|(\d+)/.exec(before.stdout)?.[1]);
  if (!Number.isInteger(first)) throw new Error(`Cannot begin: ${before.stdout}${before.stderr}, expected a data base`);

  const lines = Array.from({ length: options.transactions }, (_, i) => first + i + 1).map((n) => `INSERT INTO t VALUES (${n}, hex(randomblob(${(n * 37) % 700})));\nSELECT 'done', ${n};`);
  const machine = execa(options.hull, run, { ...settings, input: `${head.join('\n')}\n${lines.join('\n')}\n` });
  let text = '';
  let isKilled = false;
  machine.stdout?.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
    if (isKilled || (text.match(/^done\|\d+$/gm)?.length ?? 0) < options.after) return;
    isKilled = true;
    setTimeout(() => machine.kill('SIGKILL'), options.delay); // QEMU goes with it: no orderly end
  });
  await machine;
  const acknowledged = Math.max(first, ...[...text.matchAll(/^done\|(\d+)\n/gm)].map((match) => Number(match[1])));
  const after = execaSync(options.hull, run, { ...settings, input: "PRAGMA integrity_check;\nSELECT 'found', max(n), count(*) FROM t;\n" });
  const [, found, count] = /found\|(\d+)\|(\d+)/.exec(after.stdout) ?? [];
  return { acknowledged, found: Number(found), count: Number(count), integrity: after.stdout.split('\n')[0] ?? '', stderr: after.stderr };
}
