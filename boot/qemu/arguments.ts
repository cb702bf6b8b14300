/**
 * QEMU's command line. Owns: which devices a machine has. Rules: a pure function of its spec; nothing that the image cannot
 * use is added (-nodefaults); file descriptors are those that machine.ts hands down.
 *
 * microvm: virtio-mmio, no ACPI, no legacy timers or interrupt controllers: what the libOS does not use costs time at start.
 * KVM needs nothing more there: with pit=off and pic=off microvm asks for a split irqchip by itself, and `-cpu host` gives the
 * guest the host's features; arch-capabilities is left out because setting its MSR fails in nested guests.
 * virt, of AArch64: virtio-mmio as well; it has room for 32 devices. virt-pci: the same machine, its devices on PCI.
 * q35: virtio-pci, for drivers and for hosts where microvm is not built in; QEMU's qboot firmware enters PVH in half of SeaBIOS' time.
 */
import { FEATURE } from '../abi/index.ts';

export type Accelerator = 'kvm' | 'hvf' | 'tcg';
/** From which a run may choose, by the image's instruction set; the first is the one where nothing was chosen. */
const MACHINE_KINDS_OF = { x86_64: ['microvm', 'q35'], aarch64: ['virt', 'virt-pci'] } as const;
type MachineIsa = keyof typeof MACHINE_KINDS_OF;
export type MachineKind = (typeof MACHINE_KINDS_OF)[MachineIsa][number];
export const MACHINE_KINDS: readonly MachineKind[] = Object.values(MACHINE_KINDS_OF).flat();

export function listMachineKinds(isa: MachineIsa): readonly [MachineKind, ...MachineKind[]] {
  return MACHINE_KINDS_OF[isa];
}

/** Whether it is entered by the Linux Image protocol, and not by PVH. */
export const takesLinuxImage = (machine: MachineKind): boolean => machine === 'virt' || machine === 'virt-pci';

export interface QemuFds {
  readonly channel: number;
  readonly qmp: number;
  readonly module?: number | undefined;
  /** A second line for images that have both a virtio console and a UART: what is said before the console works. */
  readonly early?: number | undefined;
}

/**
 * A machine that outlives who started it: names in QEMU's working directory instead of descriptors. The guest's records go to the end of a
 * file; what is said to it comes over sockets of one client each.
 */
export interface DetachedFiles {
  readonly output: string;
  readonly qmp: string;
  /** Sockets of the ports 2, 3 … of the console; of an image with a 16550 only the first is used. */
  readonly control: readonly string[];
  /** Descriptor of the boot module. */
  readonly module: number;
}

export interface Share {
  readonly tag: string;
  readonly path: string;
  readonly readOnly: boolean;
  /** How owners and modes are kept: as they are (`passthrough`: QEMU runs as root; `none`: what its user may do), or beside the files. */
  readonly security: 'passthrough' | 'none' | 'mapped-xattr' | 'mapped-file';
}

/** A network card: QEMU's -netdev, with that id, and the card's hardware address. */
export interface Card {
  readonly id: string;
  readonly netdev: string;
  readonly mac: string;
  /** A unix socket that QEMU connects to, and stays connected to as long as it runs: who listens there knows that the card is in use. */
  readonly presence?: string;
}

/** An image of ext4 on a virtio disk that the guest finds by its name (at most 20 letters). */
export interface VolumeDisk {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
}

export interface QemuSpec {
  readonly machine: MachineKind;
  readonly accelerator: Accelerator;
  readonly memory: number;
  readonly cpus: number;
  readonly image: string;
  readonly features: number;
  readonly fds?: QemuFds | undefined;
  /** Instead of `fds`. */
  readonly files?: DetachedFiles | undefined;
  readonly log?: string | undefined;
  readonly gdb?: string | undefined;
  /** A raw image, given as a disk that cannot be written to. */
  readonly disk?: string | undefined;
  readonly volumes?: readonly VolumeDisk[] | undefined;
  /** Directories of the host, over virtio-9p. */
  readonly shares?: readonly Share[] | undefined;
  readonly cards?: readonly Card[] | undefined;
  /** What the process is called in lists: "hull run nginx". */
  readonly name?: string | undefined;
  readonly qboot?: string | undefined;
  readonly extra?: readonly string[] | undefined;
}

const LEAST_BALLOON_MEMORY = 64 * 1024 * 1024;
const MICROVM = 'microvm,acpi=off,pit=off,pic=off,rtc=off,x-option-roms=off';
const Q35 = 'q35,usb=off,sata=off,smbus=off,vmport=off';
const MACHINES: Record<MachineKind, string> = { microvm: MICROVM, q35: Q35, virt: 'virt', 'virt-pci': 'virt' };

/** Whether its virtio devices are behind memory-mapped registers, and not on PCI. */
const isMmio = (machine: MachineKind): boolean => machine === 'microvm' || machine === 'virt';

const nameVirtio = (machine: MachineKind, kind: 'blk' | '9p' | 'balloon' | 'net' | 'serial'): string => (isMmio(machine) ? `virtio-${kind}-device` : `virtio-${kind}-pci,disable-legacy=on`);

/** QEMU reads a comma as the end of a value; a doubled one is a comma. */
function escapeValue(value: string): string {
  return value.replaceAll(',', ',,');
}

/** `virt` needs no more under KVM and HVF: QEMU gives it the interrupt controller that the host can have, and the libOS reads which one from the device tree. */
function cpuModel(accelerator: Accelerator, machine: MachineKind): string {
  if (accelerator === 'kvm') return takesLinuxImage(machine) ? 'host' : 'host,-arch-capabilities';
  return accelerator === 'hvf' ? 'host' : 'max';
}

export function makeQemuArguments(spec: QemuSpec): string[] {
  const args = ['-M', MACHINES[spec.machine]];
  if (spec.machine === 'q35' && spec.qboot !== undefined) args.push('-bios', spec.qboot);
  args.push('-accel', spec.accelerator, '-cpu', cpuModel(spec.accelerator, spec.machine), '-smp', String(spec.cpus));
  args.push('-m', `${Math.ceil(spec.memory / 1024)}k`);
  if (spec.name !== undefined) args.push('-name', escapeValue(spec.name));
  args.push('-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none');
  args.push('-kernel', spec.image);
  const module = spec.fds?.module ?? spec.files?.module;
  if (module !== undefined) args.push('-initrd', `/proc/self/fd/${module}`);
  if (!takesLinuxImage(spec.machine)) args.push('-device', 'isa-debug-exit,iobase=0xf4,iosize=0x4');

  if (isMmio(spec.machine)) args.push('-global', 'virtio-mmio.force-legacy=false');
  if (spec.disk !== undefined) {
    args.push('-drive', `if=none,id=root,format=raw,readonly=on,file=${escapeValue(spec.disk)}`);
    args.push('-device', `${nameVirtio(spec.machine, 'blk')},drive=root`);
  }

  for (const [i, volume] of (spec.volumes ?? []).entries()) {
    // No io_uring or native AIO: they need kernel features that are not everywhere; a flush is an fdatasync of the file.
    args.push('-drive', `if=none,id=volume${i},format=raw,cache=writeback,discard=unmap,file=${escapeValue(volume.path)}${volume.readOnly ? ',readonly=on' : ''}`);
    args.push('-device', `${nameVirtio(spec.machine, 'blk')},drive=volume${i},serial=${volume.name}`);
  }
  for (const [i, share] of (spec.shares ?? []).entries()) {
    const readOnly = share.readOnly ? ',readonly=on' : '';
    args.push('-fsdev', `local,id=share${i},path=${escapeValue(share.path)},security_model=${share.security},multidevs=remap${readOnly}`);
    args.push('-device', `${nameVirtio(spec.machine, '9p')},fsdev=share${i},mount_tag=${share.tag}`);
  }
  // It costs a device's start; a machine of a few MiB has nothing to give back.
  if ((spec.features & FEATURE.BALLOON) !== 0 && spec.memory >= LEAST_BALLOON_MEMORY) {
    args.push('-device', `${nameVirtio(spec.machine, 'balloon')},free-page-reporting=on`);
  }
  for (const card of spec.cards ?? []) {
    const device = `${nameVirtio(spec.machine, 'net')}${isMmio(spec.machine) ? '' : ',romfile='}`;
    if (card.presence !== undefined) args.push('-chardev', `socket,id=presence-${card.id},server=off,path=${escapeValue(card.presence)}`);
    args.push('-netdev', card.netdev, '-device', `${device},netdev=${card.id},mac=${card.mac}`);
  }

  if (spec.fds !== undefined) args.push(...makeAttachedChannel(spec, spec.fds));
  if (spec.files !== undefined) args.push(...makeDetachedChannel(spec, spec.files));
  // A bridge takes QEMU's helper or a script; without one QEMU has nothing to start and nobody to become. seccomp(2) is Linux'.
  const startsHelper = (spec.cards ?? []).some(({ netdev }) => /^(bridge|tap),/.test(netdev));
  if (!startsHelper && process.platform === 'linux') args.push('-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny');
  if (spec.gdb !== undefined) args.push('-gdb', spec.gdb, '-S');
  if (spec.extra !== undefined) args.push(...spec.extra);
  return args;
}

function makeAttachedChannel(spec: QemuSpec, fds: QemuFds): string[] {
  const args: string[] = [];
  const log = spec.log === undefined ? '' : `,logfile=${escapeValue(spec.log)},logappend=on`;
  args.push('-chardev', `socket,id=channel,fd=${fds.channel}${log}`);
  if ((spec.features & FEATURE.VIRTIO_CONSOLE) !== 0) {
    args.push('-device', makeSerial(spec, 2));
    // Not virtconsole: that one drops what a full socket does not take; a serial port makes the guest wait.
    args.push('-device', 'virtserialport,chardev=channel,nr=1');
    if (fds.early !== undefined) {
      args.push('-chardev', `socket,id=early,fd=${fds.early}${log}`, '-serial', 'chardev:early');
    }
  } else {
    args.push('-serial', 'chardev:channel');
  }
  args.push('-chardev', `socket,id=qmp,fd=${fds.qmp}`, '-mon', 'chardev=qmp,mode=control');
  return args;
}

function makeSerial(spec: QemuSpec, ports: number): string {
  return `${nameVirtio(spec.machine, 'serial')},max_ports=${ports}`;
}

function makeDetachedChannel(spec: QemuSpec, files: DetachedFiles): string[] {
  const args: string[] = [];
  const listen = (id: string, name: string) => `socket,id=${id},path=${escapeValue(name)},server=on,wait=off`;
  const output = (id: string) => `file,id=${id},path=${escapeValue(files.output)},append=on`;
  if ((spec.features & FEATURE.VIRTIO_CONSOLE) !== 0) {
    const control = (spec.features & FEATURE.CONTROL) === 0 ? [] : files.control;
    args.push('-device', makeSerial(spec, 2 + control.length));
    args.push('-chardev', output('channel'), '-device', 'virtserialport,chardev=channel,nr=1');
    for (const [i, name] of control.entries()) args.push('-chardev', listen(`control${i}`, name), '-device', `virtserialport,chardev=control${i},nr=${2 + i}`);
    if ((spec.features & FEATURE.UART) !== 0) args.push('-chardev', output('early'), '-serial', 'chardev:early');
  } else {
    // A 16550 goes on where nobody is connected; what it says is in the log all the same.
    args.push('-chardev', `${listen('channel', files.control[0] as string)},logfile=${escapeValue(files.output)},logappend=on`, '-serial', 'chardev:channel');
  }
  args.push('-chardev', listen('qmp', files.qmp), '-mon', 'chardev=qmp,mode=control');
  return args;
}
