import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { call, ended, output, run, sandboxOf, startExec, type ExecBody } from '../api-client.js';
import { untilOutput } from '../exec-waits.js';
import { pidOf } from '../processes.js';
import { until } from '../until.js';
import { asRootInside, environmentsOfRunners, killContainer } from './inside.js';
import { Steadiness } from './api-process.js';

const TEST_TIMEOUT_MS = 180_000;
/** Prints a line, then waits for a file, so that a test can act in between. */
const WAITING = 'echo before; while [ ! -e go ]; do sleep 0.05; done; echo after; rm go; exit 3';

const KILL_SUPERVISORS = `kill -9 $(grep -la 'runner.supervise' /proc/[0-9]*/cmdline | cut -d/ -f3); true`;

let sandbox: string;
let neighbour: string;

beforeAll(async () => {
  sandbox = await sandboxOf(`intruder-${randomUUID().slice(0, 8)}`);
  neighbour = await sandboxOf(`intruded-${randomUUID().slice(0, 8)}`);
}, TEST_TIMEOUT_MS);

async function waiting(): Promise<ExecBody> {
  const exec = await startExec(sandbox, { command: WAITING });
  await untilOutput(exec.id, 'before\n');
  return exec;
}

function forgedRecord(execId: string): string {
  const at = '2026-01-01T00:00:00.000000Z';
  const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  return JSON.stringify({
    execId,
    protocol: 2,
    exitCode: 0,
    signal: null,
    reason: 'exited',
    startedAt: at,
    finishedAt: at,
    wallMs: 1,
    stdoutBytes: 9,
    stderrBytes: 0,
    stdoutSha256: sha256,
    stderrSha256: sha256,
    endPosition: 999,
    descendantsKilled: 0,
    descendantsLeft: 0,
    hadToKill: false,
    oomKills: 0,
    outputHeldOpen: false,
    outputTruncated: false,
    selfReported: false,
    usage: { userMs: 0, systemMs: 0, maxRssBytes: 0 },
  });
}

async function bothWork(): Promise<void> {
  for (const one of [sandbox, neighbour]) {
    const exec = await run(one, { command: 'echo alive' });
    expect((await output(exec.id)).toString()).toBe('alive\n');
  }
}

describe('a command that attacks its runner', () => {
  it(
    'may do nothing: not end it, not read or change its files, not speak with it',
    async () => {
      const before = await waiting();
      const attempts = [
        'kill -9 1',
        'kill -9 $PPID',
        'ls /berth/spool',
        'rm -rf /berth/spool/execs',
        'ln -s /etc/passwd /berth/spool/x',
        'dd if=/dev/zero of=/berth/spool/fill bs=1M count=1',
        'echo x > /berth/bin/runner',
        'cp /bin/true /berth/bin/runner',
        'cat /proc/1/environ',
        'cat /proc/$PPID/environ',
        'ls /proc/$PPID/fd',
        'echo 1 > /proc/1/oom_score_adj',
        'mount -t tmpfs none /berth/spool',
        'perl -MIO::Socket::UNIX -e \'IO::Socket::UNIX->new("/berth/spool/runner.sock") or die\'',
        'BERTH_SPOOL=/berth/spool /berth/bin/runner connect </dev/null',
        'chown 1000 /berth/spool',
      ];
      const script = attempts.map((attempt, n) => `(${attempt}) >/dev/null 2>&1 && echo "did ${n}"`);
      const exec = await run(sandbox, { command: `${script.join('; ')}; echo tried` });
      expect((await output(exec.id)).toString()).toBe('tried\n');
      await run(sandbox, { command: 'touch go' });
      expect(await ended(before.id)).toMatchObject({ exitCode: 3, stdoutBytes: 13 });
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'prints what looks like frames, and they come back as the bytes that they are',
    async () => {
      const forged = Buffer.from(
        'b7010000000000060000000000000000000647484620400068656c6c6f0affffffff93',
        'hex',
      );
      const inline = { kind: 'inline', base64: forged.toString('base64') };
      const exec = await run(sandbox, { command: 'cat; cat /proc/self/cmdline', stdin: inline });
      expect((await output(exec.id)).subarray(0, forged.byteLength).equals(forged)).toBe(true);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'keeps its environment to itself: no process of Berth sees a variable of it',
    async () => {
      const mark = randomUUID();
      const env = { LD_PRELOAD: `/${mark}.so`, PATH: `/bin:/usr/bin:/${mark}`, DOCKER_HOST: `tcp://${mark}` };
      const exec = await startExec(sandbox, { argv: ['/usr/bin/env'], env });
      await ended(exec.id);
      const shown = (await output(exec.id)).toString();
      for (const [name, value] of Object.entries(env)) expect(shown).toContain(`${name}=${value}\n`);
      expect(shown).not.toContain('BERTH_');
      const held = await startExec(sandbox, { command: WAITING, env });
      await untilOutput(held.id, 'before\n');
      for (const name of ['api', 'worker'] as const) {
        expect(readFileSync(`/proc/${pidOf(name)}/environ`, 'latin1')).not.toContain(mark);
      }
      for (const environment of await environmentsOfRunners(sandbox)) expect(environment).not.toContain(mark);
      await run(sandbox, { command: 'touch go' });
      await ended(held.id);
      const view = await call('GET', `/v1/execs/${held.id}`);
      expect(JSON.stringify(view.body)).not.toContain(mark);
    },
    TEST_TIMEOUT_MS,
  );
});

describe('root in a sandbox, who has taken the runner over', () => {
  it(
    'ends a supervisor: its exec is lost, with its output and without an exit code',
    async () => {
      const { id } = await waiting();
      await asRootInside(sandbox, KILL_SUPERVISORS);
      const exec = await ended(id);
      expect(exec).toMatchObject({
        state: 'lost',
        exitCode: null,
        exitRecord: null,
        evidence: { runner: 'supervisor_died', lastPosition: exec['position'] },
      });
      expect((await output(id)).toString()).toBe('before\n');
      await bothWork();
    },
    TEST_TIMEOUT_MS,
  );

  it.each([
    ['deletes the spool', (id: string) => `rm -rf /berth/spool/execs/${id}`],
    [
      'makes the output a link to another file',
      (id: string) =>
        `cd /berth/spool/execs/${id} && for s in seg-*; do rm $s; ln -s /etc/shadow $s; done; ${KILL_SUPERVISORS}`,
    ],
    [
      'makes the output what is no frame, and forges a record that is none',
      (id: string) =>
        `cd /berth/spool/execs/${id} && for s in seg-*; do head -c 100000 /dev/urandom > $s; done; echo '{"execId":"${id}","exitCode":0,"reason":"exited"}' > exit.json; ${KILL_SUPERVISORS}`,
    ],
    [
      'forges a record of other output',
      (id: string) => `echo '${forgedRecord(id)}' > /berth/spool/execs/${id}/exit.json; ${KILL_SUPERVISORS}`,
    ],
  ])(
    '%s: the exec ends, without an invented exit code, and nobody else notices',
    async (_what, script) => {
      const [api, worker] = [new Steadiness('api'), new Steadiness('worker')];
      const { id } = await waiting();
      await asRootInside(sandbox, script(id));
      await asRootInside(sandbox, 'touch /workspace/go; chmod 666 /workspace/go');
      const exec = await ended(id);
      if (exec.state === 'lost') expect(exec).toMatchObject({ exitCode: null, exitRecord: null });
      else expect(exec).toMatchObject({ state: 'failed', exitCode: 3 });
      const shown = (await output(id)).toString('latin1');
      expect(shown).not.toContain('root:');
      expect(shown.startsWith('before\n')).toBe(true);
      await asRootInside(sandbox, 'rm -f /workspace/go');
      await bothWork();
      await Promise.all([api.hold(), worker.hold()]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'answers in the place of the runner with a message of 4 GB: it is not listened to, and the runner is found again',
    async () => {
      const worker = new Steadiness('worker');
      const { id } = await waiting();
      const impostor = `cd /berth/spool; mv runner.sock real.sock; rm -f asked;
        perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Local => "/berth/spool/runner.sock", Listen => 9) or die;
          for (1..3) { my $c = $s->accept; print $c "\\xff\\xff\\xff\\xff\\x90\\0\\0\\0\\1" x 1000; $c->flush; close $c; open my $f, ">>", "asked"; print $f "x"; }
          rename "real.sock", "runner.sock";' >/dev/null 2>&1 &
        while [ ! -S runner.sock ]; do sleep 0.05; done
        kill -9 $(grep -la 'runner.connect' /proc/[0-9]*/cmdline | cut -d/ -f3); true`;
      await asRootInside(sandbox, impostor);
      await until(
        async () => await asRootInside(sandbox, 'cat /berth/spool/asked'),
        (asked) => asked.startsWith('xxx'),
      );
      expect(await run(neighbour, { command: 'true' })).toMatchObject({ state: 'succeeded' });
      await asRootInside(sandbox, 'touch /workspace/go; chmod 666 /workspace/go');
      expect(await ended(id)).toMatchObject({ state: 'failed', exitCode: 3, stdoutBytes: 13 });
      await asRootInside(sandbox, 'rm -f /workspace/go');
      await worker.hold();
      await bothWork();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is ended with its container: the exec is lost with what Docker saw, and the sandbox starts again',
    async () => {
      const { id } = await waiting();
      await killContainer(sandbox);
      expect(await ended(id)).toMatchObject({
        state: 'lost',
        exitCode: null,
        exitRecord: null,
        evidence: { runner: 'sandbox_restarted', container: expect.stringContaining('137') },
      });
      expect((await output(id)).toString()).toBe('before\n');
      await bothWork();
    },
    TEST_TIMEOUT_MS,
  );
});
