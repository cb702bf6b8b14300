/**
 * `POST /build` (Docker Engine API v1.47, ImageBuild): the classic builder: a tar archive with the context, progress as JSON. Owns: parameters -> `hull build` in a process of its own, so that a build
 * holds up nobody and ends with its client. Rule: parameters are arguments of that process, one each, never a shell's.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseReference, withDefaultTag } from '../../../images/store/index.ts';
import { ApiError } from '../error.ts';
import { openJsonStream, readSwitch, sendJson } from '../messages.ts';
import type { Exchange, Route } from '../route.ts';
import { familiarName } from './describe.ts';

/** Characters of what was said last, for the error. */
const KEPT = 8192;

function readRecord(query: URLSearchParams, name: string): [string, string | null][] {
  const text = query.get(name);
  if (text === null || text === '') return [];
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value as Record<string, string | null>);
  } catch {
    // said below
  }
  throw new ApiError('parameter-invalid', `error reading ${name}: Cannot read "${text.slice(0, 80)}": expected a JSON object of strings`);
}

function readArguments(query: URLSearchParams): { args: string[]; tags: string[] } {
  const file = query.get('dockerfile') || 'Dockerfile';
  // A hull.yaml is a file of the user who builds, which the context is not.
  if (file === '-' || /\.ya?ml$/.test(file) || file.startsWith('/') || file.split('/').includes('..')) throw new ApiError('parameter-invalid', `Cannot use "${file}" as the Dockerfile: expected a path in the context`);
  if ((query.get('remote') ?? '') !== '') throw new ApiError('feature-absent', `Cannot build from "${query.get('remote')}": the engine fetches no contexts, expected the context in the request`);
  const tags = query.getAll('t').filter((tag) => tag !== '').map((tag) => familiarName(withDefaultTag(parseReference(tag)).canonical));
  const values: [string, string][] = [
    ['file', file],
    ...tags.map((tag): [string, string] => ['tag', tag]),
    ...readRecord(query, 'buildargs').flatMap(([name, value]): [string, string][] => (value === null ? [] : [['build-arg', `${name}=${value}`]])),
    ...readRecord(query, 'labels').map(([name, value]): [string, string] => ['label', `${name}=${value ?? ''}`]),
  ];
  for (const name of ['target', 'platform'] as const) if ((query.get(name) ?? '') !== '') values.push([name, query.get(name) as string]);
  if (query.getAll('extrahosts').some((each) => !NEUTRAL.includes(each))) throw new ApiError('feature-absent', `Cannot add hosts to a build: RUN has the names of the engine's host, expected none`);
  const network = query.get('networkmode') ?? '';
  if (network !== '') values.push(['network', network === 'bridge' ? 'default' : network]);
  return { args: [...values.map(([name, value]) => `--${name}=${value}`), ...(readSwitch(query, 'nocache') ? ['--no-cache'] : []), ...(readSwitch(query, 'pull') ? ['--pull'] : [])], tags };
}

/** What has no effect on a build here, with the values by which nothing is asked for. */
const LIMITS: readonly string[] = ['memory', 'memswap', 'cpuperiod', 'cpuquota', 'cpushares', 'cpusetcpus', 'cpusetmems', 'cgroupparent', 'shmsize', 'ulimits', 'isolation', 'securityopt'];
const NEUTRAL: readonly string[] = ['', '0', '[]', 'null', 'default'];

function findIgnored(query: URLSearchParams): string[] {
  return LIMITS.filter((name) => !NEUTRAL.includes(query.get(name) ?? ''));
}

async function build(exchange: Exchange): Promise<void> {
  const { context, query, request, gone } = exchange;
  const { args, tags } = readArguments(query);
  const stream = openJsonStream(exchange);
  const folder = mkdtempSync(join(tmpdir(), 'hull-build-'));
  const iidFile = join(folder, 'id');
  const child = spawn(process.execPath, [join(context.host.dist, 'hull'), 'build', ...args, '--progress=plain', `--iidfile=${iidFile}`, '-'], { cwd: folder, env: context.host.env, stdio: ['pipe', 'ignore', 'pipe'] });
  const leave = () => void child.kill('SIGTERM');
  gone.addEventListener('abort', leave);
  const closed = once(child, 'close') as Promise<[number | null]>;
  closed.catch(() => {});
  pipeline(request, child.stdin).catch(() => {}); // it ended before it had read all: its exit code tells
  try {
    const ignored = findIgnored(query);
    if (ignored.length > 0) await stream.send({ stream: `[Warning] ${ignored.join(', ')}: ignored, RUN has what the engine has\n` });
    let last = '';
    for await (const chunk of child.stderr) {
      const text = (chunk as Buffer).toString();
      last = `${last}${text}`.slice(-KEPT);
      if (!readSwitch(query, 'q')) await stream.send({ stream: text });
    }
    const [code] = await closed;
    if (code !== 0) throw new ApiError('parameter-invalid', [...last.matchAll(/^hull: (.*)$/gm)].at(-1)?.[1] ?? (last.trim() || `hull build ended with ${code}`));
    const id = readFileSync(iidFile, 'utf8').trim();
    await stream.send({ aux: { ID: id } });
    if (readSwitch(query, 'q')) await stream.send({ stream: `${id}\n` });
    else {
      await stream.send({ stream: `Successfully built ${id.slice(7, 19)}\n` });
      for (const tag of tags) await stream.send({ stream: `Successfully tagged ${tag}\n` });
    }
    stream.end();
  } catch (error) {
    await stream.fail(error);
  } finally {
    gone.removeEventListener('abort', leave);
    rmSync(folder, { recursive: true, force: true });
  }
}

export function listBuildRoutes(): Route[] {
  return [
    { method: 'POST', path: '/build', summary: 'build from a tar archive, with streamed progress', support: 'partial', lacks: 'remote, extrahosts, cachefrom, squash, limits of resources, BuildKit (version=2)', handle: build },
    { method: 'POST', path: '/build/prune', summary: 'remove what builds kept', support: 'partial', lacks: 'steps of builds are images without names, which images/prune removes', handle: (exchange) => sendJson(exchange, { CachesDeleted: null, SpaceReclaimed: 0 }) },
  ];
}
