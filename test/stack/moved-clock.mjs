/** Preloaded into a process by `--import`, it moves the clock that the process sees, as one that somebody has set wrongly. */
const movedMs = Number(process.env['MOVED_CLOCK_MS']);
if (!Number.isSafeInteger(movedMs)) throw new TypeError('MOVED_CLOCK_MS is no number of milliseconds.');

const RealDate = globalThis.Date;

globalThis.Date = class Date extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + movedMs);
    else super(...given);
  }

  static now() {
    return RealDate.now() + movedMs;
  }
};
