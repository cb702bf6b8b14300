/**
 * Where hull keeps things. Owns: the layout under $HULL_ROOT. Rules: one function decides; folders are made when first written to. Without
 * HULL_ROOT the XDG base directory specification decides: state in $XDG_DATA_HOME/hull, what can be made again in $XDG_CACHE_HOME/hull.
 */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

export interface StatePaths {
  readonly root: string;
  readonly cache: string;
  readonly accelerators: string;
  readonly kernels: string;
  readonly roots: string;
  readonly volumes: string;
  readonly networks: string;
  /** The OCI image layout of images/store. */
  readonly images: string;
  /** Root file systems of images. */
  readonly chains: string;
  readonly instances: string;
  /** What happened to instances, a line each. */
  readonly events: string;
  readonly analysis: string;
  readonly known: string;
  /** What V8 made of the command line's bundle; see compiled.ts. */
  readonly code: string;
}

/** XDG: a relative path in these variables is to be ignored. */
function pickFolder(value: string | undefined, fallback: () => string): string {
  return value !== undefined && isAbsolute(value) ? value : fallback();
}

export function findStatePaths(env: NodeJS.ProcessEnv): StatePaths {
  const chosen = env['HULL_ROOT'];
  const home = () => (env['HOME'] !== undefined && env['HOME'] !== '' ? env['HOME'] : homedir());
  const root = chosen !== undefined && chosen !== '' ? resolve(chosen) : join(pickFolder(env['XDG_DATA_HOME'], () => join(home(), '.local/share')), 'hull');
  const cache = chosen !== undefined && chosen !== '' ? join(root, 'cache') : join(pickFolder(env['XDG_CACHE_HOME'], () => join(home(), '.cache')), 'hull');
  return { root, cache, accelerators: join(cache, 'accel.json'), kernels: join(cache, 'kernels'), roots: join(cache, 'roots'), volumes: join(root, 'volumes'), networks: join(root, 'networks'), images: join(root, 'images'), chains: join(cache, 'chains'), instances: join(root, 'instances'), events: join(root, 'events.jsonl'), analysis: join(cache, 'analysis'), known: join(cache, 'known'), code: join(cache, 'code') };
}
