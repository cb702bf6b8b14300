/**
 * A folder for Xen: the kernel, the boot module with the root file system behind it, and xl.cfg, which names both relative to the folder, so `cd FOLDER && xl create xl.cfg` starts the domain.
 * The root comes with the module because it is then where its pages are used; a domain needs no disk of dom0's. Rule: the folder is complete or absent.
 */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type RootFile, writeAt, writeRoot } from '../../boot/bios/index.ts';
import { formatDomainConfig, makeDomainName } from '../../boot/xen/index.ts';
import { EngineError } from '../errors.ts';

const MEBIBYTE = 1024 * 1024;

export interface DomainParts {
  readonly name: string;
  readonly kernel: Uint8Array;
  readonly module: Uint8Array;
  readonly root: RootFile | undefined;
  /** Bytes for the program; the root file system comes on top. */
  readonly memory: number;
}

export function writeDomainFolder(folder: string, { name, kernel, module, root, memory }: DomainParts): void {
  if (existsSync(folder)) throw new EngineError('option-invalid', `Cannot export to "${folder}": it is there already, expected a path for a new folder`);
  const fresh = `${folder}.tmp-${process.pid}`;
  try {
    mkdirSync(dirname(folder), { recursive: true });
    mkdirSync(fresh);
    writeFileSync(join(fresh, 'kernel'), kernel);
    const fd = openSync(join(fresh, 'module'), 'wx', 0o644);
    try {
      writeAt(fd, module, 0);
      if (root !== undefined) writeRoot(fd, root, module.length);
    } finally {
      closeSync(fd);
    }
    const size = Math.ceil((memory + (root?.size ?? 0)) / MEBIBYTE);
    writeFileSync(join(fresh, 'xl.cfg'), formatDomainConfig({ name: makeDomainName(name), kernel: 'kernel', ramdisk: 'module', memory: size }));
    renameSync(fresh, folder);
  } catch (cause) {
    rmSync(fresh, { recursive: true, force: true });
    throw new EngineError('state-failed', `Cannot export to "${folder}": ${(cause as Error).message}, expected room for the folder`, { cause });
  }
}
