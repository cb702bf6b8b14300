/**
 * What a Dockerfile may say: the table of instructions and their flags, with how far each is supported. Owns: the words that the parser knows;
 * docs/dockerfile.md is made from it. Rule: "full" is what Docker's documentation says; what differs says how.
 */
export type Support = 'full' | `partial: ${string}` | `not: ${string}`;

export interface FlagSpec {
  readonly name: string;
  /** Name of its value; a switch has none and may be given one, true or false. */
  readonly value?: string;
  readonly many?: boolean;
  readonly support: Support;
}

export interface InstructionSpec {
  readonly keyword: string;
  readonly form: string;
  readonly support: Support;
  readonly flags: readonly FlagSpec[];
  /** Its arguments may be a JSON array of strings. */
  readonly json?: boolean;
  readonly leastArguments: number;
}


const COPY_FLAGS: readonly FlagSpec[] = [
  { name: 'chown', value: 'USER[:GROUP]', support: 'full' },
  { name: 'chmod', value: 'MODE', support: 'full' },
  { name: 'link', support: 'full' },
  { name: 'exclude', value: 'PATTERN', many: true, support: 'full' },
];

export const INSTRUCTIONS: readonly InstructionSpec[] = [
  {
    keyword: 'FROM',
    form: 'FROM [--platform=PLATFORM] IMAGE [AS NAME]',
    support: 'full',
    flags: [{ name: 'platform', value: 'PLATFORM', support: 'full' }],
    leastArguments: 1,
  },
  { keyword: 'ARG', form: 'ARG NAME[=DEFAULT]...', support: 'full', flags: [], leastArguments: 1 },
  { keyword: 'ENV', form: 'ENV NAME=VALUE... (or NAME VALUE)', support: 'full', flags: [], leastArguments: 1 },
  { keyword: 'LABEL', form: 'LABEL NAME=VALUE...', support: 'full', flags: [], leastArguments: 1 },
  {
    keyword: 'RUN',
    form: 'RUN [OPTIONS] COMMAND, RUN [OPTIONS] ["PROGRAM", "ARGUMENT"...], RUN <<EOF',
    support: 'full',
    flags: [
      {
        name: 'mount',
        value: 'type=bind|cache|tmpfs|secret|ssh,...',
        many: true,
        support: 'partial: sharing=private of a cache waits as sharing=locked does',
      },
      { name: 'network', value: 'default|none|host', support: "partial: default is the host's network, as host" },
      { name: 'security', value: 'sandbox|insecure', support: 'partial: sandbox only' },
      { name: 'device', value: 'NAME', many: true, support: 'not: no device of this host is given to RUN' },
    ],
    json: true,
    leastArguments: 1,
  },
  {
    keyword: 'COPY',
    form: 'COPY [OPTIONS] SOURCE... TARGET, COPY [OPTIONS] ["SOURCE"..., "TARGET"]',
    support: 'full',
    flags: [{ name: 'from', value: 'STAGE|IMAGE', support: 'full' }, ...COPY_FLAGS, { name: 'parents', support: 'full' }],
    json: true,
    leastArguments: 1,
  },
  {
    keyword: 'ADD',
    form: 'ADD [OPTIONS] SOURCE... TARGET, ADD [OPTIONS] ["SOURCE"..., "TARGET"]',
    support: 'full',
    flags: [
      ...COPY_FLAGS,
      { name: 'checksum', value: 'sha256:DIGEST|COMMIT', support: 'full' },
      { name: 'keep-git-dir', support: 'full' },
      { name: 'unpack', support: 'full' },
    ],
    json: true,
    leastArguments: 1,
  },
  { keyword: 'WORKDIR', form: 'WORKDIR PATH', support: 'full', flags: [], leastArguments: 1 },
  { keyword: 'USER', form: 'USER NAME|UID[:GROUP|GID]', support: 'full', flags: [], leastArguments: 1 },
  { keyword: 'ENTRYPOINT', form: 'ENTRYPOINT ["PROGRAM", "ARGUMENT"...], ENTRYPOINT COMMAND', support: 'full', flags: [], json: true, leastArguments: 0 },
  { keyword: 'CMD', form: 'CMD ["PROGRAM", "ARGUMENT"...], CMD COMMAND', support: 'full', flags: [], json: true, leastArguments: 0 },
  { keyword: 'SHELL', form: 'SHELL ["PROGRAM", "ARGUMENT"...]', support: 'full', flags: [], json: true, leastArguments: 1 },
  { keyword: 'EXPOSE', form: 'EXPOSE PORT[-PORT][/tcp|/udp|/sctp]...', support: 'full', flags: [], leastArguments: 1 },
  { keyword: 'VOLUME', form: 'VOLUME PATH..., VOLUME ["PATH"...]', support: 'full', flags: [], json: true, leastArguments: 1 },
  { keyword: 'STOPSIGNAL', form: 'STOPSIGNAL SIGNAL', support: 'full', flags: [], leastArguments: 1 },
  {
    keyword: 'HEALTHCHECK',
    form: 'HEALTHCHECK [OPTIONS] CMD COMMAND, HEALTHCHECK NONE',
    support: 'full',
    flags: [
      { name: 'interval', value: 'DURATION', support: 'full' },
      { name: 'timeout', value: 'DURATION', support: 'full' },
      { name: 'start-period', value: 'DURATION', support: 'full' },
      { name: 'start-interval', value: 'DURATION', support: 'full' },
      { name: 'retries', value: 'NUMBER', support: 'full' },
    ],
    leastArguments: 1,
  },
  { keyword: 'ONBUILD', form: 'ONBUILD INSTRUCTION', support: 'full', flags: [], leastArguments: 1 },
  { keyword: 'MAINTAINER', form: 'MAINTAINER NAME', support: 'full', flags: [], leastArguments: 1 },
];

export const DIRECTIVES: readonly { readonly name: string; readonly support: Support }[] = [
  { name: 'syntax', support: 'partial: read and kept; the language is the one of this page whatever it names' },
  { name: 'escape', support: 'full' },
  { name: 'check', support: 'partial: skip= and error= are read; the build checks nothing but what makes it fail' },
];

export const KEYWORDS: readonly string[] = INSTRUCTIONS.map(({ keyword }) => keyword);

export function findInstruction(keyword: string): InstructionSpec | undefined {
  return INSTRUCTIONS.find((each) => each.keyword === keyword);
}
