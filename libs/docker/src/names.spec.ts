import { sandboxId } from '#domain';
import { hostnameOf, LABEL, ResourceNames } from './names.js';

const SANDBOX = sandboxId('0199aaaa-bbbb-7ccc-8ddd-eeeeffff0001');
const REF = { sandboxId: SANDBOX, generation: 3 };

describe('the names in an engine', () => {
  it('carry a short instance as it is and a long one as a hash', () => {
    expect(new ResourceNames('dev').container(REF)).toBe(`berth-dev-${SANDBOX}-g3`);
    const long = new ResourceNames('6d2c1f1e-0000-4000-8000-000000000001');
    expect(long.network).toMatch(/^berth-[0-9a-f]{12}$/);
    expect(long.network).not.toBe(new ResourceNames('6d2c1f1e-0000-4000-8000-000000000002').network);
  });

  it('differ for each thing of a sandbox', () => {
    const names = new ResourceNames('dev');
    const all = [
      names.container(REF),
      names.container({ ...REF, generation: 4 }),
      names.shortLived('drain', SANDBOX, 'a'),
      names.workspace({ sandboxId: SANDBOX, workspaceId: null }),
      names.spool(SANDBOX),
      names.runnerVolume('ab'.repeat(32)),
      names.runnerFiller('ab'.repeat(32)),
      names.network,
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it('prove nothing without the labels of the instance, the sandbox and the generation', () => {
    const names = new ResourceNames('dev');
    const labels = { [LABEL.instance]: 'dev', [LABEL.sandbox]: SANDBOX, [LABEL.generation]: '3' };
    expect(names.ownsSandbox(labels, REF)).toBe(true);
    expect(names.ownsSandbox({ ...labels, [LABEL.instance]: 'other' }, REF)).toBe(false);
    expect(names.ownsSandbox({ ...labels, [LABEL.generation]: '2' }, REF)).toBe(false);
    expect(names.ownsSandbox({ [LABEL.instance]: 'dev' }, REF)).toBe(false);
    expect(names.owns(null)).toBe(false);
    expect(names.owns(undefined)).toBe(false);
  });

  it('give sandboxes of the same moment different host names', () => {
    const neighbour = sandboxId('0199aaaa-bbbb-7ccc-8ddd-eeeeffff0002');
    expect(hostnameOf(SANDBOX)).not.toBe(hostnameOf(neighbour));
  });
});
