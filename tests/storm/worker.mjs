// The storm's workflow in JavaScript, with AWS's own SDK over the Runtime API: what worker.c
// says holds here too, and there are more letters:
//
//     m  map over three items, a step each      p  parallel: a step; a wait and a step
//     q  waitForCondition: true at the third check, each a second after the one before
//
// What runs in a branch has the branch's name behind its invocation's, since a note of one
// branch proves nothing of the others' checkpoints.
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { StepSemantics, withDurableExecution } from "@aws/durable-execution-sdk-js";

// --- the ledger ------------------------------------------------------------------------

let ledger;
const unanswered = [];

// Without the ledger nothing here may run: what ran would not be known.
function die(error) {
    console.error("storm worker:", error);
    process.exit(1);
}

function open() {
    let text = "";
    ledger = connect(process.env.STORM_LEDGER);
    ledger.setEncoding("utf8");
    ledger.on("error", die);
    ledger.on("close", () => die("the ledger is gone"));
    ledger.on("data", (data) => {
        const lines = (text + data).split("\n");
        text = lines.pop();
        for (const line of lines) {
            line === "ok" ? unanswered.shift()() : die(line);
        }
    });
}

function note({ kind, arn, op, attempt, invocation, extra }) {
    if (ledger === undefined) {
        open();
    }
    const fields = [kind, arn ?? "-", op ?? "-", attempt ?? 0, invocation ?? "-", extra ?? "-"];
    return new Promise((resolve) => {
        unanswered.push(resolve);
        ledger.write(fields.join("\t") + "\n");
    });
}

// --- operations ------------------------------------------------------------------------

const again = () => ({ shouldRetry: true, delay: { seconds: 1 } });

function step(context, flow, name, letter) {
    const isOnce = letter === "a";
    const run = async (own) => {
        const said = { arn: flow.arn, op: name, attempt: own.attempt, invocation: flow.invocation };
        await note({ ...said, kind: "start", extra: isOnce ? "once" : "least" });
        if (letter === "r" && own.attempt === 1) {
            await note({ ...said, kind: "done", extra: "fail" });
            throw new Error("the first attempt fails");
        }
        const number = randomBytes(8).toString("hex");
        await note({ ...said, kind: "done", extra: number });
        return number;
    };
    return context.step(name, run, {
        retryStrategy: again,
        semantics: isOnce ? StepSemantics.AtMostOncePerRetry : StepSemantics.AtLeastOncePerRetry,
    });
}

// The state that a check is given is the one that the check before it answered.
function condition(context, flow, name) {
    const check = async (state, own) => {
        const said = { arn: flow.arn, op: name, attempt: own.attempt, invocation: flow.invocation };
        await note({ ...said, kind: "start", extra: "least" });
        if (state !== `fail${own.attempt - 1}`) {
            throw new Error(`check ${own.attempt} was given ${state}`);
        }
        const found = own.attempt < 3 ? `fail${own.attempt}` : randomBytes(8).toString("hex");
        await note({ ...said, kind: "done", extra: found });
        return found;
    };
    return context.waitForCondition(name, check, {
        initialState: "fail0",
        waitStrategy: (state) =>
            state.startsWith("fail")
                ? { shouldContinue: true, delay: { seconds: 1 } }
                : { shouldContinue: false },
    });
}

async function wait(context, flow, name) {
    const said = { arn: flow.arn, op: name, invocation: flow.invocation, extra: "1" };
    await note({ ...said, kind: "before" });
    await context.wait(name, { seconds: 1 });
    await note({ ...said, kind: "after" });
}

function branch(flow, name) {
    return { ...flow, invocation: `${flow.invocation}/${name}` };
}

const operations = {
    w: (context, flow, name) => wait(context, flow, name),
    c: (context, flow, name) =>
        context.waitForCallback(name, async (id) => {
            await note({ kind: "callback", arn: flow.arn, op: name, invocation: flow.invocation,
                         extra: id });
        }, { retryStrategy: again }),
    i: (context, flow, name) => context.invoke(name, process.env.STORM_SUB, { plan: "sas" }),
    x: (context, flow, name) =>
        context.runInChildContext(name, async (child) => {
            const first = await step(child, flow, `${name}.s`, "s");
            await wait(child, flow, `${name}.w`);
            await step(child, flow, `${name}.a`, "a");
            return first;
        }),
    m: (context, flow, name) =>
        context.map(name, [0, 1, 2], async (child, item) =>
            step(child, branch(flow, `${name}.${item}`), `${name}.${item}`, "s")),
    p: (context, flow, name) =>
        context.parallel(name, [
            async (child) => step(child, branch(flow, `${name}.1`), `${name}.1`, "a"),
            async (child) => {
                await wait(child, branch(flow, `${name}.2`), `${name}.2`);
                return step(child, branch(flow, `${name}.2`), `${name}.3`, "s");
            },
        ]),
};

// --- handlers --------------------------------------------------------------------------

const run = withDurableExecution(async (input, context) => {
    const { flow } = context.lambdaContext;
    const steps = {};
    for (let i = 0; i < input.plan.length; i++) {
        const letter = input.plan[i];
        const name = `${letter}${i}`;
        if ("sar".includes(letter)) {
            steps[name] = await step(context, flow, name, letter);
        } else if (letter === "q") {
            steps[name] = await condition(context, flow, name);
        } else {
            await operations[letter](context, flow, name);
        }
    }
    return { steps };
});

export async function flow(event, context) {
    const own = { arn: event.DurableExecutionArn, invocation: context.awsRequestId };
    await note({ ...own, kind: "enter" });
    const answer = await run(event, Object.assign(context, { flow: own }));
    await note({ ...own, kind: "leave" });
    return answer;
}

export async function event(input) {
    await note({ kind: "event", op: input.event });
}
