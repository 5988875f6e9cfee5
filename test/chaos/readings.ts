import { ExpectedStream, type StreamName } from './expected-bytes.js';
import type { Program } from './programs.js';

/** Why what a reader got is wrong. */
export interface Misreading {
  readonly reader: string;
  readonly stream: StreamName;
  readonly kind: 'wrong bytes' | 'doubled or skipped bytes' | 'bytes beyond the end' | 'bytes are gone';
  readonly detail: string;
}

/** Compares every byte that any reader of one exec gets, as it comes, with what its program writes. */
export class Readings {
  readonly misreadings: Misreading[] = [];
  /** The furthest byte that any reader was shown: it may never be taken back. */
  readonly shown: Record<StreamName, number> = { stdout: 0, stderr: 0 };
  bytes = 0;
  private readonly expected: Record<StreamName, ExpectedStream>;
  private readonly planned: Record<StreamName, number>;

  constructor(program: Program) {
    const { seed, isText } = program;
    this.expected = {
      stdout: new ExpectedStream(seed, 'stdout', isText),
      stderr: new ExpectedStream(seed, 'stderr', isText),
    };
    this.planned = { stdout: program.stdoutBytes, stderr: program.stderrBytes };
  }

  take(reader: string, stream: StreamName, from: number, bytes: Buffer): void {
    this.bytes += bytes.length;
    const to = from + bytes.length;
    this.shown[stream] = Math.max(this.shown[stream], to);
    if (to > this.planned[stream]) {
      this.add(
        reader,
        stream,
        'bytes beyond the end',
        `${to} bytes of a program that writes ${this.planned[stream]}`,
      );
      return;
    }
    const wrong = this.expected[stream].firstDifference(from, bytes);
    if (wrong === undefined) return;
    const at = bytes.subarray(wrong - from, wrong - from + 16).toString('hex');
    const want = this.expected[stream].bytes(wrong, Math.min(16, to - wrong)).toString('hex');
    this.add(
      reader,
      stream,
      'wrong bytes',
      `at ${wrong} (read from ${from} to ${to}): expected ${want}, got ${at}`,
    );
  }

  add(reader: string, stream: StreamName, kind: Misreading['kind'], detail: string): void {
    this.misreadings.push({ reader, stream, kind, detail });
  }
}
