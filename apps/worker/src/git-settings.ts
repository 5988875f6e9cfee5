import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { GitSettings } from '#activities';
import { limits } from '#domain';
import { ConfigError, type WorkerConfig } from './config.js';

type GitConfig = Pick<
  WorkerConfig,
  'BERTH_GIT_CA_FILE' | 'BERTH_GIT_ALLOWED_NETWORKS' | 'BERTH_GIT_BYTES_MAX'
>;

/** How remotes may be reached. What git could not work with stops the worker here, and not each operation later. */
export function readGitSettings({
  BERTH_GIT_CA_FILE: file,
  BERTH_GIT_ALLOWED_NETWORKS: allowedNetworks,
  BERTH_GIT_BYTES_MAX: bytesMax,
}: GitConfig): GitSettings {
  return { allowedNetworks, bytesMax, certificates: file === undefined ? '' : certificatesIn(file) };
}

/** They travel with each request to the program in the sandbox, so they are bounded as they are written there. */
function certificatesIn(file: string): string {
  const text = readable(file);
  const bytes = Buffer.byteLength(JSON.stringify(text));
  if (bytes > limits.GIT_CERTIFICATES_BYTES_MAX) {
    throw new ConfigError(
      `BERTH_GIT_CA_FILE is too large: ${bytes} bytes as JSON, and ${limits.GIT_CERTIFICATES_BYTES_MAX} may be. ` +
        'Leave out of it what no git remote has a certificate of.',
    );
  }
  return text;
}

function readable(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    // The first is enough to see that it is PEM.
    new X509Certificate(text);
    return text;
  } catch (error) {
    throw new ConfigError(`BERTH_GIT_CA_FILE cannot be read as certificates in PEM: ${String(error)}`);
  }
}
