import { EXEC_ACTIONS, takesInput, type Exec, type Page } from '#domain';
import { z } from 'zod';
import { Failure, links, pageOf, timestamp } from '../http/resources.js';
import { ExecStateName } from './exec.input.js';

const ExitRecordView = z
  .object({
    exitCode: z.int().nullable(),
    signal: z.string().nullable(),
    reason: z.string(),
    startFailure: z.object({ code: z.string(), message: z.string() }).nullable(),
    startedAt: timestamp,
    finishedAt: timestamp,
    wallMs: z.number(),
    stdoutBytes: z.int(),
    stderrBytes: z.int(),
    stdoutSha256: z.string(),
    stderrSha256: z.string(),
    endPosition: z.int(),
    descendantsKilled: z.int(),
    descendantsLeft: z.int(),
    hadToKill: z.boolean(),
    oomKills: z.int(),
    outputHeldOpen: z.boolean(),
    outputTruncated: z.boolean(),
    selfReported: z.boolean(),
    stdinBytes: z.int().optional().meta({ description: 'Input that the command was given.' }),
    usage: z.object({ userMs: z.number(), systemMs: z.number(), maxRssBytes: z.number() }),
  })
  .meta({
    id: 'ExitRecord',
    description: 'Written by the supervisor of the command itself when it had ended.',
  });

export const ExecView = z
  .object({
    id: z.string(),
    owner: z.string(),
    sandboxId: z.string(),
    state: ExecStateName,
    outputState: z.enum(['hot', 'sealed', 'expired']).meta({
      description:
        'Where the output is: in the database, in object storage, or removed by retention (reading it is 410 then).',
    }),
    argv: z.array(z.string()),
    workingDirectory: z.string().nullable(),
    user: z.string().nullable(),
    stdin: z.object({ kind: z.enum(['none', 'inline', 'open']), bytes: z.int().optional() }),
    tty: z.object({ columns: z.int(), rows: z.int() }).nullable().meta({
      description: 'The size that its terminal began with.',
    }),
    idleTimeoutSeconds: z.int().nullable(),
    allowBackground: z.boolean(),
    timeoutSeconds: z.int(),
    queueTimeoutSeconds: z.int(),
    outputBytesMax: z.int(),
    labels: z.record(z.string(), z.string()),
    queuePosition: z.int().nullable().meta({
      description:
        'Its place in the queue of the sandbox; 1 is the next. Null where it does not wait, and where nobody looked: in the answer that creates it and on the WebSocket.',
    }),
    generation: z.int().nullable(),
    position: z.int().meta({ description: 'The end of the committed framed output.' }),
    stdoutBytes: z.int(),
    stderrBytes: z.int(),
    sha256: z
      .object({ stdout: z.string(), stderr: z.string() })
      .nullable()
      .meta({ description: 'Of all bytes of each stream, by the exit record.' }),
    usage: z
      .object({ wallMs: z.number(), cpuMs: z.number(), memoryPeakBytes: z.int() })
      .nullable()
      .meta({ description: 'What the command and its descendants used, by the exit record.' }),
    exitCode: z.int().nullable(),
    signal: z.string().nullable(),
    failure: Failure.nullable(),
    exitRecord: ExitRecordView.nullable(),
    evidence: z
      .object({
        lastPosition: z.int(),
        container: z.string().nullable(),
        runner: z.string().nullable(),
        note: z.string(),
      })
      .nullable(),
    cancelRequestedAt: timestamp.nullable(),
    createdAt: timestamp,
    startedAt: timestamp.nullable(),
    finishedAt: timestamp.nullable(),
    actions: z.array(z.enum(['cancel', 'read_output'])),
    links,
  })
  .meta({ id: 'Exec' });
export type ExecView = z.infer<typeof ExecView>;

export const ExecPage = pageOf(ExecView, 'ExecPage');

/** The environment is not shown: it may hold what only the command should know. */
export function execView(exec: Exec, queuePosition: number | null = null): ExecView {
  return {
    id: exec.id,
    owner: exec.ownerId,
    sandboxId: exec.sandboxId,
    state: exec.state,
    outputState: exec.outputState,
    argv: [...exec.request.argv],
    workingDirectory: exec.request.workingDirectory,
    user: exec.request.user,
    stdin: { ...exec.request.stdin },
    tty: exec.request.tty && { ...exec.request.tty },
    idleTimeoutSeconds: exec.request.idleTimeoutSeconds,
    allowBackground: exec.request.allowBackground,
    timeoutSeconds: exec.request.timeoutSeconds,
    queueTimeoutSeconds: exec.request.queueTimeoutSeconds,
    outputBytesMax: exec.request.outputBytesMax,
    labels: exec.request.labels,
    queuePosition,
    generation: exec.generation,
    position: exec.committedPosition,
    stdoutBytes: exec.stdoutBytes,
    stderrBytes: exec.stderrBytes,
    sha256: exec.exitRecord && {
      stdout: exec.exitRecord.stdoutSha256,
      stderr: exec.exitRecord.stderrSha256,
    },
    usage: usageOf(exec.exitRecord),
    exitCode: exec.exitCode,
    signal: exec.signal,
    failure: exec.failure,
    exitRecord: exitRecordView(exec.exitRecord),
    evidence: exec.evidence,
    cancelRequestedAt: exec.cancelRequestedAt,
    createdAt: exec.createdAt,
    startedAt: exec.startedAt,
    finishedAt: exec.finishedAt,
    actions: EXEC_ACTIONS[exec.state].filter(
      (action) => action !== 'read_output' || exec.outputState !== 'expired',
    ),
    links: linksOf(exec),
  };
}

export const execPage = (
  page: Page<Exec>,
  queuePositions: ReadonlyMap<string, number>,
): z.infer<typeof ExecPage> => ({
  items: page.items.map((exec) => execView(exec, queuePositions.get(exec.id) ?? null)),
  nextCursor: page.nextCursor,
});

function usageOf(record: Exec['exitRecord']): ExecView['usage'] {
  if (record === null) return null;
  const { userMs, systemMs, maxRssBytes } = record.usage;
  return { wallMs: record.wallMs, cpuMs: userMs + systemMs, memoryPeakBytes: maxRssBytes };
}

function exitRecordView(record: Exec['exitRecord']): ExecView['exitRecord'] {
  if (record === null) return null;
  const { execId: _execId, protocol: _protocol, startFailure, ...shown } = record;
  return { ...shown, startFailure: startFailure ? { ...startFailure } : null };
}

function linksOf(exec: Exec): Record<string, string> {
  const self = `/v1/execs/${exec.id}`;
  return {
    self,
    sandbox: `/v1/sandboxes/${exec.sandboxId}`,
    output: `${self}/output?stream=both`,
    stdout: `${self}/output?stream=stdout`,
    stderr: `${self}/output?stream=stderr`,
    verify: `${self}/verify`,
    cancel: `${self}/cancel`,
    signal: `${self}/signal`,
    ...(takesInput(exec.request) ? { stdin: `${self}/stdin` } : {}),
    ...(exec.request.tty === null ? {} : { resize: `${self}/resize`, terminal: `${self}/terminal` }),
    events: '/v1/ws',
  };
}
