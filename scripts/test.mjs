import { handOver } from './entry/hand-over.mjs';

// The test run compiles the product itself, as one of its steps, after lint and types have spoken.
await handOver('test', { needsProduct: () => false });
