import { handOver } from './entry/hand-over.mjs';

await handOver('stop');
