/** What all parts of one build share. Owns: its shape. */
import type { ChildProcess } from 'node:child_process';
import type { Dockerfile } from '../dockerfile/index.ts';
import type { Image, Platform } from '../store/index.ts';
import type { BuildContext } from './context.ts';
import type { LayerCache } from './layer-cache.ts';
import type { Progress } from './progress.ts';
import type { Fetch } from './remote.ts';
import type { Filesystem, StageResult } from './stage.ts';
import type { Arguments } from './variables.ts';
import type { WorkFolder } from './work-folder.ts';

export type RunNetwork = 'default' | 'none' | 'host';

export interface Secret {
  readonly bytes: Uint8Array;
}

/** What a build needs of its surroundings. */
export interface BuildHost {
  /** An image by its name, brought here when it is not; the error says why there is none. */
  findImage(name: string, platform: Platform): Promise<Image>;
  readonly fetchUrl: Fetch;
  now(): Date;
  /** The program hull-become. */
  readonly become: string;
  started?(child: ChildProcess): void;
}

export interface BuildSettings {
  readonly platform: Platform;
  /** It is one of several that are built: what is shown names it. */
  readonly isOneOfSeveral?: boolean;
  readonly network: RunNetwork;
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Sockets of SSH agents on this host, by id. */
  readonly agents: ReadonlyMap<string, string>;
  /** Stages whose instructions are executed again; true: all. */
  readonly noCache: boolean;
  /** s since 1970: SOURCE_DATE_EPOCH. */
  readonly epoch: number | undefined;
  /** Time of files that have none of their own: of the Dockerfile. */
  readonly mtimeNs: bigint;
}

export interface Session {
  readonly dockerfile: Dockerfile;
  readonly context: BuildContext;
  /** --build-context: other places for FROM and --from, by name. */
  readonly contexts: ReadonlyMap<string, BuildContext>;
  readonly settings: BuildSettings;
  readonly host: BuildHost;
  readonly cache: LayerCache;
  readonly work: WorkFolder;
  readonly progress: Progress;
  readonly arguments: Arguments;
  /** Stages that are built, by index. */
  readonly built: Map<number, StageResult>;
  /** Images that --from named. */
  readonly images: Map<string, Filesystem>;
}
