import { Inject, Injectable } from '@nestjs/common';
import {
  credentialId,
  gitHostOf,
  operationId,
  parseCredentialId,
  type CredentialId,
  type CredentialStore,
  type GitKind,
  type GitLook,
  type GitOptions,
  type HostLink,
  type Operation,
  type OperationId,
  type Sandbox,
} from '#domain';
import type { z } from 'zod';
import type { Call } from '../http/call.js';
import { present } from '../http/inputs.js';
import { InvalidInputError } from '../http/problem.js';
import { idFor, idFrom } from '../http/request-identity.js';
import { SandboxOperationsService } from '../sandboxes/sandbox-operations.service.js';
import { SandboxStarter } from '../sandboxes/sandbox-starter.js';
import { CREDENTIAL_STORE, HOST_LINK } from '../tokens.js';
import type { GitBody } from './git.input.js';
import { seenAs, seenResult } from './git.view.js';

const USERNAME_DEFAULT = 'git';

/** What is done with a repository in a sandbox: slow things as operations, looks at once through the host. */
@Injectable()
export class GitService {
  constructor(
    @Inject(CREDENTIAL_STORE) private readonly credentials: CredentialStore,
    @Inject(SandboxStarter) private readonly sandboxes: SandboxStarter,
    @Inject(SandboxOperationsService) private readonly operations: SandboxOperationsService,
    @Inject(HOST_LINK) private readonly host: HostLink,
  ) {}

  async request(
    call: Call,
    sandbox: string,
    kind: GitKind,
    body: GitBody,
    wait?: number,
  ): Promise<Operation> {
    const found = await this.sandboxes.find(call, sandbox);
    const id = operationId(idFor(call, 'operation'));
    const { credential: _keptApart, credentialId: named, ...rest } = body;
    const kept = await this.keepCredential(found, id, body);
    const used =
      kept?.id ?? (named === undefined ? undefined : await this.namedCredential(call, found, named));
    const git: GitOptions = present({ ...rest, credentialId: used });
    try {
      const asked = { kind, options: { git } };
      const { operation } = await this.operations.requestOn(call, found, asked, { wait, id });
      if (operation === null) throw new TypeError(`A ${kind} is never so already.`);
      if (kept?.created === true && operation.id !== id) await this.credentials.removeUnused(id);
      return operation;
    } catch (error) {
      if (kept?.created === true) await this.credentials.removeUnused(id);
      throw error;
    }
  }

  async look(call: Call, sandbox: string, request: GitLook): Promise<z.infer<typeof seenResult>> {
    const { id, hostId } = await this.sandboxes.find(call, sandbox);
    return seenAs(seenResult, await this.host.git(hostId, id, request));
  }

  async changeBranch(
    call: Call,
    sandbox: string,
    asked: { path: string; branch: string; create?: boolean; from?: string; switch?: boolean },
  ): Promise<{ branch: string; commit?: string }> {
    const { path, branch, from } = asked;
    const about = present({ path, branch, from });
    const created = asked.create ? await this.look(call, sandbox, { action: 'create', ...about }) : undefined;
    const gone = asked.switch
      ? await this.look(call, sandbox, { action: 'switch', path, branch })
      : undefined;
    const { commit } = gone ?? created ?? {};
    return { branch, ...(commit === undefined ? {} : { commit }) };
  }

  /** Before the row of its operation, which names it; the sweep removes one whose operation never came to be. */
  private async keepCredential(
    { tenantId, ownerId }: Sandbox,
    id: OperationId,
    { credential, url }: GitBody,
  ): Promise<{ readonly id: CredentialId; readonly created: boolean } | undefined> {
    if (credential === undefined) return undefined;
    const host = credential.host ?? (url === undefined ? undefined : gitHostOf(new URL(url).host));
    if (host === undefined) {
      throw new InvalidInputError('The credential does not say which host it is for.', [
        { pointer: '/credential/host', message: 'is needed where there is no `url`' },
      ]);
    }
    const { created, row } = await this.credentials.create({
      id: credentialId(idFrom(`credential of ${id}`)),
      tenantId,
      ownerId,
      host,
      username: credential.username ?? USERNAME_DEFAULT,
      secret: credential.secret,
      operationId: id,
    });
    return { id: row.id, created };
  }

  async namedCredential(
    call: Call,
    { ownerId }: Pick<Sandbox, 'ownerId'>,
    text: string,
  ): Promise<CredentialId> {
    const id = parseCredentialId(text);
    const found = id && (await this.credentials.find(call.principal.tenantId, id));
    if (found && found.operationId === null && found.ownerId === ownerId) return found.id;
    throw new InvalidInputError('There is no such credential.', [
      { pointer: '/credentialId', message: 'is none of the owner of this sandbox' },
    ]);
  }
}
