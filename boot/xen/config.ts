/** What `xl create` reads of a domain (Xen's docs/man/xl.cfg.5.pod). Owns: the file's text. xl knows no escapes in strings: none here has a quote. */
export interface DomainConfig {
  /** As makeDomainName gives it. */
  readonly name: string;
  /** Files, absolute or relative to where xl is run. */
  readonly kernel: string;
  /** The boot module. */
  readonly ramdisk: string;
  /** MiB. */
  readonly memory: number;
}

/** What a name may not have becomes a dash: xl looks for domains by it, and a number would be an identifier. */
export function makeDomainName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  return /^\d*$/.test(plain) ? `hull-${plain}`.replace(/-$/, '') : plain;
}

/** A domain is one run of its program: when that ends it is gone, unless xl was asked to start it anew. */
export function formatDomainConfig({ name, kernel, ramdisk, memory }: DomainConfig): string {
  return [
    'type = "pvh"',
    `name = "${name}"`,
    `kernel = "${kernel}"`,
    `ramdisk = "${ramdisk}"`,
    `memory = ${memory}`,
    'vcpus = 1',
    'on_poweroff = "destroy"',
    'on_reboot = "restart"',
    'on_crash = "destroy"',
    '',
  ].join('\n');
}
