/**
 * The private stream port between the API and a host: both ends of it. It carries what must be quick; everything sent
 * over it either may be lost or is answered, and it must never be the only way for anything to happen.
 */
export { HttpHostLink } from './http-host-link.js';
export { StreamServer } from './stream-server.js';
export type { StreamServerOptions } from './stream-server.js';
