// The workflow of the scene js: as worker.c has it in C.
import { withDurableExecution } from "@aws/durable-execution-sdk-js";

const STEPS = 10;

export const chain = withDurableExecution(async (event, context) => {
    for (let i = 0; i < STEPS; i++) {
        await context.step(`step-${i}`, async () => event);
    }
    return STEPS;
});
