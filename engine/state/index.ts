/** hull's files on the host: where they are and how they are written. */
export { findStatePaths, type StatePaths } from './paths.ts';
export { isProcessAlive, openScratch, sweepTemporaries, produceAtomically, produceOnce, rewriteAtomically, writeAtomically, writeOnce } from './write.ts';
export { hashText, markUsed, readKnown, saveKnown } from './known.ts';
export { tryLock, withLock } from './lock.ts';
export { findProcessesIn, identifyProcess, isSameProcess, waitUntil } from './process.ts';
export { keepCompiled, openCompiled } from './compiled.ts';
