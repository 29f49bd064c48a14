// What the TypeScript SDK, version 1, reads beside tools; says it as one JSON object.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";

const client = new Client({ name: "ts-v1", version: "1.0" });
const heard = [];
let wake = () => {};
client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
  heard.push(params.uri);
  wake();
});
client.setNotificationHandler(ResourceListChangedNotificationSchema, () => {
  heard.push("list");
  wake();
});
const hears = async (what) => {
  while (!heard.includes(what)) await new Promise((done) => (wake = done));
};

await client.connect(new StdioClientTransport(JSON.parse(process.argv[2])));
const create = (name) =>
  client.callTool({ name: "create_databit", arguments: { name, labels: ["a", "b"] } });
await create("mail");
const resources = (await client.listResources()).resources.map((r) => r.uri);
const templates = (await client.listResourceTemplates()).resourceTemplates.map((t) => t.uriTemplate);
const read = await client.readResource({ uri: "databit://mail" });
const missing = await client.readResource({ uri: "databit://post" }).catch((error) => error);
const prompts = (await client.listPrompts()).prompts.map((p) => p.name);
const prompt = await client.getPrompt({ name: "review_session", arguments: { databit: "mail" } });
const { completion } = await client.complete({
  ref: { type: "ref/resource", uri: "databit://{databit}" },
  argument: { name: "databit", value: "m" },
});
await client.subscribeResource({ uri: "pipeline://mail" });
await create("post");
await hears("list");
await client.unsubscribeResource({ uri: "pipeline://mail" });
console.log(
  JSON.stringify({
    resources,
    templates,
    name: JSON.parse(read.contents[0].text).name,
    missing: { code: missing.code, message: missing.message },
    prompts,
    messages: prompt.messages.length,
    completion,
    heard,
    declared: client.getServerCapabilities(),
  }),
);
await client.close();
