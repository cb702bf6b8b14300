/** Versions of the API that are spoken here. A client speaks the lesser of its own and API_VERSION. */
export const API_VERSION = '1.47';
export const LEAST_API_VERSION = '1.24';
