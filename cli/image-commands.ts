/** The verbs on images in the table of verbs: names and options are those of docker's command line. Rule: as commands.ts, nothing is loaded before it is used. */
import type { CommandSpec } from './commands.ts';
import type { OptionSpec } from './options.ts';

const MANY = Number.POSITIVE_INFINITY;
const PLATFORM: OptionSpec = { name: 'platform', value: 'string', summary: 'Of an image for several platforms the one for this (default: what this host is)' };
const ALL_PLATFORMS: OptionSpec = { name: 'all-platforms', summary: 'Every platform that the image is there for' };
const QUIET: OptionSpec = { name: 'quiet', short: 'q', summary: 'Print as little as possible' };
const FORMAT: OptionSpec = { name: 'format', value: 'string', summary: 'How it is written: json, or a template' };
const LIST: readonly OptionSpec[] = [
  { name: 'all', short: 'a', summary: 'Also images without a name' },
  { name: 'digests', summary: "Show the registries' digests" },
  { name: 'filter', short: 'f', value: 'filter', many: true, summary: 'Only those that meet it: dangling=true, reference=PATTERN, label=NAME[=VALUE]' },
  { name: 'format', value: 'string', summary: 'How it is written: table, json, or a template' },
  { name: 'no-trunc', summary: 'Whole IDs' },
  { name: 'quiet', short: 'q', summary: 'Only IDs' },
];

const FORCE: OptionSpec = { name: 'force', short: 'f', summary: 'Also an image that has several names' };
const OUTPUT: OptionSpec = { name: 'output', short: 'o', value: 'path', complete: 'file', summary: 'Where it goes (default STDOUT)' };
const LOAD: readonly OptionSpec[] = [{ name: 'input', short: 'i', value: 'path', complete: 'file', summary: 'Where it is (default STDIN)' }, QUIET];
const IMPORT: readonly OptionSpec[] = [
  { name: 'message', short: 'm', value: 'string', summary: "Comment in the image's history" },
  { name: 'platform', value: 'string', summary: 'Platform of the image (default: what this host is)' },
];
const HISTORY: readonly OptionSpec[] = [FORMAT, { name: 'no-trunc', summary: 'Whole commands' }, QUIET];
const PULL: readonly OptionSpec[] = [ALL_PLATFORMS, PLATFORM, QUIET];
const BELOW_IMAGE: Readonly<Record<string, readonly OptionSpec[]>> = {
  ls: LIST,
  list: LIST,
  inspect: [{ ...FORMAT, short: 'f' }],
  prune: [
    { name: 'all', short: 'a', summary: 'Also images that have a name and no instance' },
    { name: 'force', short: 'f', summary: 'It never asks' },
  ],
  check: [FORMAT],
  rm: [FORCE],
  remove: [FORCE],
  pull: PULL,
  push: [QUIET],
  tag: [],
  history: HISTORY,
  save: [OUTPUT],
  load: LOAD,
  import: IMPORT,
};

const verb = (name: string, usage: string, summary: string, least: number, most: number, options: readonly OptionSpec[] = [], notes?: readonly string[]): CommandSpec => ({
  name,
  usage: `hull ${name} ${usage}`.trimEnd(),
  summary,
  ...(notes === undefined ? {} : { notes }),
  options,
  stopAtArgument: false,
  leastArguments: least,
  mostArguments: most,
  load: async () => {
    const { runImageVerb } = await import('./image.ts');
    return (parsed, context) => runImageVerb(name, parsed, context);
  },
});

export const IMAGE_COMMANDS: readonly CommandSpec[] = [
  verb('pull', '[OPTIONS] NAME[:TAG|@DIGEST]', 'Download an image from a registry', 1, 1, PULL),
  verb('push', '[OPTIONS] NAME[:TAG]', 'Upload an image to a registry', 1, 1, [QUIET]),
  verb('login', '[OPTIONS] [SERVER]', 'Log in to a registry', 0, 1, [
    { name: 'password', short: 'p', value: 'string', summary: 'Password' },
    { name: 'password-stdin', summary: 'Take the password from STDIN' },
    { name: 'username', short: 'u', value: 'string', summary: 'User name' },
  ]),
  verb(
    'search',
    '[OPTIONS] [HOST/]TERM',
    'Search a registry for images',
    1,
    1,
    [
      { name: 'filter', short: 'f', value: 'filter', many: true, summary: 'Only those that meet it: is-official=BOOL, is-automated=BOOL, stars=LEAST' },
      FORMAT,
      { name: 'limit', value: 'number', summary: 'At most so many (default 25)' },
      { name: 'no-trunc', summary: 'Whole descriptions' },
    ],
    ['Docker Hub is searched, or the registry HOST: by its search where it has one, else by the names in its catalog.'],
  ),
  verb('logout', '[SERVER]', 'Log out from a registry', 0, 1),
  verb('images', '[OPTIONS] [REPOSITORY[:TAG]]', 'List images', 0, 1, LIST),
  verb('rmi', '[OPTIONS] IMAGE [IMAGE...]', 'Remove images', 1, MANY, [FORCE]),
  verb('tag', 'IMAGE NAME[:TAG]', 'Give an image a further name', 2, 2),
  verb('history', '[OPTIONS] IMAGE', 'Show how an image came about', 1, 1, HISTORY),
  verb('save', '[OPTIONS] IMAGE [IMAGE...]', 'Write images to a tar archive, for docker load, hull load and as an OCI layout', 1, MANY, [OUTPUT]),
  verb('load', '[OPTIONS]', 'Read images from a tar archive: of docker save, or of an OCI layout', 0, 0, LOAD),
  verb('import', '[OPTIONS] FILE|- [NAME[:TAG]]', 'Make an image of a tar archive with a root file system', 1, 2, IMPORT),
  {
    ...verb('image', 'ls|inspect|prune|check|rm|pull|push|tag|history|save|load|import [OPTIONS] [IMAGE...]', 'Manage images', 1, MANY, [
      ...LIST,
      ALL_PLATFORMS,
      { name: 'force', summary: 'rm: also an image that has several names; prune never asks' },
      { name: 'input', short: 'i', value: 'path', complete: 'file', summary: 'load: where it is (default STDIN)' },
      { name: 'message', short: 'm', value: 'string', summary: "import: comment in the image's history" },
      { name: 'output', short: 'o', value: 'path', complete: 'file', summary: 'save: where it goes (default STDOUT)' },
      PLATFORM,
    ]),
    optionsBelow: BELOW_IMAGE,
    arguments: ['ls', 'inspect', 'prune', 'check', 'rm', 'pull', 'push', 'tag', 'history', 'save', 'load', 'import'],
  },
  {
    ...verb('manifest', 'inspect NAME[:TAG|@DIGEST]', 'Show the manifest that a registry has', 2, 2),
    arguments: ['inspect'],
  },
];
