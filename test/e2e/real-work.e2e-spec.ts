import { createHash, randomUUID } from 'node:crypto';
import Docker from 'dockerode';
import { describe, expect, it } from '@jest/globals';
import { runningStack } from '../stack/running-stack.js';
import {
  ensureToolchainImage,
  TOOLCHAIN_BUILD_COMMAND,
  TOOLCHAIN_BUILD_SECONDS,
  TOOLCHAIN_IMAGE,
} from '../stack/images.js';
import { ended, output, sandboxOf, startExec } from './api-client.js';
import { recordSocket } from './socket-reader.js';

const TEST_TIMEOUT_MS = 600_000;
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Follows a command live over a socket to its end, and then reads the same bytes again after a `docker restart` by hand. */
async function followThenReadAgain(sandbox: string, command: string, seconds: number) {
  const { id } = await startExec(sandbox, { command, timeoutSeconds: seconds });
  const recording = await recordSocket(id, seconds);
  const exec = await ended(id);
  await restartByHand(sandbox);
  expect(sha256(await output(id, 'stdout'))).toBe(sha256(recording.stdout));
  expect(sha256(await output(id, 'stderr'))).toBe(sha256(recording.stderr));
  expect(exec.exitRecord).toMatchObject({
    stdoutSha256: sha256(recording.stdout),
    stderrSha256: sha256(recording.stderr),
  });
  return { exec, recording };
}

/** Through Docker itself, as an operator would: Berth is not asked. */
async function restartByHand(sandbox: string): Promise<void> {
  const docker = new Docker({ socketPath: runningStack().dockerHost.replace('unix://', '') });
  const [found] = await docker.listContainers({ filters: { label: [`berth.sandbox=${sandbox}`] } });
  if (!found) throw new Error(`No container of sandbox ${sandbox} runs.`);
  await docker.getContainer(found.Id).restart();
}

describe('real work', () => {
  it(
    'hashes every file of the base image, followed live and read again',
    async () => {
      const sandbox = await sandboxOf(`work-${randomUUID().slice(0, 8)}`);
      const command = 'find / -xdev -type f -print0 2>/dev/null | xargs -0 sha256sum';
      const { recording } = await followThenReadAgain(sandbox, command, 240);
      const lines = recording.stdout.toString().trim().split('\n');
      expect(lines.length).toBeGreaterThan(3_000);
      expect(lines.every((line) => /^\\?[0-9a-f]{64} {2}/.test(line))).toBe(true);
      const after = await ended((await startExec(sandbox, { command: 'echo still here' })).id);
      expect(after).toMatchObject({ state: 'succeeded' });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'builds with a toolchain for at least 30 s, followed live and read again',
    async () => {
      await ensureToolchainImage(runningStack().dockerHost);
      const sandbox = await sandboxOf(`build-${randomUUID().slice(0, 8)}`, TOOLCHAIN_IMAGE);
      const { exec, recording } = await followThenReadAgain(sandbox, TOOLCHAIN_BUILD_COMMAND, 540);
      expect(exec).toMatchObject({ state: 'succeeded', exitCode: 0 });
      expect(Number(exec.exitRecord?.['wallMs'])).toBeGreaterThanOrEqual(TOOLCHAIN_BUILD_SECONDS * 1_000);
      expect(recording.stderr.toString().split('\n').length).toBeGreaterThan(50);
    },
    TEST_TIMEOUT_MS,
  );
});
