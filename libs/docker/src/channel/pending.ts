import { DomainError } from '#domain';
import { Answer } from './answer.js';
import { MESSAGE, type ChannelMessage } from './channel.protocol.js';
import { brokenProtocol, refusedBy, unreachable } from './runner.errors.js';

interface PendingRequest {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: Error) => void;
  readonly deadline: NodeJS.Timeout;
}

/** The requests that wait for their one answer. Each has a deadline, and none outlives its channel. */
export class Pending {
  private readonly requests = new Map<number, PendingRequest>();

  answer(requestId: number, deadlineMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.requests.delete(requestId);
        reject(unreachable(`The runner did not answer within ${deadlineMs} ms.`));
      }, deadlineMs);
      this.requests.set(requestId, { resolve, reject, deadline });
    });
  }

  /** False if nobody waits for it. */
  receive(message: ChannelMessage): boolean {
    const request = this.requests.get(message.requestId);
    if (request === undefined) return false;
    this.requests.delete(message.requestId);
    clearTimeout(request.deadline);
    try {
      request.resolve(answerIn(message));
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      request.reject(error);
    }
    return true;
  }

  failAll(reason: Error): void {
    for (const { reject, deadline } of this.requests.values()) {
      clearTimeout(deadline);
      reject(reason);
    }
    this.requests.clear();
  }

  /** Request id 0 is the runner's farewell; any other that was never used is nonsense. */
  unaskedAnswer(message: ChannelMessage): Error {
    if (message.requestId === 0 && message.type === MESSAGE.error) {
      const answer = Answer.parse(message.payload);
      return refusedBy(answer.text('code'), answer.text('message'));
    }
    return brokenProtocol(`The runner answered request ${message.requestId}, which was never made.`);
  }
}

function answerIn(message: ChannelMessage): Answer {
  const answer = Answer.parse(message.payload);
  switch (message.type) {
    case MESSAGE.result:
    case MESSAGE.helloOk:
      return answer;
    case MESSAGE.error:
      throw refusedBy(answer.text('code'), answer.text('message'));
    default:
      throw brokenProtocol(`The runner answered with message type ${message.type}.`);
  }
}
