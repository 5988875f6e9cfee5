import { Inject, Injectable } from '@nestjs/common';
import { limits, type Exec, type OutputSource } from '#domain';
import { OUTPUT_SOURCE } from '../tokens.js';
import { slicesOf, type OutputStream } from './stream-slices.js';
import { decodeUtf8, incompleteTailBytes } from './utf8.js';

export interface InlineOutput {
  readonly stdout: string;
  readonly stderr: string;
  /** One of the streams held more than is shown here. */
  readonly truncated: boolean;
}

/** The first bytes of both streams as text, for answers that carry small outputs along. */
@Injectable()
export class InlineOutputReader {
  constructor(@Inject(OUTPUT_SOURCE) private readonly output: OutputSource) {}

  async read(exec: Exec): Promise<InlineOutput> {
    if (exec.outputState === 'expired') return { stdout: '', stderr: '', truncated: true };
    const stdout = await this.beginningOf(exec, 'stdout', exec.stdoutBytes);
    const stderr = await this.beginningOf(exec, 'stderr', exec.stderrBytes);
    return {
      stdout,
      stderr,
      truncated: Math.max(exec.stdoutBytes, exec.stderrBytes) > limits.INLINE_OUTPUT_BYTES_MAX,
    };
  }

  private async beginningOf(exec: Exec, stream: OutputStream, committedBytes: number): Promise<string> {
    const wanted = Math.min(committedBytes, limits.INLINE_OUTPUT_BYTES_MAX);
    const parts: Uint8Array[] = [];
    let have = 0;
    while (have < wanted) {
      const chunks = await this.output.readStreamChunks(exec.id, stream, have, wanted - have);
      const slices = chunks.flatMap((chunk) => slicesOf(chunk, stream, have));
      if (slices.length === 0) break;
      parts.push(...slices);
      have = parts.reduce((sum, part) => sum + part.byteLength, 0);
    }
    const bytes = Buffer.concat(parts).subarray(0, wanted);
    // A character that is cut here goes on in what is not shown.
    const cut = committedBytes > wanted ? incompleteTailBytes(bytes) : 0;
    return decodeUtf8(bytes.subarray(0, bytes.byteLength - cut));
  }
}
