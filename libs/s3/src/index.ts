/**
 * Object storage over the S3 protocol, behind the domain's `ObjectStore`. It uses only calls that every S3 server has, and
 * path-style addresses. It must never keep a key of its own choosing or decide how long an object lives.
 */
export { S3ObjectStore, type S3Config } from './object-store.js';
