"""Chats, streams, has a tool called and fails, by responses."""

import json
import os

import openai

client = openai.OpenAI(
    base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["KEY"], max_retries=0
)
tools = [
    {
        "type": "function",
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
        "strict": False,
    }
]
question = [{"role": "user", "content": "Does the weir hold?"}]


def called(response):
    return next(item for item in response.output if item.type == "function_call")


def show(how, response):
    call = called(response)
    arguments = json.loads(call.arguments)
    print(how, response.output_text, call.name, arguments, response.usage.total_tokens)


for model in os.environ["MODELS"].split():
    ask = dict(model=model, max_output_tokens=300, tools=tools, instructions="Be brief.")
    whole = client.responses.create(input=question, **ask)
    show("whole", whole)

    with client.responses.stream(input=question, **ask) as stream:
        stream.until_done()
        show("stream", stream.get_final_response())

    result = {
        "type": "function_call_output",
        "call_id": called(whole).call_id,
        "output": "It does.",
    }
    said = [item.model_dump(exclude_none=True) for item in whole.output]
    again = client.responses.create(input=[*question, *said, result], **ask)
    print("again", called(again).name)

for model in os.environ["MODELS"].split():
    try:
        client.responses.create(model=f"limited-{model}", input="Hm?")
    except openai.RateLimitError as error:
        print("rate limit", error.code)
    try:
        client.responses.create(model=f"refused-{model}", input="Hm?")
    except openai.BadRequestError as error:
        print("bad request", error.body["message"])
    try:
        list(client.responses.create(model=f"breaks-{model}", input="Hm?", stream=True))
    except openai.APIError as error:
        print("broken", error.code)
    try:
        list(client.responses.create(model=f"overloaded-{model}", input="Hm?", stream=True))
    except openai.APIError as error:
        print("overloaded", error.code)

try:
    client.responses.create(model="nobody", input="Hm?")
except openai.NotFoundError as error:
    print("not found", error.code)
try:
    client.with_options(api_key="wrong").models.list()
except openai.AuthenticationError as error:
    print("authentication", error.code)
