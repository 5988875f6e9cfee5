import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { deadlineAfter } from './api-client.js';

const DEADLINE_MS = 50;

/** As a request holds it: the combination, and nothing else. */
function combined(): AbortSignal {
  return AbortSignal.any([deadlineAfter(DEADLINE_MS), new AbortController().signal]);
}

test('a deadline that only a combination of signals knows is not collected before it is over', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const signal = combined();
  const collecting = setInterval(collect, DEADLINE_MS / 10);
  try {
    await once(signal, 'abort');
  } finally {
    clearInterval(collecting);
  }
  expect(signal.reason).toMatchObject({ name: 'TimeoutError' });
});
