import { Context } from '@temporalio/activity';
import type { Sandbox, StepName, Undo } from '#domain';
import type { StepInput } from '../contract.js';
import { withHeartbeat } from '../heartbeat.js';
import { recordedStep, throughOutages, withAttemptsCounted } from '../step.js';
import type { HostActivityPorts } from './host-ports.js';

type StepPorts = Pick<HostActivityPorts, 'sandboxes' | 'operations' | 'wake'>;
export type Step = ReturnType<typeof stepsOver>;

/** A step of an operation: recorded with its times, alive while it works, given the sandbox as it is. */
export function stepsOver(ports: StepPorts) {
  return async (
    name: StepName | Undo,
    input: StepInput,
    work: (sandbox: Sandbox) => Promise<void>,
  ): Promise<void> =>
    await withAttemptsCounted(Context.current().info.attempt, () =>
      withHeartbeat(() =>
        throughOutages(Context.current().cancellationSignal, () =>
          recordedStep(ports, name, input, async () => work(await ports.sandboxes.get(input.sandboxId))),
        ),
      ),
    );
}
