import { isDeepStrictEqual } from 'node:util';
import { judge } from './checker.js';
import type { Client, ExecBody } from './client.js';
import { hasEnded } from './client.js';
import type { Flight } from './flight.js';
import { injuriesBetween, type Injury } from './injury.js';
import { textOf } from './pause.js';
import { listExecs } from './traffic.js';
import type { Violation } from './violation.js';
import { hearTestimony, type SandboxDisk } from './witness.js';

const ANSWER_MS = 60_000;
const READERS = 4;
/** In which a sandbox that was killed last of all is started again, also on a slow machine. */
const RECOVERY_MS = 180_000;
const RECOVERY_WAIT_SECONDS = 15;

export interface AuditPlace {
  readonly client: Client;
  readonly disks: ReadonlyMap<string, SandboxDisk>;
  readonly injuries: readonly Injury[];
}

/** After the run, when nothing is killed any more: each exec is asked for again and compared with what its program noted. */
export async function auditAll(flights: readonly Flight[], place: AuditPlace): Promise<Violation[]> {
  await readAgain(flights);
  const found: Violation[] = flights.flatMap(({ violations }) => violations);
  for (const flight of flights) found.push(...(await auditOne(flight, place)));
  for (const sandboxId of place.disks.keys()) {
    found.push(...(await auditList(flights, sandboxId, place)));
    found.push(...(await auditRecovery(sandboxId, place)));
  }
  return found;
}

/** By now most output is in object storage, and it is the same that it was in the database. */
async function readAgain(flights: readonly Flight[]): Promise<void> {
  const waiting = [...flights];
  const read = async (): Promise<void> => {
    for (let flight = waiting.pop(); flight !== undefined; flight = waiting.pop()) {
      if (flight.end !== undefined) await flight.readAll(flight.end);
    }
  };
  await Promise.all(Array.from({ length: READERS }, read));
}

async function auditOne(flight: Flight, place: AuditPlace): Promise<Violation[]> {
  const { execId, end, program, endSeenAtMs } = flight;
  const disk = place.disks.get(flight.sandboxId);
  if (execId === undefined || end === undefined || endSeenAtMs === undefined || disk === undefined) return [];
  const found: Violation[] = [];
  const { status, body } = await place.client.insist(Date.now() + ANSWER_MS, 'GET', `/v1/execs/${execId}`);
  if (status === 200) flight.keptIn = (body as ExecBody).outputState;
  const violate = (kind: Violation['kind'], detail: string): void => {
    found.push({ kind, key: program.key, execId, detail });
  };
  if (status !== 200) violate('forgotten', `after the run GET answered ${status} ${JSON.stringify(body)}`);
  else if (!isSameEnd(end, body as ExecBody)) violate('changed end', changeOf(end, body as ExecBody));
  const socketEnd = flight.socket?.end;
  if (socketEnd !== undefined && (socketEnd.state !== end.state || socketEnd.exitCode !== end.exitCode)) {
    violate(
      'changed end',
      `the socket said ${JSON.stringify(socketEnd)}, and it is ${end.state} ${end.exitCode}`,
    );
  }
  const judged = judge({
    program,
    sandboxId: flight.sandboxId,
    execId,
    askedAtMs: flight.askedAtMs,
    endSeenAtMs,
    end,
    cancelAnswer: flight.cancelAnswer,
    misreadings: flight.readings.misreadings,
    shown: flight.readings.shown,
    testimony: hearTestimony(disk, program.key),
    injuries: injuriesBetween(place.injuries, flight.askedAtMs, endSeenAtMs),
  });
  return [...found, ...judged];
}

/** The list has each acknowledged exec once, and none that nobody has asked for. */
async function auditList(
  flights: readonly Flight[],
  sandboxId: string,
  { client }: AuditPlace,
): Promise<Violation[]> {
  const own = flights.filter((flight) => flight.sandboxId === sandboxId);
  const byKey = new Map<string, ExecBody[]>();
  for (const exec of await listExecs(client, sandboxId, Date.now() + ANSWER_MS)) {
    const key = exec.argv[3] ?? '';
    byKey.set(key, [...(byKey.get(key) ?? []), exec]);
  }
  const found: Violation[] = [];
  for (const { program, execId } of own) {
    const rows = byKey.get(program.key) ?? [];
    const ids = rows.map(({ id }) => id).join(', ');
    const base = { key: program.key, execId };
    if (rows.length > 1)
      found.push({ ...base, kind: 'second run', detail: `its request became the execs ${ids}` });
    if (execId !== undefined && !rows.some(({ id }) => id === execId)) {
      found.push({ ...base, kind: 'forgotten', detail: 'the list of its sandbox does not have it' });
    }
    const open = rows.filter((row) => !hasEnded(row));
    if (open.length > 0)
      found.push({ ...base, kind: 'no end', detail: `after the run it is ${open[0]?.state}` });
  }
  return found;
}

/** A new exec in the sandbox works as if nothing had been. */
async function auditRecovery(sandboxId: string, { client }: AuditPlace): Promise<Violation[]> {
  const violation = (detail: string): Violation[] => [
    { kind: 'recovery', key: undefined, execId: undefined, detail: `sandbox ${sandboxId}: ${detail}` },
  ];
  try {
    const giveUpAt = Date.now() + RECOVERY_MS;
    const request = { body: { command: 'exit 7' } };
    let { body } = await client.insist(giveUpAt, 'POST', `/v1/sandboxes/${sandboxId}/execs`, request);
    const { id } = body as Partial<ExecBody>;
    while (id !== undefined && !hasEnded(body as ExecBody) && Date.now() < giveUpAt) {
      ({ body } = await client.insist(giveUpAt, 'GET', `/v1/execs/${id}?wait=${RECOVERY_WAIT_SECONDS}`));
    }
    const { state, exitCode } = body as Partial<ExecBody>;
    return state === 'failed' && exitCode === 7
      ? []
      : violation(`an exec afterwards answered ${JSON.stringify(body)}`);
  } catch (error) {
    return violation(textOf(error));
  }
}

/** Where its output is kept is no part of an end: it moves once from the database into object storage. */
function isSameEnd(before: ExecBody, after: ExecBody): boolean {
  const { outputState } = after;
  return outputState !== 'expired' && isDeepStrictEqual({ ...before, outputState }, after);
}

function changeOf(before: ExecBody, after: ExecBody): string {
  const names = Object.keys({ ...before, ...after }) as (keyof ExecBody)[];
  const changed = names.filter((name) => !isDeepStrictEqual(before[name], after[name]));
  return changed
    .map((name) => `${name}: ${JSON.stringify(before[name])} became ${JSON.stringify(after[name])}`)
    .join('; ');
}
