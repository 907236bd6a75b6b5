"""The official clients, as people use them: through the router they see what they see straight from the engine."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import anthropic
import openai
import pydantic
import pytest

from tests.stack.one_engine import Served
from tests.stack.running import ROOT
from tests.stack.test_fidelity import CALL, CLAUDES, QUESTION, SCHEMA, THOUGHT, TOOL

pytestmark = pytest.mark.engine

Seen = Any


class Yes(pydantic.BaseModel):
    """What an answer is made to be."""

    yes: bool


class Look(pydantic.BaseModel):
    """What a tool is called with."""

    x: Literal["y"]


ASKED: Any = {"model": "demo", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0}
RESPONDED: Any = {"model": "demo", "input": QUESTION, "temperature": 0}


def chat(client: openai.OpenAI) -> Seen:
    whole = client.chat.completions.create(**ASKED, max_tokens=16)
    chunks = list(client.chat.completions.create(**ASKED, max_tokens=16, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert all(chunk.choices for chunk in chunks), "nobody asked for the usage chunk"
    return text, whole.usage, chunks[-1].system_fingerprint, whole.system_fingerprint


def chat_helper(client: openai.OpenAI) -> Seen:
    with client.chat.completions.stream(**ASKED, max_tokens=60, stop=[" makes"]) as stream:
        return stream.get_final_completion().choices[0].message.content


def usage(client: openai.OpenAI) -> Seen:
    options: Any = {"include_usage": True, "continuous_usage_stats": True}  # vLLM's own, beside OpenAI's
    chunks = client.chat.completions.create(**ASKED, max_tokens=4, stream=True, stream_options=options)
    return [chunk.usage for chunk in chunks][-1]


def tools(client: openai.OpenAI) -> Seen:
    offered: Any = [TOOL]
    whole = client.chat.completions.create(**ASKED, max_tokens=80, tools=offered, tool_choice="required")
    calls: Any = whole.choices[0].message.tool_calls
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls], whole.choices[0].finish_reason


def schema(client: openai.OpenAI) -> Seen:
    asked: Any = {"type": "json_schema", "json_schema": SCHEMA}
    return client.chat.completions.create(**ASKED, max_tokens=30, response_format=asked).choices[0].message.content


def thought(client: openai.OpenAI) -> Seen:
    message: Any = client.chat.completions.create(**ASKED, max_tokens=40, extra_body=THOUGHT).choices[0].message
    assert message.reasoning.strip() == "ab"
    return message.reasoning, message.content


def logprobs(client: openai.OpenAI) -> Seen:
    return client.chat.completions.create(**ASKED, max_tokens=4, logprobs=True, top_logprobs=2).choices[0].logprobs


def completion(client: openai.OpenAI) -> Seen:
    return client.completions.create(model="demo", prompt="The", temperature=0, max_tokens=8).choices[0].text


def response(client: openai.OpenAI) -> Seen:
    whole = client.responses.create(**RESPONDED, max_output_tokens=16)
    with client.responses.stream(**RESPONDED, max_output_tokens=16) as stream:
        assert stream.until_done().get_final_response().output_text == whole.output_text
    again = client.responses.retrieve(whole.id)
    assert again.output_text == whole.output_text
    following = client.responses.create(**RESPONDED, max_output_tokens=4, previous_response_id=whole.id)
    return whole.output_text, whole.usage, following.output_text


def response_tools(client: openai.OpenAI) -> Seen:
    asked: Any = {**RESPONDED, **CALL}
    whole = client.responses.create(**asked, max_output_tokens=80)
    return [(item.name, item.arguments) for item in whole.output if item.type == "function_call"]


def tools_streamed(client: openai.OpenAI) -> Seen:
    """What the helper makes of the pieces; to this engine's parser of thoughts a call in a stream is one."""
    offered: Any = [openai.pydantic_function_tool(Look, name="look")]
    asked: Any = {**ASKED, "tools": offered, "tool_choice": "required"}
    with client.chat.completions.stream(**asked, max_tokens=80) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert "chunk" in kinds
    return kinds, message.model_dump()


def parsed(client: openai.OpenAI) -> Seen:
    message = client.chat.completions.parse(**ASKED, max_tokens=30, response_format=Yes).choices[0].message
    assert isinstance(message.parsed, Yes)
    return message.parsed


def parsed_stream(client: openai.OpenAI) -> Seen:
    with client.chat.completions.stream(**ASKED, max_tokens=30, response_format=Yes) as stream:
        return stream.get_final_completion().choices[0].message.parsed


def response_parsed(client: openai.OpenAI) -> Seen:
    return client.responses.parse(**RESPONDED, max_output_tokens=30, text_format=Yes).output_parsed


def logprobs_streamed(client: openai.OpenAI) -> Seen:
    chunks = client.chat.completions.create(**ASKED, max_tokens=4, logprobs=True, top_logprobs=2, stream=True)
    found = [chunk.choices[0].logprobs for chunk in chunks]
    return [token for each in found if each for token in each.content or ()]


def choices(client: openai.OpenAI) -> Seen:
    asked: Any = {**ASKED, "temperature": 0.8, "seed": 7, "n": 3, "max_tokens": 6}
    whole = [choice.message.content for choice in client.chat.completions.create(**asked).choices]
    texts = [""] * len(whole)
    for chunk in client.chat.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == whole
    return whole


def completion_streamed(client: openai.OpenAI) -> Seen:
    chunks = client.completions.create(model="demo", prompt="The", temperature=0, max_tokens=8, logprobs=1, stream=True)
    return [(chunk.choices[0].text, chunk.choices[0].logprobs) for chunk in chunks if chunk.choices[0].text]


def raw_response(client: openai.OpenAI) -> Seen:
    """Headers, too: the router's come beside the engine's content type, and the client knows the request by its id."""
    whole = client.chat.completions.with_raw_response.create(
        **ASKED, max_tokens=4, extra_headers={"x-request-id": "mine"}
    )
    routed = "x-polydraft-lane" in whole.headers
    assert whole.headers.get("x-request-id") == ("mine" if routed else None)
    assert not routed or whole.headers["x-polydraft-language"] == "en"
    with client.chat.completions.with_streaming_response.create(**ASKED, max_tokens=4, stream=True) as stream:
        lines = [line for line in stream.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    parsed: Any = whole.parse()
    return whole.status_code, whole.headers["content-type"], stream.headers["content-type"], parsed.choices[0].message


def embeddings(client: openai.OpenAI) -> Seen:
    """Nobody serves them: the client sees the same error, though not in the same words."""
    with pytest.raises(openai.NotFoundError) as refusal:
        client.embeddings.create(model="demo", input="x")
    return refusal.value.status_code


def listed(client: openai.OpenAI) -> Seen:
    """The router lists its lanes beside the model, which is the one thing that it adds."""
    return {model.id: model.object for model in client.models.list()}["demo"]


def unknown_model(client: openai.OpenAI) -> Seen:
    with pytest.raises(openai.NotFoundError) as refusal:
        client.chat.completions.create(**{**ASKED, "model": "nobody"}, max_tokens=4)
    return refusal.value.status_code, refusal.value.type is not None


def refused_stream(client: openai.OpenAI) -> Seen:
    with pytest.raises(openai.BadRequestError) as refusal:
        list(client.chat.completions.create(**ASKED, max_tokens=100_000, stream=True))
    return refusal.value.body


def asynchronous(client: openai.OpenAI) -> Seen:
    async def ask() -> list[str | None]:
        async with openai.AsyncOpenAI(base_url=client.base_url, api_key="none", max_retries=0) as other:
            stream: Any = await other.chat.completions.create(**ASKED, max_tokens=16, stream=True)
            return [chunk.choices[0].delta.content async for chunk in stream]

    return "".join(piece or "" for piece in asyncio.run(ask()))


def refused(client: openai.OpenAI) -> Seen:
    with pytest.raises(openai.BadRequestError) as refusal:
        client.chat.completions.create(**ASKED, max_tokens=100_000)
    return refusal.value.body


def not_stored(client: openai.OpenAI) -> Seen:
    with pytest.raises(openai.NotFoundError) as refusal:
        client.responses.retrieve("resp_none")
    return refusal.value.body


OPENAI = [
    *(chat, chat_helper, usage, tools, schema, thought, logprobs, completion),
    *(response, response_tools, refused, not_stored),
    *(tools_streamed, parsed, parsed_stream, response_parsed, logprobs_streamed, choices, completion_streamed),
    *(raw_response, embeddings, listed, unknown_model, refused_stream, asynchronous),
]


@pytest.mark.parametrize("does", OPENAI, ids=lambda does: does.__name__)
def test_openais_client_sees_the_engine(served: Served, does: Callable[[openai.OpenAI], Seen]) -> None:
    direct, routed = (
        does(openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120))
        for url in (served.engine, served.router)
    )
    assert routed == direct
    assert routed


def message(client: anthropic.Anthropic) -> Seen:
    whole = client.messages.create(**ASKED_OF_CLAUDE, max_tokens=16)
    with client.messages.stream(**ASKED_OF_CLAUDE, max_tokens=16) as stream:
        assert "".join(stream.text_stream) == "".join(block.text for block in whole.content if block.type == "text")
    return whole.content, whole.usage, whole.stop_reason, whole.model


def message_tools(client: anthropic.Anthropic) -> Seen:
    asked: Any = {"tools": [CLAUDES], "tool_choice": {"type": "any"}}
    content = client.messages.create(**ASKED_OF_CLAUDE, max_tokens=80, **asked).content
    return [(block.name, block.input) for block in content if block.type == "tool_use"]


def token_count(client: anthropic.Anthropic) -> Seen:
    return client.messages.count_tokens(model="demo", messages=ASKED["messages"]).input_tokens


def message_refused(client: anthropic.Anthropic) -> Seen:
    with pytest.raises(anthropic.BadRequestError) as refusal:
        client.messages.create(**ASKED_OF_CLAUDE, max_tokens=100_000)
    return refusal.value.body


ASKED_OF_CLAUDE: Any = {"model": "demo", "messages": ASKED["messages"], "extra_body": {"temperature": 0}}


@pytest.mark.parametrize("does", [message, message_tools, token_count, message_refused], ids=lambda does: does.__name__)
def test_anthropics_client_sees_the_engine(served: Served, does: Callable[[anthropic.Anthropic], Seen]) -> None:
    direct, routed = (
        does(anthropic.Anthropic(base_url=url, api_key="none", max_retries=0, timeout=120))
        for url in (served.engine, served.router)
    )
    assert routed == direct
    assert routed


@pytest.fixture(scope="session")
def node() -> Path:
    """The folder where OpenAI's client for Node lies, installed from its lock file; skips where that can't be done."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} (Debian: apt-get install nodejs npm), so OpenAI's client for Node is NOT tested")
    folder = ROOT / ".cache/node"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "see.mjs"):
        shutil.copy(ROOT / "tests/node" / name, folder / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if installed.returncode:
        pytest.skip(f"npm can't install OpenAI's client, so it is NOT tested: {installed.stderr.strip()[:300]}")
    return folder


def test_openais_client_for_node_sees_the_engine(served: Served, node: Path) -> None:
    def see(url: str) -> dict[str, Any]:
        command = ["node", "see.mjs", f"{url}/v1", "demo", QUESTION]
        ran = subprocess.run(command, cwd=node, capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == 0, ran.stderr
        seen: dict[str, Any] = json.loads(ran.stdout)
        return seen

    direct, routed = see(served.engine), see(served.router)
    assert routed == direct
    assert routed["streamed"] == routed["whole"] != ""
    assert routed["responded"] == routed["whole"]
    assert routed["refused"] == 400
