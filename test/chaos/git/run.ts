import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { credentialsLeft, filesWith, formsOf, tablesWith } from '../../git/secret-search.js';
import { GIT_HOST, GitServer } from '../../git/git-server.js';
import type { ChaosOptions } from '../arguments.js';
import type { Moment } from '../assault.js';
import type { Broken } from '../broken.js';
import type { Installation } from '../installation.js';
import { Asker, type SeenOperation } from '../lifecycle/asker.js';
import { textOf, until } from '../pause.js';
import { Siege } from '../siege.js';
import { findDisk, type SandboxDisk } from '../witness.js';
import type { GitOperation } from './phases.js';
import { Project } from './project.js';
import { ProcessWatch } from './process-watch.js';
import type { GitResult } from './result.js';
import { watchEndings } from './row-watch.js';
import { keepSignposts } from './signpost.js';

const LANES = 5;
/** The end of a push is the shortest of them, and would hardly ever be met by chance. */
const MOMENTS: readonly Moment[] = [
  { name: 'accepted' },
  { name: 'ended' },
  { name: 'recording', isShort: true },
  { name: 'recording', isShort: true },
];
const ASK_MS = 240_000;
const DISK_WITHIN_MS = 240_000;
const DISK_LOOK_MS = 500;
const READY_WITHIN_MS = 240_000;
/** What came with a request and was left by a crash goes with the next sweep. */
const SWEPT_WITHIN_MS = 180_000;
const SWEPT_LOOK_MS = 3_000;
const USERNAME = 'git';
const RESTART_CHANCE = 0.3;
/** The programs that a kill of a supervisor takes with it. */
const GIT_PROGRAM = /berth-git/;

/** Repositories of a real server are cloned, committed to, pushed and pulled, each lane in a sandbox of its own. */
export class GitRun {
  private readonly siege: Siege;
  private readonly projects: Project[] = [];
  private readonly askers: Asker[] = [];
  private readonly repositories = new Map<string, string>();
  private readonly broken: Broken[] = [];
  private readonly tokens: string[] = [];
  private readonly alive = new Set<string>();
  private arrived = 0;
  private readonly searched = new AbortController();

  constructor(
    options: ChaosOptions,
    private readonly installation: Installation,
    private readonly say: (line: string) => void,
  ) {
    this.siege = new Siege({ ...options, keyPattern: GIT_PROGRAM }, installation, say);
  }

  async run(interruption: AbortSignal): Promise<GitResult> {
    const server = await GitServer.listen();
    const over = new AbortController();
    const { moments, client } = this.siege;
    server.onPush = () => moments.emit('accepted');
    client.onAnswer = (text) => this.expectWithout('an answer of the API', text);
    const signposts = keepSignposts(this.alive, GIT_HOST, over.signal);
    const watch = new ProcessWatch((what, text) => this.expectWithout(what, text));
    const watching = watch.run(over.signal);
    const endings = watchEndings(this.installation.databaseUrl, moments, over.signal);
    try {
      const besieged = {
        lanes: LANES,
        moments: MOMENTS,
        lane: (lane: number, signal: AbortSignal) => this.lane(server, lane, signal),
        broken: () => this.allBroken(),
        seen: () => `${this.operations().length} operations, ${server.pushes.length} pushes`,
      };
      const result = await this.siege.run(besieged, interruption);
      const commits = this.projects.reduce((sum, project) => sum + project.commits, 0);
      const parks = this.askers.reduce((sum, asker) => sum + asker.parks, 0);
      const { pushes } = server;
      return {
        ...result,
        operations: this.operations(),
        pushes,
        parks,
        commits,
        projects: this.projects.length,
      };
    } finally {
      over.abort();
      await Promise.all([signposts, watching, endings]);
      await server.close();
    }
  }

  private async lane(server: GitServer, lane: number, signal: AbortSignal): Promise<void> {
    try {
      await this.work(server, lane, signal);
    } catch (error) {
      this.broken.push({ kind: 'refused', detail: `lane ${lane}: ${textOf(error)}` });
      await this.meet();
    }
  }

  private async work(server: GitServer, lane: number, signal: AbortSignal): Promise<void> {
    const { client, moments, startedAtMs } = this.siege;
    const random = this.siege.random.fork(`lane ${lane}`);
    const owner = `chaos-${startedAtMs.toString(36)}-${lane}`;
    const asker = new Asker({ client, moments, name: owner });
    this.askers.push(asker);
    let sandboxId = '';
    await asker.ask('POST', '/v1/sandboxes', {
      body: { owner },
      onSandbox: (id) => {
        sandboxId = id;
        this.alive.add(id);
        this.siege.add(id);
      },
    });
    const { workspace } = await this.diskOf(sandboxId);
    const accesses = await this.accesses(server, owner);
    for (let number = 1; !signal.aborted; number++) {
      const place = {
        client,
        asker,
        server,
        sandboxId,
        workspace,
        name: `p${lane}-${number}`,
        access: () => random.pick(accesses),
        onOperation: (id: string, repository: string) => void this.repositories.set(id, repository),
      };
      const project = new Project(place, random.fork(`project ${number}`));
      this.projects.push(project);
      await project.run(signal);
      if (random.chance(RESTART_CHANCE)) await asker.ask('POST', `/v1/sandboxes/${sandboxId}/restart`);
    }
    await this.meet();
    this.alive.delete(sandboxId);
    await asker.ask('DELETE', `/v1/sandboxes/${sandboxId}`);
    this.siege.remove(sandboxId);
  }

  /** As a request may be authorised: by what is stored, and by what comes with it. */
  private async accesses(server: GitServer, owner: string): Promise<readonly object[]> {
    const [stored = '', brought = ''] = [0, 1].map(() => `tok-${randomBytes(16).toString('hex')}`);
    this.tokens.push(stored, brought);
    server.tokens.add(stored).add(brought);
    const { status, body } = await this.siege.client.insist(Date.now() + ASK_MS, 'POST', '/v1/credentials', {
      body: { owner, host: server.host, username: USERNAME, secret: stored },
      headers: { 'idempotency-key': `${owner}-credential` },
    });
    if (status >= 300) throw new Error(`POST /v1/credentials answered ${status} ${JSON.stringify(body)}`);
    const credentialId = (body as { id: string }).id;
    return [{ credentialId }, { credential: { host: server.host, username: USERNAME, secret: brought } }];
  }

  private async diskOf(sandboxId: string): Promise<SandboxDisk> {
    let disk: SandboxDisk | undefined;
    const look = async (): Promise<boolean> => {
      disk = await findDisk(this.installation, sandboxId).catch(() => undefined);
      return disk !== undefined;
    };
    if (!(await until(look, DISK_WITHIN_MS, DISK_LOOK_MS)) || disk === undefined)
      throw new Error(`The engine shows no volumes of the sandbox ${sandboxId}.`);
    return disk;
  }

  /** Where all lanes wait for each other, so that secrets are looked for while the sandboxes are still there. */
  private async meet(): Promise<void> {
    this.arrived += 1;
    if (this.arrived < LANES) {
      if (!this.searched.signal.aborted) await once(this.searched.signal, 'abort');
      return;
    }
    try {
      await this.searchSecrets();
    } finally {
      this.searched.abort();
    }
  }

  private async searchSecrets(): Promise<void> {
    const { installation } = this;
    const { databaseUrl, stateDirectory } = installation;
    await until(() => installation.isReady(), READY_WITHIN_MS, DISK_LOOK_MS);
    this.say('Looking for secrets.');
    const forms = this.tokens.flatMap(formsOf);
    const left = async (): Promise<boolean> => (await credentialsLeft(databaseUrl)).length === 0;
    if (!(await until(left, SWEPT_WITHIN_MS, SWEPT_LOOK_MS)))
      this.secret(
        `the database keeps what came with requests: ${(await credentialsLeft(databaseUrl)).join()}`,
      );
    for (const table of await tablesWith(forms, databaseUrl)) this.secret(`a row of ${table}`);
    for (const file of await filesWith(forms, stateDirectory, ['.'])) this.secret(file);
    // A search that finds nothing at all would find no secret either.
    const owners = [`chaos-${this.siege.startedAtMs.toString(36)}`];
    if ((await filesWith(owners, stateDirectory, ['.'])).length === 0)
      this.broken.push({ kind: 'recovery', detail: 'the search for secrets does not find the owners' });
  }

  private expectWithout(what: string, text: string): void {
    for (const token of this.tokens)
      if (formsOf(token).some((form) => text.includes(form))) this.secret(what);
  }

  private secret(where: string): void {
    this.broken.push({ kind: 'secret', detail: where });
  }

  private allBroken(): Broken[] {
    return [this.broken, ...[...this.projects, ...this.askers].map((one) => one.broken)].flat();
  }

  private operations(): GitOperation[] {
    const all: readonly SeenOperation[] = this.askers.flatMap(({ operations }) => [...operations.values()]);
    return all.map((operation) => ({ ...operation, repository: this.repositories.get(operation.id) ?? '' }));
  }
}
