import { DomainError } from '#domain';

type Ports = Readonly<Record<string, object>>;

/**
 * Ports of which one call fails: the one with the number `at`, counted over all of them. `before`: it has no effect.
 * `after`: it has its effect and the answer is lost, as when a process dies between two lines.
 */
export function faultyPorts<P extends Ports>(
  ports: P,
  at: number,
  when: 'before' | 'after',
): { readonly ports: P; failed(): boolean } {
  let calls = 0;
  let failed = false;
  const call = async (run: () => unknown): Promise<unknown> => {
    const hit = calls++ === at;
    failed ||= hit;
    const fault = new DomainError('dependency_unavailable', 'The answer was lost.', {
      dependency: 'postgres',
    });
    if (hit && when === 'before') throw fault;
    const result = await run();
    if (hit) throw fault;
    return result;
  };
  const faulty = (port: object): object =>
    new Proxy(port, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return async (...input: unknown[]) =>
          await call(() => Reflect.apply(value, target, input) as unknown);
      },
    });
  const entries = Object.entries(ports).map(([name, port]) => [name, name === 'log' ? port : faulty(port)]);
  return { ports: Object.fromEntries(entries) as P, failed: () => failed };
}
