/** Domains of Xen, as its toolstack wants them. */
export { createDomain, type DomainSpec, startDomain } from './domain.ts';
export { type DomainConfig, formatDomainConfig, makeDomainName } from './config.ts';
