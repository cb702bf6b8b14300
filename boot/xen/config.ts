/** What `xl create` reads of a domain (Xen's docs/man/xl.cfg.5.pod). Owns: the file's text. xl knows no escapes in strings: none here has a quote. */
export interface DomainConfig {
  /** As makeDomainName gives it. */
  readonly name: string;
  /** Files, absolute or relative to where xl is run. */
  readonly kernel: string;
  /** The boot module. */
  readonly ramdisk: string;
  /** The image of the root file system, where it is not in the boot module: it is the disk xvda. */
  readonly root?: string | undefined;
  /** It has a network card, on the bridge that Xen's hosts have. */
  readonly hasCard: boolean;
  /** MiB. */
  readonly memory: number;
  /** At its end it stays, shut down, until somebody destroys it: its console goes with it, and what nobody read of that. */
  readonly isKept: boolean;
}

/** What a name may not have becomes a dash: xl looks for domains by it, and a number would be an identifier. */
export function makeDomainName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  return /^\d*$/.test(plain) ? `hull-${plain}`.replace(/-$/, '') : plain;
}

/** A domain is one run of its program: when that ends it is gone, unless it is kept or xl was asked to start it anew. */
export function formatDomainConfig({ name, kernel, ramdisk, root, hasCard, memory, isKept }: DomainConfig): string {
  return [
    'type = "pvh"',
    `name = "${name}"`,
    `kernel = "${kernel}"`,
    `ramdisk = "${ramdisk}"`,
    `memory = ${memory}`,
    'vcpus = 1',
    ...(root === undefined ? [] : [`disk = [ "format=raw, vdev=xvda, access=ro, target=${root}" ]`]),
    ...(hasCard ? ['vif = [ "bridge=xenbr0" ]'] : []), // an empty one is what xl 4.17 dies of, now and then
    `on_poweroff = "${isKept ? 'preserve' : 'destroy'}"`,
    `on_reboot = "${isKept ? 'preserve' : 'restart'}"`,
    `on_crash = "${isKept ? 'preserve' : 'destroy'}"`,
    '',
  ].join('\n');
}
