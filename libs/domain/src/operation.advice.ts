import type { ErrorCode } from './errors.js';
import type { Park } from './operation.js';
import type { StepName } from './operation.plan.js';

/** What a person needs to decide a parked run, the same in our API, in the CLI and in Temporal's Web UI. */
export interface ParkAdvice {
  /** What to look at before deciding. */
  readonly check: string;
  readonly retry: Calls;
  readonly abort: Calls;
}

/** One decision, by each of the ways to send it. */
interface Calls {
  readonly curl: string;
  readonly cli: string;
  readonly temporal: string;
}

const CHECK_BY_CODE: Readonly<Partial<Record<ErrorCode, string>>> = {
  dependency_unavailable: '`berth doctor`: which part does not answer, and since when.',
  host_lost: 'Whether the worker of the host runs and reaches Temporal; nothing is done elsewhere meanwhile.',
  image_missing: '`docker image ls` on the host. Import the image, or retry with `{"image": "…"}`.',
  disk_pressure: 'Free space on the host: `df -h`, `docker system df`.',
  git_auth_failed:
    'The credential: `berth credential list`. Retry with `{"credentialId": "…"}` of one that the remote takes.',
  git_not_found: 'The address of the remote in the repository, and whether the credential may see it.',
  git_non_fast_forward: 'What the remote has: `berth git pull`. Then retry, or retry with `{"branch": "…"}`.',
  git_remote_rejected: 'What the hooks of the remote said above.',
  git_network: 'Whether the sandbox reaches the remote, and whether its certificate is trusted.',
  git_address_refused: 'BERTH_GIT_ALLOWED_NETWORKS of the worker, if the remote is meant to be there.',
  git_too_large: 'BERTH_GIT_BYTES_MAX of the worker; or abort, and clone with `depth` or another `ref`.',
  git_disk_full: 'What fills the workspace: `du`. Free space on the host: `df -h`, `docker system df`.',
  git_timed_out:
    'Whether the remote is slow; or abort, and ask with a longer `timeoutSeconds`, or clone with `depth`.',
  git_busy: 'What else works in the repository: `ps` in the sandbox.',
  workspace_missing:
    'Whether the volume can be brought back. Else retry with `{"workspace": "empty"}`, or abort and restore a snapshot.',
  archive_refused:
    'The words of the refusal: an archive of Berth is never refused, unless it was changed or grew too large.',
  quota_exceeded: 'Delete snapshots of the sandbox that nobody needs.',
  internal: 'The log of the worker at the time of the failure.',
};

const CHECK_BY_STEP: Readonly<Record<StepName, string>> = {
  check_restarts:
    'Why it does not stay up: the failure of the sandbox, `docker logs` of its container. A retry starts it and counts anew.',
  hold_queue: 'Whether Postgres answers.',
  await_execs: 'The execs that still run: cancel them, or retry to wait for them again.',
  end_execs:
    'The execs that still run: cancel them. Whether the runner answers: `docker logs` of the container.',
  withdraw_execs: 'Whether Postgres and Temporal answer.',
  stop_container: '`docker inspect` of the container: does it end when it is stopped by hand?',
  drain_execs: 'The execs that have not ended, and the volume of the spool (`docker volume ls`).',
  record_stopped: 'Whether Postgres answers.',
  prepare_storage: 'Free space of the engine, and whether a volume of that name belongs to somebody else.',
  create_container: '`docker ps -a`: whether a container of that name belongs to somebody else.',
  start_container: 'The words of the engine above; the tier and the runtime of the sandbox.',
  await_runner: '`docker logs` of the container: the platform of the image, and why it ended.',
  await_health:
    'Why the check of the sandbox fails: its words above, `docker logs`, the port it asks. The check can be changed meanwhile.',
  open_queue: 'Whether Postgres and Temporal answer.',
  remove_containers: '`docker ps -a` for the containers of this sandbox: what keeps them?',
  remove_storage: 'Which container still uses the volumes: `docker ps -a --filter volume=…`.',
  clone_repository: 'The words of git above.',
  commit_changes: 'The words of git above: `berth git status`.',
  push_branch: 'The words of git above: `berth git status`.',
  pull_branch: 'The words of git above: `berth git status`.',
  open_pull_request: 'The words of the forge above, and whether the branch was pushed.',
  record_git: 'Whether Postgres answers.',
  record_deleted: 'Whether Postgres answers.',
  write_snapshot: 'Whether object storage answers and has room; whether the workspace can be read.',
  record_done: 'Whether Postgres answers.',
  unpack_snapshot: 'Whether object storage answers, and whether the host has room for a second workspace.',
  switch_workspace: 'Whether Postgres answers.',
  apply_change: 'Whether Postgres answers.',
};

export function parkAdvice(
  operationId: string,
  { step, parkNo, failure }: Pick<Park, 'step' | 'parkNo' | 'failure'>,
): ParkAdvice {
  const decision = JSON.stringify({ step, parkNo });
  const callsOf = (name: 'retry' | 'abort'): Calls => ({
    curl: `curl -X POST -H "X-Admin-Secret: $BERTH_ADMIN_SECRET" -H "Content-Type: application/json" -d '${decision}' $BERTH_URL/v1/operations/${operationId}/${name}`,
    cli: `berth op ${name} ${operationId}`,
    temporal: `temporal workflow signal --workflow-id operation:${operationId} --name ${name} --input '${decision}'`,
  });
  const byCode: Readonly<Record<string, string>> = CHECK_BY_CODE;
  const byStep: Readonly<Record<string, string>> = CHECK_BY_STEP;
  return {
    check: byCode[failure.code] ?? byStep[step] ?? 'The log of the worker at the time of the failure.',
    retry: callsOf('retry'),
    abort: callsOf('abort'),
  };
}
