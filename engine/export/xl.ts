/**
 * A folder for Xen: the kernel, the boot module, the root file system, and xl.cfg, which names them relative to the folder, so `cd FOLDER && xl create xl.cfg` starts the domain.
 * A small root comes behind the module: its pages are used where they are, and dom0 has to serve no disk. A larger one would cost the domain its size in memory: it is a disk.
 * Rule: the folder is complete or absent.
 */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type RootFile, writeAt, writeRoot } from '../../boot/bios/index.ts';
import { formatDomainConfig, makeDomainName } from '../../boot/xen/index.ts';
import { EngineError } from '../errors.ts';

const MEBIBYTE = 1024 * 1024;
const ROOT_IN_MODULE_MOST = 16 * MEBIBYTE;

export function isRootInModule(size: number): boolean {
  return size <= ROOT_IN_MODULE_MOST;
}

export interface DomainParts {
  readonly name: string;
  readonly kernel: Uint8Array;
  readonly module: Uint8Array;
  readonly root: RootFile | undefined;
  readonly hasCard: boolean;
  /** Bytes for the program; a root file system in the module comes on top. */
  readonly memory: number;
  readonly isKept: boolean;
}

export function writeDomainFolder(folder: string, { name, kernel, module, root, hasCard, memory, isKept }: DomainParts): void {
  if (existsSync(folder)) throw new EngineError('option-invalid', `Cannot export to "${folder}": it is there already, expected a path for a new folder`);
  const fresh = `${folder}.tmp-${process.pid}`;
  try {
    mkdirSync(dirname(folder), { recursive: true });
    mkdirSync(fresh);
    writeFileSync(join(fresh, 'kernel'), kernel);
    const inModule = root !== undefined && isRootInModule(root.size);
    const files = [
      { file: 'module', bytes: module, tail: inModule ? root : undefined },
      ...(root === undefined || inModule ? [] : [{ file: 'root', bytes: new Uint8Array(), tail: root }]),
    ];
    for (const { file, bytes, tail } of files) {
      const fd = openSync(join(fresh, file), 'wx', 0o644);
      try {
        writeAt(fd, bytes, 0);
        if (tail !== undefined) writeRoot(fd, tail, bytes.length);
      } finally {
        closeSync(fd);
      }
    }
    const size = Math.ceil((memory + (inModule ? root.size : 0)) / MEBIBYTE);
    const config = { name: makeDomainName(name), kernel: 'kernel', ramdisk: 'module', root: files.length > 1 ? 'root' : undefined, hasCard, memory: size, isKept };
    writeFileSync(join(fresh, 'xl.cfg'), formatDomainConfig(config));
    renameSync(fresh, folder);
  } catch (cause) {
    rmSync(fresh, { recursive: true, force: true });
    throw new EngineError('state-failed', `Cannot export to "${folder}": ${(cause as Error).message}, expected room for the folder`, { cause });
  }
}
