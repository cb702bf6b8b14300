/** ext4 file systems in files: empty ones are made, others are read. */
export { formatExt4 } from './format.ts';
export { type Ext4Reader, openExt4 } from './read.ts';
