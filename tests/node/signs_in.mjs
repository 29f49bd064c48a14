// A client of the TypeScript SDK, version 1 or 2, that knows nothing but the URL of a server and signs in as it is told to.
// Argument: {"sdk": 1 | 2, "url", "mode", "calls": [{"name", "arguments"}]}. Prints the answers as one line of JSON.
const asked = JSON.parse(process.argv[2]);
const { Client, StreamableHTTPClientTransport, UnauthorizedError } =
  asked.sdk === 1
    ? {
        ...(await import("@modelcontextprotocol/sdk/client/index.js")),
        ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
        ...(await import("@modelcontextprotocol/sdk/client/auth.js")),
      }
    : await import("@modelcontextprotocol/client");

const BACK = "http://127.0.0.1:3030/callback";
let led; // where the sign-in server has sent the browser
let kept = {};
const provider = {
  redirectUrl: BACK,
  clientMetadata: {
    client_name: "TypeScript",
    redirect_uris: [BACK],
    grant_types: ["authorization_code"],
    token_endpoint_auth_method: "client_secret_post",
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  discoveryState: () => kept.found,
  saveDiscoveryState: (found) => void (kept.found = found),
  async redirectToAuthorization(url) {
    const answer = await fetch(url, { redirect: "manual" });
    led = new URL(answer.headers.get("location"));
  },
};

let client, transport;
async function connect() {
  client = new Client(
    { name: `ts-v${asked.sdk}`, version: "1.0" },
    asked.sdk === 2 ? { versionNegotiation: { mode: asked.mode } } : {},
  );
  transport = new StreamableHTTPClientTransport(new URL(asked.url), { authProvider: provider });
  await client.connect(transport);
}

async function signingIn(what) {
  try {
    return await what();
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    const said = led.searchParams;
    await (asked.sdk === 1 ? transport.finishAuth(said.get("code")) : transport.finishAuth(said));
    return await what();
  }
}

await signingIn(connect);
const answers = [];
for (const call of asked.calls) answers.push(await signingIn(() => client.callTool(call)));
console.log(JSON.stringify(answers));
await client.close();
