// Plays the steps of a plan against an MCP server with one of the TypeScript SDKs, `client` or `sdk`, and
// prints what came back as JSON. client.py says what a plan is.
import { readFileSync } from 'node:fs';

const [which, file] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(file, 'utf8'));
const modules = {
  client: ['@modelcontextprotocol/client', '@modelcontextprotocol/client/stdio'],
  sdk: ['@modelcontextprotocol/sdk/client/index.js', '@modelcontextprotocol/sdk/client/stdio.js'],
}[which];
const [{ Client }, { StdioClientTransport }] = await Promise.all(modules.map((name) => import(name)));

const clock = /\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)?|\d{1,2}:\d\d:\d\d( [AP]M)?/g;
const plain = (result) => JSON.parse(JSON.stringify(result).replaceAll(clock, '<time>'));

const options = plan.negotiate ? { versionNegotiation: { mode: 'auto' } } : {};
const client = new Client({ name: 'peer', version: '1' }, { ...options, capabilities: { elicitation: {} } });
// Answers what a server asks for: each property with its own name.
const elicited = which === 'sdk' ? (await import('@modelcontextprotocol/sdk/types.js')).ElicitRequestSchema : 'elicitation/create';
client.setRequestHandler(elicited, ({ params }) => {
  const wanted = Object.keys(params.requestedSchema?.properties ?? {});
  return { action: 'accept', content: Object.fromEntries(wanted.map((name) => [name, `<${name}>`])) };
});
const [command, ...args] = plan.command;
const transport = new StdioClientTransport({ command, args, stderr: 'inherit' });

// The two SDKs differ in whether `callTool` takes a result schema before its options.
const call = ({ name, arguments: input }, options) => {
  const params = input === undefined ? { name } : { name, arguments: input };
  return which === 'sdk' ? client.callTool(params, undefined, options) : client.callTool(params, options);
};

const play = {
  ping: () => client.ping(),
  tools: () => client.listTools(),
  prompts: () => client.listPrompts(),
  resources: () => client.listResources(),
  templates: () => client.listResourceTemplates(),
  prompt: (step) => client.getPrompt({ name: step.name, arguments: step.arguments }),
  read: (step) => client.readResource({ uri: step.uri }),
  subscribe: (step) => client.subscribeResource({ uri: step.uri }),
  unsubscribe: (step) => client.unsubscribeResource({ uri: step.uri }),
  log: (step) => client.setLoggingLevel(step.level),
  complete: ({ prompt, argument }) => client.complete({ ref: { type: 'ref/prompt', name: prompt }, argument }),
  call,
  progress: async (step) => {
    const progress = [];
    const result = await call(step, { onprogress: (seen) => progress.push(seen) });
    // The last one comes together with the result, and some clients then forget it.
    return { progress: progress.filter((seen) => seen.progress !== seen.total), result };
  },
  cancel: async (step) => {
    const abort = new AbortController();
    setTimeout(() => abort.abort('enough'), 500);
    const cancelled = await call(step, { signal: abort.signal }).then(() => false, () => true);
    return { cancelled };
  },
  // What is told, of what is listened to, while something is done that changes more than that.
  listen: async (step) => {
    if (!plan.negotiate) throw new Error('the older era does not listen');
    const told = [];
    const both = new Promise((resolve) => {
      for (const method of ['tools/list_changed', 'prompts/list_changed', 'resources/updated']) {
        client.setNotificationHandler(`notifications/${method}`, ({ params }) => {
          told.push(`${method} ${params?.uri ?? ''}`);
          if (told.length === 2) resolve();
        });
      }
    });
    const subscription = await client.listen({ toolsListChanged: true, resourceSubscriptions: step.uris });
    await call(step.while);
    await both;
    await subscription.close();
    return { honoured: subscription.honoredFilter, told: told.sort() };
  },
};

const watchdog = setTimeout(() => process.exit(9), 120_000);
await client.connect(transport);
const initialize = plain({
  server: client.getServerVersion(),
  capabilities: client.getServerCapabilities(),
  instructions: client.getInstructions(),
  era: client.getProtocolEra?.(),
});
const steps = [];
for (const step of plan.steps) {
  try {
    steps.push(plain(await play[step.do](step)));
  } catch (error) {
    steps.push({ failed: plain(String(error.message)), code: error.code });
  }
}
await client.close();
clearTimeout(watchdog);
console.log(JSON.stringify({ initialize, steps }, null, 1));
