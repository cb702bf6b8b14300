/** What hull finds on a host. Loaded only when asked. */
export { examineHost, type Finding } from './examine.ts';
