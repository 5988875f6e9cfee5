// The text of --help for each command. It stands here, in plain JavaScript, so that help needs no installation and no build.

const SHARED = `
  --state-dir DIR   where this instance keeps its state (default .berth, or BERTH_STATE_DIR)
  --verbose         stream the output of the tools that are run
  --help            this text`;

export const USAGE = {
  start: `Starts Berth on this machine: Docker, Postgres, Temporal, object storage, worker and API.

Usage: npm start -- [options]

  --only infra      start the components that Berth stands on, without worker and API (for contributors)
  --api-port PORT   the API's port (default 3000)
  --listen ADDRESS  the address that the API binds (default 127.0.0.1; anything else is reachable from outside)
  --port-base PORT  take every port from here upwards instead of the components' usual ones
  --own-engine      start a Docker engine for this instance alone, even where another one answers (needs root)
  --strict-ports    fail when a port is busy instead of taking the next free one
  --no-demo         skip the first command that a new instance runs to show that it works
${SHARED.slice(1)}

What is already there is used: DOCKER_HOST, DATABASE_URL, TEMPORAL_ADDRESS, S3_ENDPOINT (with S3_ACCESS_KEY and
S3_SECRET_KEY). Built things are kept in BERTH_CACHE (default ~/.cache/berth).

Examples:
  npm start
  npm start -- --api-port 8080 --strict-ports
  DATABASE_URL=postgres://user@db.example/berth npm start`,

  stop: `Ends what npm start has started. Sandboxes and their commands go on running in Docker.

Usage: npm run stop -- [options]

  --all             also end this instance's sandboxes, and the Docker engine if npm start has started it
${SHARED.slice(1)}

Examples:
  npm run stop
  npm run stop -- --all`,

  doctor: `Checks what Berth needs on this machine and how its processes are.

Usage: npm run doctor -- [options]

  --json            the same as JSON; the exit code is 1 when something is missing
${SHARED.slice(1)}`,

  test: `Runs all of Berth's tests on real components, in a state directory and on ports of their own.

Usage: npm test -- [options]

  --only STEPS      a comma-separated list out of lint,types,runner,unit,int,e2e,chaos
  --allow-missing   skip what needs a component that cannot be had, instead of failing
  --keep            keep the state directory of the last run, and leave the components running afterwards
  --state-dir DIR   the tests' own state directory (default .berth-test)
  --verbose         stream the output of the tools that are run
  --help            this text`,
};
