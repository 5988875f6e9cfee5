import type { Writable } from 'node:stream';
import { errorText, SetupInterrupted } from './setup-problem.js';

const NAME_WIDTH = 14;
const VERB_WIDTH = 10;
const SECONDS_WIDTH = 8;
/** A step that takes longer than this says so again and again, so that nobody takes it for hung. */
const PROGRESS_INTERVAL_MS = 10_000;

export type StepVerb =
  'found' | 'started' | 'adopted' | 'built' | 'installed' | 'done' | 'skipped' | 'passed';

export interface StepResult<T> {
  readonly verb: StepVerb;
  readonly detail: string;
  readonly value: T;
}

/** Tells what a long step is doing; the text is shown with the next progress line. */
export type SayProgress = (activity: string) => void;

/** Prints one plain line per step. No colours and no cursor movements: the same text suits a terminal, a log and CI. */
export class Reporter {
  constructor(
    private readonly out: Writable,
    readonly verbose: boolean,
  ) {}

  async step<T>(name: string, work: (say: SayProgress) => Promise<StepResult<T>>): Promise<T> {
    const started = Date.now();
    let activity = '';
    const progress = setInterval(() => {
      this.row(name, '…', started, activity);
    }, PROGRESS_INTERVAL_MS);
    try {
      const result = await work((text) => {
        activity = text;
        if (this.verbose) this.row(name, '…', started, text);
      });
      this.row(name, result.verb, started, result.detail);
      return result.value;
    } catch (error) {
      if (error instanceof SetupInterrupted) this.row(name, 'left', started, '');
      else this.row(name, 'FAILED', started, errorText(error).split('\n')[0] ?? '');
      throw error;
    } finally {
      clearInterval(progress);
    }
  }

  line(text = ''): void {
    this.out.write(`${text}\n`);
  }

  /** A line about a component that runs: it died, it was started again, its port was busy. */
  note(name: string, text: string): void {
    this.line(`  ${name.padEnd(NAME_WIDTH)} ${text}`);
  }

  private row(name: string, verb: string, started: number, detail: string): void {
    const seconds = `${((Date.now() - started) / 1000).toFixed(1)} s`;
    this.note(name, `${verb.padEnd(VERB_WIDTH)} ${seconds.padStart(SECONDS_WIDTH)}  ${detail}`.trimEnd());
  }
}
