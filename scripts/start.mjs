import { handOver } from './entry/hand-over.mjs';

await handOver('start', {
  needsProduct: (argv) => !argv.includes('infra') && !argv.includes('--only=infra'),
});
