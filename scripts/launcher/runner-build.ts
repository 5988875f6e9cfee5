import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LaunchContext } from './context.js';
import { requireGo } from './executables.js';
import type { SayProgress, StepResult } from './reporter.js';
import { requireTool } from './tool.js';

const BUILD_TIMEOUT_MS = 5 * 60 * 1000;
const ARCHITECTURES = ['amd64', 'arm64'] as const;
const PROGRAMS = ['runner', 'berth-git', 'berth-file'] as const;
const BUILDS = PROGRAMS.flatMap((program) =>
  ARCHITECTURES.map((architecture) => ({ program, architecture })),
);
const FILES = BUILDS.map(({ program, architecture }) => `${program}-linux-${architecture}`);

export type RunnerBuildPlace = Pick<LaunchContext, 'root' | 'cache' | 'state' | 'signal' | 'options'>;

/** Builds the in-sandbox programs for both architectures, or finds it in the cache under the hash of its sources. */
export async function buildRunner(place: RunnerBuildPlace, say: SayProgress): Promise<StepResult<string>> {
  const sources = join(place.root, 'runner');
  const version = hashSources(sources);
  const found = await place.cache.find('runner', version, FILES);
  if (found !== undefined) return { verb: 'found', detail: version, value: found };
  const go = await requireGo('the runner, the program inside each sandbox');
  const directory = await place.cache.create('runner', version, FILES, async (aside) => {
    for (const { program, architecture } of BUILDS) {
      say(`building ${program} for linux/${architecture}`);
      const flags = ['-trimpath', '-ldflags', `-s -w -X main.version=${version}`];
      await requireTool(
        go,
        ['build', ...flags, '-o', join(aside, `${program}-linux-${architecture}`), `./cmd/${program}`],
        {
          cwd: sources,
          env: {
            ...process.env,
            CGO_ENABLED: '0',
            GOOS: 'linux',
            GOARCH: architecture,
            GOFLAGS: '-buildvcs=false',
          },
          timeoutMs: BUILD_TIMEOUT_MS,
          signal: place.signal,
          logPath: join(place.state.logs, 'build-runner.log'),
          verbose: place.options.verbose,
        },
      );
    }
  });
  return { verb: 'built', detail: version, value: directory };
}

function hashSources(directory: string): string {
  const hash = createHash('sha256');
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  for (const name of names) {
    if (!/\.(go|mod|sum)$/.test(name) || name.endsWith('_test.go')) continue;
    hash.update(`${name}\0`).update(readFileSync(join(directory, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
