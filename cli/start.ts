/**
 * dist/hull, what a shell starts: loads the command line's bundle with the code that V8 made of it in an earlier run. Owns: where that code is, and whom it is taken from. Rules: nothing else is here, because this file is
 * compiled at each start; code is taken from a file of our own user alone, which nobody else can write; V8 refuses what another version of it made, and what is damaged is not given to it: it is compiled anew.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { findStatePaths, openCompiled } from '../engine/state/index.ts';
import type { CompiledCode, StartCommandLine } from './main.ts';

/** Names the bundle's bytes; the build puts it here. */
declare const hull_bundle_identity: string;

const GROUP_OR_OTHERS_WRITE = 0o022;

function readCode(path: string): Buffer | undefined {
  try {
    const fd = openSync(path, 'r');
    try {
      const { uid, mode, size } = fstatSync(fd);
      if (uid !== process.getuid?.() || (mode & GROUP_OR_OTHERS_WRITE) !== 0) return undefined;
      const bytes = Buffer.allocUnsafeSlow(size);
      return openCompiled(bytes.subarray(0, readSync(fd, bytes, 0, size, 0)));
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined; // not made yet
  }
}

function start(): void {
  const filename = join(__dirname, 'lib/cli-main.js');
  const path = join(findStatePaths(process.env).code, `${hull_bundle_identity}-${process.version}-${process.arch}`);
  const cachedData = readCode(path);
  // As Node wraps a module's text; latin1 because the bundle is ASCII, and V8 then needs no conversion.
  const script = new Script(`(function(exports,require,module,__filename,__dirname){${readFileSync(filename, 'latin1')}\n})`, { filename, cachedData });
  const module: { exports: { startCommandLine?: StartCommandLine } } = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(filename), module, filename, join(__dirname, 'lib'));
  const code: CompiledCode | undefined = cachedData === undefined || script.cachedDataRejected === true ? { path, make: () => script.createCachedData() } : undefined;
  (module.exports.startCommandLine as StartCommandLine)(code);
}

start();
