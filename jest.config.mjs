// Three projects by suffix: unit tests are pure; int and e2e tests need the stack that `npm test` brings up.
const shared = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
        module: { type: 'es6' },
      },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testEnvironmentOptions: { customExportConditions: ['@berth/source', 'node', 'node-addons'] },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.berth'],
};

/** What talks to real components is as slow as they are on a busy machine; it must end, and is not judged by its speed. */
const REAL_TEST_TIMEOUT_MS = 60_000;
const real = { ...shared, testTimeout: REAL_TEST_TIMEOUT_MS };

export default {
  workerIdleMemoryLimit: '768MB',
  // A test that hangs fails; one on a busy machine does not.
  testTimeout: 30_000,
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/{apps,libs,scripts,test}/**/*.spec.ts'] },
    { ...real, displayName: 'int', testMatch: ['<rootDir>/{apps,libs,scripts,test}/**/*.int-spec.ts'] },
    {
      ...real,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.e2e-spec.ts'],
      setupFilesAfterEnv: ['<rootDir>/test/e2e/healthy-stack.ts'],
    },
  ],
};
