import type { Exec, OutputVerification } from '#domain';
import { z } from 'zod';
import { ExecStateName } from '../execs/exec.input.js';

const StreamView = z
  .object({
    bytes: z.int(),
    sha256: z.string(),
    recordedBytes: z.int().nullable(),
    recordedSha256: z.string().nullable(),
  })
  .meta({
    id: 'VerifiedStream',
    description: 'What the stored bytes add up to, beside what the exit record says.',
  });

export const VerificationView = z
  .object({
    execId: z.string(),
    state: ExecStateName,
    ok: z.boolean(),
    proven: z
      .boolean()
      .meta({ description: 'There is an exit record, and the hashes were compared with it.' }),
    verifiedPosition: z.int(),
    position: z.int(),
    sealedBytes: z.int(),
    hotBytes: z.int(),
    segments: z.int(),
    stdout: StreamView,
    stderr: StreamView,
    problems: z.array(z.object({ position: z.int(), message: z.string() })),
  })
  .meta({ id: 'Verification' });
export type VerificationView = z.infer<typeof VerificationView>;

export function verificationView(exec: Exec, verified: OutputVerification): VerificationView {
  return {
    execId: exec.id,
    state: exec.state,
    ok: verified.ok,
    proven: verified.proven,
    verifiedPosition: verified.verifiedPosition,
    position: verified.committedPosition,
    sealedBytes: verified.sealedBytes,
    hotBytes: verified.hotBytes,
    segments: verified.segments,
    stdout: { ...verified.stdout },
    stderr: { ...verified.stderr },
    problems: verified.problems.map((problem) => ({ ...problem })),
  };
}
