import {
  parseDoctorArguments,
  parseStartArguments,
  parseStopArguments,
  parseTestArguments,
  TEST_STEPS,
} from './arguments.js';

describe('the arguments of the commands', () => {
  it('have defaults that suit a first start', () => {
    expect(parseStartArguments([], {})).toEqual({
      stateDirectory: '.berth',
      verbose: false,
      onlyInfra: false,
      apiHost: '127.0.0.1',
      apiPort: 3000,
      portBase: undefined,
      strictPorts: false,
      ownEngine: false,
      demo: true,
    });
  });

  it('take the state directory from the option before the environment', () => {
    const environment = { BERTH_STATE_DIR: '/from/environment' };
    expect(parseStopArguments([], environment).stateDirectory).toBe('/from/environment');
    expect(parseStopArguments(['--state-dir', 'x'], environment).stateDirectory).toBe('x');
  });

  it('never let the tests touch the instance that the environment names', () => {
    expect(parseTestArguments([]).stateDirectory).toBe('.berth-test');
  });

  it('put every port above the base, the API first', () => {
    const options = parseStartArguments(['--port-base', '21000'], {});
    expect(options).toMatchObject({ portBase: 21_000, apiPort: 21_000 });
  });

  it.each([
    [['--api-port', '0']],
    [['--api-port', '65536']],
    [['--api-port', '80x']],
    [['--only', 'api']],
    [['--unknown']],
    [['positional']],
  ])('refuse %j and point to the help', (argv) => {
    expect(() => parseStartArguments(argv, {})).toThrow('--help');
  });

  it('run the chosen test steps in their usual order', () => {
    expect(parseTestArguments(['--only', 'e2e, lint']).steps).toEqual(['lint', 'e2e']);
    expect(parseTestArguments([]).steps).toEqual(TEST_STEPS);
    expect(parseTestArguments(['--only', 'chaos']).steps).toEqual(['chaos']);
    expect(() => parseTestArguments(['--only', 'everything'])).toThrow('not "everything"');
  });

  it('understand the switches of stop and doctor', () => {
    expect(parseStopArguments(['--all'], {}).all).toBe(true);
    expect(parseDoctorArguments(['--json'], {}).json).toBe(true);
  });
});
