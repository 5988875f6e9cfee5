import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from './installation.js';
import type { Target } from './injury.js';
import { pause, textOf, until } from './pause.js';
import { send, startTimeOf } from './processes.js';
import { run, works } from './tools.js';

/** A connection that is opened while its line is cut is cut, too, within this time. */
const LOOK_INTERVAL_MS = 200;
const LEAVE_WITHIN_MS = 30_000;
/** Of net_cls: the number by which iptables knows the packets of a group of processes. */
const CLASS_ID_FIRST = 0x00be_0001;

type Link = { readonly from: string } & (
  | { readonly kind: 'tcp'; readonly port: (installation: Installation) => number }
  | { readonly kind: 'postgres' }
);

const LINKS: Partial<Record<Target, Link>> = {
  'api-postgres': { from: 'api', kind: 'postgres' },
  'worker-postgres': { from: 'worker', kind: 'postgres' },
  'api-temporal': { from: 'api', kind: 'tcp', port: ({ temporalPort }) => temporalPort },
  'worker-temporal': { from: 'worker', kind: 'tcp', port: ({ temporalPort }) => temporalPort },
  'worker-minio': { from: 'worker', kind: 'tcp', port: ({ objectStoragePort }) => objectStoragePort },
};

/** A cut that has begun. */
export interface Cut {
  readonly detail: string;
  /** Lets everything through again, after the time or at once when told to be quick. */
  readonly healed: Promise<void>;
}

/**
 * Cuts the line between two parts while both live on. To Postgres it is a Unix socket, so the server processes at its
 * other end are stopped, also those of new connections. To the others it is TCP, and every packet of the one part to the
 * other is dropped, in a network namespace of our own.
 */
export class Cuts {
  private classId = CLASS_ID_FIRST;

  private constructor(
    private readonly installation: Installation,
    private readonly groups: string | undefined,
    private readonly seesSockets: boolean,
  ) {}

  static open(installation: Installation): Cuts {
    const groups = installation.isInOwnNetwork ? mountGroups(installation) : undefined;
    return new Cuts(installation, groups, works('ss', ['-Hx']));
  }

  /** What can be cut here. Packets can be dropped only where the network is our own and the kernel tells groups apart. */
  get targets(): Target[] {
    return (Object.keys(LINKS) as Target[]).filter((target) =>
      LINKS[target]?.kind === 'postgres' ? this.seesSockets : this.groups !== undefined,
    );
  }

  begin(target: Target, forMs: number, quick: AbortSignal): Cut | undefined {
    const link = LINKS[target];
    const pid = link === undefined ? undefined : this.installation.pidOf(link.from);
    if (link === undefined || pid === undefined) return undefined;
    const detail = `process ${pid}`;
    if (link.kind === 'postgres') return { detail, healed: this.cutPostgres(pid, forMs, quick) };
    return { detail, healed: this.cutTcp(pid, link.port(this.installation), forMs, quick) };
  }

  private async cutPostgres(pid: number, forMs: number, quick: AbortSignal): Promise<void> {
    const frozen = new Map<number, string | undefined>();
    const healAt = performance.now() + forMs;
    try {
      while (performance.now() < healAt && !quick.aborted) {
        for (const server of serversOf(pid)) {
          if (frozen.has(server)) continue;
          frozen.set(server, startTimeOf(server));
          send(server, 'SIGSTOP');
        }
        await pause(LOOK_INTERVAL_MS, quick);
      }
    } finally {
      for (const [server, startTime] of frozen) {
        if (startTime !== undefined && startTimeOf(server) === startTime) send(server, 'SIGCONT');
      }
    }
  }

  private async cutTcp(pid: number, port: number, forMs: number, quick: AbortSignal): Promise<void> {
    const classId = this.classId++;
    // The groups are those of the whole machine, and another run may be under way on it.
    const group = join(this.groups ?? '', `berth-chaos-${process.pid}-${classId}`);
    mkdirSync(group);
    writeFileSync(join(group, 'net_cls.classid'), String(classId));
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
    const rule = [
      'OUTPUT',
      '-p',
      'tcp',
      '--dport',
      String(port),
      '-m',
      'cgroup',
      '--cgroup',
      String(classId),
    ];
    run('iptables', ['-w', '-I', ...rule, '-j', 'DROP']);
    try {
      await pause(forMs, quick);
    } finally {
      run('iptables', ['-w', '-D', ...rule, '-j', 'DROP']);
      await leave(group, join(this.groups ?? '', 'cgroup.procs'));
    }
  }
}

/** Undefined where this kernel, or this container, does not allow it. */
function mountGroups({ stateDirectory }: Installation): string | undefined {
  const directory = join(stateDirectory, 'net_cls');
  mkdirSync(directory, { recursive: true });
  try {
    run('iptables', ['-w', '-L', 'OUTPUT', '-n']);
    if (!existsSync(join(directory, 'net_cls.classid')))
      run('mount', ['-t', 'cgroup', '-o', 'net_cls', 'net_cls', directory]);
    return directory;
  } catch (error) {
    process.stderr.write(`Lines over TCP are not cut: ${textOf(error)}\n`);
    return undefined;
  }
}

/** Whoever is still in the group, also children that were born in it, goes back to where everybody is. */
async function leave(group: string, home: string): Promise<void> {
  const isGone = await until(() => leaveOnce(group, home), LEAVE_WITHIN_MS, LOOK_INTERVAL_MS);
  if (!isGone) throw new Error(`${group} is still in use after ${LEAVE_WITHIN_MS / 1_000} s.`);
}

/** A process that was killed is in its group until its parent has taken notice of that. */
function leaveOnce(group: string, home: string): boolean {
  for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
    unless('ESRCH', () => writeFileSync(home, pid));
  }
  return unless('EBUSY', () => rmdirSync(group));
}

/** False where it failed in just this way. */
function unless(code: string, work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
    return false;
  }
}

/** The server processes of Postgres at the other ends of a process's Unix sockets. */
function serversOf(pid: number): number[] {
  const sockets = run('ss', ['-Hxpn'])
    .split('\n')
    .map((line) => /(\d+)\s+\S+\s+(\d+)\s+users:\((.*)\)/.exec(line))
    .filter((match) => match !== null)
    .map(([, inode = '', peer = '', users = '']) => ({ inode, peer, users }));
  const ours = new Set(
    sockets.filter(({ users }) => users.includes(`pid=${pid},`)).map(({ inode }) => inode),
  );
  return sockets
    .filter(({ peer, users }) => ours.has(peer) && users.includes('"postgres"'))
    .map(({ users }) => Number(/pid=(\d+)/.exec(users)?.[1]));
}
