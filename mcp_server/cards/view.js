// The View side of MCP Apps 2026-01-26, as much of it as the cards need.
const host = window.parent, waiting = new Map(), $ = (id) => document.getElementById(id);
let asked = 0, capable = {}, height = 0;
const send = (message) => host.postMessage({ jsonrpc: "2.0", ...message }, "*");
const tell = (method, params = {}) => send({ method: "ui/notifications/" + method, params });

function request(method, params) {
  const id = ++asked;
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(Error("The host did not answer. Try again.")), 60000);
    waiting.set(id, (answer) => {
      clearTimeout(late);
      if (answer.error) reject(Error(answer.error.message || "The host refused."));
      else resolve(answer.result);
    });
    send({ id, method, params });
  });
}

const words = (result) => (result.content || []).map((part) => part.text || "").join("\n").trim();

// A tool's structured content; a refusal is an error with the workbench's own sentence.
async function call(name, given) {
  const result = await request("tools/call", { name, arguments: given });
  if (result.isError) throw Error(words(result) || "The workbench refused.");
  if (!result.structuredContent) throw Error("This host leaves out what the card needs.");
  return result.structuredContent;
}

function dress(context = {}) {
  const root = document.documentElement;
  root.dataset.theme = context.theme || root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  for (const [name, value] of Object.entries(context.styles?.variables || {}))
    if (name.startsWith("--") && value) root.style.setProperty(name, value);
}

// `on` holds what the card does: result(result), input(arguments), and end() before it is taken down.
async function start(name, on) {
  addEventListener("message", async (event) => {
    const { jsonrpc, id, method, params } = event.data || {};
    if (event.source !== host || jsonrpc !== "2.0") return;
    if (!method) waiting.get(id)?.(event.data), waiting.delete(id);
    else if (method === "ui/notifications/tool-result") on.result(params);
    else if (method === "ui/notifications/tool-input") on.input?.(params.arguments || {});
    else if (method === "ui/notifications/tool-cancelled") on.result({ isError: true, content: [{ text: "Cancelled." }] });
    else if (method === "ui/notifications/host-context-changed") dress(params);
    else if (method === "ui/resource-teardown") await on.end?.().catch(() => {}), send({ id, result: {} });
    else if (method === "ping") send({ id, result: {} });
    else if (id !== undefined) send({ id, error: { code: -32601, message: "This card does not know " + method } });
  });
  const met = await request("ui/initialize", {
    protocolVersion: "2026-01-26",
    appInfo: { name, version: "1" },
    appCapabilities: { availableDisplayModes: ["inline"] },
  });
  capable = met.hostCapabilities || {};
  dress(met.hostContext);
  tell("initialized");
  new ResizeObserver(() => {
    const now = Math.ceil(document.documentElement.getBoundingClientRect().height);
    if (now !== height) tell("size-changed", { height: (height = now) });
  }).observe(document.documentElement);
}

const make = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text }, more);
