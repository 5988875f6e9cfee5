import { DomainError } from '#domain';

const HEADER_BYTES = 8;
const STDOUT = 1;
const STDERR = 2;

/**
 * Takes Docker's stream of an attached or exec'd process without a terminal apart: eight bytes of header (stream, three
 * zeros, length), then the bytes. Nothing is kept but a header that is not there as a whole, so the memory of a
 * stream is that of one chunk, whatever length Docker announces.
 */
export class DockerStreamDemultiplexer {
  private readonly header = new Uint8Array(HEADER_BYTES);
  private readonly headerView = new DataView(this.header.buffer);
  private headerFilled = 0;
  private remaining = 0;

  constructor(
    private readonly onStdout: (bytes: Uint8Array) => void,
    private readonly onStderr: (bytes: Uint8Array) => void,
  ) {}

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.byteLength) {
      at += this.remaining === 0 ? this.takeHeader(chunk, at) : this.takeBytes(chunk, at);
    }
  }

  private takeHeader(chunk: Uint8Array, at: number): number {
    const taken = chunk.subarray(at, at + HEADER_BYTES - this.headerFilled);
    this.header.set(taken, this.headerFilled);
    this.headerFilled += taken.byteLength;
    if (this.headerFilled === HEADER_BYTES) {
      const stream = this.header[0];
      if (stream !== STDOUT && stream !== STDERR) {
        throw new DomainError('runner_unreachable', `Docker's stream has no stream ${stream}.`);
      }
      this.remaining = this.headerView.getUint32(4);
      this.headerFilled = 0;
    }
    return taken.byteLength;
  }

  private takeBytes(chunk: Uint8Array, at: number): number {
    const taken = chunk.subarray(at, at + this.remaining);
    this.remaining -= taken.byteLength;
    if (this.header[0] === STDOUT) this.onStdout(taken);
    else this.onStderr(taken);
    return taken.byteLength;
  }
}
