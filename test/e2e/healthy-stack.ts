import { beforeAll } from '@jest/globals';
import { untilHealthy } from './outage.js';

const NEEDED = ['postgres', 'temporal', 's3', 'docker'];

/** The spec before may have ended while something that it has killed was still coming up. */
beforeAll(async () => {
  for (const dependency of NEEDED) await untilHealthy(dependency);
}, 120_000);
