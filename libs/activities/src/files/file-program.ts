import {
  decodeFrames,
  DomainError,
  fileHeadOf,
  FRAME_PAYLOAD_BYTES_MAX,
  limits,
  type ExitRecord,
  type FileHead,
  type FileRequest,
  type RunnerConnection,
  type StartRequest,
} from '#domain';

const PROGRAM = '/berth/bin/berth-file';
const WORKSPACE = '/workspace';
const NEWLINE = 0x0a;
/** What has been sent on is deleted from the spool in steps of this size. */
const COMMIT_STEP_BYTES = 16 * 1_024 * 1_024;

/** What ends the content that a run is given: without it the run takes the content for cut off. */
export const markOf = (runId: string): Uint8Array => Buffer.from(runId);

export async function startFile(
  connection: RunnerConnection,
  runId: string,
  request: FileRequest,
  how: Required<Pick<StartRequest, 'stdin' | 'timeoutMs' | 'transient'>> &
    Pick<StartRequest, 'idleTimeoutMs'>,
): Promise<void> {
  const asked = {
    ...request,
    workspace: WORKSPACE,
    mark: runId,
    bytesMax: limits.FILE_BYTES_MAX,
    entriesMax: limits.ARCHIVE_ENTRIES_MAX,
  };
  await connection.start({
    ...how,
    execId: runId,
    argv: [PROGRAM, JSON.stringify(asked)],
    // An archive has headers beside its content.
    outputBytesMax: 2 * limits.FILE_BYTES_MAX,
  });
}

/** The head of a run and the content after it. The content must be read to its end, or left. */
export async function openFile(
  connection: RunnerConnection,
  runId: string,
  signal: AbortSignal,
): Promise<{ readonly head: FileHead; readonly content: AsyncGenerator<Uint8Array> }> {
  const output = outputOf(connection, runId, signal);
  const { line, rest } = await firstLine(output);
  const head = fileHeadOf(parsed(line));
  if (!head) throw notUnderstood();
  return { head, content: after(rest, output) };
}

/** The head of a run without content. */
export async function headOf(
  connection: RunnerConnection,
  runId: string,
  signal: AbortSignal,
): Promise<FileHead> {
  const { head, content } = await openFile(connection, runId, signal);
  for await (const piece of content) if (piece.byteLength > 0) throw notUnderstood();
  return head;
}

/** Ends only where the program says that it has done all of it. */
async function* outputOf(
  connection: RunnerConnection,
  runId: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let committed = 0;
  for await (const event of connection.follow(runId, 0, signal)) {
    if (event.kind === 'lost') throw cutOff('The sandbox ended meanwhile.');
    if (event.kind === 'end') {
      requireDone(event.exitRecord);
      return;
    }
    const { frames } = decodeFrames(event.bytes, { payloadBytesMax: FRAME_PAYLOAD_BYTES_MAX });
    for (const { stream, payload } of frames) if (stream === 'stdout') yield payload;
    const position = event.position + event.bytes.byteLength;
    if (position - committed < COMMIT_STEP_BYTES) continue;
    await connection.commit(runId, position);
    committed = position;
  }
  throw cutOff('The runner stopped without saying how it ended.');
}

const EXIT_DONE = 0;
const EXIT_REFUSED = 3;

function requireDone({ reason, exitCode, startFailure }: ExitRecord): void {
  if (startFailure?.code === 'command_not_found') {
    throw new DomainError('invalid_state', 'The sandbox is from before it could do this: restart it.');
  }
  if (reason === 'exited' && (exitCode === EXIT_DONE || exitCode === EXIT_REFUSED)) return;
  if (reason === 'timed_out' || reason === 'idle_timed_out' || reason === 'canceled') {
    throw new DomainError('invalid_state', 'It was given up.');
  }
  throw cutOff(`It ended as ${reason}.`);
}

async function firstLine(output: AsyncGenerator<Uint8Array>): Promise<{ line: Buffer; rest: Uint8Array }> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const next = await output.next();
    if (next.done === true) throw notUnderstood();
    const at = next.value.indexOf(NEWLINE);
    pieces.push(at < 0 ? next.value : next.value.subarray(0, at));
    if (at >= 0) return { line: Buffer.concat(pieces), rest: next.value.subarray(at + 1) };
    length += next.value.byteLength;
    if (length > limits.FILE_HEAD_BYTES_MAX) throw notUnderstood();
  }
}

async function* after(rest: Uint8Array, output: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (rest.byteLength > 0) yield rest;
  yield* output;
}

function parsed(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const cutOff = (message: string): DomainError => new DomainError('runner_unreachable', message);
const notUnderstood = (): DomainError =>
  new DomainError('runner_protocol', 'The sandbox gave a result that is not understood.');
