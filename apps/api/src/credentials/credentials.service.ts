import { Inject, Injectable } from '@nestjs/common';
import {
  credentialId,
  DomainError,
  limits,
  ownerId,
  parseCredentialId,
  type Credential,
  type CredentialStore,
  type IdempotencyStore,
  type Page,
} from '#domain';
import type { Call } from '../http/call.js';
import { present } from '../http/inputs.js';
import { idFor, requestHashOf } from '../http/request-identity.js';
import { CREDENTIAL_STORE, IDEMPOTENCY_STORE } from '../tokens.js';
import type { CredentialBody, CredentialsQuery } from './credential.input.js';

const USERNAME_DEFAULT = 'git';

@Injectable()
export class CredentialsService {
  constructor(
    @Inject(CREDENTIAL_STORE) private readonly credentials: CredentialStore,
    @Inject(IDEMPOTENCY_STORE) private readonly keys: IdempotencyStore,
  ) {}

  async create(call: Call, { owner, host, username, secret }: CredentialBody): Promise<Credential> {
    const { tenantId } = call.principal;
    const id = credentialId(idFor(call, 'credential'));
    const credential = {
      id,
      tenantId,
      ownerId: ownerId(owner),
      host,
      username: username ?? USERNAME_DEFAULT,
    };
    if (call.idempotencyKey !== undefined) {
      // The secret stays out of what is compared: a hash of it would be something to try guesses on.
      const requestHash = requestHashOf(credential);
      const key = { tenantId, ownerId: credential.ownerId, keyId: id, requestHash, resourceId: id };
      await this.keys.remember(key);
    }
    return (await this.credentials.create({ ...credential, secret, operationId: null })).row;
  }

  async list(call: Call, { owner, limit, cursor }: CredentialsQuery): Promise<Page<Credential>> {
    return await this.credentials.list(call.principal.tenantId, {
      ...present({ ownerId: owner === undefined ? undefined : ownerId(owner), cursor }),
      limit: limit ?? limits.PAGE_SIZE_DEFAULT,
    });
  }

  async get(call: Call, text: string): Promise<Credential> {
    const id = parseCredentialId(text);
    const found = id && (await this.credentials.find(call.principal.tenantId, id));
    if (!found || found.operationId !== null) throw noSuchCredential();
    return found;
  }

  async remove(call: Call, text: string): Promise<Credential> {
    const credential = await this.get(call, text);
    if (await this.credentials.remove(call.principal.tenantId, credential.id)) return credential;
    throw noSuchCredential();
  }
}

const noSuchCredential = (): DomainError => new DomainError('not_found', 'There is no such credential.');
