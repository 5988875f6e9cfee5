import {
  DomainError,
  isTerminal,
  EXEC_TRANSITIONS,
  searchText,
  type Chunk,
  type ClaimResult,
  type Ensured,
  type Exec,
  type ExecEnd,
  type ExecId,
  type ExecListQuery,
  type ExecState,
  type ExecStore,
  type HostId,
  type NewExec,
  type OutputSource,
  type Page,
  type Sandbox,
  type SandboxId,
  type SearchWord,
  type TenantId,
  type WakeSender,
} from '#domain';
import { pageOf } from './memory-page.js';

export class MemoryExecs implements ExecStore, OutputSource {
  readonly rows = new Map<ExecId, Exec>();
  readonly chunks = new Map<ExecId, Chunk[]>();
  readonly inlineStdin = new Map<ExecId, Uint8Array>();
  readonly workflowsStarted = new Set<ExecId>();
  /** Set to make every read fail, as a database that is away does. */
  away: DomainError | undefined;
  /** What is read later than the beginning is found in one piece from the beginning on, as if it had been sealed meanwhile. */
  isCutAnew = false;
  queuedMax = 1_000;

  constructor(
    private readonly sandboxes: ReadonlyMap<SandboxId, Sandbox>,
    private readonly now: () => string,
    private readonly wakes: WakeSender,
  ) {}

  async create(exec: NewExec): Promise<Ensured<Exec>> {
    await this.answer();
    const before = this.rows.get(exec.id);
    if (before) {
      if (before.requestHash === exec.requestHash) return { row: before, created: false };
      throw new DomainError('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
    }
    const sandbox = this.sandboxes.get(exec.sandboxId);
    if (!sandbox) throw new DomainError('not_found', 'There is no such sandbox.');
    if ((await this.listStartable(exec.sandboxId)).length >= this.queuedMax) {
      throw new DomainError('queue_full', 'Too many execs wait in this sandbox.', {
        retryAfterSeconds: 5,
        extra: { queuedMax: this.queuedMax },
      });
    }
    const { inlineStdin, ...given } = exec;
    if (inlineStdin) this.inlineStdin.set(exec.id, inlineStdin);
    const row: Exec = {
      ...given,
      hostId: sandbox.hostId,
      generation: null,
      state: 'queued',
      outputState: 'hot',
      committedPosition: 0,
      stdoutBytes: 0,
      stderrBytes: 0,
      exitCode: null,
      signal: null,
      failure: null,
      exitRecord: null,
      evidence: null,
      cancelRequestedAt: null,
      createdAt: this.now(),
      startedAt: null,
      finishedAt: null,
    };
    this.rows.set(row.id, row);
    return { row, created: true };
  }

  async find(tenantId: TenantId, id: ExecId): Promise<Exec | undefined> {
    await this.answer();
    const row = this.rows.get(id);
    return row?.tenantId === tenantId ? row : undefined;
  }

  async get(id: ExecId): Promise<Exec> {
    await this.answer();
    const row = this.rows.get(id);
    if (!row) throw new DomainError('not_found', 'There is no such exec.');
    return row;
  }

  async list(tenantId: TenantId, query: ExecListQuery): Promise<Page<Exec>> {
    await this.answer();
    const rows = [...this.rows.values()].filter(
      (row) =>
        row.tenantId === tenantId &&
        (query.sandboxId === undefined || row.sandboxId === query.sandboxId) &&
        (query.ownerId === undefined || row.ownerId === query.ownerId) &&
        (query.states === undefined || query.states.includes(row.state)) &&
        Object.entries(query.labels ?? {}).every(([key, value]) => row.request.labels[key] === value) &&
        (query.words ?? []).every((word) => hasWord(row, word)) &&
        (query.createdAfter === undefined || row.createdAt >= query.createdAfter) &&
        (query.createdBefore === undefined || row.createdAt < query.createdBefore),
    );
    return pageOf(rows, query);
  }

  async queuePositions(
    execs: readonly Pick<Exec, 'id' | 'sandboxId'>[],
  ): Promise<ReadonlyMap<ExecId, number>> {
    await this.answer();
    const places = new Map<ExecId, number>();
    for (const { id, sandboxId } of execs) {
      const place = (await this.listStartable(sandboxId)).indexOf(id);
      if (place >= 0) places.set(id, place + 1);
    }
    return places;
  }

  async readInlineStdin(id: ExecId): Promise<Uint8Array> {
    await this.answer();
    return this.inlineStdin.get(id) ?? new Uint8Array(0);
  }

  async claim(id: ExecId, hostId: HostId): Promise<ClaimResult> {
    const exec = await this.get(id);
    if (isTerminal(EXEC_TRANSITIONS, exec.state)) return { kind: 'ended', exec };
    if (exec.state !== 'queued') return { kind: 'live', exec };
    return { kind: 'claimed', exec: this.change(id, { state: 'starting', hostId, generation: 1 }) };
  }

  async markRunning(id: ExecId): Promise<boolean> {
    if ((await this.get(id)).state !== 'starting') return false;
    this.change(id, { state: 'running', startedAt: this.now() });
    this.wakes.wake(`exec:${id}`);
    return true;
  }

  async append(id: ExecId, chunk: Chunk): Promise<boolean> {
    const exec = await this.get(id);
    if (exec.committedPosition !== chunk.position || isTerminal(EXEC_TRANSITIONS, exec.state)) return false;
    this.chunks.set(id, [...(this.chunks.get(id) ?? []), chunk]);
    this.change(id, {
      committedPosition: chunk.endPosition,
      stdoutBytes: chunk.stdoutTo,
      stderrBytes: chunk.stderrTo,
      state: 'running',
      startedAt: exec.startedAt ?? this.now(),
    });
    this.wakes.wake(`exec:${id}`);
    return true;
  }

  async end(id: ExecId, from: readonly ExecState[], end: ExecEnd): Promise<boolean> {
    const exec = await this.get(id);
    if (!from.includes(exec.state)) return false;
    this.change(id, { ...end, finishedAt: this.now() });
    this.wakes.wake(`exec:${id}`);
    return true;
  }

  async requestCancel(id: ExecId): Promise<void> {
    await this.answer();
    this.change(id, { cancelRequestedAt: this.now() });
  }

  async markWorkflowsStarted(ids: readonly ExecId[]): Promise<void> {
    await this.answer();
    for (const id of ids) this.workflowsStarted.add(id);
  }

  async listLiveOnHost(hostId: HostId): Promise<Exec[]> {
    await this.answer();
    return [...this.rows.values()].filter(
      (row) => row.hostId === hostId && ['starting', 'running'].includes(row.state),
    );
  }

  async listUnended(sandboxId: Exec['sandboxId']): Promise<Exec[]> {
    return await Promise.resolve(
      [...this.rows.values()].filter(
        (row) => row.sandboxId === sandboxId && !isTerminal(EXEC_TRANSITIONS, row.state),
      ),
    );
  }

  async listStartable(sandboxId: SandboxId): Promise<ExecId[]> {
    await this.answer();
    const rows = [...this.rows.values()].filter(
      (row) => row.sandboxId === sandboxId && row.state === 'queued',
    );
    return rows.map((row) => row.id);
  }

  async readChunks(id: ExecId, fromPosition: number, bytesMax: number): Promise<Chunk[]> {
    await this.answer();
    const chunks = this.chunks.get(id) ?? [];
    if (this.isCutAnew && fromPosition > 0 && chunks.length > 0) return [inOnePiece(chunks)];
    return within(
      chunks.filter((chunk) => chunk.endPosition > fromPosition),
      bytesMax,
    );
  }

  async readStreamChunks(
    id: ExecId,
    stream: 'stdout' | 'stderr',
    fromByte: number,
    bytesMax: number,
  ): Promise<Chunk[]> {
    await this.answer();
    const holding = (this.chunks.get(id) ?? []).filter((chunk) => {
      const [from, to] =
        stream === 'stdout' ? [chunk.stdoutFrom, chunk.stdoutTo] : [chunk.stderrFrom, chunk.stderrTo];
      return to > fromByte && to > from;
    });
    return within(holding, bytesMax);
  }

  change(id: ExecId, change: Partial<Exec>): Exec {
    const row = this.rows.get(id);
    if (!row) throw new TypeError(`No exec ${id}`);
    const changed = { ...row, ...change };
    this.rows.set(id, changed);
    return changed;
  }

  private async answer(): Promise<void> {
    await Promise.resolve();
    if (this.away) throw this.away;
  }
}

function inOnePiece(chunks: readonly Chunk[]): Chunk {
  const frames = Buffer.concat(chunks.map((chunk) => chunk.frames));
  return { ...(chunks[0] as Chunk), ...spanOf(chunks.at(-1) as Chunk), frames };
}

const spanOf = ({ endPosition, stdoutTo, stderrTo }: Chunk) => ({ endPosition, stdoutTo, stderrTo });

function hasWord({ request }: Exec, { word, prefix }: SearchWord): boolean {
  const words = searchText([...request.argv, ...Object.entries(request.labels).flat()].join(' ')).split(' ');
  return words.some((one) => (prefix ? one.startsWith(word) : one === word));
}

/** At least one, then as long as the sum stays within `bytesMax`. */
function within(chunks: readonly Chunk[], bytesMax: number): Chunk[] {
  let before = 0;
  return chunks.filter((chunk) => {
    const fits = before < bytesMax;
    before += chunk.endPosition - chunk.position;
    return fits;
  });
}
