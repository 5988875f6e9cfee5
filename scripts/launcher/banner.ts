import type { LaunchContext } from './context.js';
import type { Infrastructure } from './infrastructure.js';

export function printInfraBanner(context: LaunchContext, infrastructure: Infrastructure): void {
  const { reporter, state } = context;
  reporter.line();
  reporter.line('The components run, without worker and API.');
  reporter.line(`  Docker         ${infrastructure.dockerHost}`);
  reporter.line(`  Postgres       ${infrastructure.databaseUrl}`);
  reporter.line(
    `  Temporal       ${infrastructure.temporal.address}   ${infrastructure.temporal.uiUrl ?? ''}`,
  );
  reporter.line(`  S3             ${infrastructure.objectStorage.endpoint} (keys in ${state.secretsFile})`);
  reporter.line('Ctrl+C ends them; the Docker engine goes on.');
}

export function printBanner(context: LaunchContext, infrastructure: Infrastructure, apiUrl: string): void {
  const { reporter, state } = context;
  const secret = `$(node -p "require('${state.secretsFile}').adminSecret")`;
  reporter.line();
  reporter.line('Berth runs.');
  reporter.line(`  API            ${apiUrl}   OpenAPI at ${apiUrl}/openapi.json, health at ${apiUrl}/health`);
  if (infrastructure.temporal.uiUrl !== undefined) {
    reporter.line(`  Temporal       ${infrastructure.temporal.uiUrl}`);
  }
  reporter.line(`  State          ${state.root} (logs in ${state.logs})`);
  reporter.line(`  Admin secret   adminSecret in ${state.secretsFile}`);
  reporter.line();
  reporter.line('The next command:');
  reporter.line(`  curl -X POST -H "X-Admin-Secret: ${secret}" -H "Content-Type: application/json" \\`);
  reporter.line(`       -d '{"command":"uname -a"}' ${apiUrl}/api/super/users/demo/exec`);
  reporter.line();
  reporter.line(
    'Ctrl+C ends Berth; sandboxes and their commands go on, and the next npm start finds them again.',
  );
  reporter.line('npm run stop -- --all ends those, too.');
}
