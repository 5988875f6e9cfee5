import type { Broken } from '../broken.js';
import type { Client } from '../client.js';
import type { Installation } from '../installation.js';
import { pause, textOf } from '../pause.js';
import { initsOf } from '../inits.js';

const LOOK_MS = 250;
const AGREES_WITHIN_MS = 90_000;
const ANSWER_MS = 60_000;

/** What Berth says of a sandbox that is left in peace, and what the machine shows, come to be the same. */
export async function compareState(
  { client, installation }: { readonly client: Client; readonly installation: Installation },
  sandboxId: string,
): Promise<readonly Broken[]> {
  let last = 'nothing was seen';
  for (const giveUpAt = Date.now() + AGREES_WITHIN_MS; Date.now() < giveUpAt; await pause(LOOK_MS)) {
    try {
      const { body } = await client.insist(Date.now() + ANSWER_MS, 'GET', `/v1/sandboxes/${sandboxId}`);
      const { observedState } = body as { readonly observedState: string };
      const containers = await installation.engine.containers(installation.instanceId);
      const own = containers.filter(
        ({ Labels }) => Labels['berth.sandbox'] === sandboxId && Labels['berth.generation'] !== undefined,
      );
      const running = own.filter(({ State }) => State === 'running').length;
      if ((observedState === 'running') === (running === 1) && own.length <= 1) return [];
      last = `it is ${observedState}, and its containers are ${own.map(({ State }) => State).join(', ')}`;
    } catch (error) {
      last = textOf(error);
    }
  }
  return [{ kind: 'wrong state', detail: `the sandbox ${sandboxId}: ${last}` }];
}

/** After everything was deleted nothing of it is left: neither volume nor process. */
export async function findRests(
  installation: Installation,
  sandboxIds: ReadonlySet<string>,
): Promise<string[]> {
  const volumes = await installation.engine.volumes(installation.instanceId);
  const left = volumes.filter(({ Labels }) => sandboxIds.has(Labels?.['berth.sandbox'] ?? ''));
  return [
    ...left.map(({ Name }) => `the volume ${Name} of a deleted sandbox`),
    ...[...initsOf(sandboxIds)].map(([id, pids]) => `init ${pids.join(', ')} of the deleted sandbox ${id}`),
  ];
}
