import { randomUUID } from 'node:crypto';
import { call, run, sandboxOf, type Answer } from '../e2e/api-client.js';
import { asRootInside, gatewayOf } from '../e2e/attacks/inside.js';
import { GIT_HOST, type GitServer } from './git-server.js';

const GIVE_UP_MS = 60_000;

export interface OperationBody {
  readonly id: string;
  readonly state: string;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly park: {
    readonly step: string;
    readonly parkNo: number;
    readonly failure: { readonly code: string };
  } | null;
}

export const AUTHOR = { name: 'Somebody', email: 'somebody@berth.test' };

/** A sandbox that reaches the git server of a test, and all that the API has answered about it. */
export class GitSandbox {
  readonly answers: string[] = [];

  private constructor(
    readonly id: string,
    readonly owner: string,
    private readonly server: GitServer,
  ) {}

  static async of(server: GitServer): Promise<GitSandbox> {
    const owner = `git-${randomUUID().slice(0, 8)}`;
    const id = await sandboxOf(owner);
    await asRootInside(id, `echo '${await gatewayOf(id)} ${GIT_HOST}' >> /etc/hosts`);
    return new GitSandbox(id, owner, server);
  }

  async ask<Body>(method: string, path: string, body?: object): Promise<Answer<Body>> {
    const answer = await call<Body>(method, path, body === undefined ? {} : { body });
    this.answers.push(JSON.stringify(answer.body));
    return answer;
  }

  async credential(secret: string): Promise<string> {
    const body = { owner: this.owner, host: this.server.host, secret };
    return (await this.ask<{ id: string }>('POST', '/v1/credentials', body)).body.id;
  }

  /** The operation when it has ended or waits for a decision, or after `wait` seconds. */
  async git(what: string, body: object, wait = 60): Promise<OperationBody> {
    const path = `/v1/sandboxes/${this.id}/git/${what}?wait=${wait}`;
    const answer = await this.ask<OperationBody>('POST', path, body);
    if (answer.status !== 202) throw new Error(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** A repository on the server, cloned into the sandbox, with something changed in it. */
  async project(name: string, access: object): Promise<OperationBody> {
    this.server.make(`${name}.git`);
    const url = this.server.url(`${name}.git`);
    const cloned = await this.git('clone', { url, path: name, ...access });
    await run(this.id, { command: `echo change > ${name}/new` });
    return cloned;
  }

  async decide(id: string, decision: 'retry' | 'abort' | 'cancel', body: object): Promise<number> {
    return (await this.ask('POST', `/v1/operations/${id}/${decision}`, body)).status;
  }

  /** A parked run ends a wait, so one that was decided is asked for again. */
  async until(id: string, is: (operation: OperationBody) => boolean): Promise<OperationBody> {
    for (const giveUpAt = Date.now() + GIVE_UP_MS; ;) {
      const { body } = await this.ask<OperationBody>('GET', `/v1/operations/${id}?wait=1`);
      if (is(body)) return body;
      if (Date.now() > giveUpAt) throw new Error(`It never came true of ${JSON.stringify(body)}`);
    }
  }
}

export const isIn = (state: string) => (operation: OperationBody) => operation.state === state;
export const isParkedAs = (parkNo: number) => (operation: OperationBody) => operation.park?.parkNo === parkNo;
