/**
 * The JavaScript engine of a process, as far as it has to be told something. It must never change what the program does, only
 * what that costs.
 */
export { letBuffersPass } from './heap-growth.js';
