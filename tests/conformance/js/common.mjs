// What several suites use. The handlers are in a file a suite, each exported by the id of its
// requirement: the function's handler is `step.1-1`.
import {
  createRetryStrategy, JitterStrategy, retryPresets, withDurableExecution,
} from '@aws/durable-execution-sdk-js';

export const durable = withDurableExecution;
export const noRetry = { retryStrategy: retryPresets.noRetry };

export const retry = (options) => ({
  retryStrategy: createRetryStrategy({ jitter: JitterStrategy.NONE, ...options }),
});
export const retryEachSecond = retry({
  maxAttempts: 3, initialDelay: { seconds: 1 }, maxDelay: { seconds: 1 },
});

export class StepError extends Error {
  constructor(message) {
    super(message);
    this.name = 'StepError';
  }
}

export const fail = async () => {
  throw new StepError('this step always fails');
};

export const failFirst = (value) => async (stepContext) => {
  if (stepContext.attempt === 1) {
    throw new StepError('the first attempt fails');
  }
  return value;
};

// Runs what must fail and returns its error.
export async function failureOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail, as it should have');
}

// Stores a text in upper case, without quotes, and reads back what is stored.
export const upperSerdes = {
  serialize: async (value) => (value === undefined ? undefined : value.toUpperCase()),
  deserialize: async (text) => text,
};

// Ends the process as a crash would: nothing is flushed, nobody is told.
export const crash = () => process.exit(1);

// Ends the process as soon as the start of a step is durable, once for each execution. The step
// itself must not end before.
export class CrashOnStart {
  #isFirst = false;

  async onInvocationStart(info) {
    this.#isFirst = info.isFirstInvocation;
  }

  get isFirst() {
    return this.#isFirst;
  }

  async onOperationChange(info) {
    const isStarted = Object.values(info.updatedOperations)
      .some((operation) => operation.type === 'STEP' && operation.status === 'STARTED');
    if (this.#isFirst && isStarted) {
      crash();
    }
  }
}
