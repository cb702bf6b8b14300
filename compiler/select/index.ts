/** The door of compiler/select: from system calls to components. */
export { type Component, readManifests } from './manifests.ts';
export {
  explainComponent,
  type ImageKind,
  type Selection,
  type SelectRequest,
  selectComponents,
  type Why,
} from './select.ts';
export { type CallMachine, listSyscalls, syscallCount, syscallName, syscallNumber, syscallNumberOn } from './syscall-names.ts';
