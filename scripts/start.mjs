import { handOver } from './entry/hand-over.mjs';

await handOver('start');
