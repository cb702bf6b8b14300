/** Empty ext4 file systems in sparse files. */
export { formatExt4 } from './format.ts';
