import { randomUUID } from 'node:crypto';
import {
  isDomainError,
  type DomainError,
  isPackDue,
  limits,
  ownerId,
  packKey,
  tenantId,
  type EndedExec,
  type Log,
  type ObjectStore,
  type OutputSource,
  type SealingStore,
  type SearchStore,
  type SegmentStore,
} from '#domain';
import type { SealResult } from '../contract.js';
import { OutputGatherer } from './gather.js';
import { PackBuilder } from './pack.js';
import { sealExec } from './seal-exec.js';
import { indexEnded } from './search-index.js';
import { putVerified } from '../verified-object.js';

export interface SealPorts {
  readonly hot: OutputSource;
  readonly sealing: SealingStore;
  readonly segments: SegmentStore;
  readonly search: SearchStore;
  readonly objects: ObjectStore;
  readonly log: Log;
}

/** A pack holds output of many owners, so it belongs to the system. */
const SYSTEM = { tenantId: tenantId('system'), ownerId: ownerId('system') };

type Counts = { -readonly [Name in keyof Omit<SealResult, 'stoppedBy'>]: number };

/**
 * Moves what can be moved into object storage, in rounds, until nothing is left to do, the time is over or `signal`
 * aborts. Storage that is away ends the pass; an exec that cannot be sealed for a reason of its own is put off, so that
 * it does not keep others waiting.
 */
export class SealPass {
  private readonly counts: Counts = { indexed: 0, segments: 0, execs: 0, packs: 0, postponed: 0 };
  private readonly gatherer: OutputGatherer;
  private readonly endsAt: number;

  constructor(
    private readonly ports: SealPorts,
    private readonly signal: AbortSignal,
    timeMs: number = limits.SEAL_PASS_MS_MAX,
  ) {
    this.gatherer = new OutputGatherer(ports.hot, ports.segments);
    this.endsAt = performance.now() + timeMs;
  }

  async run(): Promise<SealResult> {
    for (;;) {
      const before = this.done;
      await this.index();
      try {
        await this.round();
      } catch (error) {
        const away = storageAway(error);
        if (!away) throw error;
        this.ports.log.warn({ err: away }, 'Output stays in the database for now.');
        return { ...this.counts, stoppedBy: away.code };
      }
      if (this.done === before || !this.mayGoOn()) return { ...this.counts, stoppedBy: null };
    }
  }

  /** Needs no object storage, and comes first: sealing waits for it. */
  private async index(): Promise<void> {
    while (this.mayGoOn()) {
      const indexed = await indexEnded(this.ports);
      this.counts.indexed += indexed;
      if (indexed < limits.SEARCH_EXECS_PER_STEP_MAX) return;
    }
  }

  private async round(): Promise<void> {
    const { sealing, objects } = this.ports;
    const full = await sealing.listFull(limits.SEAL_EXECS_PER_PASS_MAX);
    const large = await sealing.listLarge(limits.SEAL_EXECS_PER_PASS_MAX);
    const small = await sealing.listSmall(limits.PACK_EXECS_MAX, limits.PACK_BYTES_MAX);
    const packDue = isPackDue({ ...small, count: small.execs.length });
    if (full.length + large.length === 0 && !packDue) return;
    await objects.ensureBucket();
    for (const exec of [...full, ...large]) await this.sealOne(exec);
    if (packDue && this.mayGoOn()) await this.pack(small.execs);
  }

  private async sealOne(exec: EndedExec): Promise<void> {
    if (!this.mayGoOn()) return;
    await this.orPostpone(exec, async () => {
      const parts = { ...this.ports, gatherer: this.gatherer };
      const { segments, complete } = await sealExec(parts, exec, () => this.mayGoOn());
      this.counts.segments += segments;
      this.counts.execs += complete ? 1 : 0;
    });
  }

  private async pack(execs: readonly EndedExec[]): Promise<void> {
    const { sealing, objects } = this.ports;
    const attempt = randomUUID();
    const write = { key: packKey(attempt), attempt };
    const pack = new PackBuilder(write.key);
    for (const exec of execs) {
      await this.orPostpone(exec, async () => {
        const output = exec.committedPosition === 0 ? undefined : await this.gatherer.gather(exec, 0);
        if (output !== undefined || exec.committedPosition === 0) pack.add(exec, output);
      });
    }
    if (pack.count === 0) return;
    const { members, bytes } = pack.build();
    await sealing.beginWrite(write, SYSTEM);
    await putVerified(objects, write.key, bytes);
    const sealed = await sealing.sealPack(members, write);
    this.counts.execs += sealed;
    this.counts.packs += sealed > 0 ? 1 : 0;
  }

  private async orPostpone(exec: EndedExec, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isDomainError(error) || error.transient) throw error;
      this.ports.log.error({ err: error, execId: exec.id }, 'The output of an exec could not be sealed.');
      await this.ports.sealing.postpone(exec.id, limits.SEAL_POSTPONE_MS);
      this.counts.postponed += 1;
    }
  }

  private mayGoOn(): boolean {
    return !this.signal.aborted && performance.now() < this.endsAt;
  }

  private get done(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }
}

/** The database being away is not meant: without it there is no pass, and its Activity fails. */
function storageAway(error: unknown): DomainError | undefined {
  if (isDomainError(error, 'disk_pressure')) return error;
  const away = isDomainError(error, 'dependency_unavailable') && error.dependency === 's3';
  return away ? error : undefined;
}
