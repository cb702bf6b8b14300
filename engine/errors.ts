/**
 * The engine's errors, and the one map of error classes to exit codes and HTTP statuses. Owns: all three, and the texts around them. Rules: exit codes are
 * Docker's: 125 the engine failed, 126 the program cannot be run, 127 there is no such program, 128+n ended by signal n. Classes are told
 * apart by `name`, since each lazily loaded bundle has copies of its own.
 */
export type EngineErrorCode =
  | 'program-missing' // there is no such program
  | 'program-invalid' // the program cannot be read or run
  | 'image-invalid' // the image is for another version of hull, or cannot be run here
  | 'image-missing' // the store has no such image
  | 'image-in-use' // an instance is made of the image
  | 'option-invalid' // an option cannot be met here
  | 'path-missing' // there is no such file in an instance
  | 'volume-missing' // there is no such volume
  | 'volume-busy' // a machine uses the volume
  | 'instance-missing' // there is no such instance
  | 'instance-conflict' // the instance's name is taken, or its state does not allow it
  | 'instance-busy' // another command works on the instance
  | 'port-in-use' // a port of the host is held by somebody else
  | 'port-refused' // a port of the host cannot be had
  | 'network-refused' // this host has not what the network option needs
  | 'network-missing' // there is no such network
  | 'network-exists' // there is a network of that name
  | 'network-busy' // machines are on the network
  | 'disk-full' // no room to write
  | 'state-failed' // a file of hull cannot be written
  | 'machine-failed'; // the machine ended without an exit status, or its output could not be written

export class EngineError extends Error {
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EngineError';
    this.code = code;
  }
}

export const EXIT = { FAILED: 1, COMPILE: 1, ENGINE: 125, NOT_RUNNABLE: 126, NOT_FOUND: 127, SIGNAL: 128 } as const;

/** name -> (code -> exit code, '*' for the others). */
const EXIT_CODES: Record<string, Record<string, number>> = {
  EngineError: { 'program-missing': EXIT.NOT_FOUND, 'program-invalid': EXIT.NOT_RUNNABLE, 'volume-missing': EXIT.FAILED, 'volume-busy': EXIT.FAILED, 'instance-missing': EXIT.FAILED, 'path-missing': EXIT.FAILED, 'instance-conflict': EXIT.FAILED, 'instance-busy': EXIT.FAILED, '*': EXIT.ENGINE },
  ElfError: { '*': EXIT.NOT_RUNNABLE },
  CompilerError: {
    'missing-component': EXIT.ENGINE,
    'unknown-component': EXIT.ENGINE,
    'required-component': EXIT.ENGINE,
    'bad-manifest': EXIT.ENGINE,
    link: EXIT.ENGINE,
    '*': EXIT.NOT_RUNNABLE,
  },
  CcError: { '*': EXIT.COMPILE },
  LinkError: { '*': EXIT.COMPILE },
  TreeError: { '*': EXIT.ENGINE },
  ErofsError: { '*': EXIT.ENGINE },
  Ext4Error: { '*': EXIT.ENGINE },
  StoreError: { '*': EXIT.ENGINE },
  LayerError: { '*': EXIT.ENGINE },
  RegistryError: { '*': EXIT.ENGINE },
  DockerfileError: { '*': EXIT.FAILED },
  BuildError: { 'option-invalid': EXIT.ENGINE, '*': EXIT.FAILED },
  BootError: { 'image-invalid': EXIT.NOT_RUNNABLE, 'qemu-killed': EXIT.SIGNAL + 9, '*': EXIT.ENGINE },
};

/** name -> (code -> status of the API's answer, '*' for the others); 500 for what is not here. */
const HTTP_STATUSES: Record<string, Record<string, number>> = {
  ApiError: { 'path-missing': 404, 'platform-missing': 404, 'swarm-inactive': 503, 'feature-absent': 501, 'body-too-large': 413, '*': 400 },
  EngineError: {
    'program-missing': 400,
    'program-invalid': 400,
    'image-missing': 404,
    'image-invalid': 400,
    'image-in-use': 409,
    'option-invalid': 400,
    'volume-missing': 404,
    'volume-busy': 409,
    'instance-missing': 404,
    'instance-conflict': 409,
    'instance-busy': 503,
    'network-missing': 404,
    'network-exists': 409,
    'network-busy': 403,
    'network-refused': 400,
    'port-in-use': 500,
    'path-missing': 404,
  },
  StoreError: { 'reference-invalid': 400, 'image-missing': 404, 'image-ambiguous': 400, 'image-in-use': 409, 'platform-missing': 404 },
  RegistryError: { 'image-missing': 404, 'access-denied': 401, 'unauthorized': 401 },
  LayerError: { '*': 400 },
  DockerfileError: { '*': 400 },
};

/** System call errors that reach a person, in words. */
const SYSTEM_ERRORS: Record<string, string> = {
  ENOSPC: 'no space left on device',
  EDQUOT: 'disk quota exceeded',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  ENOTEMPTY: 'the directory is not empty',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'is a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files on this host',
  ENOMEM: 'the host is out of memory',
  EAGAIN: 'the host has no room for another process',
};

export function describeSystemError(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code === undefined ? undefined : SYSTEM_ERRORS[code]) ?? message ?? String(error);
}

export function exitCodeOf(error: unknown): number {
  const { name, code } = error as { name?: string; code?: string };
  const codes = EXIT_CODES[name ?? ''];
  return codes?.[code ?? '*'] ?? codes?.['*'] ?? EXIT.ENGINE;
}

export function httpStatusOf(error: unknown): number {
  const { name, code } = error as { name?: string; code?: string };
  const statuses = HTTP_STATUSES[name ?? ''];
  return statuses?.[code ?? '*'] ?? statuses?.['*'] ?? 500;
}

/** The line that a person sees. A bug (an error that nobody declared) keeps its stack. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (/^[A-Z]\w*Error$/.test(error.name) && 'code' in error && error.name !== 'TypeError') return error.message;
  return error.stack ?? error.message;
}
