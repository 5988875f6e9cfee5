import type { Duplex } from 'node:stream';
import { DockerStreamDemultiplexer } from './docker-stream.demultiplexer.js';
import { unreachable } from './runner.errors.js';

/** Requests are small; a runner that does not read this much is gone. */
const UNSENT_BYTES_MAX = 16_777_216;
const STDERR_BYTES_KEPT = 4_096;

export interface TransportEvents {
  onBytes(bytes: Uint8Array): void;
  /** Once, and nothing comes after it. */
  onEnd(reason: Error): void;
}

/** How the duplex carries the runner's output: as it is, or in Docker's frames with standard error beside it. */
export type Framing = 'plain' | 'docker';

/**
 * The byte stream below a channel. It does not hold the sender back by itself: what a runner may send is bounded by the
 * requests and credits that it was given, and whoever sends more breaks the protocol.
 */
export class ChannelTransport {
  private stderr = '';
  private ended = false;

  constructor(
    private readonly stream: Duplex,
    framing: Framing,
    private readonly events: TransportEvents,
  ) {
    const text = new TextDecoder();
    const demultiplexer = new DockerStreamDemultiplexer(
      (bytes) => this.receive(() => events.onBytes(bytes)),
      (bytes) => {
        this.stderr = (this.stderr + text.decode(bytes, { stream: true })).slice(-STDERR_BYTES_KEPT);
      },
    );
    stream.on('data', (bytes: Uint8Array) => {
      this.receive(() => (framing === 'docker' ? demultiplexer.push(bytes) : events.onBytes(bytes)));
    });
    stream.on('end', () => this.finish(unreachable(this.lastWords('The runner closed the channel.'))));
    stream.on('close', () => this.finish(unreachable(this.lastWords('The channel was cut.'))));
    stream.on('error', (error) => this.finish(unreachable('The channel failed.', error)));
  }

  send(bytes: Uint8Array): void {
    if (this.ended) return;
    this.stream.write(bytes);
    if (this.stream.writableLength > UNSENT_BYTES_MAX) {
      this.finish(unreachable('The runner does not read what it is sent.'));
    }
  }

  /** Ends the channel for the given reason, unless it has ended. */
  finish(reason: Error): void {
    if (this.ended) return;
    this.ended = true;
    this.stream.destroy();
    this.events.onEnd(reason);
  }

  private receive(deliver: () => void): void {
    if (this.ended) return;
    try {
      deliver();
    } catch (error) {
      this.finish(error instanceof Error ? error : new TypeError(String(error)));
    }
  }

  private lastWords(what: string): string {
    const words = this.stderr.trim();
    return words === '' ? what : `${what} It said: ${words}`;
  }
}
