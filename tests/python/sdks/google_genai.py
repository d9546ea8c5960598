"""Chats, streams, has a tool called and fails, by generateContent."""

import os

from google import genai
from google.genai import errors, types

client = genai.Client(
    api_key=os.environ["KEY"], http_options=types.HttpOptions(base_url=os.environ["BASE_URL"])
)
declared = types.FunctionDeclaration(
    name="look_up",
    parameters_json_schema={"type": "object", "properties": {"place": {"type": "string"}}},
)
config = types.GenerateContentConfig(
    system_instruction="Be brief.",
    max_output_tokens=300,
    tools=[types.Tool(function_declarations=[declared])],
)
question = types.Content(role="user", parts=[types.Part(text="Does the weir hold?")])


def show(how, text, call, usage):
    print(how, text, call.name, call.args, usage.total_token_count)


for model in os.environ["MODELS"].split():
    whole = client.models.generate_content(model=model, contents=question, config=config)
    parts = whole.candidates[0].content.parts
    text = "".join(part.text or "" for part in parts)
    show("whole", text, whole.function_calls[0], whole.usage_metadata)

    text, call, usage = "", None, None
    for piece in client.models.generate_content_stream(
        model=model, contents=question, config=config
    ):
        for part in piece.candidates[0].content.parts or []:
            text += part.text or ""
            call = part.function_call or call
        usage = piece.usage_metadata or usage
    show("stream", text, call, usage)

    result = types.Part.from_function_response(name="look_up", response={"result": "It does."})
    again = client.models.generate_content(
        model=model,
        contents=[
            question,
            whole.candidates[0].content,
            types.Content(role="user", parts=[result]),
        ],
        config=config,
    )
    print("again", again.candidates[0].finish_reason.name)

for model in os.environ["MODELS"].split():
    try:
        client.models.generate_content(model=f"limited-{model}", contents="Hm?")
    except errors.ClientError as error:
        print("rate limit", error.code, error.status)
    try:
        client.models.generate_content(model=f"refused-{model}", contents="Hm?")
    except errors.ClientError as error:
        print("bad request", error.code, error.status, error.message)
    try:
        list(client.models.generate_content_stream(model=f"breaks-{model}", contents="Hm?"))
    except errors.ServerError as error:
        print("broken", error.code, error.status)
    try:
        list(client.models.generate_content_stream(model=f"overloaded-{model}", contents="Hm?"))
    except errors.ServerError as error:
        print("overloaded", error.code, error.status)

counted = client.models.count_tokens(model="openai", contents=question)
print("count", counted.total_tokens > 5)
try:
    client.models.generate_content(model="nobody", contents="Hm?")
except errors.ClientError as error:
    print("not found", error.code, error.status)
wrong = genai.Client(
    api_key="wrong", http_options=types.HttpOptions(base_url=os.environ["BASE_URL"])
)
try:
    wrong.models.generate_content(model="openai", contents="Hm?")
except errors.ClientError as error:
    print("authentication", error.code, error.status)
