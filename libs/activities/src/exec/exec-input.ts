import {
  DomainError,
  EXEC_TRANSITIONS,
  isDomainError,
  isTerminal,
  takesInput,
  type ContainerEngine,
  type Exec,
  type ExecId,
  type ExecStore,
  type InputPiece,
  type InputResult,
  type PassedBuffers,
  type Resize,
  type ResizeState,
  type SendableSignal,
} from '#domain';
import { writeAll } from './input-pieces.js';
import { containerOf } from './reach.js';

/** Requests that may wait behind the one that is being applied, for each exec. */
const WAITING_PER_EXEC_MAX = 16;
/** On its way to a runner input lies in that many buffers one after the other. */
const BUFFERED_TIMES = 4;

export interface ExecInputPorts {
  readonly execs: Pick<ExecStore, 'get'>;
  readonly engine: Pick<ContainerEngine, 'connect'>;
  readonly buffers: PassedBuffers;
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
      const result = await named(() => writeAll(connection, id, piece));
      this.ports.buffers.passed(piece.bytes.byteLength * BUFFERED_TIMES);
      return result;
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

/** What the runner does not know, or whose sandbox is too old for it, is no missing address: the exec is there. */
async function named<Result>(ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    if (!isDomainError(error, 'not_found') && !isDomainError(error, 'bad_request')) throw error;
    throw new DomainError('invalid_state', error.message, { cause: error });
  }
}
