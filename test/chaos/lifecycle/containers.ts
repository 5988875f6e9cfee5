import { readFileSync } from 'node:fs';
import type { Client } from '../client.js';
import type { Installation } from '../installation.js';
import { pause, textOf } from '../pause.js';
import { allProcesses } from '../processes.js';
import type { Broken } from './life.js';

const LOOK_MS = 250;
/** An init that an engine has forgotten goes within this time once the next one comes. */
const OVERLAP_MS_MAX = 15_000;
const AGREES_WITHIN_MS = 90_000;
const ANSWER_MS = 60_000;
const INIT_COMMAND = '/berth/bin/runner init';

/** The processes that are the init of a sandbox, as the kernel shows them, past Docker and past Berth. */
export function initsOf(sandboxIds: ReadonlySet<string>): Map<string, number[]> {
  const inits = new Map<string, number[]>();
  for (const { pid, command } of allProcesses()) {
    if (command !== INIT_COMMAND) continue;
    const id = sandboxOf(pid);
    if (id !== undefined && sandboxIds.has(id)) inits.set(id, [...(inits.get(id) ?? []), pid]);
  }
  return inits;
}

function sandboxOf(pid: number): string | undefined {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return entries.find((entry) => entry.startsWith('BERTH_SANDBOX_ID='))?.split('=')[1];
  } catch {
    return undefined;
  }
}

/** Watches during the whole run that no sandbox runs twice. */
export async function watchInits(
  sandboxIds: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly Broken[]> {
  const since = new Map<string, number>();
  const broken: Broken[] = [];
  for (; !signal.aborted; await pause(LOOK_MS, signal)) {
    const inits = initsOf(sandboxIds);
    for (const id of since.keys()) if ((inits.get(id)?.length ?? 0) < 2) since.delete(id);
    for (const [id, pids] of inits) {
      if (pids.length < 2) continue;
      const from = since.get(id) ?? Date.now();
      since.set(id, from);
      if (Date.now() - from < OVERLAP_MS_MAX) continue;
      since.set(id, Infinity);
      broken.push({ kind: 'second container', detail: `the sandbox ${id} has the inits ${pids.join(', ')}` });
    }
  }
  return broken;
}

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
        ({ Labels }) => Labels['berth.sandbox'] === sandboxId && Labels['berth.drain'] === undefined,
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
