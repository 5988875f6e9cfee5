import { setTimeout as delay } from 'node:timers/promises';
import {
  DomainError,
  EXEC_TRANSITIONS,
  isDomainError,
  isTerminal,
  limits,
  takesInput,
  type ContainerEngine,
  type Exec,
  type ExecId,
  type ExecStore,
  type InputPiece,
  type InputResult,
  type Resize,
  type ResizeState,
  type RunnerConnection,
  type SendableSignal,
} from '#domain';
import { containerOf } from './reach.js';

/** Requests that may wait behind the one that is being applied, for each exec. */
const WAITING_PER_EXEC_MAX = 16;
/** A runner that is busy with requests of another connection is asked again after this long. */
const BUSY_RETRY_MS = 100;

export interface ExecInputPorts {
  readonly execs: Pick<ExecStore, 'get'>;
  readonly engine: Pick<ContainerEngine, 'connect'>;
}

/**
 * The way of input, signals and sizes to running commands of this host. It keeps nothing: how far the input has come is
 * known by the command's own supervisor, so it may be cut off anywhere and asked again by any process.
 */
export class ExecInput {
  private readonly lines = new Map<ExecId, { waiting: number; last: Promise<unknown> }>();

  constructor(private readonly ports: ExecInputPorts) {}

  async writeStdin(id: ExecId, piece: InputPiece): Promise<InputResult> {
    const exec = await this.running(id);
    if (!takesInput(exec.request)) {
      throw new DomainError('invalid_state', 'The standard input of this exec is not open.');
    }
    return await this.inTurn(id, async () => {
      const connection = await this.ports.engine.connect(containerOf(exec));
      return await named(() => writeAll(connection, id, piece));
    });
  }

  async signal(id: ExecId, signal: SendableSignal): Promise<number> {
    const connection = await this.ports.engine.connect(containerOf(await this.running(id)));
    return await named(() => connection.signal(id, signal));
  }

  async resize(id: ExecId, resize: Resize): Promise<ResizeState> {
    const exec = await this.running(id);
    if (exec.request.tty === null) throw new DomainError('invalid_state', 'This exec has no terminal.');
    const connection = await this.ports.engine.connect(containerOf(exec));
    return await named(() => connection.resize(id, resize));
  }

  private async running(id: ExecId): Promise<Exec> {
    const exec = await this.ports.execs.get(id);
    if (exec.state !== 'running') throw notRunning(exec);
    return exec;
  }

  /** Requests for one exec go to the runner one after the other, in the order in which they came. */
  private async inTurn<Result>(id: ExecId, work: () => Promise<Result>): Promise<Result> {
    const line = this.lines.get(id) ?? { waiting: 0, last: Promise.resolve() };
    if (line.waiting >= WAITING_PER_EXEC_MAX) {
      throw new DomainError('rate_limited', 'Too many requests wait for the input of this exec.', {
        retryAfterSeconds: 1,
      });
    }
    line.waiting += 1;
    this.lines.set(id, line);
    const turn = line.last.then(work, work);
    line.last = turn;
    try {
      return await turn;
    } finally {
      line.waiting -= 1;
      if (line.waiting === 0) this.lines.delete(id);
    }
  }
}

export function notRunning(exec: Exec): DomainError {
  const message = isTerminal(EXEC_TRANSITIONS, exec.state)
    ? `The exec has ended as ${exec.state}.`
    : 'The exec does not run yet.';
  return new DomainError('invalid_state', message, { extra: { state: exec.state } });
}

/** Piece by piece, until all of it is applied, something else is the answer, or the command has not read for too long. */
export async function writeAll(
  connection: RunnerConnection,
  id: string,
  whole: InputPiece,
): Promise<InputResult> {
  const end = whole.offset + whole.bytes.byteLength;
  let progressAt = performance.now();
  for (let offset = whole.offset, take = whole.take; ; take = false) {
    const askedAt = performance.now();
    const result = await writeOnce(connection, id, pieceOf(whole, offset, take));
    const { state, appliedTo } = result;
    if (state !== 'applied' && state !== 'full') return result;
    if (state === 'applied' && offset + limits.STDIN_PIECE_BYTES_MAX >= end) return result;
    if (appliedTo > offset) progressAt = askedAt;
    if (state === 'full' && performance.now() - progressAt > limits.STDIN_WAIT_MS_MAX) return result;
    offset = Math.max(offset, Math.min(appliedTo, end));
  }
}

function pieceOf(whole: InputPiece, offset: number, take: boolean): InputPiece {
  const from = offset - whole.offset;
  const bytes = whole.bytes.subarray(from, from + limits.STDIN_PIECE_BYTES_MAX);
  const isLast = from + bytes.byteLength === whole.bytes.byteLength;
  return { offset, bytes, eof: whole.eof && isLast, writer: whole.writer, take };
}

async function writeOnce(connection: RunnerConnection, id: string, piece: InputPiece): Promise<InputResult> {
  const giveUpAt = performance.now() + limits.STDIN_WAIT_MS_MAX;
  for (;;) {
    try {
      return await connection.writeStdin(id, piece);
    } catch (error) {
      const busy = isDomainError(error) && error.extra?.['runnerCode'] === 'resource_exhausted';
      if (!busy || performance.now() > giveUpAt) throw error;
      await delay(BUSY_RETRY_MS);
    }
  }
}

/** What the runner does not know, or whose sandbox is too old for it, is no missing address: the exec is there. */
async function named<Result>(ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    if (!isDomainError(error, 'not_found') && !isDomainError(error, 'bad_request')) throw error;
    throw new DomainError('invalid_state', error.message, { cause: error });
  }
}
