/** Filters of lists of instances, in Docker's terms (Docker Engine API v1.47, ContainerList). Owns: what each name means, for every door. Rules: values of one name are alternatives, names have to be met together; labels all. */
import { EngineError } from '../errors.ts';
import { matchLabels } from '../labels.ts';
import type { StatePaths } from '../state/index.ts';
import { networkNameOf } from './connect.ts';
import { readHealth } from './health.ts';
import { describePorts } from './inspect.ts';
import { findInstance } from './observe.ts';
import { matchPort } from './status.ts';
import type { Instance } from './types.ts';

type Test = (instance: Instance) => boolean;

const STATUSES: readonly string[] = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

function refuse(filter: string, cause?: unknown): EngineError {
  return new EngineError('option-invalid', `invalid filter '${filter}'`, { cause });
}

function makeNameTest(text: string): Test {
  let pattern: RegExp;
  try {
    pattern = new RegExp(text);
  } catch (cause) {
    throw refuse(`name=${text}`, cause);
  }
  return ({ config }) => pattern.test(`/${config.name}`) || pattern.test(config.name);
}

function makeAncestorTest(text: string): Test {
  const isId = /^[0-9a-f]{12,}$/.test(text);
  return ({ config: { image, imageId } }) => image === text || image.startsWith(`${text}:`) || `${image}:latest` === text || imageId === text || (isId && imageId?.startsWith(`sha256:${text}`) === true);
}

/** What one value of a filter asks for. An error for a value that means nothing. */
const TESTS: Readonly<Record<string, (value: string) => Test>> = {
  id: (value) => ({ id }) => id.startsWith(value),
  name: makeNameTest,
  status: (value) => {
    if (!STATUSES.includes(value)) throw refuse(`status=${value}`);
    return ({ state }) => state.status === value;
  },
  exited: (value) => {
    if (!/^-?\d+$/.test(value)) throw refuse(`exited=${value}`);
    return ({ state }) => state.status === 'exited' && state.exitCode === Number(value);
  },
  ancestor: makeAncestorTest,
  volume: (value) => ({ config }) => config.request.mounts.some(({ source, target }) => source === value || target === value || config.anonymous[target] === value),
  // Docker's name of the user network, and hull's.
  network: (value) => (instance) => networkNameOf(instance) === (value === 'user' ? 'bridge' : value),
  publish: (value) => ({ state }) => state.ports.some(({ host, protocol }) => matchPort(value, host, protocol)),
  expose: (value) => (instance) => Object.keys(describePorts(instance)).some((key) => matchPort(value, Number(key.split('/')[0]), key.split('/')[1] ?? 'tcp')),
  health: (value) => (instance) => (readHealth(instance)?.status ?? 'none') === value,
  'is-task': (value) => () => value === 'false' || value === '0',
  isolation: (value) => () => value === 'default',
};

export async function makeInstanceFilter(filters: ReadonlyMap<string, readonly string[]>, paths: StatePaths): Promise<Test> {
  const tests: Test[] = [];
  for (const [name, values] of filters) {
    if (name === 'label') tests.push(({ config }) => matchLabels(config.labels, values));
    else if (name === 'label!') tests.push(({ config }) => !matchLabels(config.labels, values));
    else if (name === 'before' || name === 'since') {
      const { created } = (await findInstance(paths, values[0] ?? '')).config;
      tests.push(({ config }) => (name === 'before' ? config.created < created : config.created > created));
    } else {
      const make = TESTS[name];
      if (make === undefined) throw refuse(name);
      const alternatives = values.map(make);
      tests.push((instance) => alternatives.some((test) => test(instance)));
    }
  }
  return (instance) => tests.every((test) => test(instance));
}
