import type { DependencyState } from './health-probe.js';
import type { Health } from './health.service.js';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const PREFIX = 'berth_';
const STATES: readonly DependencyState[] = ['up', 'degraded', 'down'];

/** The health in the text format of Prometheus: each state of each dependency as 0 or 1, and what the probes count. */
export function metricsOf(health: Health): string {
  const dependencies = Object.entries(health.dependencies);
  const states = dependencies.flatMap(([name, { state }]) =>
    STATES.map(
      (one) => `${PREFIX}dependency_state{dependency="${name}",state="${one}"} ${one === state ? 1 : 0}`,
    ),
  );
  const figures = dependencies.flatMap(([, { figures: counted = {} }]) => Object.entries(counted));
  return [
    ...gauge('ready', [`${PREFIX}ready ${health.ready ? 1 : 0}`]),
    ...gauge('dependency_state', states),
    ...figures.flatMap(([name, value]) => gauge(name, [`${PREFIX}${name} ${value}`])),
    '',
  ].join('\n');
}

const gauge = (name: string, samples: readonly string[]): string[] => [
  `# TYPE ${PREFIX}${name} gauge`,
  ...samples,
];
