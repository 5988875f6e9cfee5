import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cache } from './cache.js';
import { requireGo } from './executables.js';
import type { SayProgress } from './reporter.js';
import { requireTool } from './tool.js';

const BUILD_TIMEOUT_MS = 30 * 60 * 1000;

/** A program that is built from a Go module of ours, tools/{name}, whose go.sum pins every source. */
export interface GoTool {
  readonly name: 'temporal' | 'minio' | 'compose';
  readonly version: string;
  readonly package: string;
  readonly linkerFlags: string;
}

export const TEMPORAL_TOOL: GoTool = {
  name: 'temporal',
  version: '1.8.2',
  package: 'github.com/temporalio/cli/cmd/temporal',
  linkerFlags: '-s -w -X github.com/temporalio/cli/internal/temporalcli.Version=1.8.2',
};

export const MINIO_TOOL: GoTool = {
  name: 'minio',
  version: '20260212',
  package: 'github.com/minio/minio',
  linkerFlags: '-s -w',
};

/** Checks compose files where Docker comes without its compose plugin. */
export const COMPOSE_TOOL: GoTool = {
  name: 'compose',
  version: '2.10.1',
  package: 'github.com/compose-spec/compose-go/v2/cmd',
  linkerFlags: '-s -w',
};

export interface BuildPlace {
  readonly root: string;
  readonly cache: Cache;
  readonly logDirectory: string;
  readonly verbose: boolean;
  readonly signal: AbortSignal;
}

export async function findBuiltTool(tool: GoTool, place: BuildPlace): Promise<string | undefined> {
  const directory = await place.cache.find(tool.name, cacheKey(tool, place.root), [tool.name]);
  return directory === undefined ? undefined : join(directory, tool.name);
}

/** Builds the tool into the cache. It takes minutes on a machine that has none of the sources yet. */
export async function buildTool(tool: GoTool, place: BuildPlace, say: SayProgress): Promise<string> {
  const go = await requireGo(`${tool.name} ${tool.version}`);
  mkdirSync(place.logDirectory, { recursive: true });
  say(`building ${tool.name} ${tool.version} from source, once; this takes a few minutes`);
  const directory = await place.cache.create(
    tool.name,
    cacheKey(tool, place.root),
    [tool.name],
    async (aside) => {
      const args = [
        'build',
        '-mod=readonly',
        '-trimpath',
        `-ldflags=${tool.linkerFlags}`,
        '-o',
        join(aside, tool.name),
      ];
      await requireTool(go, [...args, tool.package], {
        cwd: join(place.root, 'tools', tool.name),
        env: { ...process.env, GOFLAGS: '-buildvcs=false' },
        timeoutMs: BUILD_TIMEOUT_MS,
        signal: place.signal,
        logPath: join(place.logDirectory, `build-${tool.name}.log`),
        verbose: place.verbose,
      });
    },
  );
  return join(directory, tool.name);
}

function cacheKey(tool: GoTool, root: string): string {
  const hash = createHash('sha256').update(tool.linkerFlags);
  for (const file of ['go.mod', 'go.sum']) {
    const path = join(root, 'tools', tool.name, file);
    if (existsSync(path)) hash.update(readFileSync(path));
  }
  return `${tool.version}-${process.platform}-${process.arch}-${hash.digest('hex').slice(0, 12)}`;
}
