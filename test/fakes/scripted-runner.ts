import { DomainError, encodeFrame, type ExitRecord, type FollowEvent, type RunnerConnection } from '#domain';
import { exitRecordOf } from './exit-record.js';

export interface ScriptedRun {
  state: string;
  result?: object;
  exit?: Partial<ExitRecord>;
  /** Whoever follows it first is cut off, and it comes to its end all the same. */
  cutsOff?: boolean;
}

/** The runs of a sandbox by their ids, each with how it is to end. */
export class ScriptedRunner {
  readonly runs = new Map<string, ScriptedRun>();
  readonly started: string[] = [];
  readonly input: string[] = [];
  readonly ended: string[] = [];
  /** How the next runs are to end. */
  next: ScriptedRun[] = [];

  readonly connection = {
    status: (id: string) => Promise.resolve({ state: this.runs.get(id)?.state ?? 'unknown' }),
    start: (request: { execId: string; stdin: { bytes: Uint8Array } }) => {
      this.started.push(request.execId);
      this.input.push(Buffer.from(request.stdin.bytes).toString());
      this.runs.set(request.execId, { ...this.next.shift(), state: 'running' });
      return Promise.resolve();
    },
    follow: (id: string) => this.follow(id),
    cancel: (id: string) => {
      this.ended.push(`cancel ${id}`);
      return Promise.resolve(this.settle(id, 'canceled'));
    },
    forget: (id: string) => {
      this.ended.push(`forget ${id}`);
      return Promise.resolve(this.settle(id, 'forgotten'));
    },
    close: () => Promise.resolve(),
  } as unknown as RunnerConnection;

  private settle(id: string, state: string): void {
    const run = this.runs.get(id);
    if (run) run.state = state;
  }

  private async *follow(id: string): AsyncGenerator<FollowEvent> {
    const run = this.runs.get(id);
    if (!run) throw new DomainError('not_found', 'There is no such run.');
    await Promise.resolve();
    if (run.cutsOff === true) {
      Object.assign(run, { state: 'finished', cutsOff: false });
      throw new DomainError('runner_unreachable', 'The channel was cut.');
    }
    if (run.result !== undefined) {
      const payload = Buffer.from(`${JSON.stringify({ result: run.result })}\n`);
      const bytes = encodeFrame({ stream: 'stdout', flags: 0, offset: 0, timeMicros: 0, payload });
      yield { kind: 'frames', position: 0, bytes };
    }
    run.state = 'finished';
    yield { kind: 'end', exitRecord: exitRecordOf(run.exit) };
  }
}
