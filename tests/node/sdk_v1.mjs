// The TypeScript SDK, version 1.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { agree, serveLines, target } from "./lines.mjs";

const client = new Client(
  { name: "ts-v1", version: "1.0" },
  { capabilities: target.asks ? { elicitation: {} } : {} },
);
if (target.asks) client.setRequestHandler(ElicitRequestSchema, async (request) => agree(request));
await client.connect(
  target.url
    ? new StreamableHTTPClientTransport(new URL(target.url))
    : new StdioClientTransport(target),
);
await serveLines(client);
