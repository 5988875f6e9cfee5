/**
 * The JavaScript engine of a process, as far as it must be told something. It must never change what the program does, only
 * what that costs.
 */
export { V8Buffers } from './v8-buffers.js';
