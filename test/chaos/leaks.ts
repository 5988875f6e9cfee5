import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from './installation.js';
import { textOf, until } from './pause.js';
import { allProcesses, descendantsOf } from './processes.js';
import type { SandboxDisk } from './witness.js';

/** Leases, helpers and spools are cleared away within a minute, on a slow machine later. What has leaked is there for ever. */
const CLEAR_WITHIN_MS = 180_000;
const LOOK_INTERVAL_MS = 2_000;
const CALL_TIMEOUT_MS = 10_000;
const SHOWN_CHARACTERS = 160;
const ROUTINE_WORKFLOW = /sweep|seal|retention|schedule|temporal-sys/i;

export interface LeakPlace {
  readonly installation: Installation;
  /** The containers that were there before the run; they are somebody else's. */
  readonly before: ReadonlySet<string>;
  readonly disks: ReadonlyMap<string, SandboxDisk>;
  readonly keyPattern: RegExp;
}

/** Looks for what the run has left behind, again and again until nothing is or the time is over. */
export async function findLeaks(place: LeakPlace): Promise<string[]> {
  let leaks: string[] = [];
  const look = async (): Promise<boolean> => {
    try {
      leaks = await lookOnce(place);
    } catch (error) {
      leaks = [`the search for leaks failed: ${textOf(error)}`];
    }
    return leaks.length === 0;
  };
  await until(look, CLEAR_WITHIN_MS, LOOK_INTERVAL_MS);
  return leaks;
}

async function lookOnce(place: LeakPlace): Promise<string[]> {
  return [
    ...(await leakedContainers(place)),
    ...leakedPrograms(place),
    ...(await leakedInSandboxes(place)),
    ...leakedComponents(place),
    ...leakedSpools(place),
    ...(await leakedWorkflows(place)),
  ];
}

async function leakedContainers({ installation, disks, before }: LeakPlace): Promise<string[]> {
  const containers = await installation.engine.containers(installation.instanceId);
  const leaks: string[] = [];
  for (const sandboxId of disks.keys()) {
    const own = containers.filter(({ Labels }) => Labels['berth.sandbox'] === sandboxId);
    const names = own.map(({ Names, State }) => `${Names.join()} (${State})`).join(', ');
    if (own.length !== 1) leaks.push(`the sandbox ${sandboxId} has ${own.length} containers: ${names}`);
  }
  for (const { Id, Labels, Names, State } of containers) {
    const isKnown = before.has(Id) || disks.has(Labels['berth.sandbox'] ?? '');
    if (!isKnown) leaks.push(`a container of no sandbox: ${Names.join()} (${State})`);
  }
  return leaks;
}

/** A program, or its daemon, that outlives its exec, wherever it is. */
function leakedPrograms({ keyPattern }: LeakPlace): string[] {
  return allProcesses()
    .filter(({ command }) => command.startsWith('perl ') && keyPattern.test(command))
    .map(
      ({ pid, command }) => `the program ${keyPattern.exec(command)?.[0] ?? ''} still runs as process ${pid}`,
    );
}

/** In an idle sandbox there are init, a spare supervisor and at most one channel. */
async function leakedInSandboxes({ installation, disks }: LeakPlace): Promise<string[]> {
  const { engine, instanceId } = installation;
  const leaks: string[] = [];
  const all = allProcesses();
  for (const { Id, Names, State, Labels } of await engine.containers(instanceId)) {
    if (State !== 'running' || !disks.has(Labels['berth.sandbox'] ?? '')) continue;
    const { State: inspected } = await engine.inspect(Id);
    const init = all.find(({ pid }) => pid === inspected.Pid);
    if (init === undefined) continue;
    const below = descendantsOf(init.pid, all);
    const supervisors = below.filter(({ command }) => command === 'runner supervise');
    const others = below.filter(({ command }) => command !== 'runner supervise');
    if (supervisors.length > 1)
      leaks.push(`${Names.join()} has ${supervisors.length} supervisors without an exec`);
    for (const { pid, command } of others)
      leaks.push(`${Names.join()}: process ${pid} ${command.slice(0, SHOWN_CHARACTERS)}`);
    const channels = all.filter(
      ({ parent, command }) => parent === init.parent && command.endsWith('runner connect'),
    );
    if (channels.length > 1) leaks.push(`${Names.join()} has ${channels.length} channels`);
  }
  return leaks;
}

/** A second process of a part, which nobody knows any more. */
function leakedComponents({ installation }: LeakPlace): string[] {
  const known = new Set(installation.components.map((name) => installation.pidOf(name)));
  const leaks: string[] = [];
  for (const { pid, command } of allProcesses()) {
    const isPart =
      /^(\/usr\/s?bin\/(dockerd|containerd) |\S*\/(temporal|minio) |unshare |\S*\/postgres -D )/.test(
        command,
      );
    if (isPart && command.includes(installation.stateDirectory) && !known.has(pid)) {
      leaks.push(`process ${pid} belongs to nobody: ${command.slice(0, SHOWN_CHARACTERS)}`);
    }
  }
  return leaks;
}

/** The spool of an exec whose end is known is of no more use. */
function leakedSpools({ disks }: LeakPlace): string[] {
  return [...disks].flatMap(([sandboxId, { spool }]) =>
    readdirSync(join(spool, 'execs')).map((execId) => `the spool of ${execId} in the sandbox ${sandboxId}`),
  );
}

/** Runs of execs that have all ended, as Temporal's own web interface lists them. */
async function leakedWorkflows({ installation }: LeakPlace): Promise<string[]> {
  const { temporalUiUrl } = installation;
  if (temporalUiUrl === undefined) return [];
  const query = encodeURIComponent('ExecutionStatus="Running"');
  const answer = await fetch(new URL(`/api/v1/namespaces/default/workflows?query=${query}`, temporalUiUrl), {
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  if (!answer.ok) return [`Temporal's list of runs answered ${answer.status}`];
  const { executions = [] } = (await answer.json()) as {
    executions?: { execution: { workflowId: string } }[];
  };
  return executions
    .map(({ execution }) => execution.workflowId)
    .filter((id) => !ROUTINE_WORKFLOW.test(id))
    .map((id) => `the Workflow ${id} still runs`);
}
