// The TypeScript SDK, version 2.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { agree, serveLines, target } from "./lines.mjs";

const client = new Client(
  { name: "ts-v2", version: "1.0" },
  {
    capabilities: target.asks ? { elicitation: {} } : {},
    versionNegotiation: { mode: target.mode ?? "legacy" },
  },
);
if (target.asks) client.setRequestHandler("elicitation/create", async (request) => agree(request));
await client.connect(
  target.url
    ? new StreamableHTTPClientTransport(new URL(target.url))
    : new StdioClientTransport(target),
);
await serveLines(client);
