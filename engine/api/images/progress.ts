/** Transfers as Docker's progress messages (docker/cli, "jsonmessage"). Owns: which message a blob's state is, and how often. */
import type { TransferEvents } from '../../ship/index.ts';
import type { JsonStream } from '../messages.ts';

type TransferState = Parameters<TransferEvents['blob']>[1];

const PULL: Record<TransferState, string> = { waiting: 'Pulling fs layer', moving: 'Downloading', done: 'Pull complete', there: 'Already exists', mounted: 'Pull complete' };
const PUSH: Record<TransferState, string> = { waiting: 'Preparing', moving: 'Pushing', done: 'Pushed', there: 'Layer already exists', mounted: 'Mounted' };
/** Between two messages about one blob's bytes. */
const PAUSE_MS = 100;

export function reportTransfer(verb: 'pull' | 'push', stream: JsonStream): TransferEvents {
  const words: Readonly<Record<TransferState, string>> = verb === 'pull' ? PULL : PUSH;
  const last = new Map<string, number>();
  return {
    blob({ digest, size }, state, done) {
      const now = Date.now();
      if (state === 'moving' && now - (last.get(digest) ?? 0) < PAUSE_MS) return;
      last.set(digest, now);
      // Progress is not waited for: a client that does not read it misses nothing else, and the transfer goes on.
      void stream.send({ status: words[state], progressDetail: state === 'moving' ? { current: done, total: size } : {}, id: digest.replace(/^sha256:/, '').slice(0, 12) });
    },
  };
}
