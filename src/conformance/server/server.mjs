// A server of revision 2026-07-28 as MCP's own TypeScript library serves it, for tests of clients.
//
//   node server.mjs [--era dual|modern] [--http PORT]
//
// It speaks over stdio, or over HTTP at 127.0.0.1:PORT/mcp, where 0 stands for any free port; then
// it prints "listening at URL", and "left METHOD" whenever a client has gone before it had its
// answer and the library has let go of the exchange. METHOD is the message's; over HTTP it is what
// the header Mcp-Method says or, without one, that of HTTP.
//
// The era is dual by default: the revisions before are served as well, over HTTP without sessions,
// where their clients can neither be asked nor be told anything. SIGTERM and SIGINT end the server
// as the library does it: who listens is told that this is the end.
//
// It needs Node.js 20, and what package-lock.json pins beside it:
//
//   mkdir -p target/conformance && cp -r src/conformance/server target/conformance
//   cd target/conformance/server && npm ci --ignore-scripts
//
// Tools
//   echo       answers the text
//   add        answers a sum, as text and structured
//   place      has arguments that are HTTP headers too, and answers the headers
//   log        logs, if the client wants that level
//   counts     answers how often this process was asked for each METHOD
//   crash      exits with a code instead of an answer
//   ask        asks for a name, then whether it is right: two rounds with a state
//   gather     asks for a form, a sample and the roots at once: one round without a state
//   visit      asks the user to go to a URL
//   later      answers a state and asks for nothing: the client has to come back
//   slow       reports a progress, waits, and so on, until it is done or cancelled
//   cancelled  answers once so many calls of slow were cancelled
//   grow       adds a tool, and announces that the list has changed
//   touch      changes note:///today, and announces it
// Resources
//   note:///today      says how often it was touched; may be cached for a minute
//   note:///locked     asks first
//   greeting://{name}  a template, with completion
// Prompts
//   greet      has an argument with completion
// All lists, and what server/discover answers, may be cached for a minute, by everyone.

import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import {
  localhostHostValidation,
  localhostOriginValidation,
  toNodeHandler,
} from "@modelcontextprotocol/node";
import {
  acceptedContent,
  completable,
  createMcpHandler,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  McpServer,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

const TODAY = "note:///today";
const LOCKED = "note:///locked";
const LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
const NAMES = ["Ada", "Alan", "Barbara"];

const FOR_ALL = { ttlMs: 60_000, cacheScope: "public" };
const FOR_ONE = { ttlMs: 60_000, cacheScope: "private" };
const CACHE_HINTS = {
  "server/discover": FOR_ALL,
  "tools/list": FOR_ALL,
  "prompts/list": FOR_ALL,
  "resources/list": FOR_ALL,
  "resources/templates/list": FOR_ALL,
};

const NAME = z.object({ name: z.string().min(1) });
const CONFIRMATION = z.object({ confirmed: z.boolean() });

// The state of the process: over HTTP each request has a McpServer of its own.
const counts = {};
const grown = [];
const subscribed = new Set(); // by a client of a revision before
const cancellations = new EventEmitter();
let cancelled = 0;
let touched = 0;
let handler; // the library's; undefined over stdio

const states = createRequestStateCodec({ key: randomBytes(32) });

const text = (text) => ({ content: [{ type: "text", text: String(text) }] });
const structured = (value) => ({ ...text(JSON.stringify(value)), structuredContent: value });
const namesLike = (start) => NAMES.filter((name) => name.startsWith(start));
const form = (message, requestedSchema) => inputRequired.elicit({ message, requestedSchema });

function count(what) {
  counts[what] = (counts[what] ?? 0) + 1;
}

// The library calls this for a connection over stdio, and for each request over HTTP.
function create({ era }) {
  const mcp = new McpServer(
    { name: "official", version: "1.0.0" },
    {
      instructions: "Made for tests.",
      capabilities: { logging: {}, resources: { subscribe: true } },
      cacheHints: CACHE_HINTS,
      requestState: { verify: states.verify },
    },
  );
  addPlainTools(mcp);
  addToolsThatAsk(mcp);
  addToolsThatTakeTime(mcp);
  addToolsThatChange(mcp, era);
  addResources(mcp);
  addPrompts(mcp);
  return mcp;
}

function addPlainTools(mcp) {
  mcp.registerTool("echo", { inputSchema: z.object({ text: z.string() }) }, (args) =>
    text(args.text),
  );

  mcp.registerTool(
    "add",
    {
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() }),
      annotations: { readOnlyHint: true, idempotentHint: true },
    },
    ({ a, b }) => structured({ sum: a + b }),
  );

  const header = (name) => ({ "x-mcp-header": name });
  mcp.registerTool(
    "place",
    {
      inputSchema: z.object({
        region: z.string().meta(header("Region")),
        shard: z.int().optional().meta(header("Shard")),
        dry: z.boolean().optional().meta(header("Dry")),
        comment: z.string().optional(),
      }),
    },
    (_args, { http }) => {
      const all = [...(http?.req.headers ?? [])];
      return structured(Object.fromEntries(all.filter(([name]) => name.startsWith("mcp-param-"))));
    },
  );

  mcp.registerTool(
    "log",
    { inputSchema: z.object({ level: z.enum(LEVELS), text: z.string() }) },
    async (args, { mcpReq }) => {
      await mcpReq.log(args.level, args.text, "official");
      return text("done");
    },
  );

  mcp.registerTool("counts", {}, () => structured(counts));

  mcp.registerTool("crash", { inputSchema: z.object({ code: z.int() }) }, ({ code }) =>
    process.exit(code),
  );
}

function addToolsThatAsk(mcp) {
  mcp.registerTool("ask", {}, async ({ mcpReq }) => {
    const state = mcpReq.requestState();
    const { kind, action } = inputResponse(mcpReq.inputResponses, state?.about);
    if (kind === "elicit" && action !== "accept") {
      return text(`${state.about}: ${action}`);
    }
    if (state?.about === "confirmation") {
      const answer = acceptedContent(mcpReq.inputResponses, "confirmation", CONFIRMATION);
      if (answer) {
        return text(answer.confirmed ? `hello ${state.name}` : `you are not ${state.name}`);
      }
    }
    const name = state?.name ?? acceptedContent(mcpReq.inputResponses, state?.about, NAME)?.name;
    return inputRequired(
      name === undefined
        ? {
            inputRequests: { name: form("Who are you?", NAME) },
            requestState: await states.mint({ about: "name" }),
          }
        : {
            inputRequests: { confirmation: form(`Are you ${name}?`, CONFIRMATION) },
            requestState: await states.mint({ about: "confirmation", name }),
          },
    );
  });

  mcp.registerTool("gather", {}, ({ mcpReq }) => {
    const inputRequests = {
      form: form("Which color?", z.object({ color: z.enum(["red", "green"]) })),
      sample: inputRequired.createMessage({
        messages: [{ role: "user", content: { type: "text", text: "Say hello" } }],
        maxTokens: 10,
      }),
      roots: inputRequired.listRoots(),
    };
    const answers = mcpReq.inputResponses;
    return Object.keys(inputRequests).every((key) => inputResponse(answers, key).kind !== "missing")
      ? structured(answers)
      : inputRequired({ inputRequests });
  });

  mcp.registerTool("visit", { inputSchema: z.object({ url: z.url() }) }, ({ url }, { mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, "visit");
    const inputRequests = { visit: inputRequired.elicitUrl({ message: "Go there", url }) };
    return answer.kind === "elicit" ? text(answer.action) : inputRequired({ inputRequests });
  });

  mcp.registerTool("later", {}, async ({ mcpReq }) =>
    mcpReq.requestState() === undefined
      ? inputRequired({ requestState: await states.mint("later") })
      : text("now"),
  );
}

function addToolsThatTakeTime(mcp) {
  mcp.registerTool(
    "slow",
    { inputSchema: z.object({ steps: z.int(), stepMs: z.int() }) },
    async ({ steps, stepMs }, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      try {
        for (let step = 1; step <= steps; step++) {
          if (progressToken !== undefined) {
            const params = { progressToken, progress: step, total: steps, message: `step ${step}` };
            await mcpReq.notify({ method: "notifications/progress", params });
          }
          await sleep(stepMs, undefined, { signal: mcpReq.signal });
        }
        return text("done");
      } catch (error) {
        if (mcpReq.signal.aborted) {
          cancelled++;
          cancellations.emit("one");
        }
        throw error;
      }
    },
  );

  mcp.registerTool(
    "cancelled",
    { inputSchema: z.object({ times: z.int() }) },
    async ({ times }, { mcpReq }) => {
      while (cancelled < times) {
        await once(cancellations, "one", { signal: mcpReq.signal });
      }
      return text(cancelled);
    },
  );
}

// Over stdio what a server announces reaches who listens, or, in the revisions before, its client.
// Over HTTP a server ends with its request, so what it announces goes nowhere: the handler does it.
function addToolsThatChange(mcp, era) {
  const add = (name) => mcp.registerTool(name, {}, () => text(`${name} has grown`));
  grown.forEach(add);

  mcp.registerTool("grow", { inputSchema: z.object({ name: z.string() }) }, ({ name }) => {
    add(name);
    grown.push(name);
    handler?.notify.toolsChanged();
    return text("done");
  });

  mcp.registerTool("touch", {}, async () => {
    touched++;
    if (era === "modern" || subscribed.has(TODAY)) {
      await mcp.server.sendResourceUpdated({ uri: TODAY });
    }
    handler?.notify.resourceUpdated(TODAY);
    return text("done");
  });

  if (era === "legacy") {
    mcp.server.setRequestHandler("resources/subscribe", ({ params }) => {
      subscribed.add(params.uri);
      return {};
    });
    mcp.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
      subscribed.delete(params.uri);
      return {};
    });
  }
}

function addResources(mcp) {
  const contents = (uri, text) => ({ contents: [{ uri: uri.href, mimeType: "text/plain", text }] });

  mcp.registerResource("today", TODAY, { mimeType: "text/plain", cacheHint: FOR_ONE }, (uri) =>
    contents(uri, `touched ${touched} times`),
  );

  mcp.registerResource("locked", LOCKED, { mimeType: "text/plain" }, (uri, { mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, "confirmation");
    return answer.kind === "missing"
      ? inputRequired({ inputRequests: { confirmation: form("May it be read?", CONFIRMATION) } })
      : contents(uri, answer.content?.confirmed ? "a secret" : "nothing");
  });

  mcp.registerResource(
    "greeting",
    new ResourceTemplate("greeting://{name}", { list: undefined, complete: { name: namesLike } }),
    { mimeType: "text/plain" },
    (uri, { name }) => contents(uri, `hello ${name}`),
  );
}

function addPrompts(mcp) {
  mcp.registerPrompt(
    "greet",
    { argsSchema: z.object({ name: completable(z.string(), namesLike) }) },
    ({ name }) => ({
      messages: [{ role: "user", content: { type: "text", text: `Greet ${name}` } }],
    }),
  );
}

function serveOverStdio(legacy) {
  const transport = new StdioServerTransport();
  const options = { legacy: legacy ? "serve" : "reject", transport, onerror: report };
  const connection = serveStdio(create, options);
  const serve = transport.onmessage;
  transport.onmessage = (message) => {
    if (message.method !== undefined) {
      count(message.method);
    }
    serve(message);
  };
  return () => connection.close();
}

function serveOverHttp(legacy, port) {
  const options = { legacy: legacy ? "stateless" : "reject", onerror: report };
  handler = createMcpHandler(create, options);
  const handle = toNodeHandler(handler, { onerror: report });
  const isLocalHost = localhostHostValidation();
  const isLocalOrigin = localhostOriginValidation();
  const server = createServer(async (request, response) => {
    if (request.url !== "/mcp") {
      response.writeHead(404).end();
      return;
    }
    if (!isLocalHost(request, response) || !isLocalOrigin(request, response)) {
      return;
    }
    const method = request.headers["mcp-method"] ?? request.method;
    count(method);
    await handle(request, response);
    if (response.destroyed) {
      console.log(`left ${method}`);
    }
  });
  server.listen(port, "127.0.0.1", () => {
    console.log(`listening at http://127.0.0.1:${server.address().port}/mcp`);
  });
  return async () => {
    server.close();
    await handler.close();
    // All is written by now. What a client keeps open would keep the process.
    setTimeout(() => server.closeAllConnections(), 100);
  };
}

function report(error) {
  console.error(error.message);
}

const { values: options } = parseArgs({
  options: { era: { type: "string", default: "dual" }, http: { type: "string" } },
});
if (!["dual", "modern"].includes(options.era)) {
  throw new Error(`--era is dual or modern, not ${options.era}`);
}
const legacy = options.era === "dual";
const end =
  options.http === undefined ? serveOverStdio(legacy) : serveOverHttp(legacy, options.http);
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, end);
}
