import { Injectable, type OnModuleDestroy } from '@nestjs/common';

/** Tells everything that waits that the process is about to stop. Long polls answer at once, streams end, sockets close. */
@Injectable()
export class Draining implements OnModuleDestroy {
  private readonly controller = new AbortController();

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  onModuleDestroy(): void {
    this.controller.abort();
  }
}
