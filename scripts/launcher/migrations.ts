import { join } from 'node:path';
import { plainEnvironment, type LaunchContext } from './context.js';
import { requireTool } from './tool.js';

const TIMEOUT_MS = 5 * 60 * 1000;

/** Brings the database's schema to the version of this checkout. It runs under an advisory lock, so several may do it at once. */
export async function migrate(context: LaunchContext, databaseUrl: string): Promise<void> {
  await context.reporter.step('migrations', async () => {
    await requireTool(process.execPath, [join(context.root, 'dist/apps/worker/src/migrate.js')], {
      cwd: context.root,
      env: { ...plainEnvironment(context.environment), DATABASE_URL: databaseUrl },
      timeoutMs: TIMEOUT_MS,
      signal: context.signal,
      logPath: context.supervisor.logPath('migrate'),
      verbose: context.options.verbose,
    });
    return { verb: 'done', detail: '', value: undefined };
  });
}
