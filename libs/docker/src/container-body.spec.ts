import { hostId, operationId, ownerId, sandboxId, tenantId, TIERS, type ContainerSpec } from '#domain';
import { drainContainerBody, execUserOf, sandboxContainerBody } from './container-body.js';
import { ResourceNames } from './names.js';

const SPEC: ContainerSpec = {
  sandboxId: sandboxId('0199aaaa-bbbb-7ccc-8ddd-eeeeffff0001'),
  generation: 2,
  workspaceId: null,
  mayMakeWorkspace: false,
  tenantId: tenantId('acme'),
  ownerId: ownerId('u1'),
  hostId: hostId('local'),
  operationId: operationId('0199aaaa-bbbb-7ccc-8ddd-eeeeffff0009'),
  image: 'berth/base:1',
  tier: TIERS.large,
};
const SURROUNDINGS = {
  names: new ResourceNames('dev'),
  hostId: 'local',
  imageUser: '',
  runnerVolume: 'berth-dev-runner-x',
  cpus: 2,
  runtime: undefined,
};

describe("the request for a sandbox's container", () => {
  const body = sandboxContainerBody(SPEC, SURROUNDINGS);
  const host = body.HostConfig;

  it('drops every capability but those that the runner needs, and new privileges', () => {
    expect(host).toMatchObject({
      Privileged: false,
      CapDrop: ['ALL'],
      CapAdd: ['SETUID', 'SETGID', 'KILL', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER'],
      SecurityOpt: ['no-new-privileges'],
    });
  });

  it('limits memory without swap, processes and processors, the latter to what the machine has', () => {
    expect(host).toMatchObject({
      Memory: TIERS.large.memoryBytes,
      MemorySwap: TIERS.large.memoryBytes,
      PidsLimit: TIERS.large.pidsMax,
      NanoCpus: 2_000_000_000,
    });
  });

  it('mounts named volumes and nothing of the host, the runner read-only', () => {
    expect(host?.Binds).toBeUndefined();
    expect(host?.Mounts?.map(({ Type, Target, ReadOnly }) => [Type, Target, ReadOnly])).toEqual([
      ['volume', '/workspace', false],
      ['volume', '/berth/spool', false],
      ['volume', '/berth/bin', true],
    ]);
  });

  it('starts the runner whatever the image would start, on the network of the instance', () => {
    expect(body).toMatchObject({ Entrypoint: ['/berth/bin/runner', 'init'], Cmd: [], User: '0:0' });
    expect(host).toMatchObject({ NetworkMode: 'berth-dev', Init: false, RestartPolicy: { Name: 'no' } });
  });

  it('says whose it is in labels and names no secret in the environment', () => {
    expect(body.Labels).toEqual({
      'berth.instance': 'dev',
      'berth.host': 'local',
      'berth.sandbox': SPEC.sandboxId,
      'berth.generation': '2',
      'berth.tenant': 'acme',
      'berth.owner': 'u1',
      'berth.operation': SPEC.operationId,
    });
    expect(body.Env).toEqual([
      'BERTH_EXEC_USER=1000',
      `BERTH_SANDBOX_ID=${SPEC.sandboxId}`,
      'BERTH_GENERATION=2',
    ]);
  });

  it('names another runtime only where one is configured', () => {
    expect(host).not.toHaveProperty('Runtime');
    expect(sandboxContainerBody(SPEC, { ...SURROUNDINGS, runtime: 'runsc' }).HostConfig?.Runtime).toBe(
      'runsc',
    );
  });
});

describe('the request for a container that reads a spool', () => {
  it('has no network, no writable file and no way to outlive its channel', () => {
    const body = drainContainerBody(SPEC.sandboxId, SPEC.image, SURROUNDINGS);
    expect(body).toMatchObject({ OpenStdin: true, StdinOnce: true, Tty: false });
    expect(body.HostConfig).toMatchObject({
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      AutoRemove: true,
      CapDrop: ['ALL'],
      CapAdd: ['DAC_OVERRIDE'],
    });
    expect(body.HostConfig?.Mounts?.every((mount) => mount.ReadOnly)).toBe(true);
    expect(body.Labels).not.toHaveProperty('berth.generation');
  });
});

describe('the user of execs', () => {
  it.each(['', 'root', '0', '00', 'root:root', '0:0', '0:1000', 'root:1000'])(
    'is 1000 for an image user of "%s"',
    (user) => expect(execUserOf(user)).toBe('1000'),
  );
  it.each(['node', '1234', '4242:4343', 'app:staff'])('is the image user "%s"', (user) => {
    expect(execUserOf(user)).toBe(user);
  });
});
