/** The verbs on images: options -> the store and registries, output as docker's. Owns: which function a verb is, and that each of several names is tried. */
import { createReadStream, existsSync } from 'node:fs';
import { EngineError, findStatePaths, type StatePaths } from '../engine/index.ts';
import {
  checkStore,
  describeHistory,
  describeImage,
  fetchManifest,
  formatReference,
  type Image,
  importImage,
  listUsedImages,
  loadImages,
  login,
  logout,
  openImages,
  readPlatform,
  parseReference,
  pullReference,
  pushReference,
  resolveImage,
  saveImages,
  searchImages,
  selectResults,
  sizeOfImage,
  type Store,
  withDefaultTag,
} from '../engine/ship/index.ts';
import type { CommandContext } from './commands.ts';
import { forEachName } from './each-name.ts';
import { UsageError } from './errors.ts';
import { formatSince } from '../engine/instances/index.ts';
import { formatBytesShort } from './human.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { createProgress } from './progress.ts';
import { parseCount } from './quantities.ts';
import { refuseTerminal, saveArchive } from './save-archive.ts';
import { formatList } from './tables.ts';
import { parseTemplate } from './templates.ts';
import { writeOut } from './write-out.ts';

interface Call {
  readonly parsed: ParsedOptions;
  readonly context: CommandContext;
  /** As typed, for messages: "hull image ls". */
  readonly command: string;
  readonly args: readonly string[];
  readonly paths: StatePaths;
  readonly store: Store;
  isOn(name: string): boolean;
  value(name: string): string | undefined;
}

type Verb = (call: Call) => Promise<number>;

const shortId = (id: string) => id.replace(/^sha256:/, '').slice(0, 12);

async function pull({ parsed, context, args, paths, isOn, value }: Call): Promise<number> {
  const [name] = args as [string];
  const reference = withDefaultTag(parseReference(name));
  const platform = value('platform');
  const progress = createProgress('Pull', process.stdout);
  const isQuiet = isOn('quiet');
  if (!isQuiet && reference.tag !== undefined && !name.slice(name.lastIndexOf('/')).includes(':')) await writeOut(`Using default tag: ${reference.tag}\n`);
  if (!isQuiet) await writeOut(`${reference.tag ?? reference.digest}: Pulling from ${reference.path}\n`);
  const wanted = parsed.switches.get('all-platforms') === true ? undefined : readPlatform(platform);
  const pulled = await pullReference(name, wanted, paths, context, isQuiet ? { blob: () => {} } : progress);
  const shown = `${reference.familiar}${reference.tag === undefined ? '' : `:${reference.tag}`}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
  if (!isQuiet) {
    progress.end();
    await writeOut(`Digest: ${pulled.digest}\nStatus: ${pulled.isNew ? 'Downloaded newer image' : 'Image is up to date'} for ${shown}\n`);
  }
  await writeOut(`${reference.canonical}\n`);
  return 0;
}

async function push({ context, args, paths, isOn }: Call): Promise<number> {
  const [name] = args as [string];
  const reference = withDefaultTag(parseReference(name));
  const progress = createProgress('Push', process.stdout);
  const isQuiet = isOn('quiet');
  if (!isQuiet) await writeOut(`The push refers to repository [${reference.domain}/${reference.path}]\n`);
  const { digest, size } = await pushReference(name, paths, context, isQuiet ? { blob: () => {} } : progress);
  progress.end();
  await writeOut(isQuiet ? `${reference.canonical}\n` : `${reference.tag}: digest: ${digest} size: ${size}\n`);
  return 0;
}

async function readStdin(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString().replace(/\r?\n$/, '');
}

/** A line from the terminal, without showing it. */
async function askFor(what: string, isSecret: boolean, command: string): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError('cannot perform an interactive login from a non TTY device: use --username and --password-stdin', command);
  const { createInterface } = await import('node:readline');
  const { Writable } = await import('node:stream');
  process.stderr.write(`${what}: `);
  const output = isSecret ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr;
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await new Promise((resolve) => lines.question('', resolve));
  } finally {
    lines.close();
    if (isSecret) process.stderr.write('\n');
  }
}

const serverOf = (text: string | undefined): string =>
  text === undefined ? 'docker.io' : parseReference(`${text.replace(/^https?:\/\//, '').replace(/\/.*$/, '')}/x/x`).domain;

async function logIn({ context, args, paths, isOn, value, command }: Call): Promise<number> {
  const domain = serverOf(args[0]);
  const username = value('username') ?? (await askFor('Username', false, command));
  if (value('password') !== undefined && isOn('password-stdin')) throw new UsageError('--password and --password-stdin are mutually exclusive', command);
  if (value('password') !== undefined) process.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
  const password = isOn('password-stdin') ? await readStdin() : (value('password') ?? (await askFor('Password', true, command)));
  if (username === '' || password === '') throw new EngineError('option-invalid', 'username and password are required: Cannot log in with an empty one, expected both');
  await login(domain, { username, password }, paths, context);
  await writeOut('Login Succeeded\n');
  return 0;
}

async function logOut({ context, args }: Call): Promise<number> {
  const domain = serverOf(args[0]);
  const wasIn = await logout(domain, context);
  await writeOut(wasIn ? `Removing login credentials for ${domain}\n` : `Not logged in to ${domain}\n`);
  return 0;
}

async function search({ parsed, context, args, paths, isOn, value, command }: Call): Promise<number> {
  const limit = parseCount(value('limit') ?? '25', 'limit', 1, command);
  const filters = (parsed.values.get('filter') ?? []).map((text) => parseFilter(text, command));
  const found = selectResults(await searchImages(args[0] as string, limit, paths, context), filters);
  const cut = (text: string) => (isOn('no-trunc') || text.length <= 45 ? text : `${text.slice(0, 44)}…`);
  const rows = found.map(({ name, description, stars, isOfficial, isAutomated }) => ({
    Name: name,
    Description: cut(description.replaceAll(/\s+/g, ' ').trim()),
    StarCount: String(stars),
    IsOfficial: isOfficial ? '[OK]' : '',
    IsAutomated: isAutomated ? '[OK]' : '',
  }));
  const columns = [
    { field: 'Name', title: 'NAME' },
    { field: 'Description', title: 'DESCRIPTION' },
    { field: 'StarCount', title: 'STARS' },
    { field: 'IsOfficial', title: 'OFFICIAL' },
  ];
  await writeOut(formatList(rows, { format: value('format'), columns, titles: { IsAutomated: 'AUTOMATED' }, command }));
  return 0;
}

interface Row {
  readonly image: Image;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/** A row for each name. */
function listRows(image: Image, withDigests: boolean): Row[] {
  const digests = image.digests.map(parseReference);
  const rows = image.tags.map((name) => {
    const reference = parseReference(name);
    const digest = digests.find((each) => each.familiar === reference.familiar)?.digest;
    return { image, repository: reference.familiar, tag: reference.tag ?? '<none>', digest: digest ?? '<none>' };
  });
  const bare = digests.filter((each) => !rows.some(({ repository }) => repository === each.familiar));
  for (const each of rows.length === 0 || withDigests ? bare : []) rows.push({ image, repository: each.familiar, tag: '<none>', digest: each.digest ?? '<none>' });
  return rows.length > 0 ? rows : [{ image, repository: '<none>', tag: '<none>', digest: '<none>' }];
}

/** "*" and "?" as a shell has them; "*" does not go over "/". */
const toPattern = (text: string) => new RegExp(`^${text.replace(/[.+^${}()|\\]/g, '\\$&').replaceAll('*', '[^/]*').replaceAll('?', '[^/]')}$`);

function parseFilter(text: string, command: string): [name: string, value: string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new UsageError('invalid filter: bad format of filter (expected name=value)', command);
  return [text.slice(0, at), text.slice(at + 1)];
}

function makeFilter(texts: readonly string[], command: string): (row: Row) => boolean {
  const filters = texts.map((text): ((row: Row) => boolean) => {
    const [name, value] = parseFilter(text, command);
    if (name === 'dangling') return ({ image }) => (image.tags.length === 0 && image.digests.length === 0) === (value === 'true' || value === '1');
    if (name === 'reference') return ({ repository, tag }) => toPattern(value).test(repository) || toPattern(value).test(`${repository}:${tag}`);
    if (name === 'label') {
      const [label, wanted] = value.split(/=(.*)/s) as [string, string | undefined];
      return ({ image }) => {
        const found = image.config.config?.Labels?.[label];
        return found !== undefined && (wanted === undefined || found === wanted);
      };
    }
    throw new EngineError('option-invalid', `invalid filter '${name}': expected dangling, reference or label`);
  });
  return (row) => filters.every((filter) => filter(row));
}

async function list({ parsed, args, store, isOn, value, command }: Call): Promise<number> {
  const filter = makeFilter([...(parsed.values.get('filter') ?? []), ...args.map((name) => `reference=${name}`)], command);
  const images = store.list().sort((a, b) => (b.config.created ?? '').localeCompare(a.config.created ?? ''));
  const rows = images.flatMap((image) => listRows(image, isOn('digests'))).filter(filter);
  const isWhole = isOn('no-trunc');
  const format = value('format');
  if (isOn('quiet') && format === undefined) {
    await writeOut([...new Set(rows.map(({ image }) => `${isWhole ? image.id : shortId(image.id)}\n`))].join(''));
    return 0;
  }
  const shown = rows.map(({ image, repository, tag, digest }) => ({
    ID: isWhole ? image.id : shortId(image.id),
    Repository: repository,
    Tag: tag,
    Digest: digest,
    CreatedAt: image.config.created ?? '',
    CreatedSince: image.config.created === undefined ? 'N/A' : `${formatSince(image.config.created)} ago`,
    Size: formatBytesShort(sizeOfImage(image)),
    Containers: 'N/A',
    SharedSize: 'N/A',
    UniqueSize: 'N/A',
    VirtualSize: formatBytesShort(sizeOfImage(image)),
  }));
  const columns = [
    { field: 'Repository', title: 'REPOSITORY' },
    { field: 'Tag', title: 'TAG' },
    ...(isOn('digests') ? [{ field: 'Digest', title: 'DIGEST' }] : []),
    { field: 'ID', title: 'IMAGE ID' },
    { field: 'CreatedSince', title: 'CREATED' },
    { field: 'Size', title: 'SIZE' },
  ];
  await writeOut(formatList(shown, { format, columns, titles: { CreatedAt: 'CREATED AT', Digest: 'DIGEST' }, command }));
  return 0;
}

async function remove({ args, store, paths, isOn }: Call): Promise<number> {
  const used = await listUsedImages(paths);
  const force = isOn('force');
  return forEachName(args, async (name) => {
    const image = resolveImage(store, name);
    const by = image.tags.length + image.digests.length > 1 ? [] : (used.get(image.id) ?? []);
    const running = by.find((each) => each.startsWith('running'));
    if (by.length > 0 && (running !== undefined || !force)) {
      const how = running === undefined ? 'must be forced' : 'cannot be forced';
      const why = running === undefined ? `is being used by stopped ${by[0]}` : `is being used by ${running}`;
      throw new EngineError('image-in-use', `conflict: unable to remove repository reference "${name}" (${how}) - image ${shortId(image.id)} ${why}`);
    }
    const removed = await store.remove(name, { force });
    await writeOut([...removed.untagged.map((each) => `Untagged: ${each}\n`), ...removed.deleted.map((each) => `Deleted: ${each}\n`)].join(''));
  });
}

async function tag({ args, store }: Call): Promise<number> {
  const [name, target] = args as [string, string];
  const reference = parseReference(target);
  if (reference.digest !== undefined) throw new EngineError('option-invalid', `refusing to create a tag with a digest reference: Cannot tag "${target}", expected NAME[:TAG]`);
  await store.tag(resolveImage(store, name).target, [reference]);
  return 0;
}

async function history({ args, store, isOn, value, command }: Call): Promise<number> {
  const isWhole = isOn('no-trunc');
  const lines = describeHistory(resolveImage(store, args[0] as string));
  if (isOn('quiet')) {
    await writeOut(lines.map(({ id }) => `${isWhole || id.startsWith('<') ? id : shortId(id)}\n`).join(''));
    return 0;
  }
  const cut = (text: string) => (isWhole || text.length <= 45 ? text : `${text.slice(0, 44)}…`);
  const rows = lines.map(({ id, created, createdBy, size, comment }) => ({
    ID: isWhole || id.startsWith('<') ? id : shortId(id),
    CreatedAt: created,
    CreatedSince: created === '' ? 'N/A' : `${formatSince(created)} ago`,
    CreatedBy: cut(createdBy.replaceAll(/\s+/g, ' ')),
    Size: formatBytesShort(size),
    Comment: comment,
  }));
  const columns = [
    { field: 'ID', title: 'IMAGE' },
    { field: 'CreatedSince', title: 'CREATED' },
    { field: 'CreatedBy', title: 'CREATED BY' },
    { field: 'Size', title: 'SIZE' },
    { field: 'Comment', title: 'COMMENT' },
  ];
  await writeOut(formatList(rows, { format: value('format'), columns, titles: { CreatedAt: 'CREATED AT' }, command }));
  return 0;
}

async function inspect({ args, store, value, command }: Call): Promise<number> {
  if (args.length === 0) throw new UsageError(`"${command}" requires at least 1 argument`, command);
  const found: Record<string, unknown>[] = [];
  const code = await forEachName(args, async (name) => void found.push(describeImage(resolveImage(store, name))));
  const format = value('format');
  if (format === undefined) await writeOut(`${JSON.stringify(found, null, 4)}\n`);
  else if (format === 'json') await writeOut(`${JSON.stringify(found)}\n`);
  else {
    const template = parseTemplate(format, command);
    await writeOut(found.map((each) => `${template.apply(each)}\n`).join(''));
  }
  return code;
}

async function prune({ store, paths, isOn }: Call): Promise<number> {
  const used = await listUsedImages(paths);
  const { untagged, deleted, reclaimed } = await store.prune({ all: isOn('all'), isUsed: ({ id }) => used.has(id) });
  const lines = [...untagged.map((each) => `untagged: ${each}`), ...deleted.map((each) => `deleted: ${each}`)];
  await writeOut(`${lines.length === 0 ? '' : `Deleted Images:\n${lines.join('\n')}\n\n`}Total reclaimed space: ${formatBytesShort(reclaimed)}\n`);
  return 0;
}

async function check({ store, value }: Call): Promise<number> {
  const report = await checkStore(store);
  const errors = report.problems.filter(({ severity }) => severity === 'error');
  if (value('format') === 'json') await writeOut(`${JSON.stringify(report)}\n`);
  else {
    await writeOut(report.problems.map(({ severity, text }) => `${severity}: ${text}\n`).join(''));
    const count = (number: number, name: string) => `${number} ${name}${number === 1 ? '' : 's'}`;
    await writeOut(`${count(report.images, 'image')}, ${count(report.blobs, 'blob')}, ${formatBytesShort(report.bytes)}: ${errors.length === 0 ? 'nothing wrong' : count(errors.length, 'error')}\n`);
  }
  return errors.length === 0 ? 0 : 1;
}

async function manifest({ context, args, paths, command }: Call): Promise<number> {
  const [verb, name] = args as [string, string];
  if (verb !== 'inspect') throw new UsageError(`unknown command: ${command} ${verb}, expected inspect`, command);
  await writeOut(`${(await fetchManifest(name, paths, context)).bytes.toString()}\n`);
  return 0;
}

/** `docker save`: a name takes itself along, an ID none. */
async function save({ args, store, value, command }: Call): Promise<number> {
  const output = value('output');
  refuseTerminal(output, command);
  const chosen = new Map<string, { image: Image; names: Set<string> }>();
  for (const name of args) {
    const image = resolveImage(store, name);
    const known = chosen.get(image.descriptor.digest) ?? { image, names: new Set<string>() };
    const canonical = /^(sha256:)?[0-9a-f]{64}$/.test(name) ? undefined : withDefaultTag(parseReference(name)).canonical;
    if (canonical !== undefined && image.tags.includes(canonical)) known.names.add(canonical);
    chosen.set(image.descriptor.digest, known);
  }
  await saveArchive(saveImages(store, [...chosen.values()].map(({ image, names }) => ({ image, names: [...names] }))), output);
  return 0;
}

/** A file's bytes, or STDIN's. */
function readInput(path: string | undefined): AsyncIterable<Uint8Array> {
  if (path === undefined || path === '-') return process.stdin;
  if (!existsSync(path)) throw new EngineError('option-invalid', `Cannot read "${path}": no such file or directory, expected a tar archive`);
  return createReadStream(path, { highWaterMark: 1 << 18 });
}

async function load({ store, isOn, value, command }: Call): Promise<number> {
  if (value('input') === undefined && process.stdin.isTTY) throw new UsageError('requested load from stdin, but stdin is empty', command);
  const loaded = await loadImages(store, readInput(value('input')));
  for (const { target, names } of loaded) {
    if (isOn('quiet')) continue;
    await writeOut(names.length === 0 ? `Loaded image ID: ${resolveImage(store, target.digest).id}\n` : names.map((name) => `Loaded image: ${formatReference(withDefaultTag(name))}\n`).join(''));
  }
  return 0;
}

async function importArchive({ args, store, value }: Call): Promise<number> {
  const [path, name] = args as [string, string | undefined];
  const epoch = process.env['SOURCE_DATE_EPOCH'];
  const platform = value('platform');
  const target = await importImage(store, readInput(path), {
    names: name === undefined ? [] : [withDefaultTag(parseReference(name))],
    platform: readPlatform(platform),
    message: value('message'),
    created: epoch === undefined || !/^\d+$/.test(epoch) ? new Date() : new Date(Number(epoch) * 1000),
  });
  await writeOut(`${store.resolve(target.digest).id}\n`);
  return 0;
}

const VERBS: Readonly<Record<string, Verb>> = { pull, push, search, login: logIn, logout: logOut, images: list, rmi: remove, tag, history, manifest, save, load, import: importArchive };

/** `hull image VERB`; least and most arguments. */
const BELOW_IMAGE: Readonly<Record<string, readonly [verb: Verb, least: number, most: number]>> = {
  ls: [list, 0, 1],
  list: [list, 0, 1],
  inspect: [inspect, 1, Number.POSITIVE_INFINITY],
  prune: [prune, 0, 0],
  check: [check, 0, 0],
  rm: [remove, 1, Number.POSITIVE_INFINITY],
  remove: [remove, 1, Number.POSITIVE_INFINITY],
  pull: [pull, 1, 1],
  push: [push, 1, 1],
  tag: [tag, 2, 2],
  history: [history, 1, 1],
  save: [save, 1, Number.POSITIVE_INFINITY],
  load: [load, 0, 0],
  import: [importArchive, 1, 2],
};

export async function runImageVerb(name: string, parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const paths = findStatePaths(context.env);
  const makeCall = (command: string, args: readonly string[]): Call => ({
    parsed,
    context,
    command,
    args,
    paths,
    store: openImages(paths),
    isOn: (option) => parsed.switches.get(option) === true,
    value: (option) => readValue(parsed, option),
  });
  if (name !== 'image') return (VERBS[name] as Verb)(makeCall(`hull ${name}`, parsed.args));
  const [below = '', ...args] = parsed.args;
  const found = BELOW_IMAGE[below];
  if (found === undefined) throw new UsageError(`unknown command: hull image ${below}, expected one of ${Object.keys(BELOW_IMAGE).join(', ')}`, 'hull image');
  const [verb, least, most] = found;
  if (args.length < least) throw new UsageError(`"hull image ${below}" requires at least ${least} argument${least === 1 ? '' : 's'}`, 'hull image');
  if (args.length > most) throw new UsageError(`"hull image ${below}" accepts ${most === 0 ? 'no arguments' : `at most ${most} argument${most === 1 ? '' : 's'}`}`, 'hull image');
  return verb(makeCall(`hull image ${below}`, args));
}
