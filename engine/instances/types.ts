/** What an instance is: what was asked for (config.json), and how it is (state.json). Docker's words for states. */
import type { PlannedPort } from '../networks/index.ts';
import type { HealthCheck, RunRequest } from '../prepare.ts';

export type Status = 'created' | 'running' | 'paused' | 'exited' | 'dead';

export interface RestartPolicy {
  readonly name: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  readonly most: number;
}

/** What `createInstance` is asked for. */
export interface InstanceSpec {
  readonly name?: string | undefined;
  /** What the machine runs; program and mounts absolute, environment resolved (NAME=VALUE). */
  readonly request: RunRequest;
  /** As the person named it; shown by `ps`. */
  readonly image: string;
  readonly imageId?: string | undefined;
  readonly openStdin: boolean;
  /** Its image shall take further processes in any case. */
  readonly exec?: boolean | undefined;
  /** stdin ends when the first client that was attached goes. */
  readonly stdinOnce?: boolean | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Signal number of `stop`. */
  readonly stopSignal?: number | undefined;
  /** Seconds that `stop` waits. */
  readonly stopTimeout?: number | undefined;
  readonly restart: RestartPolicy;
  readonly health?: HealthCheck | undefined;
  readonly autoRemove: boolean;
  /** Ports of the guest as `EXPOSE` and --expose name them: "80/tcp". */
  readonly exposed?: readonly string[] | undefined;
  readonly logging?: { readonly driver: string; readonly options: Readonly<Record<string, string>> } | undefined;
  /** What a door wants to have back as it was said (the API's HostConfig). */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

export interface InstanceConfig extends InstanceSpec {
  readonly version: 1;
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  /** Volumes made for this instance alone, by target. */
  readonly anonymous: Readonly<Record<string, string>>;
}

/** A process, told from another that has its number later. */
export interface ProcessMark {
  readonly pid: number;
  readonly identity: string;
}

export interface InstanceState {
  readonly status: Status;
  /** A start is under way: the process that does it. */
  readonly starter?: ProcessMark | undefined;
  /** A restart is under way: while the process that does it lives, an end is not the one that --rm means. */
  readonly restarter?: ProcessMark | undefined;
  readonly pid: number;
  /** Tells the process from another with its number. */
  readonly identity: string;
  /** RFC 3339; empty: never. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly restartCount: number;
  /** It was asked to end (`stop`, `kill`): restart policies leave it alone. The signal that a machine which takes none was ended by. */
  readonly stopped?: { readonly signal: number } | undefined;
  readonly ports: readonly PlannedPort[];
  /** The image that was booted, and what its note says it can. */
  readonly kernel: string;
  readonly program?: string | undefined;
  readonly features: number;
  /** Offset of this run's records in the output. */
  readonly logStart: number;
  /** Offset of the oldest record that is kept; absent: all are. */
  readonly logFloor?: number | undefined;
  /** Offsets at which decoding begins anew: a machine before was killed amid a record. */
  readonly logBreaks: readonly number[];
}

export interface Instance {
  readonly id: string;
  /** The instance's own folder. */
  readonly folder: string;
  readonly config: InstanceConfig;
  readonly state: InstanceState;
}

export const NEVER_STARTED: InstanceState = {
  status: 'created',
  pid: 0,
  identity: '',
  startedAt: '',
  finishedAt: '',
  exitCode: 0,
  error: '',
  oomKilled: false,
  restartCount: 0,
  ports: [],
  kernel: '',
  features: 0,
  logStart: 0,
  logBreaks: [],
};
