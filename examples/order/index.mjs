/* A durable Lambda function, with AWS's own SDK: a step, a pause that holds no process, a step. */
import { withDurableExecution } from '@aws/durable-execution-sdk-js';

export const handler = withDurableExecution(async (event, context) => {
  const charged = await context.step('charge', async () => ({ receipt: Date.now() }));

  await context.wait('cooling off', { seconds: 10 });
  return context.step('ship', async () => `shipped on receipt ${charged.receipt}`);
});
