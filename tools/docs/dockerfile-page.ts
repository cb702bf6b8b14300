// docs/dockerfile.md: every instruction, flag and directive with how far it is supported, from the tables that the parser uses; the options of mounts from the
// table that checks them. Each instruction, flag and kind of mount must be named by a test of test/build/conformance.ts.
import { readFileSync } from 'node:fs';
import { MOUNT_OPTIONS } from '../../images/build/index.ts';
import { DIRECTIVES, INSTRUCTIONS } from '../../images/dockerfile/index.ts';
import { makeList, makePage, makeTable, type Page } from './page.ts';

const CASES = 'test/build/conformance.ts';

/** What a test has to be there for: "COPY", "COPY --chown", "RUN --mount=type=cache", "# escape". */
function listSubjects(): string[] {
  return [
    ...INSTRUCTIONS.flatMap(({ keyword, flags }) => [keyword, ...flags.map(({ name }) => `${keyword} --${name}`)]),
    ...Object.keys(MOUNT_OPTIONS).map((type) => `RUN --mount=type=${type}`),
    ...DIRECTIVES.map(({ name }) => `# ${name}`),
  ];
}

export function findUntestedSyntax(): string[] {
  const text = readFileSync(CASES, 'utf8');
  return listSubjects()
    .filter((subject) => !text.includes(`'${subject}'`))
    .map((subject) => `Cannot accept "${subject}" as supported: no case of ${CASES} is for it, expected one`);
}

export function makeDockerfilePage(): Page {
  const rows = INSTRUCTIONS.flatMap(({ keyword, form, support, flags }) => [
    [`\`${keyword}\``, form.split(', ').map((each) => `\`${each}\``).join(', ').replaceAll('`, `', ', '), support],
    ...flags.map(({ name, value, support: own }) => ['', `\`--${name}${value === undefined ? '' : `=${value}`}\``, own]),
  ]);
  return makePage('docs/dockerfile.md', 'Dockerfiles', '`images/dockerfile/grammar.ts` and `images/build/mounts.ts`', [
    '`hull build` reads Dockerfiles as BuildKit does. What this page calls full is as Docker documents it; every line has a test.',
    '## Instructions and flags',
    makeTable(['instruction', 'form', 'support'], rows),
    '## Mounts of RUN',
    makeTable(['type', 'options'], Object.entries(MOUNT_OPTIONS).map(([type, options]) => [`\`${type}\``, makeList(options)])),
    '## Directives',
    makeTable(['directive', 'support'], DIRECTIVES.map(({ name, support }) => [`\`# ${name}=\``, support])),
    '## Variables',
    'In ADD, ARG, COPY, ENV, EXPOSE, FROM, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR and in flags: `$NAME`, `${NAME}`, `${NAME:-word}`, `:+`, `:?`, `-`, `+`, `?`, `#`, `##`, `%`, `%%`, `/` and `//`.',
    '## The machine: hull.yaml and labels',
    [
      'A `hull.yaml` beside the Dockerfile, or given by `-f hull.yaml`, says what an image wants of its machine. It becomes labels, and a `LABEL` in the Dockerfile can say the same.',
      '```yaml\ndockerfile: Dockerfile   # which one -f hull.yaml builds\nmemory: 64m              # hull.memory: the default of hull run -m\nkernel: layer            # hull.kernel: the kernel is in a layer of its own; linked: the program is one that hull cc linked\noptions:\n  machine: q35           # hull.machine: the default of hull run --machine\n  read-only: true        # hull.read-only: the default of hull run --read-only\ncomponents:\n  add: [trace]           # hull.components.add: in the kernel whatever the analysis says\n  omit: [inotify]        # hull.components.omit: never in it\n```',
      'Without `kernel` the image has no kernel, and `hull run` links one on first use ([decisions/kernel-in-a-layer.md](decisions/kernel-in-a-layer.md)). Components: [components.md](components.md).',
    ].join('\n\n'),
    '## What differs',
    [
      '- RUN executes under bubblewrap, over an overlay of the layers: as root with the files\' own users, without root in a user namespace; with `newuidmap` and lines in `/etc/subuid` and `/etc/subgid` that has many users, otherwise one, to which all files belong. A Dockerfile without RUN needs none of it.',
      '- bubblewrap sets no_new_privs: set-user-ID programs (sudo, su) give no rights in RUN.',
      '- The network of RUN is this host\'s, unless it is `none`.',
      '- Git repositories, of ADD and as contexts (`URL#ref:directory`, `URL?branch=B&subdir=D`), are fetched by this host\'s `git` with its user\'s configuration; all their files have the time of the commit.',
      '- A mount of type=ssh is the agent\'s socket itself, with the owner and mode that it has on this host; `--ssh` takes sockets, not key files.',
      '- Stages are built one after the other, those only that the target needs.',
      '- Without SOURCE_DATE_EPOCH, files of COPY keep their times, directories that are made get the newest time of what is copied into them, files of heredocs the Dockerfile\'s; the image\'s own time is when its last layer was made. With it (`--build-arg` or the environment) no time in a new layer or the config is later.',
    ].join('\n'),
  ]);
}
