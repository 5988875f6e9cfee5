import { createNamespace, prepareNamespace } from './components/temporal-namespace.js';
import { pollUntil } from './pause.js';
import { errorText } from './setup-problem.js';

const TIMEOUT_MS = 120_000;
const INTERVAL_MS = 2_000;

/**
 * Prepares the namespace of a Temporal that somebody else runs: it, its retention and the search attributes. A job of the
 * compose file; repeating it changes nothing. A new namespace reaches every part of a server only after some seconds, hence
 * the patience.
 */
async function prepare(address: string, namespace: string): Promise<void> {
  let problem = '';
  const isDone = await pollUntil(
    async () => {
      try {
        await createNamespace(address, namespace);
        await prepareNamespace(address, namespace);
        return true;
      } catch (error) {
        problem = errorText(error);
        return false;
      }
    },
    { timeoutMs: TIMEOUT_MS, intervalMs: INTERVAL_MS },
  );
  if (!isDone) throw new Error(`namespace ${namespace} at ${address} could not be prepared: ${problem}`);
}

await prepare(
  process.env['TEMPORAL_ADDRESS'] || '127.0.0.1:7233',
  process.env['TEMPORAL_NAMESPACE'] || 'default',
);
