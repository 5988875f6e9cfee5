import { Inject, Injectable } from '@nestjs/common';
import {
  DomainError,
  EXEC_TRANSITIONS,
  isTerminal,
  takesInput,
  type Exec,
  type HostLink,
  type InputPiece,
  type InputResult,
  type Resize,
  type SendableSignal,
} from '#domain';
import type { Call } from '../http/call.js';
import { HOST_LINK } from '../tokens.js';
import { ExecsService } from './execs.service.js';

/** How long a request waits for an exec that is about to run. */
const START_WAIT_SECONDS = 2;
const RETRY_AFTER_SECONDS = 1;

/** Input, signals and sizes for running commands. What is said of an exec that does not run is 409 with its state. */
@Injectable()
export class ExecInputService {
  constructor(
    @Inject(ExecsService) private readonly execs: ExecsService,
    @Inject(HOST_LINK) private readonly hosts: HostLink,
  ) {}

  /** All of it is applied, or it throws. Sent again each byte is applied once. */
  async write(call: Call, id: string, piece: InputPiece): Promise<InputResult> {
    const exec = await this.execs.get(call, id, 0);
    if (!takesInput(exec.request)) {
      throw new DomainError('invalid_state', 'The standard input of this exec is not open.');
    }
    const running = await this.running(call, exec);
    return applied(await this.hosts.writeStdin(running.hostId, running.id, piece), piece);
  }

  /** The process group that it was sent to; null where none was left. */
  async signal(call: Call, id: string, signal: SendableSignal): Promise<number | null> {
    const exec = await this.running(call, await this.execs.get(call, id, 0));
    const group = await this.hosts.signal(exec.hostId, exec.id, signal);
    return group === 0 ? null : group;
  }

  async resize(call: Call, id: string, resize: Resize): Promise<void> {
    const exec = await this.execs.get(call, id, 0);
    if (exec.request.tty === null) throw new DomainError('invalid_state', 'This exec has no terminal.');
    const running = await this.running(call, exec);
    const state = await this.hosts.resize(running.hostId, running.id, resize);
    if (state === 'taken') throw replaced();
  }

  private async running(call: Call, seen: Exec): Promise<Exec> {
    const exec =
      seen.state === 'running' ? seen : await this.execs.untilStarted(call, seen.id, START_WAIT_SECONDS);
    if (exec.state === 'running') return exec;
    const ended = isTerminal(EXEC_TRANSITIONS, exec.state);
    throw new DomainError(
      'invalid_state',
      ended ? `The exec has ended as ${exec.state}.` : 'The exec does not run yet.',
      {
        extra: { state: exec.state },
        ...(ended ? {} : { retryAfterSeconds: RETRY_AFTER_SECONDS }),
      },
    );
  }
}

/** Everything but `applied` is a refusal that says how far the input has come. */
function applied(result: InputResult, piece: InputPiece): InputResult {
  const { state, appliedTo } = result;
  const extra = { appliedTo };
  switch (state) {
    case 'applied':
      return result;
    case 'gap':
      throw new DomainError(
        'stdin_gap',
        piece.offset > appliedTo
          ? `The input has come to byte ${appliedTo}; these begin at ${piece.offset}.`
          : `The input has come to byte ${appliedTo} and cannot end before it.`,
        { extra: { expected: appliedTo, ...extra } },
      );
    case 'full':
      throw new DomainError('stdin_full', 'The command does not read its input. Send the same again.', {
        extra,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    case 'closed':
      throw new DomainError('stdin_closed', 'The input is closed; what comes after it reaches nobody.', {
        extra,
      });
    case 'taken':
      throw replaced(appliedTo);
  }
}

function replaced(appliedTo?: number): DomainError {
  const extra = appliedTo === undefined ? undefined : { appliedTo };
  return new DomainError(
    'writer_replaced',
    'Somebody else has taken the input of this exec.',
    extra && { extra },
  );
}
