/**
 * Mounts as they are typed: `-v`, `--mount`, `--tmpfs`. Owns: the grammar. Rules: Docker's forms and its words for what is wrong with them (docker/cli
 * opts/mount.go and cli/compose/loader/volume.go describe the forms; docs.docker.com "Bind mounts", "Volumes", "tmpfs mounts").
 */
import { posix, resolve } from 'node:path';
import { EngineError } from '../errors.ts';

export interface MountRequest {
  readonly type: 'bind' | 'volume' | 'tmpfs' | 'block';
  /** bind, block: an absolute path of the host. volume: its name, or undefined for a volume of this run's own. */
  readonly source?: string | undefined;
  readonly target: string;
  readonly readOnly: boolean;
  /** Nobody asked for it but the image. */
  readonly isOfImage?: boolean | undefined;
  /** bind: make the directory when it is missing, as `-v` does. */
  readonly create?: boolean | undefined;
  /** volume: leave a new one empty. */
  readonly noCopy?: boolean | undefined;
  readonly subpath?: string | undefined;
  /** tmpfs: its options as mount(8) has them. */
  readonly tmpfs?: string | undefined;
}

export const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** Ways of sharing that mean nothing where each machine has a kernel of its own. */
const IGNORED = new Set(['z', 'Z', 'cached', 'delegated', 'consistent', 'rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave', 'copy', 'rw', 'nosuid', 'nodev', 'noexec', 'suid', 'dev', 'exec', 'noatime', 'relatime']);

function refuse(message: string): never {
  throw new EngineError('option-invalid', message);
}

function checkTarget(target: string, spec: string): string {
  if (!target.startsWith('/')) refuse(`invalid volume specification: '${spec}': invalid mount config: mount path must be absolute`);
  const clean = posix.normalize(target).replace(/(?<=.)\/$/, '');
  if (clean === '/') refuse(`invalid volume specification: '${spec}': invalid mount config: destination can't be '/'`);
  return clean;
}

/** `[SOURCE:]TARGET[:OPTIONS]` */
export function parseVolumeOption(spec: string): MountRequest {
  const parts = spec.split(':');
  if (parts.length > 3 || parts.some((part) => part === '')) refuse(`invalid volume specification: '${spec}'`);
  const options = (parts.length === 3 ? (parts[2] as string) : '').split(',').filter((option) => option !== '');
  for (const option of options) {
    if (option !== 'ro' && option !== 'nocopy' && !IGNORED.has(option)) refuse(`invalid mode: ${option}`);
  }
  if (options.includes('ro') && options.includes('rw')) refuse(`invalid mode: ${parts[2]}`);
  const readOnly = options.includes('ro');
  const noCopy = options.includes('nocopy');
  if (parts.length === 1) return { type: 'volume', target: checkTarget(spec, spec), readOnly, noCopy };
  const source = parts[0] as string;
  const target = checkTarget(parts[1] as string, spec);
  if (source.startsWith('/') || source.startsWith('.') || source.startsWith('~')) {
    return { type: 'bind', source: resolve(source), target, readOnly, create: true };
  }
  if (!VOLUME_NAME.test(source)) {
    refuse(`create ${source}: "${source}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`);
  }
  return { type: 'volume', source, target, readOnly, noCopy };
}

/** A volume of the run's own at each path that the image names, but where something else is mounted. */
export function makeImageVolumes(paths: readonly string[], mounts: readonly MountRequest[]): MountRequest[] {
  const taken = new Set(mounts.map(({ target }) => target));
  const targets = new Set(paths.map((path) => parseVolumeOption(path).target).filter((target) => !taken.has(target)));
  return [...targets].map((target) => ({ type: 'volume', target, readOnly: false, isOfImage: true }));
}

/** A size (64m, 50%), permission bits, a number: as tmpfs(5) takes them. */
const TMPFS_OPTIONS: Record<string, RegExp> = { size: /^\d+[kmg]?b?$|^\d+%$/i, mode: /^[0-7]{1,5}$/, uid: /^\d+$/, gid: /^\d+$/, nr_inodes: /^\d+[kmg]?$/i };

function checkTmpfsOption(name: string, value: string, spec: string): string {
  if (TMPFS_OPTIONS[name]?.test(value) !== true) refuse(`invalid argument "${spec}": invalid tmpfs option ["${name}=${value}"]`);
  return `${name}=${name === 'size' ? value.replace(/b$/i, '') : value}`;
}

/** `TARGET[:size=64m,mode=1777,ro]` */
export function parseTmpfsOption(spec: string): MountRequest {
  const at = spec.indexOf(':');
  const target = checkTarget(at < 0 ? spec : spec.slice(0, at), spec);
  const options: string[] = [];
  let readOnly = false;
  for (const option of at < 0 ? [] : spec.slice(at + 1).split(',')) {
    const [name, value] = option.split('=', 2) as [string, string | undefined];
    if (value !== undefined) options.push(checkTmpfsOption(name, value, spec));
    else if (name === 'ro') readOnly = true;
    else if (!IGNORED.has(name) && name !== '') refuse(`invalid argument "${spec}": invalid tmpfs option ["${option}"]`);
  }
  return { type: 'tmpfs', target, readOnly, tmpfs: ['mode=1777', ...options].join(',') };
}

/** The fields of one comma-separated line; a field with a comma in it is quoted (RFC 4180), as Docker's reader has it. */
function splitFields(spec: string): string[] {
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (let i = 0; i < spec.length; i++) {
    const letter = spec[i] as string;
    if (letter === '"' && quoted && spec[i + 1] === '"') field += spec[i++];
    else if (letter === '"') quoted = !quoted;
    else if (letter === ',' && !quoted) {
      fields.push(field);
      field = '';
    } else field += letter;
  }
  return [...fields, field];
}

function parseSwitch(value: string | undefined, key: string): boolean {
  if (value === undefined || ['1', 't', 'true', 'TRUE', 'True', 'T'].includes(value)) return true;
  if (['0', 'f', 'false', 'FALSE', 'False', 'F'].includes(value)) return false;
  return refuse(`invalid argument: invalid value for ${key}: ${value}`);
}

/** `type=bind,source=/a,target=/b,readonly` */
export function parseMountOption(spec: string): MountRequest {
  const values: Record<string, string> = {};
  let type: MountRequest['type'] = 'volume';
  let readOnly = false;
  let noCopy = false;
  for (const field of splitFields(spec)) {
    const at = field.indexOf('=');
    const key = (at < 0 ? field : field.slice(0, at)).toLowerCase();
    const value = at < 0 ? undefined : field.slice(at + 1);
    if (key === 'readonly' || key === 'ro') readOnly = parseSwitch(value, key);
    else if (key === 'volume-nocopy') noCopy = parseSwitch(value, key);
    else if (value === undefined) refuse(`invalid argument "${spec}" for "--mount" flag: invalid field '${field}' must be a key=value pair`);
    else if (key === 'type') {
      if (value !== 'bind' && value !== 'volume' && value !== 'tmpfs' && value !== 'block') refuse(`invalid mount config: mount type unknown: "${value}", expected bind, volume, tmpfs or block`);
      type = value;
    } else if (key === 'source' || key === 'src') values['source'] = value;
    else if (key === 'target' || key === 'dst' || key === 'destination') values['target'] = value;
    else if (['tmpfs-size', 'tmpfs-mode', 'volume-subpath'].includes(key)) values[key] = value;
    else if (!['bind-propagation', 'consistency', 'volume-driver', 'volume-label', 'bind-create-src', 'bind-recursive'].includes(key)) {
      refuse(`invalid argument "${spec}" for "--mount" flag: unexpected key '${key}' in '${field}'`);
    }
  }
  const { source } = values;
  if (values['target'] === undefined) refuse(`invalid argument "${spec}" for "--mount" flag: target is required`);
  const target = checkTarget(values['target'], spec);
  if (type === 'bind' || type === 'block') {
    if (source === undefined) refuse(`invalid mount config for type "${type}": field Source must not be empty`);
    if (!source.startsWith('/') && !source.startsWith('.')) refuse(`invalid mount config for type "${type}": invalid mount path: '${source}' mount path must be absolute`);
    return { type, source: resolve(source), target, readOnly };
  }
  if (type === 'tmpfs') {
    if (source !== undefined) refuse('invalid mount config for type "tmpfs": field Source must not be specified');
    const { 'tmpfs-size': size, 'tmpfs-mode': mode } = values;
    const options = [
      checkTmpfsOption('mode', mode ?? '1777', spec),
      ...(size === undefined ? [] : [checkTmpfsOption('size', size, spec)]),
    ];
    return { type, target, readOnly, tmpfs: options.join(',') };
  }
  if (source !== undefined && !VOLUME_NAME.test(source)) {
    refuse(`create ${source}: "${source}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`);
  }
  return { type: 'volume', source, target, readOnly, noCopy, subpath: values['volume-subpath'] };
}
