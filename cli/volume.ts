/** `hull volume`: Docker's verbs on named volumes, with Docker's output; and snapshot, clone and restore, which Docker lacks. */
import { randomBytes } from 'node:crypto';
import { copyVolume, createVolume, EngineError, findVolume, listVolumes, pruneVolumes, removeVolume, restoreVolume, snapshotVolume, findStatePaths, VOLUME_NAME, type Volume } from '../engine/index.ts';
import type { CommandContext } from './commands.ts';
import { forEachName } from './each-name.ts';
import { UsageError } from './errors.ts';
import { parseLabels } from './labels.ts';
import type { ParsedOptions } from './options.ts';
import { parseSize } from './quantities.ts';
import { writeOut } from './write-out.ts';

const COMMAND = 'hull volume';

/** As `docker volume inspect` shows one. */
function describeVolume(volume: Volume): object {
  return {
    CreatedAt: volume.created,
    Driver: volume.driver,
    Labels: volume.labels,
    Mountpoint: volume.data,
    Name: volume.name,
    Options: volume.driver === 'block' ? { size: String(volume.size) } : { security: volume.security },
    Scope: 'local',
  };
}

/** `--driver block --opt size=2g`; Docker's own driver takes no options here. */
function readDriver(parsed: ParsedOptions): { driver?: Volume['driver']; size?: number } {
  const driver = parsed.values.get('driver')?.at(-1);
  const options = parsed.values.get('opt') ?? [];
  if (driver !== undefined && driver !== 'local' && driver !== 'block') {
    throw new EngineError('option-invalid', `create: error looking up volume plugin ${driver}: plugin "${driver}" not found, expected local or block`);
  }
  let size: number | undefined;
  for (const option of options) {
    const value = /^size=(.*)$/.exec(option)?.[1];
    if (driver !== 'block' || value === undefined) throw new EngineError('option-invalid', `create: invalid option: "${option}", expected ${driver === 'block' ? 'size=BYTES' : 'none for the driver local'}`);
    size = parseSize(value, 'opt size', `${COMMAND} create`);
  }
  return { ...(driver !== undefined && { driver }), ...(size !== undefined && { size }) };
}

function requireNames(names: readonly string[], verb: string): void {
  if (names.length === 0) throw new UsageError(`"${COMMAND} ${verb}" requires at least 1 argument`, COMMAND);
}

export async function volumeCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [verb, ...names] = parsed.args;
  const { volumes } = findStatePaths(context.env);
  const isQuiet = parsed.switches.get('quiet') === true;
  switch (verb) {
    case 'create': {
      if (names.length > 1) throw new UsageError(`"${COMMAND} create" accepts at most 1 argument`, COMMAND);
      const name = names[0] ?? randomBytes(32).toString('hex');
      if (!VOLUME_NAME.test(name)) {
        throw new EngineError('option-invalid', `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`);
      }
      const labels = parseLabels(parsed.values.get('label') ?? []);
      await writeOut(`${createVolume(volumes, name, { labels, isAnonymous: names.length === 0, ...readDriver(parsed) }).name}\n`);
      return 0;
    }
    case 'ls':
    case 'list': {
      const found = listVolumes(volumes);
      await writeOut(isQuiet ? found.map(({ name }) => `${name}\n`).join('') : `DRIVER    VOLUME NAME\n${found.map(({ name, driver }) => `${driver.padEnd(10)}${name}\n`).join('')}`);
      return 0;
    }
    case 'inspect': {
      requireNames(names, verb);
      const found = names.map((name) => findVolume(volumes, name));
      await writeOut(`${JSON.stringify(found.filter((volume) => volume !== undefined).map(describeVolume), null, 4)}\n`);
      for (const [i, volume] of found.entries()) if (volume === undefined) process.stderr.write(`hull: get ${names[i]}: no such volume\n`);
      return found.includes(undefined) ? 1 : 0;
    }
    case 'rm':
    case 'remove': {
      requireNames(names, verb);
      const isForced = parsed.switches.get('force') === true;
      return forEachName(names, async (name) => {
        if (!isForced || findVolume(volumes, name) !== undefined) removeVolume(volumes, name);
        return name;
      });
    }
    case 'snapshot':
    case 'clone':
    case 'restore': {
      const [name, other, ...more] = names;
      if (name === undefined || other === undefined || more.length > 0) throw new UsageError(`"${COMMAND} ${verb}" requires a volume and the name of ${verb === 'restore' ? 'a snapshot' : 'the copy'}`, COMMAND);
      if (!VOLUME_NAME.test(other)) throw new EngineError('option-invalid', `${verb} ${other}: "${other}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`);
      const force = parsed.switches.get('force') === true;
      if (verb === 'snapshot') snapshotVolume(volumes, name, other, force);
      else if (verb === 'clone') copyVolume(volumes, name, other, { labels: parseLabels(parsed.values.get('label') ?? []), force });
      else restoreVolume(volumes, name, other);
      await writeOut(`${verb === 'restore' ? name : other}\n`);
      return 0;
    }
    case 'prune': {
      const gone = pruneVolumes(volumes, parsed.switches.get('all') === true);
      await writeOut(gone.length === 0 ? 'No volumes to remove\n' : `Deleted Volumes:\n${gone.map((name) => `${name}\n`).join('')}`);
      return 0;
    }
    default:
      throw new UsageError(`unknown command: ${COMMAND} ${verb}, expected create, ls, inspect, rm, snapshot, clone, restore or prune`, COMMAND);
  }
}
