/** Domains of Xen, as its toolstack wants them. */
export { type DomainConfig, formatDomainConfig, makeDomainName } from './config.ts';
