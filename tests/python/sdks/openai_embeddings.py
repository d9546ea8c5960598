"""Has texts made vectors."""

import os

import openai

client = openai.OpenAI(
    base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["KEY"], max_retries=0
)
texts = ["It holds.", "hello world"]

for model in os.environ["MODELS"].split():
    made = client.embeddings.create(model=model, input=texts, dimensions=2)
    vectors = [list(embedding.embedding) for embedding in made.data]
    print(model, vectors, made.usage.total_tokens)

try:
    client.embeddings.create(model="anthropic", input=texts)
except openai.BadRequestError as error:
    print("bad request", error.param)
try:
    client.embeddings.create(model="nobody", input=texts)
except openai.NotFoundError as error:
    print("not found", error.code)
