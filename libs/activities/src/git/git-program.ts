import {
  decodeFrames,
  DomainError,
  FRAME_PAYLOAD_BYTES_MAX,
  gitProgressOf,
  isDomainError,
  limits,
  type Credential,
  type ExitRecord,
  type GitProgress,
  type RunnerConnection,
} from '#domain';

const PROGRAM = '/berth/bin/berth-git';

/** How remotes may be reached from the sandboxes of this host. */
export interface GitSettings {
  /** Networks such as `10.1.0.0/16` that are allowed although they are not public. */
  readonly allowedNetworks: readonly string[];
  /** PEM; empty for what the image of a sandbox trusts. */
  readonly certificates: string;
  /** What a remote may send, and what one checkout may write. */
  readonly bytesMax: number;
}

export type OpenCredential = Pick<Credential, 'host' | 'username'> & { readonly secret: string };

/** One thing to do with one repository, in the words of the program: docs/GIT.md. */
export type GitRequest = Readonly<Record<string, unknown>> & {
  readonly action: string;
  readonly path: string;
};

/**
 * Starts the program in a sandbox unless this id was ever started. What it is to do goes to its standard input, which is
 * in no file, no argument and no environment; nothing else knows the secret there.
 */
export async function startGit(
  connection: RunnerConnection,
  runId: string,
  request: GitRequest,
  { bytesMax, ...reach }: GitSettings,
  credential: OpenCredential | undefined,
  timeoutMs: number,
): Promise<void> {
  const remote = { ...reach, credential: credential ?? null };
  await connection.start({
    execId: runId,
    argv: [PROGRAM],
    stdin: { kind: 'inline', bytes: Buffer.from(JSON.stringify({ ...request, bytesMax, remote })) },
    timeoutMs,
    outputBytesMax: limits.GIT_OUTPUT_BYTES_MAX,
  });
}

/** What the program says last, from its beginning on, however long ago that was. Throws where it never said it. */
export async function followGit(
  connection: RunnerConnection,
  runId: string,
  signal: AbortSignal,
  heard: (progress: GitProgress) => void,
): Promise<unknown> {
  const lines = new Lines();
  for await (const event of connection.follow(runId, 0, signal)) {
    if (event.kind === 'lost') throw new DomainError('runner_unreachable', 'What git was doing was cut off.');
    if (event.kind === 'end') return lines.result ?? noResult(event.exitRecord);
    const { frames } = decodeFrames(event.bytes, { payloadBytesMax: FRAME_PAYLOAD_BYTES_MAX });
    for (const { stream, payload } of frames) if (stream === 'stdout') lines.push(payload, heard);
  }
  throw new DomainError('runner_unreachable', 'The runner stopped without saying how git ended.');
}

/** Lines of JSON from a program that others may have replaced: what is none is passed over. */
class Lines {
  result: unknown;
  private waiting: Buffer[] = [];
  private waitingBytes = 0;

  push(piece: Uint8Array, heard: (progress: GitProgress) => void): void {
    let from = 0;
    for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, from)) {
      this.keep(piece.subarray(from, at));
      this.read(Buffer.concat(this.waiting).toString(), heard);
      this.waiting = [];
      this.waitingBytes = 0;
      from = at + 1;
    }
    this.keep(piece.subarray(from));
  }

  private keep(piece: Uint8Array): void {
    this.waitingBytes += piece.byteLength;
    if (this.waitingBytes > limits.GIT_LINE_BYTES_MAX) {
      throw new DomainError('runner_protocol', 'The sandbox answered with a line that is too long.');
    }
    this.waiting.push(Buffer.from(piece));
  }

  private read(line: string, heard: (progress: GitProgress) => void): void {
    const { progress, result } = membersOf(line);
    const known = gitProgressOf(progress);
    if (known) heard(known);
    if (result !== undefined) this.result = result;
  }
}

const NEWLINE = 0x0a;

function membersOf(line: string): { readonly progress?: unknown; readonly result?: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function noResult({ reason, startFailure, exitCode, signal }: ExitRecord): never {
  if (startFailure?.code === 'command_not_found') {
    throw new DomainError('git_failed', 'The sandbox is from before it could do this: restart it.');
  }
  const how = reason === 'exited' ? (signal ?? `code ${exitCode}`) : reason;
  throw new DomainError('git_failed', `Git ended without a result (${how}).`);
}

/** It ended, and differently from how it should have: another run may do better. */
export const hasEndedBadly = (error: unknown): boolean =>
  isDomainError(error, 'git_failed') || isDomainError(error, 'runner_unreachable');
