import { createHash } from 'node:crypto';
import {
  DomainError,
  encodeFrame,
  verifyOutput,
  type Chunk,
  type Digest,
  type ExecEnd,
  type ExecId,
  type Frame,
  type OutputVerifier,
} from '#domain';
import { MemoryBulks } from './memory-bulks.js';
import { MemoryCredentials } from './memory-credentials.js';
import { MemoryExecs } from './memory-execs.js';
import { MemoryHostLink } from './memory-host-link.js';
import { MemoryHosts } from './memory-hosts.js';
import { MemoryKeys } from './memory-keys.js';
import { MemoryOperations } from './memory-operations.js';
import { MemorySandboxes } from './memory-sandboxes.js';
import { MemorySnapshots } from './memory-snapshots.js';
import { MemoryWakes } from './memory-wakes.js';
import { MemoryWorkflows } from './memory-workflows.js';

export interface Output {
  readonly stream: Frame['stream'];
  readonly data: string | Uint8Array;
}

/** Everything that the API talks to, in memory, with hands to play the part of a host. */
export class MemoryWorld {
  private clockMs = Date.parse('2026-01-01T00:00:00.000Z');
  private readonly now = (): string => new Date((this.clockMs += 1)).toISOString();
  readonly wakes = new MemoryWakes();
  readonly workflows = new MemoryWorkflows();
  readonly hosts = new MemoryHosts();
  readonly keys = new MemoryKeys();
  readonly credentials = new MemoryCredentials(this.now);
  readonly hostLink = new MemoryHostLink();
  readonly operations = new MemoryOperations(this.now);
  readonly sandboxes = new MemorySandboxes(this.operations.rows, this.now);
  readonly bulks = new MemoryBulks(this.sandboxes.rows, this.now);
  readonly snapshots = new MemorySnapshots(this.now);
  readonly execs = new MemoryExecs(this.sandboxes.rows, this.now, this.wakes);

  /** Everything is hot here. */
  readonly verifier: OutputVerifier = {
    verify: async (exec, signal) => {
      const segments = {
        find: async () => await Promise.resolve({ outputState: exec.outputState, segment: undefined }),
        manifest: async () => await Promise.resolve(undefined),
      };
      const objects = {
        get: async () => await Promise.reject(new DomainError('not_found', 'There is no object.')),
      };
      return await verifyOutput({ hot: this.execs, segments, objects, newDigest }, exec, signal);
    },
  };

  get ports() {
    return {
      sandboxes: this.sandboxes,
      operations: this.operations,
      execs: this.execs,
      bulks: this.bulks,
      credentials: this.credentials,
      snapshots: this.snapshots,
      output: this.execs,
      verifier: this.verifier,
      hosts: this.hosts,
      keys: this.keys,
      hostLink: this.hostLink,
      wakeReceiver: this.wakes,
      wakeSender: this.wakes,
      workflows: this.workflows,
      probes: [],
    };
  }

  /** The host claims the exec and the runner acknowledges it. */
  async run(id: ExecId): Promise<void> {
    const exec = await this.execs.get(id);
    await this.execs.claim(id, exec.hostId);
    await this.execs.markRunning(id);
  }

  /** One chunk with one frame for each piece of output. */
  async print(id: ExecId, ...outputs: readonly Output[]): Promise<void> {
    await this.execs.append(id, this.chunkAfter(await this.execs.get(id), outputs));
  }

  async end(id: ExecId, end: Partial<ExecEnd> = {}): Promise<void> {
    const ended: ExecEnd = {
      state: 'succeeded',
      exitCode: 0,
      signal: null,
      failure: null,
      exitRecord: null,
      evidence: null,
      ...end,
    };
    await this.execs.end(id, ['queued', 'starting', 'running'], ended);
  }

  private chunkAfter(
    exec: { committedPosition: number; stdoutBytes: number; stderrBytes: number },
    outputs: readonly Output[],
  ): Chunk {
    const bytes = { stdout: exec.stdoutBytes, stderr: exec.stderrBytes, terminal: 0 };
    const encoded = outputs.map(({ stream, data }) => {
      const payload = typeof data === 'string' ? Buffer.from(data) : data;
      const offset = bytes[stream];
      bytes[stream] += payload.byteLength;
      return encodeFrame({ stream, flags: 0, offset, timeMicros: (this.clockMs += 1) * 1_000, payload });
    });
    const frames = Buffer.concat(encoded);
    return {
      position: exec.committedPosition,
      endPosition: exec.committedPosition + frames.byteLength,
      stdoutFrom: exec.stdoutBytes,
      stdoutTo: bytes.stdout,
      stderrFrom: exec.stderrBytes,
      stderrTo: bytes.stderr,
      frames,
    };
  }
}

function newDigest(): Digest {
  const hash = createHash('sha256');
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest('hex') };
}
