/** This process' stdin, stdout, stderr and terminal as a machine's. */
export { createInputPump, type InputPump } from './input.ts';
export { createOutputQueue, type OutputQueue } from './output.ts';
export { isTerminal, type LentTerminal, lendTerminal, readTerminalSize } from './terminal.ts';
