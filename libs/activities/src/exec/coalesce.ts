import type { FollowEvent } from '#domain';

type FramesEvent = Extract<FollowEvent, { kind: 'frames' }>;

/**
 * Joins the frames that arrive while the consumer is busy, up to `bytesMax`: slow output is handed on at once, fast
 * output in large pieces. At most about `bytesMax` waits here; beyond that the source is not asked for more.
 */
export async function* coalesce(
  source: AsyncIterable<FollowEvent>,
  bytesMax: number,
): AsyncGenerator<FollowEvent> {
  const intake = new Intake(bytesMax);
  const pump = intake.fillFrom(source);
  try {
    for (;;) {
      const taken = await intake.take();
      if (taken.kind === 'closed') break;
      yield taken.kind === 'frames' ? joined(taken.frames) : taken.event;
    }
    await pump;
  } finally {
    intake.stop();
  }
}

type Taken =
  { kind: 'frames'; frames: FramesEvent[] } | { kind: 'last'; event: FollowEvent } | { kind: 'closed' };

class Intake {
  private frames: FramesEvent[] = [];
  private bytes = 0;
  private last: FollowEvent | undefined;
  private finished = false;
  private failure: { error: unknown } | undefined;
  private stopped = false;
  private wakeConsumer: (() => void) | undefined;
  private wakeSource: (() => void) | undefined;

  constructor(private readonly bytesMax: number) {}

  async fillFrom(source: AsyncIterable<FollowEvent>): Promise<void> {
    try {
      for await (const event of source) {
        if (this.stopped) return;
        if (event.kind === 'frames') {
          this.frames.push(event);
          this.bytes += event.bytes.byteLength;
        } else {
          this.last = event;
        }
        this.wakeConsumer?.();
        while (this.bytes >= this.bytesMax && !this.stopped) {
          await new Promise<void>((resolve) => (this.wakeSource = resolve));
        }
      }
    } catch (error) {
      this.failure = { error };
    } finally {
      this.finished = true;
      this.wakeConsumer?.();
    }
  }

  async take(): Promise<Taken> {
    while (this.frames.length === 0 && !this.last && !this.finished) {
      await new Promise<void>((resolve) => (this.wakeConsumer = resolve));
    }
    if (this.frames.length > 0) {
      const frames = this.frames;
      this.frames = [];
      this.bytes = 0;
      this.wakeSource?.();
      return { kind: 'frames', frames };
    }
    if (this.last) {
      const event = this.last;
      this.last = undefined;
      return { kind: 'last', event };
    }
    if (this.failure) throw this.failure.error;
    return { kind: 'closed' };
  }

  stop(): void {
    this.stopped = true;
    this.wakeSource?.();
  }
}

function joined(frames: readonly FramesEvent[]): FollowEvent {
  const [first] = frames;
  if (!first) throw new TypeError('Nothing to join.');
  if (frames.length === 1) return first;
  const bytes = new Uint8Array(frames.reduce((sum, event) => sum + event.bytes.byteLength, 0));
  let at = 0;
  for (const event of frames) {
    bytes.set(event.bytes, at);
    at += event.bytes.byteLength;
  }
  return { kind: 'frames', position: first.position, bytes };
}
