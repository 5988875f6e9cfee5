import { gitHostOf, limits } from '#domain';
import { z } from 'zod';
import { idText, nameText, pageQuery } from '../http/inputs.js';

const HOST_LENGTH_MAX = 260;
/** It stands before a colon and in one header. */
const USERNAME = /^[\x21-\x39\x3b-\x7e]+$/;
const SECRET = /^[\x21-\x7e]+$/;

export const HostText = z
  .string()
  .min(1)
  .max(HOST_LENGTH_MAX)
  .transform((host) => gitHostOf(host) ?? '')
  .refine((host) => host !== '', { error: 'must be a host, with its port where that is not 443' })
  .meta({ examples: ['git.example.org'] });

export const CredentialUsername = z
  .string()
  .min(1)
  .max(limits.CREDENTIAL_USERNAME_LENGTH_MAX)
  .regex(USERNAME, { error: 'must be printable ASCII without spaces and colons' })
  .meta({ description: 'By default `git`, which is enough where the secret is a token.' });

export const CredentialSecret = z
  .string()
  .min(1)
  .max(limits.CREDENTIAL_SECRET_LENGTH_MAX)
  .regex(SECRET, { error: 'must be printable ASCII without spaces' })
  .meta({ description: 'A token or a password. It is never shown again.', writeOnly: true });

export const CredentialBody = z
  .strictObject({
    owner: nameText,
    host: HostText,
    username: CredentialUsername.optional(),
    secret: CredentialSecret,
  })
  .meta({ id: 'CredentialRequest' });
export type CredentialBody = z.infer<typeof CredentialBody>;

export const CredentialParams = z.strictObject({ credentialId: idText });
export const CredentialsQuery = z.strictObject({ ...pageQuery, owner: nameText.optional() });
export type CredentialsQuery = z.infer<typeof CredentialsQuery>;
