"""Plays the steps of a plan against an MCP server with the Python SDK, and prints what came back as JSON.

The plan is a file: {"command": [...], "steps": [{"do": ..., ...}, ...], "negotiate": true?}.
client.mjs plays the same plans with the TypeScript SDKs.
"""

import json
import re
import sys

import anyio
from mcp import Client, ClientSession, StdioServerParameters, stdio_client, types

CLOCK = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)?|\d{1,2}:\d\d:\d\d( [AP]M)?")


def plain(result):
    """What came back, without times of the clock."""
    text = CLOCK.sub("<time>", result.model_dump_json(by_alias=True, exclude_none=True))
    return json.loads(text)


async def elicit(context, params):
    """Answers what a server asks for: each property with its own name."""
    wanted = params.requested_schema.get("properties", {})
    return types.ElicitResult(action="accept", content={name: f"<{name}>" for name in wanted})


async def call(session, step, **options):
    return plain(await session.call_tool(step["name"], step.get("arguments"), **options))


async def progress(session, step):
    seen = []

    async def note(progress, total, message):
        # The last one comes together with the result, and some clients then forget it.
        if progress != total:
            seen.append([progress, total, message])

    result = await call(session, step, progress_callback=note)
    return {"progress": seen, "result": result}


async def cancel(session, step):
    with anyio.move_on_after(0.5) as scope:
        await call(session, step)
    return {"cancelled": scope.cancelled_caught}


async def complete(session, step):
    reference = types.PromptReference(type="ref/prompt", name=step["prompt"])
    return plain(await session.complete(reference, step["argument"]))


async def listen(session, step):
    """What is told, of what is listened to, while something is done that changes more than that."""
    told = []
    uris = step["uris"]
    async with session.listen(tools_list_changed=True, resource_subscriptions=uris) as events:
        honoured = plain(events.honored)
        await session.call_tool(**step["while"])
        async for event in events:
            told.append(repr(event))
            if len(told) == 2:
                break
    return {"honoured": honoured, "told": sorted(told)}


DO = {
    "ping": lambda session, step: session.send_ping(),
    "tools": lambda session, step: session.list_tools(),
    "prompts": lambda session, step: session.list_prompts(),
    "resources": lambda session, step: session.list_resources(),
    "templates": lambda session, step: session.list_resource_templates(),
    "prompt": lambda session, step: session.get_prompt(step["name"], step.get("arguments")),
    "read": lambda session, step: session.read_resource(step["uri"]),
    "subscribe": lambda session, step: session.subscribe_resource(step["uri"]),
    "unsubscribe": lambda session, step: session.unsubscribe_resource(step["uri"]),
    "log": lambda session, step: session.set_logging_level(step["level"]),
}
SPECIAL = {"call": call, "progress": progress, "cancel": cancel, "complete": complete, "listen": listen}


async def play(session, step):
    try:
        if step["do"] in SPECIAL:
            return await SPECIAL[step["do"]](session, step)
        return plain(await DO[step["do"]](session, step))
    except Exception as error:
        code = getattr(getattr(error, "error", None), "code", None)
        return {"failed": CLOCK.sub("<time>", str(error)), "code": code}


async def main():
    plan = json.load(open(sys.argv[1], encoding="utf-8"))
    server = StdioServerParameters(command=plan["command"][0], args=plan["command"][1:])
    with anyio.fail_after(120):
        if plan.get("negotiate"):
            async with Client(server, elicitation_callback=elicit) as client:
                steps = [await play(client, step) for step in plan["steps"]]
                print(json.dumps({"initialize": client.protocol_version, "steps": steps}, indent=1))
            return
        async with stdio_client(server) as streams, ClientSession(*streams, elicitation_callback=elicit) as session:
            initialize = plain(await session.initialize())
            steps = [await play(session, step) for step in plan["steps"]]
            print(json.dumps({"initialize": initialize, "steps": steps}, indent=1))


anyio.run(main)
