/**
 * The table of verbs: names, options, one-line descriptions, and where each is implemented. Owns: what help, completion and parsing agree on.
 * Rule: `load` is a dynamic import, so a verb's code is read only when it is used; `run` is in the main bundle, because its start counts.
 */
import { IMAGE_COMMANDS } from './image-commands.ts';
import type { OptionSpec, ParsedOptions } from './options.ts';
import { makeInstanceCommands } from './instance-commands.ts';
import { runCommand } from './run.ts';

export interface CommandContext {
  readonly env: NodeJS.ProcessEnv;
  /** The folder of the built product. */
  readonly dist: string;
  readonly commands: readonly CommandSpec[];
  /** The next start takes the bundle's code as it is compiled now. */
  keepCode(): void;
}

export type CommandHandler = (parsed: ParsedOptions, context: CommandContext) => Promise<number> | number;

export interface CommandSpec {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  /** Paragraphs below the options in help. */
  readonly notes?: readonly string[];
  readonly options: readonly OptionSpec[];
  /** Of a verb with verbs below it, by the first argument: `options` in help, these when it is parsed. */
  readonly optionsBelow?: Readonly<Record<string, readonly OptionSpec[]>>;
  readonly stopAtArgument: boolean;
  readonly leastArguments: number;
  readonly mostArguments: number;
  /** Takes every argument as it is: the command has an option grammar of its own. */
  readonly isRaw?: boolean;
  readonly arguments?: 'file' | readonly string[];
  readonly load: () => Promise<CommandHandler>;
}

const MEMORY_DEFAULT = '256m';

const ACCELERATION: readonly OptionSpec[] = [
  { name: 'accel', value: 'string', choices: ['auto', 'kvm', 'hvf', 'tcg'], summary: 'Accelerator (default: the best that a probe guest runs under)' },
  { name: 'qemu', value: 'path', complete: 'file', summary: 'QEMU to use (default: qemu-system-x86_64 in PATH, or $HULL_QEMU)' },
];

export const RUN_OPTIONS: readonly OptionSpec[] = [
  ...ACCELERATION,
  { name: 'add-host', value: 'list', many: true, summary: 'Add a line to /etc/hosts (NAME:ADDRESS; the address host-gateway is this host)' },
  { name: 'cpus', value: 'number', summary: 'Number of CPUs (default 1)' },
  { name: 'cidfile', value: 'path', complete: 'file', summary: 'Write the id of the instance to a file that is not there yet (-d)' },
  { name: 'detach', short: 'd', summary: 'Leave it running, and print its id' },
  { name: 'dns', value: 'list', many: true, summary: 'Name servers in /etc/resolv.conf (default: those of this host)' },
  { name: 'dns-option', value: 'list', many: true, summary: 'Options in /etc/resolv.conf' },
  { name: 'dns-search', value: 'list', many: true, summary: 'Domains to look names up in (default: those of this host)' },
  { name: 'entrypoint', value: 'string', summary: "In place of the image's entrypoint; for a PROGRAM its argv[0]" },
  { name: 'env', short: 'e', value: 'list', many: true, summary: 'Set environment variables (NAME=VALUE, or NAME to pass it on)' },
  { name: 'env-file', value: 'list', many: true, complete: 'file', summary: 'Read in a file of environment variables' },
  { name: 'exec', summary: 'Let hull exec start processes in it, also when its program starts none (-d)' },
  { name: 'expose', value: 'list', many: true, summary: 'Ports of the machine that are shown without being published' },
  { name: 'gdb', value: 'device', summary: 'Wait for a debugger there before the start, such as tcp::1234' },
  { name: 'health-cmd', value: 'string', summary: 'Command that tells whether the program is well; run by what supervises the instance (hull engine, hull supervise)' },
  { name: 'health-interval', value: 'duration', summary: 'Time between two checks' },
  { name: 'health-retries', value: 'number', summary: 'Checks that have to fail' },
  { name: 'health-start-interval', value: 'duration', summary: 'Time between two checks while it starts' },
  { name: 'health-start-period', value: 'duration', summary: 'Time that it has to start' },
  { name: 'health-timeout', value: 'duration', summary: 'Time that a check may take' },
  { name: 'hostname', short: 'h', value: 'string', summary: 'Host name of the machine' },
  { name: 'init', summary: 'Ignored: the libOS takes in orphans by itself' },
  { name: 'interactive', short: 'i', summary: 'Keep STDIN open; always so in the foreground' },
  { name: 'ip', value: 'string', summary: 'IPv4 address of the machine' },
  { name: 'label', value: 'list', many: true, summary: 'A label of the instance, NAME=VALUE (-d)' },
  { name: 'label-file', value: 'list', many: true, complete: 'file', summary: 'Read in a file of labels' },
  { name: 'log-driver', value: 'string', summary: 'json-file or local; both are hull\'s own log (-d)' },
  { name: 'log-opt', value: 'list', many: true, summary: 'max-size=10m and max-file=3: how much of the log is kept, while something looks after it (-d)' },
  { name: 'machine', value: 'string', choices: ['microvm', 'q35', 'virt', 'virt-pci'], summary: 'Machine type: of x86-64 microvm (default) or q35, of AArch64 virt (default) or virt-pci' },
  { name: 'memory', short: 'm', value: 'bytes', summary: `Memory of the machine: 2m, 1g; below 4096 without a unit: MiB (default ${MEMORY_DEFAULT})` },
  { name: 'mount', value: 'mount', many: true, summary: 'Host directory, volume or memory: type=bind|volume|tmpfs|block,source=S,target=T[,readonly]' },
  { name: 'name', value: 'string', summary: 'Name of the instance (-d), or of a run in the foreground' },
  { name: 'network', value: 'network', summary: 'Network: none, user, bridge:NAME, tap:NAME, or one that hull network create made (default user for a program that has network calls, else none)' },
  { name: 'network-alias', value: 'list', many: true, summary: 'Further names of the machine on a network of that kind' },
  { name: 'no-healthcheck', summary: 'No health check, whatever the image says' },
  { name: 'platform', value: 'string', summary: 'Of an image for several platforms the one for this: linux/amd64, linux/arm64 (default: what this host is); of a PROGRAM what it has to be for' },
  { name: 'publish', short: 'p', value: 'list', many: true, summary: 'Publish a port of the machine on this host: [[ADDRESS:]HOST:]GUEST[/udp], ranges too' },
  { name: 'publish-all', short: 'P', summary: 'Publish all ports that the image or --expose names, each on a free port of this host' },
  { name: 'read-only', summary: 'Nothing can be written but in mounts' },
  { name: 'restart', value: 'policy', summary: 'Whether what supervises it starts it again: no, on-failure[:n], always, unless-stopped (default no)' },
  { name: 'rm', summary: 'Remove the instance when it ends; always so in the foreground' },
  { name: 'rootfs', value: 'directory', complete: 'directory', summary: 'Directory that becomes the root file system; PROGRAM is looked for in it' },
  { name: 'stop-signal', value: 'string', summary: 'Signal that the program gets when hull gets SIGTERM (default SIGTERM)' },
  { name: 'stop-timeout', value: 'seconds', summary: 'Seconds after that until the machine is killed (default: never)' },
  { name: 'tmpfs', value: 'path[:options]', many: true, summary: 'Memory as a directory: /run:size=16m,mode=0755' },
  { name: 'trace', optional: 'set', summary: 'Show system calls on STDERR: --trace=openat,read or a class: file, desc, memory, process, signal, network' },
  { name: 'tty', short: 't', summary: 'Give the program this terminal' },
  { name: 'user', short: 'u', value: 'uid[:gid]', summary: 'User and group of the program; names are those of the image' },
  { name: 'verbose', summary: 'Say what is done, and show what the machine says outside of its channel' },
  { name: 'vmm', value: 'string', choices: ['qemu', 'xen'], summary: 'What runs the machine: QEMU (default), or Xen by its xl, on a dom0' },
  { name: 'volume', short: 'v', value: '[source:]target[:ro]', many: true, complete: 'file', summary: 'Host directory (a path) or volume (a name) at a path of the machine' },
  { name: 'writable', value: 'file', complete: 'file', summary: 'With a root file system: keep what is written to it in this file (ext4, made when it is missing)' },
  { name: 'workdir', short: 'w', value: 'string', summary: 'Working directory of the program (default /)' },
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'run',
    usage: 'hull run [OPTIONS] IMAGE|PROGRAM [ARG...]',
    summary: 'Run a program as a unikernel',
    notes: [
      'IMAGE is the name, digest or ID of an image; its config says what is run, and a kernel for that is linked on first use.',
      'PROGRAM is a path, or the name of a file that is there: a static x86-64 Linux executable, or an image made by hull cc or hull build; with --rootfs, any x86-64 Linux program or script in that directory.',
      'STDIN is always connected, as for any program in a pipe; docker run needs -i for that.',
      'Exit status: that of the program, 128 + n when signal n ended it; 125 when hull failed, 126 when PROGRAM cannot be run, 127 when it is not there.',
    ],
    options: RUN_OPTIONS,
    stopAtArgument: true,
    leastArguments: 1,
    mostArguments: Number.POSITIVE_INFINITY,
    arguments: 'file',
    load: async () => runCommand,
  },
  ...makeInstanceCommands(RUN_OPTIONS),
  {
    name: 'build',
    usage: 'hull build [OPTIONS] CONTEXT | hull build [OPTIONS] -o IMAGE PROGRAM',
    summary: 'Build an image from a Dockerfile, or a bootable image of a static executable',
    notes: [
      'CONTEXT is a directory with a Dockerfile, a git repository (URL#ref:directory), or "-" for a tar archive (or a Dockerfile alone) on STDIN. docs/dockerfile.md lists every instruction and flag.',
      'PROGRAM is a static x86-64 Linux executable: an ELF file is always taken as that. --add, --omit, --strip, --map and --symbols belong to it.',
    ],
    options: [
      { name: 'add', value: 'component', many: true, summary: 'PROGRAM: put this libOS component in, whatever the analysis says' },
      { name: 'build-arg', value: 'list', many: true, summary: 'Value of an ARG: NAME=VALUE, or NAME to pass a variable on' },
      { name: 'build-context', value: 'list', many: true, summary: 'A further directory that --from can name: NAME=DIRECTORY' },
      { name: 'file', short: 'f', value: 'path', complete: 'file', summary: 'The Dockerfile (default CONTEXT/Dockerfile); "-" for STDIN' },
      { name: 'iidfile', value: 'path', complete: 'file', summary: "Write the image's ID to this file" },
      { name: 'label', value: 'list', many: true, summary: 'Set a label of the image: NAME=VALUE' },
      { name: 'map', value: 'path', complete: 'file', summary: 'PROGRAM: write a map of the image there' },
      { name: 'network', value: 'string', choices: ['default', 'none', 'host'], summary: "Network of RUN (default: this host's)" },
      { name: 'no-cache', summary: 'Execute every instruction again' },
      { name: 'omit', value: 'component', many: true, summary: 'PROGRAM: leave this libOS component out; calls that need it give ENOSYS' },
      { name: 'output', short: 'o', value: 'path', many: true, complete: 'file', summary: 'Where the result goes: a directory, "-" for a tar archive on STDOUT, type=tar|local,dest=PATH or type=image; for a PROGRAM the file' },
      { name: 'platform', value: 'string', summary: 'Platform of the image (default: what this host is); several with commas between make an index' },
      { name: 'progress', value: 'string', choices: ['auto', 'plain', 'tty', 'quiet'], summary: 'How progress is shown (default auto)' },
      { name: 'pull', summary: 'Ask registries for newer images, also of those that are here' },
      { name: 'quiet', short: 'q', summary: "Write nothing but the image's ID" },
      { name: 'secret', value: 'list', many: true, summary: 'Secret for RUN --mount=type=secret: id=NAME,src=FILE or id=NAME,env=VARIABLE' },
      { name: 'ssh', value: 'list', many: true, summary: 'SSH agent for RUN --mount=type=ssh: default, or NAME=SOCKET' },
      { name: 'strip', short: 's', summary: 'PROGRAM: leave out the symbols and the manifest that hull inspect reads' },
      { name: 'symbols', value: 'path', complete: 'file', summary: "PROGRAM: write the image's symbols there" },
      { name: 'tag', short: 't', value: 'name', many: true, summary: 'Name of the image: NAME[:TAG]' },
      { name: 'target', value: 'string', summary: 'Stage to build (default: the last one)' },
    ],
    stopAtArgument: false,
    leastArguments: 1,
    mostArguments: 1,
    arguments: 'file',
    load: async () => (await import('./build.ts')).buildCommand,
  },
  {
    name: 'export',
    usage: 'hull export [OPTIONS] CONTAINER | hull export --format FORMAT [OPTIONS] IMAGE|PROGRAM [ARG...]',
    summary: "Write a container's files to a tar archive, or an image to a file that starts without hull",
    notes: [
      'raw and qcow2 are disks and iso is a CD that a PC BIOS boots: qemu-system-x86_64 -drive file=FILE,format=raw,if=virtio -nographic. elf is a kernel with everything in it: -kernel FILE. xl is a new folder with all that a domain of Xen needs: cd FOLDER && xl create xl.cfg; it has a network card when the image names ports (EXPOSE). tar has the files of the image.',
      'Such a machine talks on its first serial port, under Xen on its console, and switches itself off when its program ends. What it writes to its root file system is gone then.',
    ],
    options: [
      { name: 'format', value: 'string', choices: ['elf', 'raw', 'qcow2', 'iso', 'xl', 'tar'], summary: 'What is written of an IMAGE' },
      { name: 'interactive', short: 'i', summary: 'What comes in on the serial port is STDIN' },
      { name: 'output', short: 'o', value: 'path', complete: 'file', summary: 'The file (default for archives: STDOUT)' },
      { name: 'tty', short: 't', summary: 'The serial port is a terminal' },
      ...RUN_OPTIONS.filter(({ name }) => ['entrypoint', 'env', 'env-file', 'hostname', 'read-only', 'rootfs', 'user', 'workdir'].includes(name)),
    ],
    stopAtArgument: true,
    leastArguments: 1,
    mostArguments: Number.POSITIVE_INFINITY,
    arguments: 'file',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'cc',
    usage: 'hull cc [COMPILER OPTION...] FILE...',
    summary: 'Compile C and link a bootable image',
    notes: ['Takes what cc takes: -c, -o, -I, -D, -O, -l and so on. The compiler is $HULL_CC, clang or gcc.'],
    options: [],
    stopAtArgument: true,
    leastArguments: 0,
    mostArguments: Number.POSITIVE_INFINITY,
    isRaw: true,
    arguments: 'file',
    load: async () => (await import('./cc.ts')).ccCommand,
  },
  {
    name: 'inspect',
    usage: 'hull inspect [OPTIONS] FILE|CONTAINER|IMAGE...',
    summary: 'Show what is in an image or what a program needs, and why; or all about instances',
    notes: ['Of a file: names, before the run, the system calls that the program may make and hull lacks or has in part, and why each component is in its kernel.'],
    options: [
      { name: 'format', short: 'f', value: 'string', summary: 'Of a file: text or json (default text). Of instances: json or a Go template (default json, indented)' },
      { name: 'json', summary: 'Of a file: the same as --format json' },
      { name: 'rootfs', value: 'directory', complete: 'directory', summary: 'Directory that is the root file system; FILE is a program in it' },
      { name: 'size', short: 's', summary: 'Of instances: what they keep, in bytes' },
      { name: 'type', value: 'string', choices: ['container', 'image'], summary: 'Names are those of instances, or of images' },
    ],
    stopAtArgument: false,
    leastArguments: 1,
    mostArguments: Number.POSITIVE_INFINITY,
    arguments: 'file',
    load: async () => (await import('./inspect.ts')).inspectCommand,
  },
  ...IMAGE_COMMANDS,
  {
    name: 'volume',
    usage: 'hull volume create|ls|inspect|rm|prune|snapshot|clone|restore [OPTIONS] [VOLUME...]',
    summary: 'Manage volumes: directories that outlive the machines that use them',
    notes: [
      'snapshot VOLUME NAME keeps what is in a volume as another one; clone VOLUME NAME makes one to work with; restore VOLUME SNAPSHOT puts the content back. Blocks are shared where the file system of the host can (reflinks).',
    ],
    options: [
      { name: 'all', short: 'a', summary: 'prune: also volumes that have a name' },
      { name: 'driver', short: 'd', value: 'local|block', summary: 'create: a directory, or an ext4 file system of its own (block)' },
      { name: 'force', short: 'f', summary: 'rm: a volume that is not there is no error; snapshot, clone: also of one in use; prune never asks' },
      { name: 'label', value: 'list', many: true, summary: 'create, clone: a label, NAME=VALUE' },
      { name: 'opt', short: 'o', value: 'size=1g', many: true, summary: 'create: a block volume\'s size, 1g where nothing is said' },
      { name: 'quiet', short: 'q', summary: 'ls: only names' },
    ],
    stopAtArgument: false,
    leastArguments: 1,
    mostArguments: Number.POSITIVE_INFINITY,
    arguments: ['create', 'ls', 'inspect', 'rm', 'prune', 'snapshot', 'clone', 'restore'],
    load: async () => (await import('./volume.ts')).volumeCommand,
  },
  {
    name: 'network',
    usage: 'hull network create|ls|inspect|connect|disconnect|rm|prune [OPTIONS] [NETWORK...] [CONTAINER]',
    summary: 'Manage networks, on which machines reach each other by name',
    notes: ['A machine has one network, from its start on: connect and disconnect are for instances that do not run.'],
    options: [
      { name: 'alias', value: 'list', many: true, summary: 'connect: a further name of the instance there' },
      { name: 'driver', short: 'd', value: 'string', summary: 'create: switch, a process of its own that takes no privileges (default), or bridge, one of this host with NAT by nftables, for root' },
      { name: 'filter', short: 'f', value: 'list', many: true, summary: 'ls: only those with name=TEXT, id=DIGITS or label=NAME[=VALUE]' },
      { name: 'force', summary: 'rm: a network that is not there is no error; prune never asks' },
      { name: 'internal', summary: 'create: no way to other networks or to this host' },
      { name: 'ip', value: 'address', summary: 'connect: its address there' },
      { name: 'label', value: 'list', many: true, summary: 'create: a label, NAME=VALUE' },
      { name: 'quiet', short: 'q', summary: 'ls: only ids' },
      { name: 'subnet', value: 'subnet', summary: 'create: its IPv4 addresses, as in 172.30.0.0/16' },
    ],
    stopAtArgument: false,
    leastArguments: 1,
    mostArguments: Number.POSITIVE_INFINITY,
    arguments: ['create', 'ls', 'inspect', 'connect', 'disconnect', 'rm', 'prune'],
    load: async () => (await import('./network.ts')).networkCommand,
  },
  {
    name: 'engine',
    usage: 'hull engine [OPTIONS]',
    summary: 'Serve the Docker Engine API, so that docker and its libraries drive machines',
    notes: ['Machines do not need it: it may end and begin while they run. docs/engine-api.md lists the endpoints.'],
    options: [
      { name: 'host', short: 'H', value: 'address', many: true, summary: 'Where to listen: unix://PATH or tcp://ADDRESS:PORT (default unix://$HULL_ROOT/run/engine.sock)' },
      { name: 'group', short: 'G', value: 'name', summary: "Group of the socket's file, whose members may do what the engine may" },
      { name: 'metrics', summary: 'Numbers for Prometheus at /metrics' },
      { name: 'tlsverify', summary: 'tcp: take only clients with a certificate (always so)' },
      { name: 'tlscacert', value: 'path', complete: 'file', summary: 'tcp: trust only clients with a certificate signed by this one' },
      { name: 'tlscert', value: 'path', complete: 'file', summary: "tcp: the engine's certificate" },
      { name: 'tlskey', value: 'path', complete: 'file', summary: "tcp: the key of the engine's certificate" },
    ],
    stopAtArgument: false,
    leastArguments: 0,
    mostArguments: 0,
    load: async () => (await import('./engine.ts')).engineCommand,
  },
  {
    name: 'doctor',
    usage: 'hull doctor [OPTIONS]',
    summary: 'Show what hull found on this host, and what is missing',
    options: [{ name: 'json', summary: 'As JSON' }, ...ACCELERATION.filter((option) => option.name === 'qemu')],
    stopAtArgument: false,
    leastArguments: 0,
    mostArguments: 0,
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  {
    name: 'version',
    usage: 'hull version',
    summary: 'Show the version of hull',
    options: [],
    stopAtArgument: false,
    leastArguments: 0,
    mostArguments: 0,
    load: async () => (await import('./version.ts')).versionCommand,
  },
  {
    name: 'completion',
    usage: 'hull completion bash|zsh|fish',
    summary: 'Write a completion script for a shell',
    notes: ['bash: source <(hull completion bash). zsh: hull completion zsh > "${fpath[1]}/_hull". fish: hull completion fish | source'],
    options: [],
    stopAtArgument: false,
    leastArguments: 1,
    mostArguments: 1,
    arguments: ['bash', 'zsh', 'fish'],
    load: async () => (await import('./completion.ts')).completionCommand,
  },
  {
    name: 'help',
    usage: 'hull help [COMMAND]',
    summary: 'Show help on a command',
    options: [],
    stopAtArgument: false,
    leastArguments: 0,
    mostArguments: 1,
    load: async () => (await import('./help.ts')).helpCommand,
  },
];
