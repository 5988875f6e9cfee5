import type { Exec } from '#domain';
import { z } from 'zod';
import { ExecStateName } from '../execs/exec.input.js';
import { Failure, timestamp } from '../http/resources.js';
import type { InlineOutput } from '../output/inline-output.js';

export const SuperExecAccepted = z
  .object({ execId: z.string(), status: ExecStateName, pollUrl: z.string(), sandboxId: z.string() })
  .meta({ id: 'SuperExecAccepted' });

export const SuperExecStatus = z
  .object({
    execId: z.string(),
    status: ExecStateName,
    sandboxId: z.string(),
    userId: z.string(),
    exitCode: z.int().nullable(),
    signal: z.string().nullable(),
    stdout: z.string(),
    stderr: z.string(),
    stdoutBytes: z.int(),
    stderrBytes: z.int(),
    truncated: z.boolean().meta({ description: 'More was written: read all of it at `outputUrl`.' }),
    outputUrl: z.string(),
    failure: Failure.nullable(),
    createdAt: timestamp,
    startedAt: timestamp.nullable(),
    finishedAt: timestamp.nullable(),
  })
  .meta({ id: 'SuperExecStatus' });

export const statusUrlOf = (exec: Exec): string =>
  `/api/super/users/${encodeURIComponent(exec.ownerId)}/exec/${exec.id}/status`;

export function superExecAccepted(exec: Exec): z.infer<typeof SuperExecAccepted> {
  return { execId: exec.id, status: exec.state, pollUrl: statusUrlOf(exec), sandboxId: exec.sandboxId };
}

export function superExecStatus(exec: Exec, output: InlineOutput): z.infer<typeof SuperExecStatus> {
  return {
    execId: exec.id,
    status: exec.state,
    sandboxId: exec.sandboxId,
    userId: exec.ownerId,
    exitCode: exec.exitCode,
    signal: exec.signal,
    stdout: output.stdout,
    stderr: output.stderr,
    stdoutBytes: exec.stdoutBytes,
    stderrBytes: exec.stderrBytes,
    truncated: output.truncated,
    outputUrl: `/v1/execs/${exec.id}/output`,
    failure: exec.failure,
    createdAt: exec.createdAt,
    startedAt: exec.startedAt,
    finishedAt: exec.finishedAt,
  };
}
