"""A server that speaks both eras of the protocol in one process, on the Python SDK: what it asks for, it asks for in
an answer where the client is of the stateless era, and by itself where it is not."""

from typing import Annotated

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel

server = MCPServer("dual", instructions="Ask before you greet.")


class Name(BaseModel):
    name: str


class Colour(BaseModel):
    colour: str


def ask_name() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


def ask_colour(who: Annotated[Name, Resolve(ask_name)]) -> Elicit[Colour]:
    return Elicit(f"What colour does {who.name} like?", Colour)


@server.tool()
def add(a: int, b: float) -> float:
    return a + b


@server.tool()
def greet(
    word: str, who: Annotated[Name, Resolve(ask_name)], likes: Annotated[Colour, Resolve(ask_colour)]
) -> str:
    return f"{word}, {who.name}, who likes {likes.colour}"


@server.tool()
async def slow(steps: int, ctx: Context) -> str:
    for step in range(steps):
        await ctx.report_progress(step, steps, f"step {step}")
        await anyio.sleep(0.05)
    return "done"


@server.tool()
async def touch(uri: str, ctx: Context) -> str:
    """Says that something changed."""
    await ctx.notify_tools_changed()
    await ctx.notify_prompts_changed()
    await ctx.notify_resource_updated(uri)
    return "touched"


@server.resource("memo://{name}")
def memo(name: str) -> str:
    return f"a memo about {name}"


@server.resource("note://one")
def note() -> str:
    return "a note"


@server.prompt()
def draft(subject: str) -> str:
    return f"Write about {subject}."


server.run("stdio")
