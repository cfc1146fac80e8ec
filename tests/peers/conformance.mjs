// A server that offers what the scenarios of the MCP conformance runner call, in both eras of the protocol, over
// standard input and output. It is built on the TypeScript SDK; nothing in it knows of the gate.
import {
  Server,
  acceptedContent,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  MissingRequiredClientCapabilityError,
  ProtocolError,
} from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SILENCE = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

const text = (text) => ({ type: 'text', text });
const says = (...content) => ({ content: content.map((part) => (typeof part === 'string' ? text(part) : part)) });
const image = { type: 'image', data: PIXEL, mimeType: 'image/png' };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const object = (properties = {}, required = Object.keys(properties)) => ({ type: 'object', properties, required });
const string = { type: 'string' };

// A state that a client could not have made up; a fresh process reads what another one sealed.
const codec = createRequestStateCodec({ key: 'what the tests of the conformance server are sealed with' });

const name = () => inputRequired.elicit({ message: 'What is your name?', requestedSchema: object({ name: string }) });
const sample = (text, maxTokens) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens });

/** Asks for what is not answered yet; `done` makes a result of the answers. */
const rounds = (asked, done, state) => async (_, ctx) => {
  const responses = ctx.mcpReq.inputResponses;
  const missing = Object.keys(asked).filter((key) => inputResponse(responses, key).kind === 'missing');
  if (missing.length === 0) return done(responses, ctx);
  const inputRequests = Object.fromEntries(missing.map((key) => [key, asked[key]()]));
  return inputRequired({ inputRequests, ...(state && { requestState: await codec.mint(state, ctx) }) });
};

const confirm = () => inputRequired.elicit({ message: 'Please confirm', requestedSchema: object({ ok: { type: 'boolean' } }) });
const hello = (responses) => says(`Hello, ${acceptedContent(responses, 'user_name').name}!`);

const asks = (requestedSchema) => async (_, ctx) => {
  const { action, content } = await ctx.mcpReq.elicitInput({ message: 'Please fill in', requestedSchema });
  return says(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`);
};

const choices = ['first', 'second', 'third'].map((word, index) => ({ const: `value${index + 1}`, title: `The ${word}` }));
const three = (stem) => [1, 2, 3].map((number) => stem + number);

/** Tools: what they take, and what they do. */
const tools = {
  test_simple_text: [object(), () => says('This is a simple text response for testing.')],
  test_image_content: [object(), () => says(image)],
  test_audio_content: [object(), () => says({ type: 'audio', data: SILENCE, mimeType: 'audio/wav' })],
  test_embedded_resource: [
    object(),
    () => {
      const resource = { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource content.' };
      return says({ type: 'resource', resource });
    },
  ],
  test_multiple_content_types: [
    object(),
    () => {
      const resource = { uri: 'test://mixed-content-resource', mimeType: 'application/json', text: '{"test":"data","value":123}' };
      return says('Multiple content types test:', image, { type: 'resource', resource });
    },
  ],
  test_error_handling: [
    object(),
    () => ({ ...says('This tool intentionally returns an error for testing'), isError: true }),
  ],
  test_tool_with_logging: [
    object(),
    async (_, ctx) => {
      for (const line of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
        await ctx.mcpReq.log('info', line);
        await pause(50);
      }
      return says('Logged.');
    },
  ],
  test_logging_tool: [
    object(),
    async (_, ctx) => {
      await ctx.mcpReq.log('info', 'A line of the log');
      return says('Logged.');
    },
  ],
  test_tool_with_progress: [
    object(),
    async (_, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined) {
          await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
        }
        await pause(50);
      }
      return says('Done.');
    },
  ],
  test_sampling: [
    object({ prompt: string }),
    async ({ prompt }, ctx) => {
      const messages = [{ role: 'user', content: text(prompt) }];
      const { content } = await ctx.mcpReq.requestSampling({ messages, maxTokens: 100 });
      return says(`LLM response: ${content.text}`);
    },
  ],
  test_elicitation: [
    object({ message: string }),
    async ({ message }, ctx) => {
      const described = (description) => ({ type: 'string', description });
      const requestedSchema = object({ username: described("User's response"), email: described("User's email address") });
      const { action, content } = await ctx.mcpReq.elicitInput({ message, requestedSchema });
      return says(`User response: action: ${action}, content: ${JSON.stringify(content ?? {})}`);
    },
  ],
  test_elicitation_sep1034_defaults: [
    object(),
    asks(
      object({
        name: { type: 'string', default: 'John Doe' },
        age: { type: 'integer', default: 30 },
        score: { type: 'number', default: 95.5 },
        status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
        verified: { type: 'boolean', default: true },
      }),
    ),
  ],
  test_elicitation_sep1330_enums: [
    object(),
    asks(
      object({
        untitledSingle: { type: 'string', enum: three('option') },
        titledSingle: { type: 'string', oneOf: choices },
        legacyEnum: { type: 'string', enum: three('opt'), enumNames: three('Option ') },
        untitledMulti: { type: 'array', items: { type: 'string', enum: three('option') } },
        titledMulti: { type: 'array', items: { anyOf: choices } },
      }),
    ),
  ],
  test_input_required_result_elicitation: [object(), rounds({ user_name: name }, hello)],
  test_input_required_result_sampling: [
    object(),
    rounds({ capital_question: () => sample('What is the capital of France?', 100) }, (responses) =>
      says(inputResponse(responses, 'capital_question').result.content.text),
    ),
  ],
  test_input_required_result_list_roots: [
    object(),
    rounds({ client_roots: () => inputRequired.listRoots() }, (responses) =>
      says(inputResponse(responses, 'client_roots').roots.map((root) => root.uri).join(' ')),
    ),
  ],
  test_input_required_result_request_state: [
    object(),
    rounds({ confirm }, (_, ctx) => says(ctx.mcpReq.requestState()?.step === 'confirm' ? 'state-ok' : 'no state'), { step: 'confirm' }),
  ],
  test_input_required_result_tampered_state: [object(), rounds({ confirm }, () => says('state-ok'), { step: 'confirm' })],
  test_input_required_result_multiple_inputs: [
    object(),
    rounds(
      { user_name: name, greeting: () => sample('Generate a greeting', 50), client_roots: () => inputRequired.listRoots() },
      hello,
      { step: 'all' },
    ),
  ],
  test_input_required_result_multi_round: [
    object(),
    async (_, ctx) => {
      const responses = ctx.mcpReq.inputResponses;
      const before = ctx.mcpReq.requestState();
      const asksFor = async (step, message, property, state) => {
        const requestedSchema = object({ [property]: string });
        const inputRequests = { [step]: inputRequired.elicit({ message, requestedSchema }) };
        return inputRequired({ inputRequests, requestState: await codec.mint(state, ctx) });
      };
      const first = acceptedContent(responses, 'step1');
      const second = acceptedContent(responses, 'step2');
      if (before?.name && second) return says(`${before.name} likes ${second.color}`);
      if (before && first) return asksFor('step2', 'Step 2: What is your favorite color?', 'color', { name: first.name });
      return asksFor('step1', 'Step 1: What is your name?', 'name', { step: 1 });
    },
  ],
  test_input_required_result_capabilities: [
    object(),
    async (_, ctx) => {
      const can = ctx.mcpReq._meta?.[CAPABILITIES] ?? ctx.mcpReq.envelope?.[CAPABILITIES] ?? {};
      const inputRequests = {
        ...(can.elicitation && { user_name: name() }),
        ...(can.sampling && { greeting: sample('Generate a greeting', 50) }),
        ...(can.roots && { client_roots: inputRequired.listRoots() }),
      };
      return Object.keys(inputRequests).length > 0 ? inputRequired({ inputRequests }) : says('Nothing can be asked.');
    },
  ],
  test_missing_capability: [
    object(),
    (_, ctx) => {
      const can = ctx.mcpReq._meta?.[CAPABILITIES] ?? ctx.mcpReq.envelope?.[CAPABILITIES] ?? {};
      if (!can.sampling) throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
      return says('The client can be sampled.');
    },
  ],
  test_streaming_elicitation: [object(), rounds({ user_name: name }, hello)],
  test_trigger_tool_change: [object(), async (_, __, server) => (await server.sendToolListChanged(), says('Changed.'))],
  test_trigger_prompt_change: [object(), async (_, __, server) => (await server.sendPromptListChanged(), says('Changed.'))],
  test_reconnection: [object(), async () => (await pause(100), says('Still here.'))],
  test_custom_header: [object({ value: { ...string, 'x-mcp-header': 'Value' } }), ({ value }) => says(value)],
  // What scenarios of the tasks extension call. This server makes no tasks: all of it is done at once.
  greet: [object({ name: string }), ({ name }) => says(`Hello, ${name}!`)],
  slow_compute: [object({ seconds: { type: 'integer' }, label: string }), ({ label }) => says(`Computed ${label}.`)],
  failing_job: [object(), () => ({ ...says('The job failed.'), isError: true })],
  protocol_error_job: [
    object(),
    () => {
      throw new ProtocolError(-32603, 'The job cannot be run.');
    },
  ],
  confirm_delete: [object({ filename: string }), ({ filename }) => says(`Deleted ${filename}.`)],
  multi_input: [object(), () => says('Nothing was asked.')],
  test_tool_with_task: [object(), () => says('Done.')],
  json_schema_2020_12_tool: [
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { street: string, city: string } } },
      properties: {
        name: string,
        address: { $ref: '#/$defs/address' },
        contactMethod: { type: 'string', enum: ['phone', 'email'] },
        phone: string,
        email: string,
      },
      allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
      if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
      then: { required: ['phone'] },
      else: { required: ['email'] },
      additionalProperties: false,
    },
    () => says('Taken.'),
  ],
};

const user = (content) => ({ role: 'user', content });
const prompts = {
  test_simple_prompt: [[], () => [user(text('This is a simple prompt for testing.'))]],
  test_prompt_with_arguments: [
    ['arg1', 'arg2'],
    ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  ],
  test_prompt_with_embedded_resource: [
    ['resourceUri'],
    ({ resourceUri: uri }) => {
      const resource = { uri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' };
      return [user({ type: 'resource', resource }), user(text('Please process the embedded resource above.'))];
    },
  ],
  test_prompt_with_image: [[], () => [user(image), user(text('Please analyze the image above.'))]],
  test_input_required_result_prompt: [[], null],
};
const context = () =>
  inputRequired.elicit({ message: 'What context should the prompt use?', requestedSchema: object({ context: string }) });

const resources = {
  'test://static-text': ['text/plain', { text: 'This is the content of the static text resource.' }],
  'test://static-binary': ['image/png', { blob: PIXEL }],
  'test://watched-resource': ['text/plain', { text: 'Watched.' }],
};
const template = /^test:\/\/template\/([^/]+)\/data$/;

function make({ era }) {
  const capabilities = {
    tools: { listChanged: true },
    prompts: { listChanged: true },
    resources: { listChanged: true, subscribe: true },
    completions: {},
    logging: {},
  };
  const server = new Server(
    { name: 'conformance', version: '1.0.0' },
    { capabilities, requestState: { verify: codec.verify } },
  );
  server.setRequestHandler('tools/list', () => ({
    tools: Object.entries(tools).map(([name, [inputSchema]]) => ({ name, description: name.replaceAll('_', ' '), inputSchema })),
    ttlMs: 0,
    cacheScope: 'public',
  }));
  server.setRequestHandler('tools/call', async ({ params }, ctx) => {
    const tool = tools[params.name];
    if (!tool) throw new ProtocolError(-32602, `Unknown tool: ${params.name}`);
    return tool[1](params.arguments ?? {}, ctx, server);
  });
  server.setRequestHandler('prompts/list', () => ({
    prompts: Object.entries(prompts).map(([name, [names]]) => ({
      name,
      description: name.replaceAll('_', ' '),
      arguments: names.map((name) => ({ name, required: true })),
    })),
  }));
  server.setRequestHandler('prompts/get', async ({ params }, ctx) => {
    const prompt = prompts[params.name];
    if (!prompt) throw new ProtocolError(-32602, `Unknown prompt: ${params.name}`);
    if (prompt[1]) return { messages: prompt[1](params.arguments ?? {}) };
    const done = (responses) => ({ messages: [user(text(acceptedContent(responses, 'user_context').context))] });
    return rounds({ user_context: context }, done)(params, ctx);
  });
  server.setRequestHandler('resources/list', () => ({
    resources: Object.entries(resources).map(([uri, [mimeType]]) => ({ uri, name: uri, mimeType })),
  }));
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template', mimeType: 'application/json' }],
  }));
  server.setRequestHandler('resources/read', ({ params: { uri } }) => {
    const [, id] = uri.match(template) ?? [];
    const [mimeType, content] = id
      ? ['application/json', { text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }]
      : (resources[uri] ?? []);
    if (!content) throw new ProtocolError(-32602, 'Resource not found', { uri });
    return { contents: [{ uri, mimeType, ...content }] };
  });
  server.setRequestHandler('completion/complete', ({ params }) => {
    const values = ['paris', 'park', 'party'].filter((word) => word.startsWith(params.argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
  if (era === 'legacy') {
    server.setRequestHandler('resources/subscribe', () => ({}));
    server.setRequestHandler('resources/unsubscribe', () => ({}));
  }
  return server;
}

serveStdio(make);
