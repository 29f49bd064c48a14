// A connected client that a test drives with lines of JSON: {"tool", "arguments"}, or {} for the list of tools.
import { createInterface } from "node:readline";

export const target = JSON.parse(process.argv[2]);

// What the person at the client was shown; they agree to everything, and leave fields as they are.
const asked = [];
export function agree(request) {
  asked.push(request.params.message);
  const fields = Object.entries(request.params.requestedSchema.properties);
  const content = fields.map(([name, f]) => [name, f.type === "boolean" ? true : f.default]);
  return { action: "accept", content: Object.fromEntries(content) };
}

export async function serveLines(client) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { tool, arguments: given } = JSON.parse(line);
    const answer = tool
      ? await client.callTool({ name: tool, arguments: given })
      : { tools: (await client.listTools()).tools.map((t) => t.name) };
    console.log(JSON.stringify({ ...answer, asked }));
  }
  await client.close();
}
