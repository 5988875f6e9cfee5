import {
  createExecActivities,
  createGitActivities,
  createHostActivities,
  ExecInput,
  ExecSupervisor,
  FileVisits,
  GitLooks,
  HealthWatch,
  HostPresence,
  SandboxObserver,
} from '#activities';
import type { Logger } from 'pino';
import { hostId as parseHostId, type HostServices, type ObjectStore } from '#domain';
import { DockerEngine } from '#docker';
import { StreamServer } from '#stream';
import { V8Buffers } from '#v8';
import type { WorkerConfig } from './config.js';
import { readGitSettings } from './git-settings.js';
import type { Stores } from './stores.js';
import type { TemporalWorkflowRuns } from '#temporal';

/** Of a heap of 40 MiB: what output and its sealing leave behind until it is collected. */
const HEAP_GROWTH_PERCENT = 100;

/** The parts of a machine with a Docker engine: its Activities, and what goes on in the background. */
export interface HostRole {
  readonly activities: ReturnType<typeof createHostActivities> & ReturnType<typeof createGitActivities>;
  readonly execActivities: ReturnType<typeof createExecActivities>;
  /** Adopts live execs and begins to watch the engine. */
  start(): Promise<void>;
  /** Detaches from commands, which go on. */
  stop(): Promise<void>;
}

export function createHostRole(
  config: WorkerConfig,
  stores: Stores,
  objects: ObjectStore,
  runs: TemporalWorkflowRuns,
  log: Logger,
): HostRole {
  const hostId = parseHostId(config.BERTH_HOST_ID);
  const engine = new DockerEngine({
    instanceId: config.BERTH_INSTANCE_ID,
    hostId,
    dockerHost: config.DOCKER_HOST,
    runnerDir: config.BERTH_RUNNER_DIR,
    baseImage: config.BERTH_BASE_IMAGE,
    ...(config.BERTH_CONTAINER_RUNTIME ? { runtime: config.BERTH_CONTAINER_RUNTIME } : {}),
  });
  const { sandboxes, execs, hosts, wake } = stores;
  const buffers = new V8Buffers(HEAP_GROWTH_PERCENT);
  const supervisor = new ExecSupervisor({ execs, sandboxes, engine, signaller: runs, buffers, log }, hostId);
  let stream: StreamServer | undefined;
  let presence: HostPresence | undefined;
  const observer = new SandboxObserver(
    {
      sandboxes,
      engine,
      wake,
      log,
      onRunning: (sandbox) => supervisor.continueQueue(sandbox.id),
    },
    hostId,
  );
  const gitSettings = readGitSettings(config);
  const health = new HealthWatch({ sandboxes, engine, wake, log }, hostId);
  return {
    activities: {
      ...createHostActivities({ ...stores, objects, engine, supervisor, log }, hostId),
      ...createGitActivities({ ...stores, engine, log, settings: gitSettings }),
    },
    execActivities: createExecActivities({ execs, supervisor }, hostId),
    async start() {
      const adopted = await supervisor.adopt();
      stream = await StreamServer.listen({
        address: config.BERTH_STREAM_ADDRESS,
        port: config.BERTH_STREAM_PORT,
        adminSecret: config.BERTH_ADMIN_SECRET,
        services: servicesOf(
          supervisor,
          new ExecInput({ execs, engine, buffers }),
          new GitLooks({ sandboxes, engine, log }, gitSettings),
          new FileVisits({ sandboxes, engine, log }),
        ),
        log,
      });
      presence = new HostPresence({ hosts, engine, log }, hostId, stream.address);
      observer.start();
      health.start();
      await presence.start();
      log.info({ hostId, adopted, streamAddress: stream.address }, 'The host role is up.');
    },
    async stop() {
      presence?.stop();
      await stream?.close();
      await Promise.all([observer.stop(), health.stop()]);
      await supervisor.detachAll();
      await engine.close();
    },
  };
}

/** What the API may ask of this host at once. */
function servicesOf(
  supervisor: ExecSupervisor,
  input: ExecInput,
  looks: GitLooks,
  files: FileVisits,
): HostServices {
  return {
    hurry: (ids) => supervisor.hurry(ids),
    writeStdin: (id, piece) => input.writeStdin(id, piece),
    signal: (id, signal) => input.signal(id, signal),
    resize: (id, resize) => input.resize(id, resize),
    git: (id, request) => looks.look(id, request),
    files,
    watchCommitted: (id, watcher) => supervisor.watchCommitted(id, watcher),
  };
}
