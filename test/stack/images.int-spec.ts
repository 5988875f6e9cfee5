import { importClient } from '../../scripts/launcher/engine-client.js';
import {
  ensureShellLessImages,
  ensureToolchainImage,
  SHELL_LESS_IMAGE,
  SHELL_LESS_USER,
  SHELL_LESS_USER_IMAGE,
  TOOLCHAIN_IMAGE,
} from './images.js';
import { runningStack } from './running-stack.js';

const IMAGE_TIMEOUT_MS = 180_000;

describe('the images of the tests', () => {
  const { dockerHost } = runningStack();

  it(
    'include two without a shell, of which one names a user',
    async () => {
      await ensureShellLessImages(dockerHost);
      expect(await run(SHELL_LESS_IMAGE, ['/probe', 'echo', 'hello'])).toBe('hello\n');
      expect(await run(SHELL_LESS_USER_IMAGE, ['/probe', 'id'])).toBe(`${SHELL_LESS_USER}\n`);
    },
    IMAGE_TIMEOUT_MS,
  );

  it(
    'include one with a compiler',
    async () => {
      await ensureToolchainImage(dockerHost);
      expect(await run(TOOLCHAIN_IMAGE, ['go', 'version'])).toMatch(/^go version go1\./);
    },
    IMAGE_TIMEOUT_MS,
  );

  async function run(image: string, command: string[]): Promise<string> {
    const docker = importClient(dockerHost);
    const container = await docker.createContainer({
      Image: image,
      Cmd: command,
      Tty: true,
      NetworkDisabled: true,
    });
    try {
      await container.start();
      await container.wait();
      const output = await container.logs({ stdout: true, stderr: true });
      return output.toString('utf8').replaceAll('\r\n', '\n');
    } finally {
      await container.remove({ force: true });
    }
  }
});
