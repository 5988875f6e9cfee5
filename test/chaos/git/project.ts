import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cut, GitServer } from '../../git/git-server.js';
import type { Broken } from '../broken.js';
import type { Client } from '../client.js';
import type { Asked, Asker, ParkDecision, SeenOperation, SeenPark } from '../lifecycle/asker.js';
import { pause } from '../pause.js';
import type { Random } from '../random.js';
import { judgeHistory, type AskedChange } from './history.js';
import { JOURNAL, readJournal, Repository, restsOfClones } from './repository.js';

const TIMES_MAX = 40;
const AGAIN_MS = 500;
const CANCEL_WITHIN_MS = 120_000;
const REMOVED_WITHIN_MS = 240_000;
const CHANGES_MIN = 2;
const CHANGES_MAX = 6;
const CANCEL_CHANCE = 0.08;
const CANCEL_AFTER_MS_MAX = 1_500;
const CUT_CHANCE = 0.25;
/** How long the server thinks about a push, in seconds: so a kill finds one that has been sent. */
const THOUGHT_SECONDS = [0, 0.3, 1];
const AUTHOR = { name: 'Somebody', email: 'somebody@berth.test' };
const OTHERS_FILE = 'other';
const HINDRANCES = new Set(['runner_unreachable', 'git_path_occupied']);
const CUTS: readonly Cut[] = ['before', 'within', 'after'];
const ACTIONS = [
  { name: 'together', weight: 3 },
  { name: 'apart', weight: 2 },
  { name: 'refused', weight: 1 },
  { name: 'pull', weight: 1 },
] as const;

export interface ProjectPlace {
  readonly client: Client;
  readonly asker: Asker;
  readonly server: GitServer;
  readonly sandboxId: string;
  /** Where the workspace lies on this machine. */
  readonly workspace: string;
  readonly name: string;
  /** What the next request to the server is authorised with. */
  readonly access: () => object;
  readonly onOperation: (id: string, repository: string) => void;
}

/** One repository of the server: cloned, worked on, and compared with what was asked for. */
export class Project {
  readonly broken: Broken[] = [];
  private readonly changes: AskedChange[] = [];
  private readonly others: string[] = [];
  private readonly told: string[] = [];
  private readonly bare: Repository;
  private readonly clone: Repository;
  private readonly file: string;

  constructor(
    private readonly place: ProjectPlace,
    private readonly random: Random,
  ) {
    const { server, workspace, name } = place;
    this.file = `${name}.git`;
    this.bare = new Repository(join(server.folder, this.file));
    this.clone = new Repository(join(workspace, name));
  }

  get commits(): number {
    return this.changes.length;
  }

  /** The signal says that time is over: what is under way ends, and the whole is compared. */
  async run(signal: AbortSignal): Promise<void> {
    const { server, name } = this.place;
    server.make(this.file, { [JOURNAL]: 'begun\n' });
    this.think();
    await this.cloneOnce();
    const count = this.random.integer(CHANGES_MIN, CHANGES_MAX);
    for (let change = 1; change <= count && (change === 1 || !signal.aborted); change++) {
      const { name: action } = this.random.weighted(ACTIONS);
      if (this.random.chance(CUT_CHANCE)) server.cuts.push(this.random.pick(CUTS));
      if (action === 'pull') await this.pull(change);
      else await this.change(`${name}-${change}`, action);
    }
    this.compare();
  }

  private async cloneOnce(): Promise<void> {
    const { server, name } = this.place;
    const body = { url: server.url(this.file), path: name };
    await this.insist('clone', body, {}, async (ended) => {
      if (!wasDown(ended)) this.expectNoRests(`a clone that ${ended.state}`);
      // Whoever gave it up may still have come too late: there is a clone in its place, and it is whole.
      if (ended.state === 'succeeded' || !existsSync(this.clone.path)) return;
      this.expectWhole();
      await this.removeClone();
    });
    this.expectWhole();
  }

  /** As its owner would, who wants another one there. */
  private async removeClone(): Promise<void> {
    const { asker, client, name, sandboxId } = this.place;
    const giveUpAt = Date.now() + REMOVED_WITHIN_MS;
    while (Date.now() < giveUpAt) {
      const path = `/v1/sandboxes/${sandboxId}/files?path=${name}&recursive=true`;
      const { status } = await client.insist(giveUpAt, 'DELETE', path);
      if (status === 204 || status === 404) return;
      await asker.ask('POST', `/v1/sandboxes/${sandboxId}/start`);
      await pause(AGAIN_MS);
    }
    throw new Error(`The clone of ${this.file} that nobody wanted could not be removed.`);
  }

  private async change(subject: string, how: 'together' | 'apart' | 'refused'): Promise<void> {
    const { name, server } = this.place;
    appendFileSync(join(this.clone.path, JOURNAL), `${subject}\n`);
    const operationIds: string[] = [];
    this.changes.push({ subject, operationIds });
    const commit = { path: name, message: subject, author: AUTHOR };
    const onOperation = (id: string): void => void operationIds.push(id);
    if (how === 'refused') server.hook(this.file, 'echo "not today" >&2; exit 1');
    const decide = (park: SeenPark): ParkDecision => {
      if (how === 'refused') this.think();
      return decided(park);
    };
    if (how === 'apart') {
      await this.insist('commit', commit, { onOperation });
      await this.insist('push', { path: name });
    } else {
      await this.insist('commit-and-push', commit, { onOperation, decide }, () => this.think());
    }
  }

  /** Somebody else commits, and the sandbox follows. */
  private async pull(change: number): Promise<void> {
    const { server, name } = this.place;
    const text = `${name}-${change}`;
    server.commit(this.file, OTHERS_FILE, text);
    this.others.push(`${OTHERS_FILE} ${text}`);
    await this.insist('pull', { path: name });
    const has = readFileSync(join(this.clone.path, OTHERS_FILE), 'utf8');
    if (has !== text) this.say('workspace', `after a pull there is ${has} instead of ${text}`);
  }

  /** Until it has come about. One that parks is retried, one that was given up is asked for anew. */
  private async insist(
    what: string,
    body: object,
    asked: Asked = {},
    onEnd: (ended: SeenOperation) => void | Promise<void> = () => undefined,
  ): Promise<void> {
    const { asker, sandboxId, access, onOperation } = this.place;
    const remote = what === 'commit' ? {} : access();
    for (let time = 1; time <= TIMES_MAX; time++) {
      let canceling: Promise<unknown> = Promise.resolve();
      const isCanceled = this.random.chance(CANCEL_CHANCE);
      const ended = await asker.ask('POST', `/v1/sandboxes/${sandboxId}/git/${what}`, {
        decide: decided,
        ...asked,
        body: { ...body, ...remote },
        isOnce: true,
        onOperation: (id) => {
          onOperation(id, this.file);
          asked.onOperation?.(id);
          if (isCanceled) canceling = this.cancelLater(id);
        },
      });
      await canceling;
      if (ended !== undefined) {
        const { outcome, commit } = ended.result ?? {};
        if (commit !== undefined && outcome !== 'cloned') this.told.push(commit);
        await onEnd(ended);
        if (ended.state === 'succeeded') return;
      } else {
        await asker.ask('POST', `/v1/sandboxes/${sandboxId}/start`);
        await pause(AGAIN_MS);
      }
    }
    throw new Error(`${what} of ${this.file} did not come about in ${TIMES_MAX} times.`);
  }

  private async cancelLater(id: string): Promise<void> {
    await pause(this.random.integer(0, CANCEL_AFTER_MS_MAX));
    await this.place.client.insist(Date.now() + CANCEL_WITHIN_MS, 'POST', `/v1/operations/${id}/cancel`, {
      body: {},
    });
  }

  private think(): void {
    this.place.server.hook(this.file, `sleep ${this.random.pick(THOUGHT_SECONDS)}`);
  }

  private compare(): void {
    const { changes, others, told } = this;
    const history = this.bare.history();
    this.broken.push(...judgeHistory({ repository: this.file, changes, others, told }, history));
    const lines = ['begun', ...changes.map(({ subject }) => subject)].join('\n');
    if (this.bare.journal() !== lines) this.say('lost commit', `its files say ${this.bare.journal()}`);
    if (readJournal(this.clone.path) !== lines)
      this.say('workspace', `the working tree says ${readJournal(this.clone.path)}`);
    if (this.clone.tip('HEAD') !== this.bare.tip()) this.say('lost commit', 'the clone ends elsewhere');
    this.expectWhole();
    this.expectNoRests('everything');
  }

  private expectWhole(): void {
    for (const fault of this.clone.faults()) this.say('half clone', fault);
    const changed = this.clone.changes();
    if (changed !== '') this.say('half clone', `there are changes of nobody: ${changed}`);
  }

  private expectNoRests(after: string): void {
    for (const name of restsOfClones(this.place.workspace)) this.say('half clone', `${name} after ${after}`);
  }

  private say(kind: Broken['kind'], detail: string): void {
    this.broken.push({ kind, detail: `${this.file}: ${detail}` });
  }
}

/** Given up while nothing could run there: what it has left goes with the next clone, which is looked at then. */
const wasDown = ({ state, steps }: SeenOperation): boolean =>
  state !== 'succeeded' && steps.some(({ failure }) => failure?.code === 'runner_unreachable');

/** Nothing can be done in a sandbox that does not run, nor cloned to where something is: that is seen to, and asked again. */
const decided = ({ failure }: SeenPark): ParkDecision => ({
  decision: HINDRANCES.has(failure.code) ? 'abort' : 'retry',
});
