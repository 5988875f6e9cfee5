import type { Credential } from '#domain';
import { z } from 'zod';
import { links, pageOf, timestamp } from '../http/resources.js';

export const CredentialView = z
  .object({
    id: z.string(),
    owner: z.string(),
    host: z.string(),
    username: z.string(),
    createdAt: timestamp,
    links,
  })
  .meta({ id: 'Credential', description: 'What one host knows somebody by. The secret is never shown.' });

export const CredentialPage = pageOf(CredentialView, 'CredentialPage');

export function credentialView(credential: Credential): z.infer<typeof CredentialView> {
  const { id, ownerId, host, username, createdAt } = credential;
  return { id, owner: ownerId, host, username, createdAt, links: { self: `/v1/credentials/${id}` } };
}
