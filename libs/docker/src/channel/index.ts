/**
 * The host's end of the channel of docs/RUNNER-PROTOCOL.md. It treats everything that comes out of a sandbox as
 * hostile: bounded, checked, and never a reason for this process to fail. It must never reconnect by itself, because
 * only the caller knows whether the sandbox is still the same.
 */
export { openDrainChannel, openRunnerChannel } from './open-channel.js';
export { RunnerChannel, type RunnerHello } from './runner.channel.js';
