import { isDomainError } from '../errors.js';
import type { Exec } from '../exec.js';
import { HOT_READ_BYTES_MAX } from '../limits.js';
import type { ObjectStore } from '../ports/object-store.port.js';
import { FrameWalk, type Digest, type VerifiedStream } from './frame-walk.js';
import type { OutputSource } from './output-source.port.js';
import type { SegmentStore } from './output-stores.port.js';
import { outputExpired } from './stored-output.js';

export interface VerifyPorts {
  readonly hot: OutputSource;
  readonly segments: Pick<SegmentStore, 'find' | 'manifest'>;
  readonly objects: Pick<ObjectStore, 'get'>;
  readonly newDigest: () => Digest;
}

/** Recomputes what is stored of an exec, see verifyOutput. */
export interface OutputVerifier {
  verify(exec: Exec, signal: AbortSignal): Promise<OutputVerification>;
}

export interface OutputProblem {
  readonly position: number;
  readonly message: string;
}

export interface OutputVerification {
  /** Everything that is stored is what was committed, and where there is a record, what was written. */
  readonly ok: boolean;
  /** There is an exit record and it was compared. */
  readonly proven: boolean;
  readonly verifiedPosition: number;
  readonly committedPosition: number;
  readonly sealedBytes: number;
  readonly hotBytes: number;
  readonly segments: number;
  readonly stdout: VerifiedStream;
  readonly stderr: VerifiedStream;
  readonly problems: readonly OutputProblem[];
}

/**
 * Reads everything that is stored of an exec once, piece by piece, and recomputes every hash. Throws only what keeps it
 * from reading: `output_expired`, `dependency_unavailable`. What is wrong with the bytes is in the result.
 */
export async function verifyOutput(
  ports: VerifyPorts,
  exec: Exec,
  signal: AbortSignal,
): Promise<OutputVerification> {
  const reading = new Verification(ports, exec, signal);
  await reading.run();
  return reading.result();
}

class Verification {
  private readonly walk: FrameWalk;
  private readonly problems: OutputProblem[] = [];
  private sealedBytes = 0;
  private hotBytes = 0;
  private segments = 0;

  constructor(
    private readonly ports: VerifyPorts,
    private readonly exec: Exec,
    private readonly signal: AbortSignal,
  ) {
    this.walk = new FrameWalk(ports.newDigest);
  }

  async run(): Promise<void> {
    try {
      await this.manifest();
      while (this.walk.position < this.exec.committedPosition) {
        this.signal.throwIfAborted();
        if (!(await this.sealedPiece()) && !(await this.hotPiece())) break;
      }
    } catch (error) {
      if (!isDomainError(error, 'spool_corrupt') && !isDomainError(error, 'not_found')) throw error;
      this.problem(error.detail ?? error.message);
    }
  }

  result(): OutputVerification {
    const { exec, walk } = this;
    const record = exec.exitRecord;
    const stdout = walk.streamOf('stdout', record && [record.stdoutBytes, record.stdoutSha256]);
    const stderr = walk.streamOf('stderr', record && [record.stderrBytes, record.stderrSha256]);
    if (this.problems.length === 0) this.compare(stdout, stderr);
    return {
      ok: this.problems.length === 0,
      proven: record !== null,
      verifiedPosition: walk.position,
      committedPosition: exec.committedPosition,
      sealedBytes: this.sealedBytes,
      hotBytes: this.hotBytes,
      segments: this.segments,
      stdout,
      stderr,
      problems: this.problems,
    };
  }

  /** False where the place is not sealed. */
  private async sealedPiece(): Promise<boolean> {
    const at = this.walk.position;
    const { outputState, segment } = await this.ports.segments.find(this.exec.id, { of: 'frames', from: at });
    if (outputState === 'expired') throw outputExpired();
    if (!segment) return false;
    const bytes = segment.endPosition - segment.position;
    const digest = this.ports.newDigest();
    for await (const part of this.partsOf(segment.objectKey, segment.objectOffset, bytes)) {
      digest.update(part);
      this.walk.push(part);
    }
    if (digest.hex() !== segment.sha256) this.problem(`${segment.objectKey} does not have its hash.`, at);
    if (!this.walk.isAt(segment)) this.problem(`${segment.objectKey} ends elsewhere than it should.`, at);
    this.sealedBytes += bytes;
    this.segments += 1;
    return this.walk.isAt(segment);
  }

  /** False where nothing is stored. What was sealed between two looks is found by one more. */
  private async hotPiece(): Promise<boolean> {
    const at = this.walk.position;
    const chunks = await this.ports.hot.readChunks(this.exec.id, at, HOT_READ_BYTES_MAX);
    if (chunks[0]?.position !== at) {
      if (await this.sealedPiece()) return true;
      this.problem('Nothing is stored here.', at);
      return false;
    }
    for (const chunk of chunks) {
      // What a live exec has written since the row was read is left for the next time.
      if (chunk.position !== this.walk.position || chunk.position >= this.exec.committedPosition) break;
      this.walk.push(chunk.frames);
      this.hotBytes += chunk.frames.byteLength;
      if (this.walk.isAt(chunk)) continue;
      this.problem('A chunk ends elsewhere than it should.', chunk.position);
      return false;
    }
    return true;
  }

  private async manifest(): Promise<void> {
    const place = await this.ports.segments.manifest(this.exec.id);
    if (!place) return;
    const digest = this.ports.newDigest();
    for await (const part of this.partsOf(place.key, place.offset, place.bytes)) digest.update(part);
    if (digest.hex() !== place.sha256) this.problem(`The manifest in ${place.key} does not have its hash.`);
  }

  private async *partsOf(key: string, from: number, bytes: number): AsyncGenerator<Uint8Array> {
    const object = await this.ports.objects.get(key, { from, to: from + bytes, signal: this.signal });
    yield* object.bytes;
  }

  private compare(stdout: VerifiedStream, stderr: VerifiedStream): void {
    for (const [name, stream, committed] of [
      ['stdout', stdout, this.exec.stdoutBytes],
      ['stderr', stderr, this.exec.stderrBytes],
    ] as const) {
      // A piece that was sealed since the row was read goes on behind what the row says.
      const hasGrown = this.walk.position > this.exec.committedPosition;
      if (hasGrown ? stream.bytes < committed : stream.bytes !== committed)
        this.problem(`${name} has ${stream.bytes} of ${committed} bytes.`);
      if (stream.recordedBytes === null) continue;
      if (stream.recordedBytes !== stream.bytes || stream.recordedSha256 !== stream.sha256) {
        this.problem(`${name} is not what the exit record says.`);
      }
    }
  }

  private problem(message: string, position = this.walk.position): void {
    this.problems.push({ position, message });
  }
}
