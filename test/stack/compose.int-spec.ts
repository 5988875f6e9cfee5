import { resolve } from 'node:path';
import { Cache } from '../../scripts/launcher/cache.js';
import { findExecutable } from '../../scripts/launcher/executables.js';
import { buildTool, COMPOSE_TOOL, findBuiltTool } from '../../scripts/launcher/go-tools.js';
import { layOutState } from '../../scripts/launcher/state-directory.js';
import { runTool, type ToolResult } from '../../scripts/launcher/tool.js';
import { testStateDir } from './running-stack.js';

const ROOT = resolve(import.meta.dirname, '../..');
const FILE = 'docker-compose.temporal.yml';
const COMMAND_TIMEOUT_MS = 120_000;
const TEST_TIMEOUT_MS = 300_000;

describe('the compose file', () => {
  it(
    'is accepted by docker compose config, with nothing set in the environment',
    async () => {
      const result = await checkFile(FILE);
      expect(result.stderr).toBe('');
      expect(result.code).toBe(0);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'would be refused with a mistake in it',
    async () => {
      expect((await checkFile('package.json')).code).not.toBe(0);
    },
    TEST_TIMEOUT_MS,
  );

  /** Where Docker comes without the compose plugin, by the library that the plugin loads its files with. */
  async function checkFile(file: string): Promise<ToolResult> {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] };
    const options = { cwd: ROOT, env, timeoutMs: COMMAND_TIMEOUT_MS };
    const docker = findExecutable('docker');
    if (docker !== undefined && (await runTool(docker, ['compose', 'version'], options)).code === 0) {
      return runTool(docker, ['compose', '-f', file, 'config', '-q'], options);
    }
    return runTool(await composeLoader(), [file], options);
  }

  async function composeLoader(): Promise<string> {
    const place = {
      root: ROOT,
      cache: Cache.fromEnvironment(process.env),
      logDirectory: layOutState(testStateDir(), ROOT).logs,
      verbose: false,
      signal: new AbortController().signal,
    };
    return (await findBuiltTool(COMPOSE_TOOL, place)) ?? buildTool(COMPOSE_TOOL, place, () => undefined);
  }
});
