// Chats, streams, has a tool called and fails, by chat completions.

import OpenAI from "openai";

const { BASE_URL, KEY, MODELS } = process.env;
const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: KEY, maxRetries: 0 });
const models = MODELS.split(" ");
const parameters = { type: "object", properties: { place: { type: "string" } } };
const tools = [{ type: "function", function: { name: "look_up", parameters } }];

function turns(...more) {
  return [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Does the weir hold?" },
    ...more,
  ];
}

function show(how, message, usage) {
  const call = message.tool_calls[0].function;
  const given = JSON.stringify(JSON.parse(call.arguments));
  console.log(how, message.content, call.name, given, usage.total_tokens);
}

// Says how a call failed, if it did so by the SDK's own exception of that kind.
async function fails(how, kind, call, why = (error) => error.code) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    console.log(how, why(error));
  }
}

for (const model of models) {
  const ask = { model, max_tokens: 300, tools };
  const whole = await client.chat.completions.create({ messages: turns(), ...ask });
  const message = whole.choices[0].message;
  show("whole", message, whole.usage);

  const stream = client.chat.completions.stream({
    messages: turns(),
    stream_options: { include_usage: true },
    ...ask,
  });
  show("stream", await stream.finalMessage(), await stream.totalUsage());

  // What the tool says goes back, with the call it answers.
  const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "It does." };
  const again = await client.chat.completions.create({ messages: turns(message, result), ...ask });
  console.log("again", again.choices[0].finish_reason);
}

const create = (model, options = {}) =>
  client.chat.completions.create({ model, messages: turns(), ...options });
for (const model of models) {
  await fails("rate limit", OpenAI.RateLimitError, () => create(`limited-${model}`));
  await fails(
    "bad request",
    OpenAI.BadRequestError,
    () => create(`refused-${model}`),
    (error) => error.error.message,
  );
  await fails("broken", OpenAI.APIError, async () => {
    const stream = await create(`breaks-${model}`, { stream: true });
    for await (const _ of stream);
  });
  await fails("overloaded", OpenAI.APIError, async () => {
    const stream = await create(`overloaded-${model}`, { stream: true });
    for await (const _ of stream);
  });
}
await fails("not found", OpenAI.NotFoundError, () => create("nobody"));
await fails("authentication", OpenAI.AuthenticationError, () =>
  client.withOptions({ apiKey: "wrong" }).models.list(),
);
