"""Chats, streams, has a tool called and fails, by chat completions."""

import json
import os

import openai

client = openai.OpenAI(
    base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["KEY"], max_retries=0
)
tools = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
        },
    }
]


def turns(*more):
    return [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Does the weir hold?"},
        *more,
    ]


def show(how, message, usage):
    call = message.tool_calls[0].function
    print(how, message.content, call.name, json.loads(call.arguments), usage)


for model in os.environ["MODELS"].split():
    ask = dict(model=model, max_tokens=300, tools=tools)
    whole = client.chat.completions.create(messages=turns(), **ask)
    message = whole.choices[0].message
    show("whole", message, whole.usage.total_tokens)

    options = dict(stream_options={"include_usage": True})
    with client.chat.completions.stream(messages=turns(), **options, **ask) as stream:
        stream.until_done()
    last = stream.get_final_completion()
    show("stream", last.choices[0].message, last.usage.total_tokens)

    # What the tool says goes back, with the call it answers.
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "It does."}
    again = client.chat.completions.create(
        messages=turns(message.model_dump(exclude_none=True), result), **ask
    )
    print("again", again.choices[0].finish_reason)

for model in os.environ["MODELS"].split():
    try:
        client.chat.completions.create(model=f"limited-{model}", messages=turns())
    except openai.RateLimitError as error:
        print("rate limit", error.code)
    try:
        client.chat.completions.create(model=f"refused-{model}", messages=turns())
    except openai.BadRequestError as error:
        print("bad request", error.body["message"])
    try:
        list(client.chat.completions.create(model=f"breaks-{model}", messages=turns(), stream=True))
    except openai.APIError as error:
        print("broken", error.code)
    try:
        ask = dict(model=f"overloaded-{model}", messages=turns())
        list(client.chat.completions.create(stream=True, **ask))
    except openai.APIError as error:
        print("overloaded", error.code)

try:
    client.chat.completions.create(model="nobody", messages=turns())
except openai.NotFoundError as error:
    print("not found", error.code)
try:
    client.with_options(api_key="wrong").models.list()
except openai.AuthenticationError as error:
    print("authentication", error.code)
