/**
 * The Docker side of Berth: containers, volumes, network and the way to the runner inside, behind the domain's
 * `ContainerEngine`. Every call has a deadline, may be repeated, and touches only what carries both our name and our
 * label. It must never run a user's command by itself, remove a workspace, or decide what a sandbox should be.
 */
export { DockerEngine, type DockerEngineConfig } from './docker-engine.js';
