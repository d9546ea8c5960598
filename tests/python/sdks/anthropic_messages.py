"""Chats, streams, has a tool called and fails, by messages."""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ["BASE_URL"], api_key=os.environ["KEY"], max_retries=0
)
tools = [
    {
        "name": "look_up",
        "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}},
    }
]
question = {"role": "user", "content": "Does the weir hold?"}


def show(how, message):
    text = "".join(block.text for block in message.content if block.type == "text")
    call = next(block for block in message.content if block.type == "tool_use")
    usage = message.usage.input_tokens + message.usage.output_tokens
    print(how, text, call.name, call.input, usage)
    return call


for model in os.environ["MODELS"].split():
    ask = dict(model=model, max_tokens=300, tools=tools, system="Be brief.")
    whole = client.messages.create(messages=[question], **ask)
    call = show("whole", whole)

    with client.messages.stream(messages=[question], **ask) as stream:
        show("stream", stream.get_final_message())

    result = {"type": "tool_result", "tool_use_id": call.id, "content": "It does."}
    again = client.messages.create(
        messages=[
            question,
            {"role": "assistant", "content": whole.content},
            {"role": "user", "content": [result]},
        ],
        **ask,
    )
    print("again", again.stop_reason)

one = dict(max_tokens=9, messages=[question])
for model in os.environ["MODELS"].split():
    try:
        client.messages.create(model=f"limited-{model}", **one)
    except anthropic.RateLimitError as error:
        print("rate limit", error.body["error"]["code"])
    try:
        client.messages.create(model=f"refused-{model}", **one)
    except anthropic.BadRequestError as error:
        print("bad request", error.body["error"]["message"])
    try:
        with client.messages.stream(model=f"breaks-{model}", **one) as stream:
            stream.until_done()
    except anthropic.APIError as error:
        print("broken", error.body["error"]["code"])
    try:
        with client.messages.stream(model=f"overloaded-{model}", **one) as stream:
            stream.until_done()
    except anthropic.APIStatusError as error:
        print("overloaded", error.body["error"]["type"])

counted = client.messages.count_tokens(model="openai", messages=[question])
print("count", counted.input_tokens > 5)
print("models", [model.id for model in client.models.list()][:2])
try:
    client.messages.create(model="nobody", **one)
except anthropic.NotFoundError as error:
    print("not found", error.body["error"]["code"])
try:
    client.with_options(api_key="wrong").models.list()
except anthropic.AuthenticationError as error:
    print("authentication", error.body["error"]["code"])
