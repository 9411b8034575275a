// Suite step: requirements 1-N.
import { StepSemantics } from '@aws/durable-execution-sdk-js';
import {
  crash, durable, fail, failFirst, failureOf, noRetry, retry, retryEachSecond, StepError,
  upperSerdes,
} from './common.mjs';

const greet = (name) => async () => `Hello, ${name}!`;

const basic = durable((event, context) => context.step(greet(event)));

const named = durable((event, context) => context.step('custom_step_name', greet(event)));

const sequential = durable(async (event, context) => {
  const first = await context.step(async () => 'first');
  return context.step(async () => `${first}_second`);
});

const complex = durable((event, context) => context.step(async () => ({
  user: { name: event.name, tags: event.tags }, count: event.tags.length,
})));

const nullResult = durable((event, context) => context.step(async () => null));

const customSerdes = durable((event, context) =>
  context.step(async () => event, { serdes: upperSerdes }));

const logger = durable((event, context) => context.step(async (stepContext) => {
  stepContext.logger.info(`Greeting step started for: ${event}`);
  const greeting = await greet(event)();
  stepContext.logger.info(`Greeting step completed with: ${greeting}`);
  return greeting;
}));

const stepAndWait = durable(async (event, context) => {
  const result = await context.step(async () => 'computed');
  await context.wait({ seconds: 2 });
  return result;
});

const replaySkips = durable(async (event, context) => {
  const result = await context.step(async (stepContext) => {
    stepContext.logger.info('step executed');
    return 'cached_value';
  });
  await context.wait({ seconds: 1 });
  return result;
});

const replayFailsAgain = durable(async (event, context) => {
  await failureOf(context.step(async (stepContext) => {
    stepContext.logger.info('step executed');
    return fail();
  }, noRetry));
  await context.wait({ seconds: 1 });
});

const retryOnce = durable((event, context) =>
  context.step(failFirst('Operation succeeded'), retryEachSecond));

const retriesExhausted = durable((event, context) => context.step(fail, retry({
  maxAttempts: 4, initialDelay: { seconds: 1 }, maxDelay: { seconds: 1 },
})));

const failTwice = async (stepContext) => {
  if (stepContext.attempt <= 2) {
    throw new StepError(`attempt ${stepContext.attempt} fails`);
  }
  return 'third time lucky';
};

const defaultRetry = durable((event, context) => context.step(failTwice));

const customRetry = durable((event, context) => context.step(failTwice, retry({
  maxAttempts: 5, initialDelay: { seconds: 2 }, backoffRate: 3,
})));

class TransientError extends Error {
  constructor() {
    super('try again');
    this.name = 'TransientError';
  }
}

const failTransiently = async (stepContext) => {
  if (stepContext.attempt === 1) {
    throw new TransientError();
  }
  return 'done';
};

const retryWhere = (isRetried) => ({
  retryStrategy: (error) => (isRetried(error)
    ? { shouldRetry: true, delay: { seconds: 1 } } : { shouldRetry: false }),
});

const retryTransient = durable((event, context) =>
  context.step(failTransiently, retryWhere((error) => error instanceof TransientError)));

const retryNotTransient = durable((event, context) =>
  context.step(failTransiently, retryWhere((error) => !(error instanceof TransientError))));

const logAndCrashFirst = (event) => async (stepContext) => {
  stepContext.logger.info(`running with ${event}`);
  if (stepContext.attempt === 1) {
    crash();
  }
  return 'succeeded on second attempt';
};

const atMostOnce = durable((event, context) => context.step(
  'at_most_once_flaky_step', logAndCrashFirst(event),
  { ...noRetry, semantics: StepSemantics.AtMostOncePerRetry }));

const atMostOnceRetried = durable((event, context) => context.step(
  logAndCrashFirst(event),
  { ...retryEachSecond, semantics: StepSemantics.AtMostOncePerRetry }));

const fails = durable((event, context) => context.step(fail, noRetry));

const caught = durable(async (event, context) => {
  await failureOf(context.step(fail, noRetry));
  return context.step(async () => 'fallback_result');
});

export {
  basic as '1-1', named as '1-2', sequential as '1-3', complex as '1-4', nullResult as '1-5',
  customSerdes as '1-6', logger as '1-7', stepAndWait as '1-8', replaySkips as '1-9',
  replayFailsAgain as '1-10', retryOnce as '1-11', retriesExhausted as '1-12',
  defaultRetry as '1-13', customRetry as '1-14', retryTransient as '1-15',
  retryNotTransient as '1-16', atMostOnce as '1-17', atMostOnceRetried as '1-18',
  fails as '1-19', caught as '1-20',
};
